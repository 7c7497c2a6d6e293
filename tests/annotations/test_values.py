"""The table at the top of `values`, row by row: what is accepted, what it becomes, what is not."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from datumaro_openimages_plugin.annotations.values import (
    box_id_text,
    coordinate_text,
    flag_from_text,
    flag_text,
    score_text,
)

NOT_GIVEN = ["", None, np.str_("")]

SCORES = [
    # Whole numbers, as the published files have them
    (1, "1"), (0, "0"), (1.0, "1"), (0.0, "0"), (-0.0, "0"), (np.int64(1), "1"),
    (np.uint8(0), "0"), (np.float32(1), "1"), (np.float64(0), "0"),
    # The shortest text of a number's own type
    (0.7, "0.7"), (np.float32(0.7), "0.7"), (np.float16(0.7), "0.7"), (np.float64(0.7), "0.7"),
    (0.1 + 0.2, "0.30000000000000004"), (np.float32(1) / np.float32(3), "0.33333334"),
    # Never an exponent
    (1e-7, "0.0000001"), (np.float32(1e-7), "0.0000001"), (5e-324, "0." + "0" * 323 + "5"),
    # Decimal text stays as typed
    ("0.70", "0.70"), (" 0.70\t", "0.70"), ("1", "1"), ("1.0", "1.0"), ("0", "0"), ("00.5", "00.5"),
    (np.str_("0.5"), "0.5"),
    # Other texts of numbers are rewritten
    ("5e-1", "0.5"), (".5", "0.5"), ("1.", "1"), ("+0.5", "0.5"), ("-0", "0"),
    ("1E-7", "0.0000001"),
]  # fmt: skip
BAD_SCORES = [
    float("nan"), float("inf"), -float("inf"), np.float32("nan"), 1.5, -0.1, 2, -1, 10**400,
    10**5000, math.nextafter(1, 2), "nan", "inf", "1.5", "-0.1", "1e400", "high", "0,5", "0.5 0.6",
    "0_1", "0.1_5", "true", True, False, np.bool_(True), b"1", 1j, [0.5], (0.5,), {}, object(),
    np.array(0.5), np.array([0.5, 0.5]),
]  # fmt: skip

FLAGS = [
    (True, "1"), (False, "0"), (np.bool_(True), "1"), (np.bool_(False), "0"),
    (1, "1"), (0, "0"), (-1, "-1"), (1.0, "1"), (0.0, "0"), (-0.0, "0"), (-1.0, "-1"),
    (np.int64(-1), "-1"), (np.uint8(1), "1"), (np.float32(0), "0"), (np.float64(-1), "-1"),
    ("1", "1"), ("0", "0"), ("-1", "-1"), ("1.0", "1"), ("0.0", "0"), ("-1.0", "-1"),
    ("true", "1"), ("True", "1"), ("TRUE", "1"), ("false", "0"), ("False", "0"), ("fAlSe", "0"),
    (" true ", "1"), (np.str_("true"), "1"), (" ", "-1"),
]  # fmt: skip
BAD_FLAGS = [
    2, -2, 0.5, float("nan"), float("inf"), np.float32("nan"), 10**5000, "yes", "no", "on", "t",
    "2", "0.5", "nan", "truefalse", b"1", 1j, [True], (), {}, object(), np.array([True, False]),
]  # fmt: skip

FLAG_FIELDS = [
    ("1", True), ("0", False), ("-1", None), ("1.0", True), ("0.0", False), ("-1.0", None),
    ("True", True), ("true", True), ("TRUE", True), ("False", False), ("false", False),
    ("", None), (" ", None), (" 1 ", True), ("01", True), ("-0", False), ("000", False),
    ("-01", None),
]  # fmt: skip
BAD_FLAG_FIELDS = [
    "2", "02", "10", "0_1", "-2", "0.5", "1.5", "yes", "nan", "None", "t", "1,0",
]  # fmt: skip

BOX_IDS = [
    ("0badcafe", "0badcafe"), ("00000007", "00000007"), (7, "7"), (0, "0"), (-1, "-1"),
    (np.int64(12), "12"), (np.uint8(3), "3"), (np.str_("np"), "np"), ("a b", "a b"), (" a", " a"),
    ("a.b", "a.b"), (".a", ".a"), ("é", "é"), ("日本", "日本"), ("console", "console"),
    ("com10", "com10"), ("x" * 200, "x" * 200),
]  # fmt: skip
BAD_BOX_IDS = [
    "a/b", "a\\b", "/", ".", "..", "../x", "x\n/../y", "x\n", "a\0b", "a\rb", "a\tb", "\x1b[0m",
    "\x7f", "\x85", "\u2028", "nul", "CON", "aux.txt", "com1", "COM1.png", "lpt9", "nul .txt",
    "com¹", "x.", "x ", " ", "\ud800", "y" * 201, 10**200, 10**5000, True, np.bool_(False), 1.5,
    float("nan"), b"x", [1], object(),
]  # fmt: skip

COORDINATES = [
    (0.5, "0.5"), (1.0, "1.0"), (0.0, "0.0"), (-0.0, "0.0"), (-1e-12, "0.0"), (0.0125, "0.0125"),
    (0.022673031, "0.022673031"), (0.1 + 0.2, "0.3"), (1 / 3, "0.333333333"), (1e-7, "0.0000001"),
    (1e-10, "0.0"), (0.9999999999, "1.0"), (-0.25, "-0.25"), (-0.99, "-0.99"),
    (np.float64(0.25), "0.25"), (1.999, "1.999"), (1, "1.0"),
]  # fmt: skip


def shown(value: object) -> str:
    """A name of a case; Python makes no text of huge numbers."""
    return "huge" if isinstance(value, int) and value > 2**99 else ascii(value)[:20]


@pytest.mark.parametrize(("value", "text"), SCORES, ids=repr)
def test_score_text(value, text):
    found = score_text(value)
    assert found == text and type(found) is str
    assert float(found) == pytest.approx(float(value), rel=1e-3)


def test_numbers_of_every_precision_come_back():
    for kind in (np.float16, np.float32, np.float64):
        for value in np.linspace(0, 1, 777).astype(kind):
            assert kind(score_text(value)) == value


@pytest.mark.parametrize("value", BAD_SCORES, ids=shown)
def test_other_scores_are_refused(value):
    with pytest.raises(ValueError, match="predicted_iou") as caught:
        score_text(value, "predicted_iou")
    assert_short(caught.value)


@pytest.mark.parametrize(("value", "text"), FLAGS, ids=repr)
def test_flag_text(value, text):
    assert flag_text(value) == text


@pytest.mark.parametrize("value", BAD_FLAGS, ids=shown)
def test_other_flags_are_refused(value):
    with pytest.raises(ValueError, match="is_inside") as caught:
        flag_text(value, "is_inside")
    assert_short(caught.value)


@pytest.mark.parametrize(("text", "flag"), FLAG_FIELDS, ids=repr)
def test_flag_from_text(text, flag):
    assert flag_from_text(text) is flag


@pytest.mark.parametrize("text", BAD_FLAG_FIELDS)
def test_other_fields_are_no_flags(text):
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        flag_from_text(text)


@pytest.mark.parametrize("flag", [True, False, None])
def test_flags_there_and_back(flag):
    assert flag_from_text(flag_text(flag)) is flag


@pytest.mark.parametrize(("value", "text"), BOX_IDS, ids=shown)
def test_box_id_text(value, text):
    found = box_id_text(value)
    assert found == text and type(found) is str


@pytest.mark.parametrize("value", BAD_BOX_IDS, ids=shown)
def test_other_box_ids_are_refused(value):
    with pytest.raises(ValueError, match="box_id") as caught:
        box_id_text(value)
    assert_short(caught.value)


@pytest.mark.parametrize("value", NOT_GIVEN, ids=repr)
def test_nothing_is_given(value):
    assert score_text(value) is None
    assert flag_text(value) == "-1"
    assert box_id_text(value) is None


@pytest.mark.parametrize(("value", "text"), COORDINATES, ids=repr)
def test_coordinate_text(value, text):
    assert coordinate_text(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_coordinates_are_finite(value):
    with pytest.raises(ValueError, match="finite"):
        coordinate_text(value)


@pytest.mark.parametrize("value", [10.0, 100, 1e22, 2, -1, -1e300])
def test_coordinates_are_fractions_of_the_image(value):
    with pytest.raises(ValueError, match="by more than the image's size"):
        coordinate_text(value)


def assert_short(error: ValueError) -> None:
    """A reason for one line of a message, which any terminal can print."""
    assert "\n" not in str(error) and len(str(error)) < 200
    str(error).encode("utf-8")

"""Values of attributes as CVAT delivers them, through the exporter.

CVAT gives numbers as floats, check boxes as bools, and texts and selections as they were typed.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from datumaro.components.annotation import Bbox, Label, Mask
from rich_data import bytes_below, read, rows, save
from shapes_data import SIZE, dataset_of, exported, item_with, picture_in

from datumaro_openimages_plugin._host import CAN_STREAM
from datumaro_openimages_plugin.errors import AnnotationError, OpenImagesError, SaveError
from datumaro_openimages_plugin.plugin import OpenImagesExporter

FLAGS = {
    "occluded": "IsOccluded",
    "truncated": "IsTruncated",
    "is_group_of": "IsGroupOf",
    "is_depiction": "IsDepiction",
    "is_inside": "IsInside",
}

#: value -> (text of the column, number that is read back); one row each of the documented table.
SCORES = [
    (1, "1", 1.0),
    (0, "0", 0.0),
    (1.0, "1", 1.0),
    (0.0, "0", 0.0),
    (-0.0, "0", 0.0),
    (0.25, "0.25", 0.25),
    (0.1 + 0.2, "0.30000000000000004", 0.1 + 0.2),
    (1e-7, None, 1e-7),
    (np.float64(0.5), "0.5", 0.5),
    (np.float32(0.1), "0.1", 0.1),
    (np.float16(0.5), "0.5", 0.5),
    (np.int64(1), "1", 1.0),
    (np.uint8(0), "0", 0.0),
    (Fraction(1, 4), "0.25", 0.25),
    ("0.5", "0.5", 0.5),
    ("1", "1", 1.0),
    ("0", "0", 0.0),
    ("0.50", "0.50", 0.5),
    ("1.000", "1.000", 1.0),
    (" 0.5 ", "0.5", 0.5),
    (".5", "0.5", 0.5),
    ("5e-1", "0.5", 0.5),
    (np.str_("0.5"), "0.5", 0.5),
]
NOT_GIVEN = ["", None]
BAD_SCORES = [
    "high", "1,0", "0.5 0.6", 1.5, -0.1, "1.5", "-1", 2, -1, float("nan"), float("inf"), "nan",
    "inf", np.float32("nan"), True, False, np.bool_(True), "true", [0.5], (1,), {"a": 1}, b"1",
    1j, object(), 10**400, np.array([0.5, 0.5]), np.array([]),
]  # fmt: skip

GIVEN_FLAGS = [
    (True, "1"), (False, "0"), (1, "1"), (0, "0"), (-1, "-1"), (1.0, "1"), (0.0, "0"),
    (-1.0, "-1"), (np.bool_(True), "1"), (np.bool_(False), "0"), (np.int64(-1), "-1"),
    (np.uint8(1), "1"), (np.float32(0), "0"), ("1", "1"), ("0", "0"), ("-1", "-1"),
    ("true", "1"), ("True", "1"), ("TRUE", "1"), ("tRuE", "1"), ("false", "0"), ("False", "0"),
    ("FALSE", "0"), (" true ", "1"), (np.str_("true"), "1"), ("", "-1"), (None, "-1"),
    (" ", "-1"),
]  # fmt: skip
BAD_FLAGS = [
    "yes", "no", "on", "2", "-2", 2, -2, 0.5, float("nan"), float("inf"), "truefalse", "t",
    [True], [], (), {}, b"1", 1j, object(), 10**400, np.array([True, False]), np.array([]),
]  # fmt: skip

BOX_IDS = [
    ("0badcafe", "0badcafe"), ("00000007", "00000007"), ("a b", "a b"), (7, "7"), (0, "0"),
    (np.int64(12), "12"), (-1, "-1"), ("é", "é"), ("日本", "日本"), ("x" * 100, "x" * 100),
    (np.str_("np"), "np"),
]  # fmt: skip
BAD_BOX_IDS = [
    "a/b", "a\\b", "..", ".", "../x", "x\n/../y", "nul", "COM1.txt", "a\0b", "a:b", "a*", "x.",
    "x ", "\ud800", "y" * 500, True, np.bool_(False), 1.5, float("nan"), [1], b"x", object(),
    10**400,
]  # fmt: skip


@pytest.fixture
def picture(tmp_path):
    return picture_in(tmp_path)


def label(value):
    return Label(0, attributes={"score": value})


def box(**attributes):
    return Bbox(6, 8, 12, 16, label=0, attributes=attributes)


def mask(**attributes):
    image = np.zeros(SIZE, bool)
    image[5:9, 5:9] = True
    return Mask(image, label=0, attributes=attributes)


def row_of(tmp_path, picture, kind, annotation) -> dict[str, str]:
    (row,) = rows(exported(tmp_path / "out", picture, annotation), kind)
    return row


@pytest.mark.parametrize(("value", "text", "number"), SCORES, ids=repr)
def test_scores(value, text, number, picture, tmp_path):
    out = exported(
        tmp_path / "out", picture, label(value), box(score=value), mask(predicted_iou=value)
    )
    fields = [
        *(row["Confidence"] for row in rows(out, "human-imagelabels")),
        *(row["Confidence"] for row in rows(out, "bbox")),
        *(row["PredictedIoU"] for row in rows(out, "object-segmentation")),
    ]
    assert len(fields) == 3 and len(set(fields)) == 1
    assert text is None or fields[0] == text
    assert "e" not in fields[0]
    one, two, three = read(out).get("a", "train").annotations
    values = [one.attributes["score"], two.attributes["score"], three.attributes["predicted_iou"]]
    assert values == pytest.approx([number] * 3)


@pytest.mark.parametrize("value", NOT_GIVEN, ids=repr)
def test_scores_not_given(value, picture, tmp_path):
    out = exported(
        tmp_path / "out", picture, label(value), box(score=value), mask(predicted_iou=value)
    )
    assert [row["Confidence"] for row in rows(out, "human-imagelabels")] == ["1"]
    assert [row["Confidence"] for row in rows(out, "bbox")] == ["1"]
    assert [row["PredictedIoU"] for row in rows(out, "object-segmentation")] == [""]
    assert "predicted_iou" not in read(out).get("a", "train").annotations[2].attributes


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(("value", "text"), GIVEN_FLAGS, ids=repr)
def test_flags(flag, value, text, picture, tmp_path):
    row = row_of(tmp_path, picture, "bbox", box(**{flag: value}))
    assert {name: row[column] for name, column in FLAGS.items()} == {
        **dict.fromkeys(FLAGS, "-1"),
        flag: text,
    }
    back = read(tmp_path / "out").get("a", "train").annotations[0].attributes
    expected = {} if text == "-1" else {flag: text == "1"}
    assert {name: back[name] for name in back if name != "score"} == expected
    assert all(type(back[name]) is bool for name in expected)


@pytest.mark.parametrize(("value", "text"), BOX_IDS, ids=repr)
def test_box_ids(value, text, picture, tmp_path):
    row = row_of(tmp_path, picture, "object-segmentation", mask(box_id=value))
    assert row["BoxID"] == text
    (back,) = read(tmp_path / "out").get("a", "train").annotations
    assert back.attributes == {"box_id": text} and back.image.any()


@pytest.mark.parametrize("value", NOT_GIVEN, ids=repr)
def test_box_ids_not_given(value, picture, tmp_path):
    given = mask(box_id="00000000")
    out = exported(tmp_path / "out", picture, mask(box_id=value), given, mask())
    found = [row["BoxID"] for row in rows(out, "object-segmentation")]
    assert found == ["00000001", "00000000", "00000002"]


# Everything else is an error with an address

BAD = [
    *((label, "score", value, "label") for value in BAD_SCORES),
    *((lambda v: box(score=v), "score", value, "bbox") for value in BAD_SCORES),
    *((lambda v: mask(predicted_iou=v), "predicted_iou", v, "mask") for v in BAD_SCORES),
    *((lambda v: mask(box_id=v), "box_id", value, "mask") for value in BAD_BOX_IDS),
    *((lambda v: box(occluded=v), "occluded", value, "bbox") for value in BAD_FLAGS),
    *((lambda v: box(is_inside=v), "is_inside", value, "bbox") for value in BAD_FLAGS),
]


@pytest.mark.parametrize(
    ("make", "attribute", "value", "kind"),
    BAD,
    ids=[f"{attribute} {value!r:.20} of {kind}" for _, attribute, value, kind in BAD],
)
def test_other_values_are_errors_with_an_address(make, attribute, value, kind, picture, tmp_path):
    items = [
        item_with(picture, Label(0), name="fine"),
        item_with(picture, Label(0), make(value), name="odd one"),
    ]
    with pytest.raises(AnnotationError) as caught:
        save(dataset_of(*items), tmp_path / "out")
    message = str(caught.value)
    assert "'odd one'" in message and f"annotation 1 ({kind})" in message
    assert attribute in message
    assert "\n" not in message and len(message) < 400
    assert isinstance(caught.value, OpenImagesError) and caught.value.image_id == "odd one"


@pytest.mark.parametrize("kind", [bool, np.bool_])
@pytest.mark.parametrize("first", [1, 0, 1.0])
def test_a_bool_is_no_score_even_where_its_number_came_before(first, kind, picture, tmp_path):
    """Whatever is remembered by value: True == 1."""
    with pytest.raises(AnnotationError):
        exported(tmp_path / "out", picture, label(first), label(kind(first)))


@pytest.mark.parametrize("value", [None, 2, -1])
@pytest.mark.parametrize("kind", ["label", "bbox", "mask"])
def test_labels_that_are_none_are_errors(value, kind, picture, tmp_path):
    made = {"label": Label(0), "bbox": box(), "mask": mask()}[kind]
    made.label = value
    with pytest.raises(AnnotationError, match=r"annotation 0 .*label"):
        exported(tmp_path / "out", picture, made)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_boxes_without_finite_corners_are_errors(value, picture, tmp_path):
    made = box()
    made.points[2] = value
    with pytest.raises(AnnotationError, match=r"annotation 0 .bbox."):
        exported(tmp_path / "out", picture, made)


def test_nothing_is_written_where_one_annotation_cannot_be(picture, tmp_path):
    out = exported(tmp_path / "out", picture, label(0.5))
    before = bytes_below(out, ".")
    with pytest.raises(AnnotationError):
        exported(out, picture, label("high"))
    assert bytes_below(out, ".") == before


def test_an_error_policy_may_skip_the_annotation(picture, tmp_path):
    from datumaro_openimages_plugin._host import ExportContext

    try:
        from datumaro.components.exporter import ExportErrorPolicy
    except ImportError:
        from datumaro.components.converter import ExportErrorPolicy

    class Skip(ExportErrorPolicy):
        errors: list[Exception] = []  # noqa: RUF012

        def _handle_annotation_error(self, error):
            self.errors.append(error)

        _handle_item_error = _handle_annotation_error

    from datumaro.components.progress_reporting import NullProgressReporter

    dataset = dataset_of(item_with(picture, label("high"), label(0.5), mask(box_id="a/b"), mask()))
    policy = Skip()
    OpenImagesExporter.convert(
        dataset,
        str(tmp_path / "out"),
        ctx=ExportContext(progress_reporter=NullProgressReporter(), error_policy=policy),
    )
    assert len(policy.errors) == 2
    kinds = [a.type.name for a in read(tmp_path / "out").get("a", "train").annotations]
    assert kinds == ["label", "mask"]


# The old name of save_media


def test_save_images_is_the_old_name(picture, tmp_path):
    dataset = dataset_of(item_with(picture, Label(0)))
    OpenImagesExporter.convert(dataset, str(tmp_path / "with"), save_images=True)
    OpenImagesExporter.convert(dataset, str(tmp_path / "without"), save_images=False)
    assert (tmp_path / "with/images/train/a.png").is_file()
    assert not (tmp_path / "without/images").exists()
    with pytest.raises(SaveError, match="save_images"):
        OpenImagesExporter.convert(
            dataset, str(tmp_path / "both"), save_images=True, save_media=True
        )


def test_save_images_through_the_dataset(picture, tmp_path):
    dataset = dataset_of(item_with(picture, Label(0)))
    dataset.export(str(tmp_path / "out"), OpenImagesExporter, save_images=True)
    assert (tmp_path / "out/images/train/a.png").is_file()
    if CAN_STREAM:
        item = read(tmp_path / "out").get("a", "train")
        assert item.media.size == SIZE

"""Sizes that are given: one rule for the file ``images.meta`` and for the option ``image_meta``."""

from __future__ import annotations

import math
import shutil
from types import MappingProxyType

import numpy as np
import oi_files
import pytest
from datumaro.components.dataset import Dataset

from datumaro_openimages_plugin.errors import FormatError, MissingFileError, OptionError
from datumaro_openimages_plugin.images import image_sizes
from datumaro_openimages_plugin.images.image_sizes import (
    image_meta_from_mapping,
    image_meta_from_text,
)
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

LARGEST = 2**31 - 1
ODD_LINES = [
    "\ufeffa 1 2", "\ufeff", " 1 2", "a 1 2\rb 3 4", "a 0x10 2", "a 2 0X1", "a 007 2", "a +5 2",
    "a 1  2", "a 1 2 ", "a 1 2\n\nb 3 4\n", "a 1 2\r\nb 3 4\r\n", "a 1 2 3", "a 1", "a", "\n\n",
    "a 1_0 2", "\u2028x 1 2", "a 1 2 # b", "x 1 2\na 0 1",
]  # fmt: skip
WRONG_SIDES = [0, -1, LARGEST + 1, 1.5, math.nan, math.inf]


@pytest.mark.parametrize("side", [1, 480, LARGEST])
def test_both_take_what_a_picture_can_be(side):
    assert dict(image_meta_from_text(f"'a b' {side} 2\n".encode(), "f")) == {"a b": (side, 2)}
    for size in ((side, 2), [side, 2], np.array([side, 2]), (np.int64(side), np.uint8(2))):
        found = image_meta_from_mapping(MappingProxyType({"a b": size}))
        assert found == {"a b": (side, 2)}
        assert [type(value) for value in found["a b"]] == [int, int]


@pytest.mark.parametrize("name", ["a", "'a b'"])  # lines that are read together, and one by one
@pytest.mark.parametrize("side", WRONG_SIDES)
def test_both_refuse_the_same_sides(side, name):
    with pytest.raises(FormatError, match="row 1: expected: name, height and width in pixels"):
        image_meta_from_text(f"{name} 2 {side}\n".encode(), "sizes.txt")
    with pytest.raises(OptionError, match=r"^image 'a': image_meta needs .* \(found \(2, "):
        image_meta_from_mapping({"a": (2, side)})


@pytest.mark.parametrize(
    "size",
    [
        *("x", "34", 5, None, (), (3,), (3, 4, 3), (True, 4), (np.True_, 4), ("3", "4"), {3, 4}),
        *({3: 4, 5: 6}, (None, None), np.zeros((2, 2), int), np.array([3.0, 4.0]), np.array(3)),
    ],
    ids=repr,
)
def test_the_option_refuses_what_is_no_size(size):
    with pytest.raises(OptionError, match=r"^image 'a': image_meta needs ") as caught:
        image_meta_from_mapping({"b": (3, 4), "a": size})
    assert size is None or f"(found {size!r})" in str(caught.value)


def test_an_import_says_so_in_its_own_words(tmp_path):
    oi_files.base(tmp_path)
    with pytest.raises(OptionError, match="image 'a': image_meta needs"):
        OpenImagesExtractor(str(tmp_path), image_meta={"a": "x"})
    with pytest.raises(OptionError, match=r"image_meta must be None, a mapping .* \(found 5\)"):
        OpenImagesExtractor(str(tmp_path), image_meta=5)
    with pytest.raises(Exception) as caught:  # 1.x puts its own around it
        Dataset.import_from(str(tmp_path), "open_images", image_meta={"a": (0, 5)})
    cause = caught.value.__cause__ or caught.value
    assert isinstance(cause, OptionError)
    assert "(found (0, 5))" in str(cause)


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("name", ["no.txt", "images"])
def test_a_file_of_sizes_that_is_not_there(name, zipped, tmp_path):
    path = tmp_path / "set"
    oi_files.base(path)
    if zipped:
        path = shutil.make_archive(str(tmp_path / "set"), "zip", path)
    with pytest.raises(MissingFileError, match=f"^{name}: image_meta names a file that"):
        OpenImagesExtractor(str(path), image_meta=name)


@pytest.mark.parametrize("before", ["", "# <image name> <height> <width>\n\n", "z 5 6\n"])
@pytest.mark.parametrize("line", ODD_LINES, ids=ascii)
def test_lines_read_together_are_those_read_one_by_one(line, before, monkeypatch):
    def found():
        try:
            return dict(image_meta_from_text((before + line).encode(), "f"))
        except FormatError as error:
            return error.row

    together = found()
    monkeypatch.setattr(image_sizes, "_plain_image_meta", lambda data: None)
    assert together == found()

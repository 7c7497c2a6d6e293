"""Boxes; what they share with the built-in format is in test_dropin.py."""

from __future__ import annotations

import pytest
from oi_files import BOX_HEADER, image_list, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin.errors import FormatError

NAME = "annotations/train-annotations-bbox.csv"
GOOD = "a,xclick,/m/0,1,0.10,0.2,0.3000001,.5,1,0,-1,0,1\n"


def boxes(root, rows: str, header: str = BOX_HEADER):
    images = {"annotations/train-image_ids_and_rotation.csv": image_list(("a", "train"))}
    sizes = {"annotations/images.meta": "a 30 40\n"}
    return write(root, {**images, **sizes, NAME: header + rows})


def test_there_and_back_with_odd_numbers(tmp_path):
    source = boxes(tmp_path / "in", GOOD + "a,,/m/0,1.0,1e-3,+0.5,0,1.,,-1,1,0,-1\n")
    out = save(read(source), tmp_path / "out")
    assert bytes_below(out, ".")[NAME] == (source / NAME).read_bytes()


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("a,,/m/0,1,x,0.2,0.3,0.5,1,0,0,0,0", "XMin"),
        ("a,,/m/0,1,0.1,0.2,nan,0.5,1,0,0,0,0", "YMin"),
        ("a,,/m/0,1,0.1,0.2,0.3,0.5,1,0,2,0,0", "IsGroupOf"),
        ("a,,/m/0,-1,0.1,0.2,0.3,0.5,1,0,0,0,0", "Confidence"),
    ],
)
def test_a_malformed_row_is_named(row, column, tmp_path):
    source = boxes(tmp_path, f"{GOOD}{row}\n")
    with pytest.raises(FormatError, match=f"{NAME}, row 2, column {column}, image 'a'"):
        list(read(source))

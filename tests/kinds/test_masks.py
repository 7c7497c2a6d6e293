"""Masks; their pictures are tested in test_segmentation.py."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from oi_files import MASK_HEADER, image_list, mask_png, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.tables.rows import TableRows

NAME = "annotations/train-annotations-object-segmentation.csv"
GOOD = "a_m0_0.png,a,/m/0,0,0.1,0.2,0.3,0.5,0.870,0.1 0.2 0;\n"


def masks(root, rows: str):
    images = {"annotations/train-image_ids_and_rotation.csv": image_list(("a", "train"))}
    sizes = {"annotations/images.meta": "a 30 40\n"}
    for number in (0, 1):
        mask_png(root, f"masks/train/a_m0_{number}.png", (30, 40))
    return write(root, {**images, **sizes, NAME: MASK_HEADER + rows})


def test_there_and_back_with_odd_numbers(tmp_path):
    source = masks(tmp_path / "in", GOOD + "a_m0_1.png,a,/m/0,1,,,,,,\n")
    out = save(read(source), tmp_path / "out")
    assert bytes_below(out, ".")[NAME] == (source / NAME).read_bytes()


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("a_m0_1.png,a,/m/0,1,x,0.2,0.3,0.5,,", "BoxXMin"),
        ("a_m0_1.png,a,/m/0,1,0.1,0.2,0.3,0.5,inf,", "PredictedIoU"),
        ("a_m0_1.png,a,,1,0.1,0.2,0.3,0.5,,", "LabelName"),
    ],
)
def test_a_malformed_row_is_named(row, column, tmp_path):
    source = masks(tmp_path, f"{GOOD}{row}\n")
    with pytest.raises(FormatError, match=f"{NAME}, row 2, column {column}, image 'a'"):
        list(read(source))


def test_texts_of_several_files():
    rows = TableRows(None, "masks")  # type: ignore[arg-type]
    table = KindTable(rows)
    table.text["BoxID"] = pa.chunked_array([["a", "b"], [], ["c", None], ["e"]], pa.string())
    assert table.texts("BoxID", np.array([4, 0, 3, 1, 2, 0])) == ["e", "a", None, "b", "c", "a"]
    assert table.texts("BoxID", np.array([], np.int64)) == []
    table.text["BoxID"] = pa.chunked_array([["a", None, "c"]], pa.string())
    assert table.texts("BoxID", np.array([2, 1, 2])) == ["c", None, "c"]
    table.text["BoxID"] = pa.chunked_array([], pa.string())
    assert table.texts("BoxID", np.array([], np.int64)) == []

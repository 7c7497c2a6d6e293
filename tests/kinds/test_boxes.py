"""Boxes; what they share with the built-in format is in test_dropin.py."""

from __future__ import annotations

import numpy as np
import pytest
from oi_files import BOX_HEADER, image_list, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin.annotations.values import coordinate_text
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.rendering.decimal_texts import coordinate_columns

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


@pytest.mark.parametrize(("size", "x"), [(683, 0.982833), (683, 0.996098), (4200, 0.982687)])
def test_what_the_host_rounds_most_comes_back(size, x, tmp_path):
    """On hosts that keep 32 bits, these places are rounded by more than half a hundredth."""
    header = BOX_HEADER.replace("\n", ",XClick1X\n")
    source = boxes(tmp_path / "in", f"a,,/m/0,1,0.5,{x}0,0.1,0.2,0,0,0,0,0,0.75\n", header)
    (source / "annotations" / "images.meta").write_text(f"a {size} {size}\n")
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


def test_columns_of_coordinates_are_the_texts_of_single_ones():
    random = np.random.default_rng(7)
    points = np.concatenate(
        [
            random.random((500, 4)) * 1000,
            random.integers(0, 1025, (500, 4)).astype(float),
            # An eighth of these comes to half a billionth, more or less by the last digit.
            np.round(random.random((500, 4)) * 1024, 2),
            np.nextafter(np.round(random.random((500, 4)) * 1024, 2), 0),
            [[0, 0, 1024, 768], [1e-7, 1e-12, 5e-7, 767.9999999], [512, 384, 1536, 1500]],
        ]
    )
    for extra in ([], [[-3.5, 0, 1, 1]], [[0, 0, 2040, 1530]]):
        these = np.concatenate([points, np.array(extra, float).reshape(-1, 4)])
        sizes = np.tile([768.0, 1024.0], (len(these), 1))
        texts = coordinate_columns(these, sizes)
        expected = [
            ",".join(map(coordinate_text, (x1 / 1024, x2 / 1024, y1 / 768, y2 / 768)))
            for x1, y1, x2, y2 in these.tolist()
        ]
        assert texts.to_pylist() == expected

"""Human image labels."""

from __future__ import annotations

import pytest
from oi_files import LABEL_HEADER, image_list, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin.errors import FormatError

NAME = "annotations/train-annotations-human-imagelabels.csv"


def labels(root, rows: str, header: str = LABEL_HEADER):
    images = {"annotations/train-image_ids_and_rotation.csv": image_list(("a", "train"))}
    return write(root, {**images, NAME: header + rows})


def test_there_and_back_with_odd_numbers(tmp_path):
    rows = "a,verification,/m/1,1.000\na,,/m/0,0\na,crowdsource-verification,/m/1,0.250\n"
    source = labels(tmp_path / "in", rows)
    out = save(read(source), tmp_path / "out")
    assert bytes_below(out, ".")[NAME] == (source / NAME).read_bytes()


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("a,,/m/0,2", "Confidence"),
        ("a,,/m/0,yes", "Confidence"),
        ("a,,/m/0,nan", "Confidence"),
        ("a,,,1", "LabelName"),
    ],
)
def test_a_malformed_row_is_named(row, column, tmp_path):
    source = labels(tmp_path, f"a,,/m/0,1\n{row}\n")
    with pytest.raises(FormatError, match=f"{NAME}, row 2, column {column}, image 'a'"):
        list(read(source))


def test_a_malformed_header_is_named(tmp_path):
    source = labels(tmp_path, "a,,/m/0\n", "ImageID,Source,LabelName\n")
    with pytest.raises(FormatError, match="column Confidence: there is no such column"):
        read(source)

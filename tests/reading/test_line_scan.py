"""A first look at tables by their bytes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from datumaro_openimages_plugin.reading.line_scan import LineScan, keys_of_ids
from datumaro_openimages_plugin.sources.archive import Folder
from datumaro_openimages_plugin.tables.tables import CsvTable

IDS = [f"{number:016x}" for number in (1, 0xFFFFFFFFFFFFFFFF, 0x0123456789ABCDEF, 2)]


def scan(folder, text: str, *texts: str) -> LineScan | None:
    (folder / "t.csv").write_bytes(text.encode())
    return LineScan.of(CsvTable(Folder(str(folder)), "t.csv"), [text.encode() for text in texts])


def rows(count: int = 40) -> list[str]:
    return [f"{IDS[number % 4]},x,/m/{number % 20:02},1" for number in range(count)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\n\n"])
def test_rows_of_texts_and_of_images(line_end, tmp_path):
    found = scan(tmp_path, line_end.join(["ImageID,Source,LabelName,Confidence", *rows()]), "/m/07")
    assert found.found.tolist() == [7, 27]
    keys = np.unique(found.keys[found.found])
    assert found.rows_of(keys) is None  # a fourth of all rows is not few
    assert len(np.unique(found.keys)) == 4


def test_few_rows_of_images(tmp_path):
    lines = [f"{number:016x},x,/m/{number % 50:02},1" for number in range(2000)]
    found = scan(tmp_path, "\n".join(["ImageID,Source,LabelName,Confidence", *lines, ""]), "/m/07")
    assert found.found.tolist() == list(range(7, 2000, 50))
    keys = np.unique(found.keys[found.found])
    assert found.rows_of(keys).tolist() == found.found.tolist()
    ids = pa.array([f"{number:016x}" for number in range(7, 2000, 50)] + ["short", ""])
    assert np.array_equal(np.unique(keys_of_ids(ids)), keys)


def test_a_row_counts_once(tmp_path):
    text = "ImageID,Source,LabelName,Confidence\n" + "\n".join(rows())
    assert scan(tmp_path, text, "/m/07", "m/07").found.tolist() == [7, 27]


@pytest.mark.parametrize(
    "text",
    [
        "ImageID,A\n" + "short,b\n" * 9,
        "ImageID,A\n" + "a,b,c,d,e,f,g,hh,x\n" * 9,  # a comma where an id would end
        "A,ImageID\n" + "".join(f"{IDS[0]},b\n" for _ in range(9)),
        "ImageID,A\n" + "".join(f'{IDS[0]},"b"\n' for _ in range(9)),
        "ImageID,A\n" + "".join(f"{IDS[0]},b\n" for _ in range(9)) + "1234567890123456",
        "ImageID,A\n" + "".join(f"{IDS[0]},/m/0\n" for _ in range(9)),  # all over it
    ],
)
def test_other_tables_are_left_to_the_reader(text, tmp_path):
    assert scan(tmp_path, text, "/m/0") is None


def test_a_table_without_rows(tmp_path):
    found = scan(tmp_path, "ImageID,A\n", "/m/0")
    assert len(found.keys) == len(found.found) == 0

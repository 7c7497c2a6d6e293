"""Tables are read in batches, and row by row where they are not plain CSV."""

import os
import subprocess
import sys

import numpy as np
import pytest

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.sources.archive import Folder
from datumaro_openimages_plugin.tables import row_text
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

COLUMNS = [
    Column("ImageID", "run"),
    Column("LabelName", "code"),
    Column("XMin", "number"),
    Column("Source", required=False),
]
HEADER = "ImageID,Source,LabelName,XMin\n"


def opened(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    return CsvTable(Folder(str(tmp_path)), "t.csv")


def fail(error):
    raise error


def many(count):
    return [f"id{n // 7},s{n},/m/{n % 300},{n / 1000}\n" for n in range(count)]


@pytest.mark.parametrize("block", [1, 1 << 20])
@pytest.mark.parametrize(
    "rows", [[0], [5, 6, 7], [0, 1, 40, 41, 42, 99], [99, 3, 2, 3, 3, 4, 50], range(0, 100, 9), []]
)
def test_the_bytes_of_some_rows(rows, block, tmp_path, monkeypatch):
    monkeypatch.setattr(row_text, "_BLOCK", block)
    lines = many(100)
    lines[40:42] = ["\n", 'id5,"a\nb",/m/1,0\r\n']
    table = opened(tmp_path, HEADER + "".join(lines))
    there = [line.encode().rstrip() for line in lines if line != "\n"]
    chosen = [row for row in rows if row < table.count]
    assert table.raws(np.array(chosen, int)) == [there[row] for row in chosen]


def test_a_table_of_many_batches(tmp_path):
    lines = many(150_000)
    table = opened(tmp_path, HEADER + "".join(lines))
    assert os.path.getsize(tmp_path / "t.csv") > 3 << 20
    rows = table.read(COLUMNS, fail)
    assert rows.count == len(lines)
    runs = rows.run["ImageID"]
    assert runs.lengths.sum() == rows.count
    image_ids = np.repeat(runs.texts.to_pylist(), runs.lengths)
    codes, names = rows.code["LabelName"]
    numbers, sources = rows.number["XMin"], rows.text["Source"]
    for row in (0, 1, 6, 7, 20_000, 76_543, 149_999):
        label, x = names[codes[row]], float(numbers[row])
        assert f"{image_ids[row]},{sources[row]},{label},{x}\n" == lines[row]
        assert table.raw(row) + b"\n" == lines[row].encode()
    # Most batches end inside an image.
    assert len(set(runs.texts.to_pylist())) == 150_000 // 7 + 1


def test_a_short_row_far_down_has_the_whole_table_read_anew(tmp_path):
    lines = many(60_000)
    lines[50_000] = "short\n"
    errors = []
    rows = opened(tmp_path, HEADER + "".join(lines)).read(COLUMNS, errors.append)
    assert rows.count == len(lines)
    assert len(rows.number["XMin"]) == len(lines)
    assert [error.row for error in errors] == [50_001]
    assert np.flatnonzero(~rows.valid).tolist() == [50_000]
    assert rows.run["ImageID"].lengths.sum() == len(lines)


def test_only_optional_columns_that_are_absent(tmp_path):
    rows = opened(tmp_path, "A,B\n1,2\n3,4\n").read([Column("ImageID", required=False)], fail)
    assert (rows.count, rows.text) == (2, {})


def test_a_header_and_nothing_else(tmp_path):
    rows = opened(tmp_path, HEADER).read(COLUMNS, fail)
    assert rows.count == 0
    assert len(rows.run["ImageID"].lengths) == len(rows.text["Source"]) == 0
    assert rows.code["LabelName"][1] == []


def test_a_bad_number_names_its_row_and_text(tmp_path):
    lines = many(40_000)
    lines[30_000] = "id,s,/m/1,inf\n"
    with pytest.raises(FormatError) as caught:
        opened(tmp_path, HEADER + "".join(lines)).read(COLUMNS, fail)
    error = caught.value
    assert (error.row, error.column, error.value) == (30_001, "XMin", "inf")


READ = """
import sys
from datumaro_openimages_plugin.plugin import OpenImagesExtractor
from datumaro.components.annotation import AnnotationType
by_datumaro = "pandas.core.frame" in sys.modules  # as early versions of 1.x do
extractor = OpenImagesExtractor(sys.argv[1])
assert sum(len(item.annotations) for item in extractor) > 5
by_us = not by_datumaro and "pandas.core.frame" in sys.modules
assert not by_us, "pandas was imported"
"""


def test_reading_needs_no_pandas():
    # Importing it takes longer than reading what most datasets have.
    dataset = os.path.join(os.path.dirname(__file__), "../../assets/open_images_v7")
    subprocess.run([sys.executable, "-c", READ, dataset], check=True)

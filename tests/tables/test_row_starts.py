"""Where rows begin: as Arrow sees it, whatever quotes and line ends are in the file."""

from __future__ import annotations

import csv
import io
import random
from itertools import pairwise

import numpy as np
import oi_files
import pyarrow as pa
import pytest
from pyarrow import ArrowInvalid
from pyarrow import csv as pacsv
from rich_data import read, save

from datumaro_openimages_plugin.tables import row_text
from datumaro_openimages_plugin.tables.row_text import row_starts


def rows_of(data: bytes) -> list[list[str]]:
    starts = row_starts(io.BytesIO(data), 0)
    parts = [data[a:b].rstrip(b"\r\n") for a, b in pairwise(starts)]
    rows = [next(csv.reader(io.StringIO(part.decode(), newline="")), []) for part in parts]
    # A line end in a quote that stays open is lost with the row's own.
    return [[*row[:-1], row[-1].rstrip("\r\n")] for row in rows]


def arrow_rows(data: bytes) -> list[list[str]]:
    reading = pacsv.ReadOptions(use_threads=False, column_names=["x", "y"])
    types = pacsv.ConvertOptions(column_types={"x": "string", "y": "string"})
    table = pacsv.open_csv(pa.BufferReader(data), reading, None, types).read_all()
    return [[row["x"], row["y"].rstrip("\r\n")] for row in table.to_pylist()]


def test_random_texts_have_the_rows_that_arrow_sees(monkeypatch):
    """Every text that Arrow takes as rows of two fields, read in blocks of few bytes."""
    monkeypatch.setattr(row_text, "_STARTS_BLOCK", 3)
    random_ = random.Random(7)
    compared = odd = 0
    for _ in range(3_000):
        data = "".join(random_.choices('ab,",\n\r', k=random_.randint(1, 14))).encode()
        data += b'\n1,2"\n3,4\n' if random_.random() < 0.5 else b"\n1,2\n"
        data = data[: len(data) - random_.randint(0, 2)]
        try:
            expected = arrow_rows(data)
        except ArrowInvalid:
            continue
        assert rows_of(data) == expected, data
        compared += 1
        odd += data.count(b'"') % 2
    assert compared > 100 and odd > 30


@pytest.mark.parametrize("block", [1, 2, 5, 100])
def test_blocks_of_any_size_give_the_same_rows(block, monkeypatch):
    random_ = random.Random(block)
    for _ in range(500):
        data = "".join(random_.choices('ab,",\n\r', k=random_.randint(0, 30))).encode()
        whole = row_text._starts_one_by_one(io.BytesIO(b"x\n" + data), 2).tolist()
        monkeypatch.setattr(row_text, "_STARTS_BLOCK", block)
        assert row_text._starts_one_by_one(io.BytesIO(b"x\n" + data), 2).tolist() == whole, data
        monkeypatch.undo()


def test_a_file_with_odd_quotes_is_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr(row_text, "_STARTS_BLOCK", 1000)
    data = b'5" disk,' * 100 + b"\n"

    class Counting(io.BytesIO):
        def read(self, size=-1):
            assert 0 <= size <= 2000
            return super().read(size)

    assert len(row_starts(Counting(data * 50), 0)) == 51


@pytest.mark.parametrize("author", ['5" disk', 'Ann "B', '"Ann" B', "Ann\rBo"], ids=ascii)
def test_a_quote_in_a_field_without_quotes(author, tmp_path):
    """Such rows load, so each must come back as itself and not as its neighbours."""
    files = oi_files.base_files()
    name = "annotations/train-images-with-rotation.csv"
    rows = [f"{i},train,,,,,{author if i in 'ad' else ''},title {i},,,,\n" for i in "abcde"]
    text = oi_files.IMAGE_HEADER + "".join(rows)
    if "\r" in author:
        text = text.replace(f"{author}", f'"{author}"')
    oi_files.write(tmp_path / "in", {**files, name: text})
    dataset = read(tmp_path / "in")
    titles = {item.id: item.origin.fields["Title"] for item in dataset if item.id in "abde"}
    assert titles == {i: f"title {i}" for i in "abde"}
    out = save(dataset, tmp_path / "out", names="datumaro")
    assert (out / name).read_bytes().decode() == text


def test_plain_quotes_are_not_looked_at_one_by_one(monkeypatch):
    monkeypatch.setattr(row_text, "_starts_one_by_one", None)
    data = b'"a","b ""c"" d"\n"x\ny",""\r\n"","z"""\n'
    assert np.array_equal(row_starts(io.BytesIO(data), 0), [0, 16, 26, len(data)])

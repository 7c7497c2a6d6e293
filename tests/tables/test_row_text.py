"""The fields of single rows, and the bytes of many."""

from __future__ import annotations

import csv
import io
import random

import numpy as np
import pytest

from datumaro_openimages_plugin.tables.row_text import RowText


def table(data: bytes) -> RowText:
    return RowText(io.BytesIO(data), "t.csv", 0)


def test_fields_are_those_that_pythons_reader_gives():
    dice = random.Random(3)
    compared = 0
    for _ in range(3000):
        row = "".join(dice.choices('ab,"é', k=dice.randrange(1, 12)))
        if dice.random() < 0.3:
            row = f'"{row.replace(chr(34), chr(34) * 2)}\n",{row}'
        expected = next(csv.reader(io.StringIO(row, newline="")))
        text = table(f"{row}\nnext,row\n".encode())
        # A quote that stays open takes the next row, too.
        if text.raw(0).decode() == row:
            assert text.values(0) == expected, row
            compared += 1
    assert compared > 1500


@pytest.mark.parametrize("field", ["x" * 200_000, "a\0b"], ids=["long", "NUL"])
def test_what_pythons_reader_refuses(field):
    assert table(f'a,"{field}",b\n'.encode()).values(0) == ["a", field, "b"]


def test_many_bytes_come_in_several_reads():
    """A system call gives less than it is asked for, as of more than two gigabytes."""
    lines = [f"row {number}" for number in range(50)]
    text = table("\n".join(lines).encode())
    data = "\n".join(lines).encode()
    text.read_at = lambda size, start: data[start : start + min(size, 7)]
    rows = np.array([3, 4, 5, 20, 49])
    assert text.raws(rows) == [lines[row].encode() for row in rows]
    assert text.raw(10) == b"row 10"

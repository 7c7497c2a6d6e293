"""Rows of CSV, as any reader of CSV takes them."""

from __future__ import annotations

import csv
import io

import pytest

from datumaro_openimages_plugin.rendering.sinks import CsvSink, csv_line


@pytest.mark.parametrize("value", ["", "a", "a,b", 'a"b', "a\nb", "a\rb", "\r\n", "a b", "#", "'"])
@pytest.mark.parametrize("other", ["", "x", "y,z"])
def test_a_row_comes_back(value, other):
    line = csv_line([value, other, value])
    assert list(csv.reader(io.StringIO(line, newline=""))) == [[value, other, value]]


def test_only_what_must_be_is_quoted():
    assert csv_line(["a", "b c", "d,e", "", "#"]) == 'a,b c,"d,e",,#'


@pytest.mark.parametrize("is_written", [False, True])
def test_rows_rendered_before_a_further_column_came_are_filled_up(is_written, tmp_path):
    path = tmp_path / "t.csv"
    sink = CsvSink(lambda: str(path), ("ImageID", "A"), lambda name: f"no {name}")
    lines = [sink.line({"ImageID": "x", "A": "1"})]
    assert sink.accepts_raw(["ImageID", "A"], "\n")
    lines.append(b'"as, it ""stood""",2')
    if is_written:
        sink.raw_lines(lines)
        lines = []
    lines.append(sink.line({"ImageID": "y", "B": "3", "A": "a\nb"}))
    sink.raw_lines(lines)
    sink.close()
    rows = b'x,1,no B\n"as, it ""stood""",2,no B\ny,"a\nb",3\n'
    assert path.read_bytes() == b"ImageID,A,B\n" + rows

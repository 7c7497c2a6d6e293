"""Rows of CSV, as any reader of CSV takes them."""

from __future__ import annotations

import csv
import io

import pytest

from datumaro_openimages_plugin.rendering.sinks import csv_line


@pytest.mark.parametrize("value", ["", "a", "a,b", 'a"b', "a\nb", "a\rb", "\r\n", "a b", "#", "'"])
@pytest.mark.parametrize("other", ["", "x", "y,z"])
def test_a_row_comes_back(value, other):
    line = csv_line([value, other, value])
    assert list(csv.reader(io.StringIO(line, newline=""))) == [[value, other, value]]


def test_only_what_must_be_is_quoted():
    assert csv_line(["a", "b c", "d,e", "", "#"]) == 'a,b c,"d,e",,#'

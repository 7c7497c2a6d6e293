"""Rows as they stand in their file."""

from __future__ import annotations

import numpy as np
import pytest

from datumaro_openimages_plugin.tables.row_spans import RowSpans


def spans_of(rows, data=None):
    stops = np.cumsum([len(row) for row in rows]).astype(np.int64)
    starts = stops - [len(row) for row in rows]
    return RowSpans(b"".join(rows) if data is None else data, starts, stops)


ROWS = [b"a,1\r\n", b"b,2\n", b"\n", b"", b"c,\n\n\n", b'd,"x\ny"\r', b"e"]


def test_lines_have_no_ends():
    expected = [row.rstrip(b"\r\n") for row in ROWS]
    assert spans_of(ROWS).lines() == expected
    chosen = np.arange(len(ROWS)) % 2 == 0
    assert spans_of(ROWS).lines(chosen) == expected[::2]
    assert spans_of([]).lines() == []
    assert spans_of([b"", b""]).lines() == [b"", b""]


def test_what_rows_begin_with():
    texts = [b"a,", b"b,2", b"c,,,,,,,,,", b"e"]
    for which in np.random.default_rng(5).integers(0, len(texts), (20, len(ROWS))):
        expected = [
            row.rstrip(b"\r\n").startswith(texts[at])
            for row, at in zip(ROWS, which.tolist(), strict=True)
        ]
        assert spans_of(ROWS).begin_with(texts, which).tolist() == expected
    assert spans_of([b""]).begin_with([b"a"], np.array([0])).tolist() == [False]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_that_stand_together_are_one_block(end):
    rows = [text.encode() + end.encode() for text in ("a,1", "", 'b,"x\ny"', "c")]
    assert spans_of(rows).block(end) == b"".join(rows)
    assert spans_of(rows).block("\r\n" if end == "\n" else "\n") is None
    assert spans_of([*rows, b"d"]).block(end) is None  # no line end
    assert spans_of([*rows, b"d" + 2 * end.encode()]).block(end) is None  # an empty line
    whole = spans_of(rows)
    data, starts = b"".join(rows), np.array([len(rows[0]) + len(rows[1]), 0])
    apart = RowSpans(data, starts, starts + np.array([len(rows[2]), len(rows[0])]))
    assert apart.block(end) is None
    assert apart.lines() == [whole.lines()[2], whole.lines()[0]]

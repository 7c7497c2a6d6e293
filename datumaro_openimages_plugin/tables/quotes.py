"""Quotes in CSV: whether they lie where they belong, and the fields that they are around."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

__all__ = ["FIELD", "QuotedFile", "are_plain", "field_count", "quoted_values", "stay_open"]

_LINE_END = re.compile(rb"[\r\n]")
#: A field: what ends its quotes, nothing where they stay open, and what ends it. After the closing
#: quote, and without an opening one, quotes are text.
FIELD = re.compile(rb'(?:"[^"]*(?:""[^"]*)*("|\Z))?[^,\r\n]*(,|\r\n|\r|\n|\Z)')
#: A field: what is in its quotes, what stands behind or without them, and what ends it.
_VALUE = re.compile(r'(?:"([^"]*(?:""[^"]*)*)(?:"|\Z))?([^,]*)(,|\Z)')
_BESIDE_QUOTES = np.zeros(256, bool)  # what a quote that opens or closes a field stands beside
_BESIDE_QUOTES[list(b',\r\n"')] = True


def are_plain(data: np.ndarray, inside: np.ndarray) -> bool:
    """Whether all quotes of a block of rows are at the ends of fields.

    Args:
        data: (n,) uint8.
        inside: (n,) 1 from an opening quote on, 0 from a closing one on.
    """
    at = np.flatnonzero(data == 34)
    opening = inside[at] == 1
    before = at[opening & (at > 0)] - 1
    after = at[~opening & (at < len(data) - 1)] + 1
    return bool(_BESIDE_QUOTES[data[before]].all() and _BESIDE_QUOTES[data[after]].all())


def stay_open(rows: bytes) -> bool:
    """Whether rows, at least a byte, end in quotes; within an unquoted field quotes are text."""
    data = np.frombuffer(rows, np.uint8)
    inside = np.cumsum(data == 34, dtype=np.uint8) & 1
    if are_plain(data, inside):
        return bool(inside[-1])
    at = 0
    while at < len(rows):
        field = FIELD.match(rows, at)
        assert field is not None  # the pattern matches any text
        if field[1] == b"":
            return True
        at = field.end()
    return False


class QuotedFile:
    """A file that Arrow reads; notes how the quotes in it lie.

    Args:
        file: The file.

    Attributes:
        are_cut: Whether quotes were odd in number at a line end where Arrow may cut: the first or
            the last one of what was read at once.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._is_odd = self.are_cut = False
        self._rows: bytes | None = None  # the last ones, None before the first read

    def read(self, size: int) -> bytes:
        """The next bytes."""
        data: bytes = self._file.read(size)
        if self._is_odd or b'"' in data:
            self._count(data)
        elif data:
            self._rows = b""
        return data

    def _count(self, data: bytes) -> None:
        quotes = np.frombuffer(data, np.uint8) == 34
        found = _LINE_END.search(data)
        last = max(data.rfind(b"\n"), data.rfind(b"\r"))
        first = last if found is None else found.start()
        self._pass(quotes[: first + 1])
        self.are_cut |= self._is_odd and first >= 0
        if self._rows is None:
            self._rows = data
        elif data:
            self._rows = b"" if self._is_odd or first < 0 else data[first + 1 :]
        self._pass(quotes[first + 1 : last + 1])
        self.are_cut |= self._is_odd and last >= 0
        self._pass(quotes[last + 1 :])

    def _pass(self, quotes: np.ndarray) -> None:
        # In a sixth of the time in which bytes are counted.
        self._is_odd ^= bool(np.count_nonzero(quotes) & 1)

    def stay_open(self) -> bool:
        """Whether it seems to end inside of quotes, or to have one too many."""
        return self._is_odd or (bool(self._rows) and stay_open(self._rows or b""))


def field_count(line: bytes) -> int:
    """How many fields a row has."""
    if b'"' in line:
        return len(quoted_values(line.decode("utf-8", "replace")))
    return line.count(b",") + 1


def quoted_values(text: str) -> list[str]:
    """The fields of a row with quotes, as Python's reader gives them.

    That one refuses long fields, and NULs in some versions.
    """
    values = []
    at, more = 0, True
    while more:
        field = _VALUE.match(text, at)
        assert field is not None  # the pattern matches any text
        quoted, rest, end = field.groups()
        values.append(rest if quoted is None else quoted.replace('""', '"') + rest)
        at, more = field.end(), bool(end)
    return values

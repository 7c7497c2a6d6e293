"""The text of any row of an open table, read from its file when it is asked for."""

from __future__ import annotations

import functools
import io
import os
import weakref
from array import array
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.tables.quotes import FIELD, are_plain, quoted_values
from datumaro_openimages_plugin.tables.row_spans import RowSpans

__all__ = ["RowText"]

_BLOCK = 1 << 20  # bytes read at once


class RowText:
    """The rows of an open file as text; a file that was changed in place since is refused.

    Args:
        file: A seekable handle; it is open as long as this is there.
        name: Its name, for messages.
        start: Where the first row begins.
    """

    def __init__(self, file: BinaryIO, name: str, start: int) -> None:
        self.name = name
        self._file = file
        self._start = start
        self._stamp = self._status()
        self._offsets: np.ndarray | None = None
        self._block: tuple[int, bytes] = (0, b"")
        self._next = -1
        #: Reads so many bytes at an offset, in any thread; None where the system cannot.
        self.read_at = _positioned_read(file)
        weakref.finalize(self, file.close)

    @property
    def size(self) -> int:
        """How many bytes the file has, its header among them."""
        return self._stamp[0]

    @property
    def is_empty(self) -> bool:
        """Whether the file has nothing but its header."""
        return self._start >= self._stamp[0]

    def raw(self, row: int) -> bytes:
        """The bytes of a row, without its line end.

        Raises:
            FormatError: The file was changed in place since it was read.
        """
        offsets = self._row_offsets()
        start, stop = int(offsets[row]), int(offsets[row + 1])
        base, block = self._block
        if not base <= start <= stop <= base + len(block):
            self._check_unchanged()
            # Rows that follow one another are read ahead, single ones are not.
            ahead = _BLOCK if start == self._next else 0
            base, block = start, self._read_at(start, max(stop - start, ahead))
            self._block = base, block
        self._next = stop
        return block[start - base : stop - base].rstrip(b"\r\n")

    def raws(self, rows: np.ndarray) -> list[bytes]:
        """The bytes of some rows, without their line ends; quick where rows lie together.

        Raises:
            FormatError: The file was changed in place since it was read.
        """
        return self.spans(rows).lines()

    def spans(self, rows: np.ndarray) -> RowSpans:
        """Some rows, as bytes that have them; quick where rows lie together.

        Raises:
            FormatError: The file was changed in place since it was read.
        """
        if not len(rows):
            return RowSpans(b"", rows, rows)
        offsets = self._row_offsets()
        self._check_unchanged()
        starts, stops = offsets[rows], offsets[rows + 1]
        base, end = int(starts.min()), int(stops.max())
        if end - base > max(_BLOCK, 4 * int((stops - starts).sum())):
            # Those that follow one another, such as an image's, are read together.
            first = np.flatnonzero(np.append(True, starts[1:] != stops[:-1]))
            last = np.append(first[1:], len(rows)) - 1
            places = zip(starts[first].tolist(), stops[last].tolist(), strict=True)
            data = b"".join([self._read_at(start, stop - start) for start, stop in places])
            sizes = stops - starts
            stops = np.cumsum(sizes)
            return RowSpans(data, stops - sizes, stops)
        return RowSpans(self._read_at(base, end - base), starts - base, stops - base)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self._row_offsets()) - 1

    def blocks(self, size: int) -> Iterator[tuple[bytes, np.ndarray]]:
        """All rows, some together: their bytes, and (n,) int64 where each begins in these.

        Args:
            size: About how many bytes a block has.
        """
        offsets = self._row_offsets()
        first, count = 0, len(offsets) - 1
        while first < count:
            last = int(np.searchsorted(offsets, offsets[first] + size))
            last = min(max(last, first + 1), count)
            start = int(offsets[first])
            data = self._read_at(start, int(offsets[last]) - start)
            yield data, offsets[first:last] - start
            first = last

    def values(self, row: int) -> list[str]:
        """The fields of a row, in the order of `header`; a short row gives fewer.

        Raises:
            FormatError: The row is not UTF-8 text.
        """
        raw = self.raw(row)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(
                "the row is not UTF-8 text; save the file as UTF-8",
                file=self.name,
                row=row + 1,
                value=raw[error.start : error.start + 16],
            ) from None
        return text.split(",") if '"' not in text else quoted_values(text)

    def _row_offsets(self) -> np.ndarray:
        """(n + 1,) int64: where each row's bytes begin; found when first asked for."""
        if self._offsets is None:
            self._check_unchanged()
            self._offsets = row_starts(self._file, self._start)
        return self._offsets

    def _check_unchanged(self) -> None:
        if self._status() != self._stamp:
            raise FormatError("the file changed after it was read; import it again", file=self.name)

    def _read_at(self, start: int, size: int) -> bytes:
        if self.read_at is None:
            self._file.seek(start)
            return self._file.read(size)
        data = self.read_at(size, start)
        # A system call gives some two gigabytes at most.
        while len(data) < size and (more := self.read_at(size - len(data), start + len(data))):
            data += more
        return data

    def _status(self) -> tuple[int, int]:
        try:
            status = os.fstat(self._file.fileno())
        except (OSError, io.UnsupportedOperation):  # a copy in memory
            return self._file.seek(0, os.SEEK_END), 0
        return status.st_size, status.st_mtime_ns


def _positioned_read(file: BinaryIO) -> Callable[[int, int], bytes] | None:
    """Reads size bytes at an offset without moving the file, where the system can."""
    try:
        return functools.partial(os.pread, file.fileno())
    except (AttributeError, OSError, io.UnsupportedOperation):
        return None


def row_starts(file: BinaryIO, start: int, quoted: bool = True) -> np.ndarray:
    """(n + 1,) int64 byte offsets of rows; if ``quoted``, a line end in quotes ends no row.

    Rows end where Arrow's and Python's readers end them: a quote within an unquoted field is a
    character like any other, and a lone carriage return ends a row too.
    """
    file.seek(start)
    ends: list[np.ndarray] = []
    base, quotes = start, 0
    while block := file.read(_STARTS_BLOCK):
        block += file.readline()  # so that what follows a quote is in the same block
        data = np.frombuffer(block, np.uint8)
        at = np.flatnonzero(data == 10)
        # Whether there is one is found ten times as fast as how many there are.
        if quoted and b"\r" in block and block.count(b"\r") != block.count(b"\r\n"):
            return _without_empty(file, _starts_one_by_one(file, start))
        if quoted and (quotes or b'"' in block):
            # Whether a count is odd is all that matters, so it may overflow; wider numbers would
            # take eight times the block.
            inside = (np.cumsum(data == 34, dtype=np.uint8) + quotes) & 1
            if not are_plain(data, inside):
                return _without_empty(file, _starts_one_by_one(file, start))
            quotes = int(inside[-1])
            at = at[inside[at] == 0]
        ends.append(at + (base + 1))
        base += len(block)
    starts = np.concatenate([np.array([start], np.int64), *ends])
    if starts[-1] != base:
        starts = np.append(starts, base)
    return _without_empty(file, starts)


_STARTS_BLOCK = 2 << 20  # what is made of it fits into a cache


def _starts_one_by_one(file: BinaryIO, start: int) -> np.ndarray:
    """What `row_starts` gives, field by field: for files with quotes where none belong."""
    file.seek(start)
    starts = array("q", [start])
    base, at, body, block = start, 0, b"", b"-"
    while block:
        block = file.read(max(_STARTS_BLOCK, len(body) - at))
        base, at, body = base + at, 0, body[at:] + block
        while at < len(body):
            field = FIELD.match(body, at)
            assert field is not None  # the pattern matches any text
            if block and field.end() == len(body):
                break  # it may go on in the next block
            at = field.end()
            if field[2] != b",":
                starts.append(base + at)
    if starts[-1] != base + at:  # the last row ends in a comma
        starts.append(base + at)
    return np.array(starts, np.int64)


def _without_empty(file: BinaryIO, starts: np.ndarray) -> np.ndarray:
    """Leaves out empty lines, which are no rows."""
    lengths = np.diff(starts)
    suspects = np.flatnonzero(lengths <= 2)
    empty = []
    for row in suspects.tolist():
        file.seek(int(starts[row]))
        if not file.read(int(lengths[row])).strip(b"\r\n"):
            empty.append(row)
    if not empty:
        return starts
    # A dropped line's start goes; the row before it then ends later, and `raw` strips line ends.
    return np.delete(starts, empty)

"""Plain CSV read by Arrow: rows as typed columns, those of a large file by several threads.

Arrow takes a file apart in one thread. Where no quotes are in a file, every line end is the end of
a row, and parts of it can be read by themselves.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pyarrow as pa
from pyarrow import csv as pacsv

from datumaro_openimages_plugin.tables.columns import ARROW_TYPES, Collector, Column
from datumaro_openimages_plugin.tables.lent import batches
from datumaro_openimages_plugin.tables.quotes import QuotedFile

__all__ = ["BOM", "MOST_THREADS", "PlainCsv", "part_bounds"]

#: More would wait for Python's lock, which gathering batches takes.
MOST_THREADS = 8

_BLOCK = 1 << 20  # bytes read at once
_LOOK = 1 << 16  # bytes looked at for a line end, and for quotes
_LEAST = 2 << 20  # bytes that are worth a thread
BOM = b"\xef\xbb\xbf"

ReadAt = Callable[[int, int], bytes]
"""Reads so many bytes at an offset, in any thread."""

Moved = Callable[[int], None]
"""Is told how many bytes were read."""


class _Quoted(Exception):
    """A quote stands in a file that is read in parts."""


class PlainCsv:
    """Reads rows that have all columns; whatever is not plain raises ArrowInvalid.

    Args:
        header: All columns of the rows, in their order.
        columns: Name in the header -> column to read.
    """

    def __init__(self, header: Sequence[str], columns: Mapping[str, Column]) -> None:
        self._header = list(header)
        self._columns = columns

    def read(self, opened: Callable[[], Any]) -> Collector:
        """The rows of a binary file.

        Args:
            opened: Gives the file; called again where a first try cannot be trusted.
        """
        collector, file = self._collector(), QuotedFile(opened())
        try:
            for batch in self._batches(file, threads=True):
                self._add(batch, collector)
                if file.are_cut:
                    break
        except pa.ArrowInvalid:
            if not file.are_cut:
                raise
        if file.are_cut:
            collector, file = self._collector(), QuotedFile(opened())
            for batch in self._batches(file, threads=True, careful=True):
                self._add(batch, collector)
        if file.stay_open():
            # Arrow takes all behind a quote that stays open for a part of its field.
            raise pa.ArrowInvalid("a quote is open or misplaced")
        return collector

    def read_parts(self, read_at: ReadAt, bounds: Sequence[int], moved: Moved) -> Collector | None:
        """The rows of a file, each part by a thread; None where a quote stands in the file.

        Args:
            read_at: Reads the file.
            bounds: Where the parts begin, and where the last one ends; see `part_bounds`.
            moved: Is told by this thread alone how many bytes were read.
        """
        stop = threading.Event()
        done: deque[int] = deque()  # bytes that any thread has read

        def tell() -> None:
            while done:
                moved(done.popleft())

        first, *others = (
            _Range(read_at, start, end, done.append) for start, end in pairwise(bounds)
        )
        with ThreadPoolExecutor(len(others)) as pool:
            try:
                waiting = [pool.submit(self._part, other, stop) for other in others]
                result = self._part(first, stop, tell)
                for part in waiting:
                    result.extend(part.result())
            except _Quoted:
                return None
            finally:
                stop.set()
        tell()
        return result

    def _part(
        self, file: _Range, stop: threading.Event, tell: Callable[[], None] = lambda: None
    ) -> Collector:
        collector = self._collector()
        for batch in self._batches(file, threads=False):
            if file.quoted:
                raise _Quoted
            if stop.is_set():
                break
            self._add(batch, collector)
            tell()
        return collector

    def _collector(self) -> Collector:
        return Collector(list(self._columns.values()))

    def _add(self, batch: pa.RecordBatch, collector: Collector) -> None:
        collector.add(batch.columns[: len(self._columns)], batch.num_rows)

    def _batches(self, file: Any, threads: bool, careful: bool = False) -> Any:
        types = {name: ARROW_TYPES[column.type] for name, column in self._columns.items()}
        return batches(
            file,
            read_options=pacsv.ReadOptions(
                column_names=self._header, block_size=_BLOCK, use_threads=threads
            ),
            # Otherwise blocks end with any line, be it inside of quotes, which then are torn.
            parse_options=pacsv.ParseOptions(newlines_in_values=careful),
            convert_options=pacsv.ConvertOptions(
                # Without any column Arrow takes all.
                include_columns=list(types) or self._header[:1],
                column_types=types or {self._header[0]: pa.string()},
                strings_can_be_null=False,
                null_values=[""],
            ),
        )


def part_bounds(read_at: ReadAt, start: int, end: int, threads: int) -> list[int] | None:
    """Where the parts of a file begin that threads can read, and its end.

    None where it is too small for that, or begins with quoted fields.

    Args:
        read_at: Reads the file.
        start: Where its first row begins.
        end: Its size in bytes.
        threads: How many parts there may be.
    """
    parts = min(threads, (end - start) // _LEAST)
    if parts < 2 or b'"' in read_at(_LOOK, start):
        return None
    bounds = [start]
    for part in range(1, parts):
        at = start + (end - start) * part // parts
        line_end = read_at(_LOOK, at).find(b"\n") + 1
        at += line_end
        # At the beginning of a file Arrow takes a byte order mark for no text.
        if not line_end or at >= end or read_at(len(BOM), at) == BOM:
            return None
        bounds.append(at)
    return [*bounds, end]


class _Range(io.RawIOBase):
    """A part of a file; notes whether there is a quote in what was read of it."""

    def __init__(self, read_at: ReadAt, start: int, end: int, moved: Moved) -> None:
        self._read_at = read_at
        self._at = start
        self._end = end
        self._moved = moved
        self.quoted = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        left = self._end - self._at
        data = self._read_at(left if size < 0 else min(size, left), self._at)
        self._at += len(data)
        self.quoted |= b'"' in data
        self._moved(len(data))
        return data

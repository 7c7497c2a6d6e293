"""Writing CSV tables row by row, in the published columns and whatever more was read."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from datumaro_openimages_plugin.rendering.row_order import RowOrder
from datumaro_openimages_plugin.rendering.row_places import RowPlaces
from datumaro_openimages_plugin.tables.quotes import field_count
from datumaro_openimages_plugin.tables.row_text import RowText

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.origin import Origin

__all__ = ["CsvSink", "Sink", "csv_line"]

_FLUSH = 1 << 14  # rows gathered before they are written
_BLOCK = 1 << 20  # bytes of rows filled up together
_HELD = 1 << 20  # bytes of rows gathered before their file is made


def csv_line(values: Sequence[str]) -> str:
    """One CSV row without its line end; quoted only where it must be."""
    line = ",".join(values)
    if line.count(",") == len(values) - 1 and not _NEEDS_QUOTES.intersection(line):
        return line
    buffer = io.StringIO(newline="")
    # Before Python 3.13 only characters of the line end itself are quoted as such.
    csv.writer(buffer, lineterminator="\r\n").writerow(values)
    return buffer.getvalue()[:-2]


_NEEDS_QUOTES = frozenset('"\r\n')


class Sink(Protocol):
    """A file of rows being written: `CsvSink`, or another form of the same."""

    columns: list[str]
    count: int

    def accepts_raw(self, header: Sequence[str], line_end: str) -> bool:
        """Whether rows of a table with this header can be written as they stand."""

    def raw(self, line: bytes, origin: Origin | None = None) -> None:
        """Writes a row as it stood in its file; ``origin`` tells where that was."""

    def raw_lines(self, lines: list[bytes], origins: Sequence[Origin | None] | None = None) -> None:
        """Writes rows that are rendered already; each goes where it was read, if it was."""

    def row(self, fields: Mapping[str, str], origin: Origin | None = None) -> None:
        """Writes a row; columns that it lacks get their default."""

    def line(self, fields: Mapping[str, str]) -> bytes:
        """Renders a row; columns that it lacks get their default."""

    def close(self) -> None:
        """Writes what is left."""

    def drop(self) -> None:
        """Leaves the file as it stands; the export has failed."""


class CsvSink:
    """One table being written; the file is made when it gets its first row.

    Args:
        path: Gives the path to write to when the first row comes.
        columns: The published header.
        default: The text of a column for rows that have none.
        line_end: How lines end, unless the first row that was read says otherwise.
    """

    def __init__(
        self,
        path: Callable[[], str],
        columns: Sequence[str],
        default: Callable[[str], str] = lambda _: "",
        line_end: str | None = None,
    ) -> None:
        self._path = path
        self._default = default
        self.columns = list(columns)
        self._names = {name.casefold(): name for name in columns}
        self._line_end = line_end
        self._written: str | None = None
        self._file: BinaryIO | None = None
        self._blocks: list[bytes] = []  # before the file is made
        self._held = 0  # bytes of these
        self._lines: list[bytes] = []  # after these
        self._origins: list[Origin | None] = []  # of these lines
        self._order = RowOrder()
        self._start = 0  # where rows begin
        self._is_begun = False  # whether rows may have been rendered in the columns that there are
        self._grew = False  # whether columns were added then
        self._headers: dict[tuple[str, ...], bool] = {}
        self.count = 0

    def accepts_raw(self, header: Sequence[str], line_end: str) -> bool:
        """Whether rows of a table with this header can be written as they stand.

        The header's columns that are not published ones are added to this table's.
        """
        key = tuple(header)
        if key not in self._headers:
            if self._line_end is None:
                self._line_end = line_end
            for name in header:
                self._add_column(name)
            self._headers[key] = True
        accepted = self.columns == list(header)
        self._is_begun |= accepted
        return accepted

    def raw(self, line: bytes, origin: Origin | None = None) -> None:
        """Writes a row as it stood in its file; ``origin`` tells where that was."""
        self.raw_lines([line], [origin])

    @property
    def line_end(self) -> str:
        """How lines end."""
        return self._line_end or "\n"

    def block(self, data: Any, count: int, places: RowPlaces | None = None) -> None:
        """Writes rows that are rendered already, each with its line end.

        Args:
            data: Their bytes.
            count: How many there are, at least one.
            places: Where they were read, None for new ones.
        """
        self._gather()
        size = memoryview(data).nbytes
        if self._file is None and self._held + size < _HELD:
            # A dataset may have more subsets than files may be open.
            self._blocks.append(bytes(data))
            self._held += size
        else:
            self._flush()
            assert self._file is not None
            self._file.write(data)
        self.count += count
        if places is None:
            self._order.new(count)
        else:
            self._order.read(places)

    def raw_lines(self, lines: list[bytes], origins: Sequence[Origin | None] | None = None) -> None:
        """Writes rows that are rendered already; each goes where it was read, if it was."""
        self._lines += lines
        self._origins += [None] * len(lines) if origins is None else origins
        self.count += len(lines)
        if len(self._lines) > _FLUSH:
            self._flush()

    def row(self, fields: Mapping[str, str], origin: Origin | None = None) -> None:
        """Writes a row; columns that it lacks get their default."""
        self.raw_lines([self.line(fields)], [origin])

    def line(self, fields: Mapping[str, str]) -> bytes:
        """Renders a row; columns that it lacks get their default."""
        for name in fields:
            if name not in self.columns:
                self._add_column(name)
        named = {self._names[name.casefold()]: text for name, text in fields.items()}
        values = [named[name] if name in named else self._default(name) for name in self.columns]
        self._is_begun = True
        return csv_line(values).encode("utf-8")

    def _add_column(self, name: str) -> None:
        if name.casefold() in self._names:
            return
        self._grew |= self._is_begun or self.count > 0
        self.columns.append(name)
        self._names[name.casefold()] = name

    def _flush(self) -> None:
        if self._file is None:
            self._written = self._path()
            self._file = open(self._written, "wb")  # noqa: SIM115 (closed by `close`)
            header = csv_line(self.columns) + self.line_end
            self._start = self._file.write(header.encode("utf-8"))
        self._gather()
        self._file.writelines(self._blocks)
        self._blocks, self._held = [], 0

    def _gather(self) -> None:
        """Makes a block of the rows that wait; how lines end is settled from then on."""
        self._line_end = self.line_end
        if self._lines:
            end = self._line_end.encode()
            self._blocks.append(end.join(self._lines) + end)
            self._held += len(self._blocks[-1])
            self._order.read(RowPlaces.of_origins(self._origins))
            self._lines, self._origins = [], []

    def open(self) -> None:
        """Makes the file even if no row comes."""
        if self._file is None:
            self._flush()

    def close(self) -> None:
        """Writes what is left, fills up rows written before a column was added, sorts rows."""
        if self._lines or self._blocks:
            self._flush()
        if self._file is None:
            return
        self._file.close()
        assert self._written is not None
        if self._grew:
            self._fill_up()
        self._order.restore(self._written, self._start)

    def drop(self) -> None:
        """Leaves the file as it stands."""
        if self._file is not None:
            self._file.close()

    def _fill_up(self) -> None:
        """Fills up rows that were rendered before all columns were known."""
        assert self._written is not None
        narrow = self._written + ".narrow"
        os.replace(self._written, narrow)
        header, end = csv_line(self.columns).encode("utf-8"), self.line_end.encode()
        defaults = [self._default(name).encode("utf-8") for name in self.columns]
        with open(narrow, "rb") as old, open(self._written, "wb") as new:
            rows = RowText(old, self._written, self._start)
            self._start = new.write(header + end)
            for data, starts in rows.blocks(_BLOCK):
                bounds = pairwise([*starts.tolist(), len(data)])
                lines = (data[start:stop].rstrip(b"\r\n") for start, stop in bounds)
                new.writelines(
                    b",".join([line, *defaults[field_count(line) :]]) + end for line in lines
                )
        os.remove(narrow)

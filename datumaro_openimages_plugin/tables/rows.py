"""The rows of one kind over all its files, numbered through: what origins point into."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from datumaro_openimages_plugin.tables.arrays import distinct_codes
from datumaro_openimages_plugin.tables.tables import Column, OnError, Rows

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.origin import ImportedFrom

__all__ = ["Table", "TableRows"]

log = logging.getLogger(__name__)


class Table(Protocol):
    """One file of rows, opened: `tables.CsvTable`, or another form of the same."""

    @property
    def name(self) -> str:
        """The file's name in the dataset."""

    @property
    def header(self) -> list[str]:
        """The columns, in their order."""

    @property
    def line_end(self) -> str:
        """How lines end."""

    moved: Callable[[int], None]
    """Called with the number of bytes that were read, again and again while `read` goes on."""

    def actual(self, column: str) -> str | None:
        """The file's spelling of a published column name, None where it lacks the column."""

    def read(self, columns: Sequence[Column], on_error: OnError) -> Rows:
        """Typed columns of all rows."""

    def values(self, row: int) -> list[str]:
        """The fields of a row as text, in the order of `header`."""

    def raw(self, row: int) -> bytes:
        """The bytes of a row, without its line end."""

    def raws(self, rows: np.ndarray) -> list[bytes]:
        """The bytes of some rows."""


class TableRows:
    """Rows of several tables as one sequence; implements `origin.RowSource`.

    Args:
        dataset: What all rows of one import share (see `origin.Origin.dataset`).
        kind: Name of the kind that the rows are of.
    """

    def __init__(self, dataset: ImportedFrom, kind: str = "") -> None:
        self.dataset = dataset
        self.kind = kind
        self._tables: list[Table] = []
        self._starts: list[int] = []
        self._chosen: list[np.ndarray | None] = []
        self._repeats: list[bool] = []  # whether a column is in the table twice
        self.count = 0
        #: The typed columns of all rows; see `kinds._table.KindTable`.
        self.number: dict[str, np.ndarray] = {}
        self.code: dict[str, np.ndarray] = {}
        self.values: dict[str, list[Any]] = {}
        #: LabelName by the label index that rows had when they were read.
        self.label_names: Sequence[str] = ()

    def add(self, table: Table, count: int, chosen: np.ndarray | None = None) -> None:
        """Appends a table of ``count`` rows.

        Args:
            table: The table.
            count: How many rows.
            chosen: (count,) their row numbers in the table, None for all of it.
        """
        self._tables.append(table)
        self._chosen.append(chosen)
        self._starts.append(self.count)
        self.count += count
        self._repeats.append(len(set(table.header)) < len(table.header))
        folded = [name.casefold() for name in table.header]
        for name in sorted({name for name in folded if name and folded.count(name) > 1}):
            log.warning("%s has a column %r twice; an export keeps the last one", table.name, name)

    def headers(self, rows: np.ndarray) -> tuple[list[list[str]], np.ndarray]:
        """The headers of all tables, and (n,) which of them is that of each row."""
        which = np.searchsorted(self._starts, rows, side="right") - 1
        return [table.header for table in self._tables], which

    def locate(self, row: int) -> tuple[Table, int]:
        """The table of a row, and the row's number in it."""
        at, local = self._place(row)
        return self._tables[at], local

    def _place(self, row: int) -> tuple[int, int]:
        at = bisect_right(self._starts, row) - 1
        local, chosen = row - self._starts[at], self._chosen[at]
        return at, local if chosen is None else int(chosen[local])

    def fields(self, row: int) -> dict[str, str]:
        """The row's text by column name, in the file's order; a short row is filled up."""
        table, local = self.locate(row)
        values = table.values(local)
        values += [""] * (len(table.header) - len(values))
        return dict(zip(table.header, values))  # noqa: B905 (surplus empty fields fall away)

    def raw(self, row: int) -> bytes | None:
        """The row's bytes as they stand in its file, None where `fields` are fewer than these."""
        at, local = self._place(row)
        return None if self._repeats[at] else self._tables[at].raw(local)

    def line_end(self, row: int) -> str:
        """How lines end in the row's file."""
        return self.locate(row)[0].line_end

    def header(self, row: int) -> list[str]:
        """The columns of the row's file, in their order."""
        return self.locate(row)[0].header

    def fractions(self, row: int) -> tuple[float, ...]:
        """XMin, XMax, YMin, YMax of the row as fractions of the image."""
        names = ("XMin", "XMax", "YMin", "YMax")
        return tuple(self.number[name].item(row) for name in names if name in self.number)

    def by_table(self, rows: np.ndarray) -> Iterator[tuple[Table, np.ndarray, np.ndarray]]:
        """Groups row numbers by table: (table, rows in it, their positions in ``rows``)."""
        which = np.searchsorted(self._starts, rows, side="right") - 1
        for at in distinct_codes(which):
            places = np.flatnonzero(which == at)
            local, chosen = rows[places] - self._starts[at], self._chosen[at]
            yield self._tables[at], local if chosen is None else chosen[local], places

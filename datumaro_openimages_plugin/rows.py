"""The rows of one kind over all its files, numbered through: what origins point into."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

from datumaro_openimages_plugin.tables import CsvTable

if TYPE_CHECKING:
    from datumaro_openimages_plugin.origin import ImportedFrom

__all__ = ["TableRows"]


class TableRows:
    """Rows of several tables as one sequence; implements `origin.RowSource`.

    Args:
        dataset: What all rows of one import share (see `origin.Origin.dataset`).
    """

    def __init__(self, dataset: ImportedFrom) -> None:
        self.dataset = dataset
        self._tables: list[CsvTable] = []
        self._starts: list[int] = []
        self.count = 0
        #: Four (n,) float64 arrays, XMin, XMax, YMin, YMax, or nothing where rows have no box.
        self.fractions_by_column: tuple[np.ndarray, ...] = ()

    def add(self, table: CsvTable, count: int) -> None:
        """Appends a table of ``count`` rows."""
        self._tables.append(table)
        self._starts.append(self.count)
        self.count += count

    def locate(self, row: int) -> tuple[CsvTable, int]:
        """The table of a row, and the row's number in it."""
        at = bisect_right(self._starts, row) - 1
        return self._tables[at], row - self._starts[at]

    def fields(self, row: int) -> dict[str, str]:
        """The row's text by column name, in the file's order; a short row is filled up."""
        table, local = self.locate(row)
        values = table.values(local)
        values += [""] * (len(table.header) - len(values))
        return dict(zip(table.header, values))  # noqa: B905 (surplus empty fields fall away)

    def raw(self, row: int) -> bytes | None:
        """The row's bytes as they stand in its file."""
        table, local = self.locate(row)
        return table.raw(local)

    def line_end(self, row: int) -> str:
        """How lines end in the row's file."""
        return self.locate(row)[0].line_end

    def fractions(self, row: int) -> tuple[float, ...]:
        """XMin, XMax, YMin, YMax of the row as fractions of the image."""
        return tuple(column.item(row) for column in self.fractions_by_column)

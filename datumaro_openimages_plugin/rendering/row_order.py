"""Rows come back in the order that they were read in, though they are written image by image.

A table's rows need not lie together by image, nor its images be in the order of the image list.
Runs of rows that were read one after another are all that is remembered; where the runs are in
order, as in a table that was sorted like its list, nothing more is done.
"""

from __future__ import annotations

import mmap
import os

import numpy as np

from datumaro_openimages_plugin.rendering.row_places import RowPlaces
from datumaro_openimages_plugin.tables.row_text import row_starts
from datumaro_openimages_plugin.tables.rows import TableRows

__all__ = ["RowOrder"]

_SOURCE_BITS = 40  # of a key, for the row's number in its source


class RowOrder:
    """Where the rows of one table being written came from; a new row follows the one before it."""

    def __init__(self) -> None:
        self._sources: list[TableRows] = []
        self._keys: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._last = -1  # key of the last row that was read

    def new(self, count: int) -> None:
        """Takes note of rows that were not read."""
        if self._counts:
            self._counts[-1][-1] += count
        else:
            self._add_runs(np.array([-1]), np.array([count]))

    def read(self, places: RowPlaces) -> None:
        """Takes note of rows, each with where it was read, if it was."""
        keys = self._keys_of(places)
        known = np.flatnonzero(keys >= 0)
        if not len(known):
            self.new(len(keys))
            return
        before = np.concatenate([[self._last], keys[known[:-1]]])
        starts = known[keys[known] != before + 1]
        self._last = int(keys[known[-1]])
        first = int(starts[0]) if len(starts) else len(keys)
        if first:
            self.new(first)
        if len(starts):
            self._add_runs(keys[starts], np.diff(starts, append=len(keys)))

    def _add_runs(self, keys: np.ndarray, counts: np.ndarray) -> None:
        self._keys.append(keys.astype(np.int64))
        self._counts.append(counts.astype(np.int64))

    def _keys_of(self, places: RowPlaces) -> np.ndarray:
        """(n,) int64: a number that grows with the row, source by source; -1 for new rows."""
        first = np.full(len(places.sources) + 1, -1, np.int64)  # the last is that of new rows
        for number, source in enumerate(places.sources):
            # A row on its own, from a pickle, no longer tells what was before it.
            if isinstance(source, TableRows):
                if not any(known is source for known in self._sources):
                    self._sources.append(source)
                at = next(i for i, known in enumerate(self._sources) if known is source)
                first[number] = at << _SOURCE_BITS
        start = first[places.which]
        return np.where(start < 0, -1, start + places.rows)

    def restore(self, path: str, start: int, quoted: bool = True) -> None:
        """Puts a written table's rows in the order that they were read in.

        Args:
            path: The table.
            start: Where its first row begins.
            quoted: Whether a line end inside of quotes ends no row.

        Raises:
            OSError: The table cannot be written anew.
        """
        if not self._keys:
            return
        keys, counts = np.concatenate(self._keys), np.concatenate(self._counts)
        if (np.diff(keys) >= 0).all():
            return
        with open(path, "rb") as file:
            places = row_starts(file, start, quoted)
            ends = np.cumsum(counts)
            if len(places) != ends[-1] + 1:
                return  # an empty line among the rows: no telling which is which
            order = np.argsort(keys, kind="stable")
            begins, stops = places[ends - counts][order], places[ends][order]
            with (
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as old,
                open(path + ".sorted", "wb") as new,
            ):
                new.write(old[:start])
                for begin, stop in zip(begins.tolist(), stops.tolist(), strict=True):
                    new.write(old[begin:stop])
        os.replace(path + ".sorted", path)

"""The rows of one kind: those of each file, and of all files, sorted by image once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.tables.arrays import bools_to_arrow, to_arrow
from datumaro_openimages_plugin.tables.rows import Table, TableRows
from datumaro_openimages_plugin.tables.tables import (
    Column,
    CsvTable,
    OnError,
    Rows,
    Runs,
    code_type,
)

if TYPE_CHECKING:
    from datumaro_openimages_plugin.images.images import Images

__all__ = ["KindTable", "Part", "row_numbers"]


@dataclass
class Part:
    """The rows of one file, before those of all files are joined.

    ``image``: (n,) int32 image numbers, -1 for rows that are left out. ``count``: the file's rows.
    ``chosen``: (n,) their row numbers in the file, None where all of them are here.
    """

    table: Table
    image: np.ndarray
    rows: Rows
    count: int
    chosen: np.ndarray | None = None

    def keep(self, wanted: np.ndarray) -> None:
        """Leaves the rows out that are not wanted: (n,) bool."""
        if wanted.all():
            return
        self.chosen = np.flatnonzero(wanted) if self.chosen is None else self.chosen[wanted]
        self.image = self.image[wanted]
        self.rows = _kept(self.rows, wanted)

    def add_columns(self, columns: Sequence[Column], on_error: OnError) -> None:
        """Reads further columns of the rows that are here; only a `CsvTable` can."""
        assert isinstance(self.table, CsvTable)
        if self.chosen is None or len(self.chosen) * _FEW < self.count:
            rows = self.table.read(columns, on_error, self.chosen)
        else:  # reading all of them is quicker than picking these
            wanted = np.zeros(self.count, bool)
            wanted[self.chosen] = True

            def of_wanted(error: FormatError) -> None:
                if error.row is not None and wanted[error.row - 1]:
                    on_error(error)

            rows = _kept(self.table.read(columns, of_wanted), wanted)
        self.rows.text.update(rows.text)
        self.rows.number.update(rows.number)
        self.rows.code.update(rows.code)
        if rows.valid is not None:
            self.image[~rows.valid] = -1


_FEW = 6  # one of so many rows is few


def _kept(rows: Rows, wanted: np.ndarray) -> Rows:
    """Some of the rows: (n,) bool."""
    mask = bools_to_arrow(wanted)
    return Rows(
        int(wanted.sum()),
        text={name: values.filter(mask) for name, values in rows.text.items()},
        number={name: values[wanted] for name, values in rows.number.items()},
        code={name: (codes[wanted], values) for name, (codes, values) in rows.code.items()},
        valid=None if rows.valid is None else rows.valid[wanted],
    )


@dataclass
class KindTable:
    """All rows of one kind: typed columns in file order, and where each image's rows are.

    ``image``: (n,) int32 image numbers, -1 for rows that were left out.
    """

    rows: TableRows
    image: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    text: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    files: int = 0
    parts: list[Part] = field(default_factory=list)
    _order: np.ndarray | None = None
    _offsets: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    #: What a kind derives from the columns once.
    derived: dict[str, Any] = field(default_factory=dict)
    _lookups: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def number(self) -> dict[str, np.ndarray]:
        """Column -> (n,) float64."""
        return self.rows.number

    @property
    def code(self) -> dict[str, np.ndarray]:
        """Column -> (n,) positions in `values`, -1 where a file lacks the column."""
        return self.rows.code

    @property
    def values(self) -> dict[str, list[Any]]:
        """Column -> its distinct values."""
        return self.rows.values

    def read(
        self,
        table: Table,
        columns: Sequence[Column],
        images: Images,
        subset: str,
        on_error: OnError,
        chosen: np.ndarray | None = None,
    ) -> None:
        """Reads one file of the kind, or those of its rows whose ascending numbers are given."""
        if chosen is None:
            rows = table.read(columns, on_error)
            count = rows.count
        else:
            assert isinstance(table, CsvTable)
            rows = table.read(columns, on_error, chosen)
            count = table.count
        ids = rows.run.pop("ImageID", None) or Runs.of(rows.text.pop("ImageID"))
        valid = rows.valid

        def once(error: FormatError) -> None:
            # A row that was reported already is left out anyway.
            row = None if valid is None or error.row is None else error.row - 1
            if row is not None and chosen is not None:
                row = int(np.searchsorted(chosen, row))
            if valid is None or row is None or valid[row]:
                on_error(error)

        numbers = images.find(ids, subset, table.name, once)
        if valid is not None:
            numbers[~valid] = -1
        self.files += 1
        self.parts.append(Part(table, numbers, rows, count, chosen))
        # Arrow keeps the memory of the whole file for later otherwise.
        pa.default_memory_pool().release_unused()

    def finish(self, columns: Sequence[Column], images: int) -> None:
        """Joins the files' columns and sorts the rows by image, keeping their order."""
        if not self.parts:
            self._offsets = np.zeros(images + 1, np.int64)
            return
        for part in self.parts:
            self.rows.add(part.table, part.rows.count, part.chosen)
        self.image = _joined([part.image for part in self.parts])
        every = [part.rows for part in self.parts]
        for column in columns:
            if column.type == "number":
                self.number[column.name] = _joined([_numbers(rows, column.name) for rows in every])
            elif column.type in ("code", "flag"):
                self.code[column.name], self.values[column.name] = _codes(every, column)
            elif column.name != "ImageID":
                self.text[column.name] = pa.chunked_array(
                    [chunk for rows in every for chunk in _texts(rows, column.name)],
                    pa.string(),
                )
        self.parts = []
        self._sort(images)

    def _sort(self, images: int) -> None:
        known = (
            self.image if (self.image >= 0).all() else np.where(self.image < 0, images, self.image)
        )
        if (known[1:] < known[:-1]).any():
            self._order = np.argsort(known, kind="stable")
            counts = np.bincount(known, minlength=images + 1)[:images]
            self._offsets = np.concatenate([[0], np.cumsum(counts)])
        else:  # without the copy that counting makes
            every = np.arange(images + 1, dtype=known.dtype)
            self._offsets = np.searchsorted(known, every)

    def __len__(self) -> int:
        return int(self._offsets[-1])

    def of_images(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of some images, image by image, and how many each image has."""
        starts = self._offsets[images]
        counts = self._offsets[images + 1] - starts
        total = int(counts.sum())
        shift = np.repeat(starts - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        rows = shift + np.arange(total)
        return (rows if self._order is None else self._order[rows]), counts

    def index(self, column: str, rows: np.ndarray) -> np.ndarray:
        """(n,) int64: the values of some rows in a column of whole numbers, -1 for none."""
        lookup = self._lookups.get(column)
        if lookup is None:
            values = [-1 if value is None else int(value) for value in self.values[column]]
            lookup = self._lookups[column] = np.array([*values, -1], np.int64)
        return lookup[self.code[column][rows]]

    def texts(self, column: str, rows: np.ndarray) -> list[str | None]:
        """The texts of some rows in a text column, None where their file lacks the column."""
        chunks = self.text[column].chunks
        if len(chunks) == 1:
            return chunks[0].take(to_arrow(rows)).to_pylist()  # type: ignore[no-any-return]
        # Arrow would join all chunks of the column first.
        starts = np.cumsum([0, *map(len, chunks)])
        which = np.searchsorted(starts, rows, side="right") - 1
        order = np.argsort(which, kind="stable")
        bounds = np.searchsorted(which[order], np.arange(len(chunks) + 1))
        found: list[str | None] = [None] * len(rows)
        for number, chunk in enumerate(chunks):
            places = order[bounds[number] : bounds[number + 1]]
            if len(places):
                texts = chunk.take(to_arrow(rows[places] - starts[number])).to_pylist()
                for place, text in zip(places.tolist(), texts, strict=True):
                    found[place] = text
        return found

    def rank(self) -> np.ndarray:
        """(n,) int64: each row's number among the rows of its image, from 0."""
        result = np.zeros(len(self.image), np.int64)
        every = np.arange(len(self._offsets) - 1)
        rows, counts = self.of_images(every)
        result[rows] = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return result


def row_numbers(rows: np.ndarray) -> Sequence[int]:
    """(n,) row numbers as Python's; those of a sorted table follow one another."""
    if len(rows) and rows.item(-1) - rows.item(0) == len(rows) - 1 and (np.diff(rows) == 1).all():
        return range(rows.item(0), rows.item(-1) + 1)
    return rows.tolist()  # type: ignore[no-any-return]


def _texts(rows: Rows, name: str) -> list[pa.Array]:
    values = rows.text.get(name)
    return [pa.nulls(rows.count, pa.string())] if values is None else values.chunks


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _numbers(rows: Rows, name: str) -> np.ndarray:
    values = rows.number.get(name)
    return np.full(rows.count, np.nan) if values is None else values


def _codes(parts: list[Rows], column: Column) -> tuple[np.ndarray, list[Any]]:
    """Codes over all files: (n,) positions in the list of distinct values, -1 for none."""
    values: list[Any] = []
    position: dict[Any, int] = {}
    arrays = []
    for rows in parts:
        if column.name not in rows.code:
            arrays.append(np.full(rows.count, -1, np.int8))
            continue
        codes, named = rows.code[column.name]
        for value in named:
            if value not in position:
                position[value] = len(values)
                values.append(value)
        lookup = np.array([position[value] for value in named] or [0], np.int32)
        if (lookup != np.arange(len(lookup))).any():
            codes = lookup.astype(code_type(len(values)))[codes]
        arrays.append(codes)
    smallest = code_type(len(values))
    return _joined([codes.astype(smallest, copy=False) for codes in arrays]), values

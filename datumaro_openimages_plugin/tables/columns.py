"""Typed columns of tables: what is asked for, what comes back, and how batches become columns.

A table is read in batches, and of each batch only what stays is kept: numbers, small codes, and
texts where nothing shorter says the same. So the memory that a table needs is that of its columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.annotations.values import ABOVE_FRAC, BELOW_FRAC
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.tables.arrays import is_null, to_arrow, to_numpy

__all__ = [
    "ARROW_TYPES",
    "Collector",
    "Column",
    "OnError",
    "ReportRows",
    "Rows",
    "Runs",
    "code_type",
]

OnError = Callable[[FormatError], None]
"""Gets the error of a bad row; raises it, or returns to have the row left out."""

ReportRows = Callable[[np.ndarray, str, str], None]
"""Gets row numbers, a column and what is wrong with these rows' texts in it."""


@dataclass(frozen=True)
class Column:
    """A column that objects are made of.

    Args:
        name: The published name; another spelling of case is accepted.
        type: ``text`` (strings), ``run`` (strings of which equal ones follow each other), ``code``
            (few distinct texts), ``flag`` (a code whose texts almost always are numbers from -128
            to 127, which are read faster; `as_code` where not) or ``number`` (float64).
        required: Whether the file must have it.
        parse: For ``code``: the value of one text; raises ValueError with the reason.
        empty: For ``number``: whether an empty field is allowed (it becomes NaN).
        fraction: For ``number``: whether it is a place in fractions of the image. Boxes may reach
            out of their image, but by less than its size: farther out are pixels.
        above: For ``number``: the column whose value this one may not be below.
    """

    name: str
    type: str = "text"
    required: bool = True
    parse: Callable[[str], Any] | None = None
    empty: bool = False
    fraction: bool = False
    above: str | None = None

    def as_code(self) -> Column:
        """The column itself, or a code in place of a flag."""
        return replace(self, type="code") if self.type == "flag" else self


_NO_FRACTION = "is no fraction of the image; divide pixels by the image's width or height"


#: What Arrow reads a column of a type as.
ARROW_TYPES = {
    "text": pa.string(),
    "run": pa.string(),
    "number": pa.float64(),
    "flag": pa.int8(),
    "code": pa.dictionary(pa.int32(), pa.string()),
}


@dataclass
class Runs:
    """A text column, each run of equal texts once.

    Args:
        texts: Arrow strings, one of each run.
        lengths: (runs,) int64 rows of each run.
    """

    texts: pa.ChunkedArray
    lengths: np.ndarray

    @classmethod
    def of(cls, values: pa.ChunkedArray) -> Runs:
        """The runs of a column."""
        return cls.joined([_runs(chunk) for chunk in values.chunks])

    @classmethod
    def joined(cls, parts: list[tuple[pa.Array, np.ndarray]]) -> Runs:
        """The runs of several arrays as those of one column."""
        lengths = [np.empty(0, np.int64), *(part[1] for part in parts)]
        return cls(
            pa.chunked_array([part[0] for part in parts], pa.string()), np.concatenate(lengths)
        )

    def starts(self) -> np.ndarray:
        """(runs,) int64: the row that each run begins with."""
        return np.cumsum(self.lengths) - self.lengths


def _runs(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """One of each run of equal texts, and (runs,) int64 lengths."""
    begins = np.ones(len(values), bool)
    if len(values):
        begins[1:] = to_numpy(pc.not_equal(values[1:], values[:-1]))
    starts = np.flatnonzero(begins)
    # Taking copies them, so that the memory of the batch can go.
    return values.take(to_arrow(starts)), np.diff(starts, append=len(values))


@dataclass
class Rows:
    """Typed columns of a table.

    ``text``: column -> Arrow strings; ``run``: column -> its runs; ``number``: column -> (n,)
    float64; ``code``: column -> ((n,) codes, list of the values that the codes stand for).
    ``valid`` is None, or (n,) bool with the rows that were reported as bad set to False.
    """

    count: int
    text: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    run: dict[str, Runs] = field(default_factory=dict)
    number: dict[str, np.ndarray] = field(default_factory=dict)
    code: dict[str, tuple[np.ndarray, list[Any]]] = field(default_factory=dict)
    valid: np.ndarray | None = None


_UNIFIED = 32  # batches whose codes are made one together


class Collector:
    """Gathers the batches of some columns.

    Args:
        columns: The columns.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._parts: list[list[Any]] = [[] for _ in columns]
        self._pending: list[list[pa.DictionaryArray]] = [[] for _ in columns]
        self._texts: list[dict[str, int]] = [{} for _ in columns]
        self._bad: list[list[np.ndarray]] = [[] for _ in columns]
        self.count = 0

    def add(self, batch: Sequence[pa.Array], count: int) -> None:
        """Takes one batch of ``count`` rows: an array for each column."""
        for at, (column, values) in enumerate(zip(self._columns, batch, strict=True)):
            parts = self._parts[at]
            if column.type == "text":
                parts.append(values)
            elif column.type == "run":
                parts.append(_runs(values))
            elif column.type == "number":
                parts.append(self._numbers(values, at))
            elif column.type == "flag":
                if values.null_count:
                    raise pa.ArrowInvalid("an empty flag is no number")
                parts.append(to_numpy(values))
            else:
                self._pending[at].append(values)
                if len(self._pending[at]) == _UNIFIED:
                    self._unify(at)
        self.count += count

    def extend(self, other: Collector) -> None:
        """Takes all batches of another collector of the same columns; it is empty then."""
        for at, column in enumerate(self._columns):
            parts = other._parts[at]
            if column.type == "code":
                self._unify(at)
                other._unify(at)
                texts = self._texts[at]
                named = [texts.setdefault(text, len(texts)) for text in other._texts[at]]
                lookup = np.array(named or [0], code_type(len(texts)))
                parts = [lookup[part] for part in parts]
            self._parts[at] += parts
            self._bad[at] += [rows + self.count for rows in other._bad[at]]
            other._parts[at] = []
        self.count += other.count

    def _numbers(self, values: pa.Array, at: int) -> np.ndarray:
        numbers = to_numpy(values)
        bad = ~np.isfinite(numbers)
        if values.null_count:
            null = is_null(values)
            numbers = np.where(null, np.nan, numbers)
            bad = bad & ~null if self._columns[at].empty else bad | null
        if bad.any():
            self._bad[at].append(np.flatnonzero(bad) + self.count)
        return numbers

    def _unify(self, at: int) -> None:
        """Turns waiting batches, which have a dictionary each, into positions in one."""
        waiting, self._pending[at] = self._pending[at], []
        texts = self._texts[at]
        unified = pa.chunked_array(waiting, ARROW_TYPES["code"]).unify_dictionaries()
        for number, chunk in enumerate(unified.chunks):
            if number == 0:
                named = [texts.setdefault(t, len(texts)) for t in chunk.dictionary.to_pylist()]
                lookup = np.array(named or [0], code_type(len(texts)))
            self._parts[at].append(lookup[to_numpy(chunk.indices)])

    def rows(self, valid: np.ndarray | None, report: Callable[[Rows], ReportRows]) -> Rows:
        """The columns of all batches.

        Args:
            valid: None, or (n,) bool: which rows were reported as bad already.
            report: Gives what is called, column by column, with the rows whose text is bad.
        """
        rows = Rows(self.count, valid=valid)
        report_rows = report(rows)
        for at, column in enumerate(self._columns):
            self._unify(at)
            parts, self._parts[at] = self._parts[at], []
            if column.type == "text":
                rows.text[column.name] = pa.chunked_array(parts, pa.string())
            elif column.type == "run":
                rows.run[column.name] = Runs.joined(parts)
            elif column.type == "number":
                rows.number[column.name] = _joined(parts, np.float64)
                if self._bad[at]:
                    bad = np.concatenate(self._bad[at])
                    report_rows(bad, column.name, "is not a finite number")
                _check_places(rows, column, report_rows)
            else:
                if column.type == "flag":
                    codes, texts = _flags(_joined(parts, np.int8))
                else:
                    texts = list(self._texts[at])
                    codes = _joined(parts, code_type(len(texts)))
                rows.code[column.name] = codes, _parsed(column, codes, texts, report_rows)
        return rows


def _joined(parts: list[np.ndarray], dtype: Any) -> np.ndarray:
    """One array; the parts go as it grows."""
    result = np.empty(sum(len(part) for part in parts), dtype)
    at = len(result)
    while parts:
        part = parts.pop()
        at -= len(part)
        result[at : at + len(part)] = part
    return result


def _check_places(rows: Rows, column: Column, report: ReportRows) -> None:
    numbers = rows.number[column.name]
    if column.fraction and len(numbers):
        # NaN stands for empty and was seen to before.
        low, high = np.nanmin(numbers, initial=0), np.nanmax(numbers, initial=0)
        if low <= BELOW_FRAC or high >= ABOVE_FRAC:
            far = (numbers <= BELOW_FRAC) | (numbers >= ABOVE_FRAC)
            report(np.flatnonzero(far), column.name, _NO_FRACTION)
    if column.above in rows.number:
        swapped = numbers < rows.number[column.above]
        if swapped.any():
            reason = f"is below {column.above}; exchange the two"
            report(np.flatnonzero(swapped), column.name, reason)


def _flags(numbers: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Codes of (n,) int8 numbers, which go: (n,) positions in their distinct texts."""
    if not len(numbers):
        return numbers, []
    lowest, highest = int(numbers.min()), int(numbers.max())
    if lowest >= -1 and highest <= 1:  # almost always, and quicker
        numbers -= lowest
        return numbers, [str(value) for value in range(lowest, highest + 1)]
    counts = np.bincount(numbers.view(np.uint8), minlength=256)
    present = np.flatnonzero(counts).astype(np.uint8)
    lookup = np.zeros(256, code_type(len(present)))
    lookup[present] = np.arange(len(present))
    return lookup[numbers.view(np.uint8)], [str(value) for value in present.view(np.int8).tolist()]


def _parsed(column: Column, codes: np.ndarray, texts: list[str], report: ReportRows) -> list[Any]:
    parsed: list[Any] = []
    for code, text in enumerate(texts):
        try:
            parsed.append(column.parse(text) if column.parse else text)
        except ValueError as error:
            parsed.append(None)
            report(np.flatnonzero(codes == code), column.name, str(error))
    return parsed


def code_type(count: int) -> type[np.signedinteger]:
    """The smallest type for codes from -1 to ``count - 1``."""
    return next(t for t in (np.int8, np.int16, np.int32) if count - 1 <= np.iinfo(t).max)

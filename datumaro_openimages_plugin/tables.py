"""CSV tables: a few typed columns in memory, every other value as the text of its row.

A table is read once by Arrow, and only the columns that objects are made of. Its file stays
open (or its unpacked copy, where it came from an archive), so the text of any row, to the last
digit, is read from there when an export or a pickle asks for it, even when the file has been
deleted or replaced meanwhile. A file that was changed in place is refused, never misread.
"""

from __future__ import annotations

import csv
import functools
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pacsv

from datumaro_openimages_plugin.archive import Source
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.packed import open_unpacked

__all__ = ["Column", "CsvTable", "OnError", "Rows", "code_type", "has_columns"]

OnError = Callable[[FormatError], None]
"""Gets the error of a bad row; raises it, or returns to have the row left out."""

_FIELD_LIMIT = 1 << 20  # characters of one field; published fields are under 10,000
_MAX_COLUMNS = 10_000
_BLOCK = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Column:
    """A column that objects are made of.

    Args:
        name: The published name; another spelling of case is accepted.
        type: ``text`` (strings), ``code`` (few distinct texts) or ``number`` (float64).
        required: Whether the file must have it.
        parse: For ``code``: the value of one text; raises ValueError with the reason.
        empty: For ``number``: whether an empty field is allowed (it becomes NaN).
    """

    name: str
    type: str = "text"
    required: bool = True
    parse: Callable[[str], Any] | None = None
    empty: bool = False


@dataclass
class Rows:
    """Typed columns of a table.

    ``text``: column -> Arrow strings; ``number``: column -> (n,) float64; ``code``: column ->
    ((n,) codes, list of the values that the codes stand for). ``valid`` is None, or (n,) bool
    with the rows that were reported as bad set to False.
    """

    count: int
    text: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    number: dict[str, np.ndarray] = field(default_factory=dict)
    code: dict[str, tuple[np.ndarray, list[Any]]] = field(default_factory=dict)
    valid: np.ndarray | None = None


class CsvTable:
    """One CSV file, opened; see the module's text.

    Args:
        source: The dataset's files.
        name: The table's name among them.

    Raises:
        FormatError: Nothing is in the file, it is not UTF-8 text, or its header is unusable.
    """

    def __init__(self, source: Source, name: str) -> None:
        self.name = name
        self._file = open_unpacked(source, name)
        self._stamp = self._status()
        self._offsets: np.ndarray | None = None
        self._block: tuple[int, bytes] = (0, b"")
        self._next = -1
        self._pread = _positioned_read(self._file)
        self.header, self._data_start, self.line_end = self._read_header()
        self._position = {column: i for i, column in enumerate(self.header)}
        self._folded = {column.casefold(): column for column in reversed(self.header)}

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open table is not pickled; its rows are")

    # Reading columns

    def actual(self, column: str) -> str | None:
        """The header's spelling of a published column name, None where the file lacks it."""
        return column if column in self._position else self._folded.get(column.casefold())

    def read(self, columns: Sequence[Column], on_error: OnError) -> Rows:
        """Reads columns of all rows.

        Args:
            columns: What to read; columns that are not required and absent are left out.
            on_error: Gets each bad row's error.

        Raises:
            FormatError: A required column is missing, or what ``on_error`` raises.
        """
        present = [column for column in columns if self._has(column)]
        try:
            table = self._arrow(present)
            valid = None
        except pa.ArrowInvalid:
            table, valid = self._slowly(present, on_error)
        rows = Rows(table.num_rows, valid=valid)
        chunked = {column.name: table.column(column.name) for column in present}
        del table
        for column in present:
            values = chunked.pop(column.name)
            if column.type == "text":
                rows.text[column.name] = values
            elif column.type == "number":
                rows.number[column.name] = self._numbers(values, column, rows, on_error)
            else:
                rows.code[column.name] = self._codes(values, column, rows, on_error)
        return rows

    def _has(self, column: Column) -> bool:
        actual = self.actual(column.name)
        if actual is None and column.required:
            close = ", ".join(self.header[:20])
            raise FormatError(
                f"the column {column.name} is missing; the file has: {close}", file=self.name
            )
        if actual is not None and self.header.count(actual) > 1:
            raise FormatError("the column is there twice", file=self.name, column=actual)
        return actual is not None

    def _arrow(self, columns: Sequence[Column]) -> pa.Table:
        """The fast way: all rows by Arrow; raises ArrowInvalid where it is not plain CSV."""
        types = {
            "text": pa.string(),
            "number": pa.float64(),
            "code": pa.dictionary(pa.int32(), pa.string()),
        }
        actual = {self.actual(column.name): column for column in columns}
        if self._data_start >= self._stamp[0]:
            empty = {c.name: pa.array([], types[c.type]) for c in columns}
            return pa.table({k: pa.chunked_array([v]) for k, v in empty.items()})
        self._file.seek(self._data_start)
        table = pacsv.read_csv(
            pa.PythonFile(_Tail(self._file), mode="r"),
            read_options=pacsv.ReadOptions(column_names=self.header, block_size=_BLOCK),
            convert_options=pacsv.ConvertOptions(
                include_columns=list(actual),
                column_types={name: types[column.type] for name, column in actual.items()},
                strings_can_be_null=False,
                null_values=[""],
            ),
        )
        return table.rename_columns([actual[name].name for name in table.column_names])

    def _slowly(self, columns: Sequence[Column], on_error: OnError) -> tuple[pa.Table, np.ndarray]:
        """The careful way: row by row, short rows filled up, each bad row reported."""
        lists: dict[str, list[Any]] = {column.name: [] for column in columns}
        valid: list[bool] = []
        at = [(column, self._position[self.actual(column.name) or ""]) for column in columns]
        width = len(self.header)
        for number, values in enumerate(self._python_rows(), 1):
            error = None
            if len(values) > width and any(values[width:]):
                error = FormatError(
                    f"the row has {len(values)} fields, the header {width}; is a comma unquoted?",
                    file=self.name,
                    row=number,
                    image_id=values[0] if values else None,
                )
            for column, i in at:
                text = values[i] if i < len(values) else ""
                value: Any = text
                if column.type == "number":
                    value = _number(text)
                    if value is None and text and error is None:
                        error = self._bad(number - 1, column.name, text, "is not a number", values)
                lists[column.name].append(value)
            valid.append(error is None)
            if error is not None:
                on_error(error)
        arrays = {
            c.name: pa.array(lists[c.name], pa.float64() if c.type == "number" else pa.string())
            for c in columns
        }
        table = pa.table(
            {
                c.name: arrays[c.name].dictionary_encode() if c.type == "code" else arrays[c.name]
                for c in columns
            }
        )
        return table, np.array(valid, dtype=bool)

    def _python_rows(self) -> Iterator[list[str]]:
        self._file.seek(self._data_start)
        text = io.TextIOWrapper(io.BufferedReader(_Tail(self._file)), encoding="utf-8", newline="")
        reader = csv.reader(text, strict=True)
        number = 0
        limit = csv.field_size_limit(_FIELD_LIMIT)
        try:
            for values in reader:
                if values:
                    number += 1
                    yield values
        except UnicodeDecodeError as error:
            raise FormatError(
                "the file is not UTF-8 text; save it as UTF-8",
                file=self.name,
                row=number + 1,
                value=error.object[error.start : error.start + 16],
            ) from None
        except csv.Error as error:
            raise FormatError(f"unreadable CSV: {error}", file=self.name, row=number + 1) from None
        finally:
            csv.field_size_limit(limit)
            text.detach()

    def _numbers(
        self, values: pa.ChunkedArray, column: Column, rows: Rows, on_error: OnError
    ) -> np.ndarray:
        numbers = np.concatenate(
            [np.empty(0), *(chunk.to_numpy(zero_copy_only=False) for chunk in values.chunks)]
        )
        bad = ~np.isfinite(numbers)
        if column.empty and bad.any():
            bad &= pc.is_valid(values).to_numpy()
        if bad.any():
            self._report(np.flatnonzero(bad), column, "is not a finite number", rows, on_error)
        return numbers

    def _codes(
        self, values: pa.ChunkedArray, column: Column, rows: Rows, on_error: OnError
    ) -> tuple[np.ndarray, list[Any]]:
        unified = values.unify_dictionaries()
        chunks = [chunk.indices.to_numpy(zero_copy_only=False) for chunk in unified.chunks]
        texts = unified.chunk(0).dictionary.to_pylist() if unified.num_chunks else []
        smallest = code_type(len(texts))
        narrow = [chunk.astype(smallest) for chunk in chunks]
        codes = narrow[0] if len(narrow) == 1 else np.concatenate([np.empty(0, smallest), *narrow])
        parsed: list[Any] = []
        for code, text in enumerate(texts):
            try:
                parsed.append(column.parse(text) if column.parse else text)
            except ValueError as error:
                parsed.append(None)
                bad = np.flatnonzero(codes == code)
                self._report(bad, column, str(error), rows, on_error)
        return codes, parsed

    def _report(
        self, bad: np.ndarray, column: Column, reason: str, rows: Rows, on_error: OnError
    ) -> None:
        if rows.valid is None:
            rows.valid = np.ones(rows.count, dtype=bool)
        for row in bad.tolist():
            if rows.valid[row]:
                rows.valid[row] = False
                values = self.values(row)
                position = self._position[self.actual(column.name) or ""]
                text = values[position] if position < len(values) else ""
                on_error(self._bad(row, column.name, text, reason, values))

    def _bad(self, row: int, column: str, text: str, reason: str, values: list[str]) -> FormatError:
        id_column = self.actual("ImageID")
        position = self._position[id_column] if id_column else len(values)
        image_id = values[position] if position < len(values) else None
        return FormatError(
            f"{reason}; correct or remove this row",
            file=self.name,
            row=row + 1,
            column=column,
            image_id=image_id,
            value=text,
        )

    # Text of single rows

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
        if not len(rows):
            return []
        offsets = self._row_offsets()
        self._check_unchanged()
        starts, stops = offsets[rows], offsets[rows + 1]
        base, end = int(starts.min()), int(stops.max())
        if end - base > max(_BLOCK, 4 * int((stops - starts).sum())):
            sizes = zip(starts.tolist(), (stops - starts).tolist(), strict=True)
            return [self._read_at(start, size).rstrip(b"\r\n") for start, size in sizes]
        block = self._read_at(base, end - base)
        bounds = zip((starts - base).tolist(), (stops - base).tolist(), strict=True)
        return [block[start:stop].rstrip(b"\r\n") for start, stop in bounds]

    def values(self, row: int) -> list[str]:
        """The fields of a row, in the order of `header`; a short row gives fewer."""
        raw = self.raw(row)
        if b'"' not in raw:
            return raw.decode("utf-8", "replace").split(",")
        text = raw.decode("utf-8", "replace")
        return next(csv.reader(io.StringIO(text, newline="")), [])

    def _row_offsets(self) -> np.ndarray:
        """(n + 1,) int64: where each row's bytes begin; found when first asked for."""
        if self._offsets is None:
            self._check_unchanged()
            self._offsets = _row_starts(self._file, self._data_start)
        return self._offsets

    def _check_unchanged(self) -> None:
        if self._status() != self._stamp:
            raise FormatError("the file changed after it was read; import it again", file=self.name)

    def _read_at(self, start: int, size: int) -> bytes:
        if self._pread is not None:
            return self._pread(size, start)
        self._file.seek(start)
        return self._file.read(size)

    def _status(self) -> tuple[int, int]:
        try:
            status = os.fstat(self._file.fileno())
        except (OSError, io.UnsupportedOperation):  # a copy in memory
            return self._file.seek(0, os.SEEK_END), 0
        return status.st_size, status.st_mtime_ns

    def _read_header(self) -> tuple[list[str], int, str]:
        self._file.seek(0)
        line = self._file.readline(_FIELD_LIMIT)
        start = len(line)
        if not line.strip():
            raise FormatError("the file is empty; a header row is needed", file=self.name)
        if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
            raise FormatError("the file is not UTF-8 text; save it as UTF-8", file=self.name)
        try:
            text = line.decode("utf-8-sig")
            header = next(csv.reader(io.StringIO(text, newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            raise FormatError(f"the header is unreadable: {error}", file=self.name) from None
        if len(header) > _MAX_COLUMNS:
            raise FormatError("the header has too many columns", file=self.name, value=len(header))
        return [name.strip() for name in header], start, "\r\n" if text.endswith("\r\n") else "\n"


def has_columns(
    source: Source,
    name: str,
    columns: Sequence[str],
    opened: Callable[[Source, str], Any] = CsvTable,
) -> bool:
    """Whether a file is a table that has these columns, whatever case they are written in."""
    try:
        table = opened(source, name)
    except (FormatError, OSError):
        return False
    return all(table.actual(column) is not None for column in columns)


def _positioned_read(file: BinaryIO) -> Callable[[int, int], bytes] | None:
    """Reads size bytes at an offset without moving the file, where the system can."""
    try:
        return functools.partial(os.pread, file.fileno())
    except (AttributeError, OSError, io.UnsupportedOperation):
        return None


class _Tail(io.RawIOBase):
    """The rest of a file from where it stands; closing it leaves the file open."""

    def __init__(self, file: BinaryIO) -> None:
        self._inner = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(size)


def code_type(count: int) -> type[np.signedinteger]:
    """The smallest type for codes from -1 to ``count - 1``."""
    return next(t for t in (np.int8, np.int16, np.int32) if count - 1 <= np.iinfo(t).max)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _row_starts(file: BinaryIO, start: int) -> np.ndarray:
    """(n + 1,) int64 byte offsets of rows; a line end inside quotes ends no row."""
    file.seek(start)
    ends: list[np.ndarray] = []
    base, quotes = start, 0
    while block := file.read(16 << 20):
        data = np.frombuffer(block, np.uint8)
        at = np.flatnonzero(data == 10)
        if quotes or b'"' in block:
            inside = (np.cumsum(data == 34) + quotes) & 1
            quotes = int(inside[-1])
            at = at[inside[at] == 0]
        ends.append(at + (base + 1))
        base += len(block)
    starts = np.concatenate([np.array([start], np.int64), *ends])
    if starts[-1] != base:
        starts = np.append(starts, base)
    return _without_empty(file, starts)


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

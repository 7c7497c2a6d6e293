"""CSV tables: a few typed columns in memory, every other value as the text of its row.

A table is read once by Arrow, and only the columns that objects are made of. Its file stays
open (or its unpacked copy, where it came from an archive), so the text of any row, to the last
digit, is read from there when an export or a pickle asks for it, even when the file has been
deleted or replaced meanwhile. A file that was changed in place is refused, never misread.
"""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.sources.packed import open_table
from datumaro_openimages_plugin.tables.columns import (
    Collector,
    Column,
    OnError,
    ReportRows,
    Rows,
    Runs,
    code_type,
)
from datumaro_openimages_plugin.tables.plain_csv import BOM, MOST_THREADS, PlainCsv, part_bounds
from datumaro_openimages_plugin.tables.row_text import RowText

__all__ = ["Column", "CsvTable", "OnError", "Rows", "Runs", "code_type", "has_columns"]

_FIELD_LIMIT = 1 << 20  # characters of one field; published fields are under 10,000
_MAX_COLUMNS = 10_000


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
        self.moved: Callable[[int], None] = lambda size: None
        self._file = open_table(source, name)
        try:
            self.header, self._data_start, self.line_end = self._read_header()
        except BaseException:
            self._file.close()
            raise
        self._index_header()
        self._text = RowText(self._file, name, self._data_start)
        #: The bytes of a row, and of some rows, without their line ends; the fields of a row.
        self.raw = self._text.raw
        self.raws = self._text.raws
        self.spans = self._text.spans
        self.blocks = self._text.blocks
        self.values = self._text.values

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open table is not pickled; its rows are")

    @property
    def count(self) -> int:
        """How many rows there are; the file is gone through for it once."""
        return self._text.count

    def actual(self, column: str) -> str | None:
        """The header's spelling of a published column name, None where the file lacks it."""
        return column if column in self._position else self._folded.get(column.casefold())

    def spell(self, published: Sequence[str]) -> None:
        """Calls columns that the file writes in another case as the published ones are called."""
        for name in published:
            actual = self.actual(name)
            # Points have ImageId, and as many files of them ImageID.
            if actual is None or actual == name or name == "ImageId":
                continue
            if self.header.count(actual) == 1:
                self.header[self.header.index(actual)] = name
        self._index_header()

    def _index_header(self) -> None:
        self._position = {column: i for i, column in enumerate(self.header)}
        self._folded = {column.casefold(): column for column in reversed(self.header)}

    def read(
        self, columns: Sequence[Column], on_error: OnError, chosen: np.ndarray | None = None
    ) -> Rows:
        """Reads columns of all rows, or of some.

        Args:
            columns: What to read; columns that are not required and absent are left out.
            on_error: Gets each bad row's error.
            chosen: (n,) ascending numbers of the rows to read, None for all.

        Raises:
            FormatError: A required column is missing, or what ``on_error`` raises.
        """
        present = [column for column in columns if self._has(column)]
        valid = None
        body = None if chosen is None else b"\n".join(self.raws(chosen))
        collector = self._quickly(present, body)
        if collector is None and any(column.type == "flag" for column in present):
            present = [column.as_code() for column in present]
            collector = self._quickly(present, body)
        if collector is None:
            collector = Collector(present)
            valid = self._slowly(present, collector, on_error, body, chosen)
        return collector.rows(valid, lambda rows: self._reporter(rows, on_error, chosen))

    def _has(self, column: Column) -> bool:
        actual = self.actual(column.name)
        if actual is None and column.required:
            raise FormatError(self._missing(column.name), file=self.name, column=column.name)
        if actual is not None and self.header.count(actual) > 1:
            message = "the column is there twice; keep one of the two"
            raise FormatError(message, file=self.name, column=actual)
        return actual is not None

    def _missing(self, column: str) -> str:
        """Why there is no such column, and what to do."""
        if len(self.header) == 1:
            for mark, called in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
                if mark in self.header[0]:
                    return f"the columns are separated by {called}; separate them by commas"
        close = difflib.get_close_matches(column, self.header, 1)
        if close:
            return f"there is no such column; is it what is called {close[0]!r}?"
        names = ", ".join(self.header[:20])
        return f"there is no such column, only {names[:200]}; add it or its header row"

    def _body(self, body: bytes | None) -> BinaryIO:
        """The rows' bytes: those that are given, or all."""
        if body is not None:
            return io.BytesIO(body)
        self._file.seek(self._data_start)
        return _Tail(self._file, self.moved)  # type: ignore[return-value]

    def _quickly(self, columns: Sequence[Column], body: bytes | None) -> Collector | None:
        """All rows by Arrow; None where it is not plain CSV."""
        if self._text.is_empty or body == b"":
            return Collector(columns)
        if body is not None and body.startswith(BOM):
            return None  # text, but for Arrow
        plain = PlainCsv(
            self.header, {self.actual(column.name) or "": column for column in columns}
        )
        try:
            collector = None
            read_at, size = self._text.read_at, self._text.size
            if body is None and read_at is not None:
                threads = min(pa.cpu_count(), MOST_THREADS)
                bounds = part_bounds(read_at, self._data_start, size, threads)
                if bounds is not None:
                    collector = plain.read_parts(read_at, bounds, self.moved)
            return collector or plain.read(lambda: self._body(body))
        except pa.ArrowInvalid:
            return None

    def _slowly(
        self,
        columns: Sequence[Column],
        collector: Collector,
        on_error: OnError,
        body: bytes | None,
        chosen: np.ndarray | None,
    ) -> np.ndarray:
        """Row by row, short rows filled up, each bad row reported; gives which are good."""
        lists: dict[str, list[Any]] = {column.name: [] for column in columns}
        valid: list[bool] = []
        at = [(column, self._position[self.actual(column.name) or ""]) for column in columns]
        width = len(self.header)
        for local, values in enumerate(self._python_rows(body)):
            number = (local if chosen is None else int(chosen[local])) + 1
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
        arrays = []
        for column in columns:
            kind = pa.float64() if column.type == "number" else pa.string()
            values = pa.array(lists[column.name], kind)
            arrays.append(values.dictionary_encode() if column.type == "code" else values)
        collector.add(arrays, len(valid))
        return np.array(valid, dtype=bool)

    def _python_rows(self, body: bytes | None) -> Iterator[list[str]]:
        raw: Any = self._body(body)
        text = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", newline="")
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
            message = f"no CSV from here on ({error}); is a quote open or misplaced?"
            raise FormatError(message, file=self.name, row=number + 1) from None
        finally:
            csv.field_size_limit(limit)
            text.detach()

    def _reporter(self, rows: Rows, on_error: OnError, chosen: np.ndarray | None) -> ReportRows:
        """Reports rows that are bad in some column, each row once."""

        def report(bad: np.ndarray, column: str, reason: str) -> None:
            if rows.valid is None:
                rows.valid = np.ones(rows.count, dtype=bool)
            for local in bad.tolist():
                if rows.valid[local]:
                    rows.valid[local] = False
                    row = local if chosen is None else int(chosen[local])
                    values = self.values(row)
                    position = self._position[self.actual(column) or ""]
                    text = values[position] if position < len(values) else ""
                    on_error(self._bad(row, column, text, reason, values))

        return report

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

    def _read_header(self) -> tuple[list[str], int, str]:
        self._file.seek(0)
        line = self._file.readline(_FIELD_LIMIT)
        start = len(line)
        if not line.strip():
            begins = "begins with an empty line" if self._file.read(1) else "is empty"
            raise FormatError(f"the file {begins}; a header row is needed", file=self.name)
        if line.startswith(b"\x1f\x8b"):
            raise FormatError("the file is packed by gzip; call it .csv.gz", file=self.name)
        if line.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in line:
            raise FormatError("the file is not UTF-8 text; save it as UTF-8", file=self.name)
        try:
            text = line.decode("utf-8-sig")
            reader = csv.reader(io.StringIO(text, newline=""), strict=True)
            header = next(reader)
            if any(reader):
                message = "lines end in CR alone; save the file with LF or CR LF"
                raise FormatError(message, file=self.name)
        except (UnicodeDecodeError, csv.Error) as error:
            message = f"the header is unreadable; save the file as UTF-8 CSV: {error}"
            raise FormatError(message, file=self.name) from None
        if len(header) > _MAX_COLUMNS:
            message = f"the header has more than {_MAX_COLUMNS} columns; is a line end missing?"
            raise FormatError(message, file=self.name, value=len(header))
        line_end = "\r\n" if text.endswith("\r\n") else "\n"
        # A mark that is left of a file without its header; Arrow takes it for no text.
        start += len(BOM) if self._file.read(len(BOM)) == BOM else 0
        return [name.strip() for name in header], start, line_end


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


class _Tail(io.RawIOBase):
    """The rest of a file from where it stands; closing it leaves the file open."""

    def __init__(self, file: BinaryIO, moved: Callable[[int], None]) -> None:
        self._inner = file
        self._moved = moved

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        self._moved(len(data))
        return len(data)

    def read(self, size: int = -1) -> bytes:
        data = self._inner.read(size)
        self._moved(len(data))
        return data


def _number(text: str) -> float | None:
    # Python takes 1_0 for 10, and the digits of every script.
    if "_" in text or not text.isascii():
        return None
    try:
        return float(text)
    except ValueError:
        return None

"""The rows of class lists, whatever form they have: with a header or without, or ids alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from datumaro_openimages_plugin.errors import AnnotationError, FormatError

__all__ = [
    "HEADERLESS",
    "IDS_ALONE",
    "Columns",
    "check_label_names",
    "class_of_row",
    "columns_of_header",
    "decoded",
    "encoded_row",
    "plain_class_list",
    "plain_lines",
    "records",
]


class Columns(NamedTuple):
    """Where a table keeps the id and the name of a class; a list of ids has one column for both."""

    name: int
    display: int
    width: int


#: First rows that are headers beside those with ``LabelName``: seen in copies of published lists.
_OTHER_HEADERS = (["id", "name"], ["label", "class"])
_NEEDS_QUOTES = re.compile('[,"\r\n\ufeff]')
HEADERLESS, IDS_ALONE = Columns(0, 1, 2), Columns(0, 0, 1)


def decoded(data: bytes, file: str) -> str:
    """The text of a class list.

    Raises:
        FormatError: It is not UTF-8, or has a NUL.
    """
    try:
        text = data.decode("utf-8-sig")
        if "\0" not in text:
            return text
        bad = data.index(b"\0")
    except UnicodeDecodeError as error:
        bad = error.start
    first = data.partition(b"\n")[0].decode("utf-8-sig", "replace").rstrip("\r").split(",")
    row = data[:bad].count(b"\n") + (columns_of_header(first) is None)
    raise FormatError("is not plain text; save the class list as UTF-8", file=file, row=max(row, 1))


def plain_lines(text: str) -> list[str] | None:
    """The lines that are not blank, where nothing is quoted; None where that is not so simple."""
    if '"' in text or text.count("\r") != text.count("\r\n"):
        return None
    lines = text.replace("\r\n", "\n").split("\n")
    if len(max(lines, key=len)) >= csv.field_size_limit():
        return None
    return [line for line in lines if line]


def plain_class_list(text: str) -> tuple[dict[str, str], bool] | None:
    """LabelName -> DisplayName and whether there is a header, of a list without any oddity."""
    lines = plain_lines(text)
    if not lines or any(line.count(",") != 1 for line in lines):
        return None
    # All cells in one list: 20,000 small ones would keep the garbage collector busy.
    cells = ",".join(lines).split(",")
    header = columns_of_header(cells[:2])
    if header not in (None, HEADERLESS):
        return None
    start = 0 if header is None else 2
    named = dict(zip(cells[start::2], cells[start + 1 :: 2], strict=True))
    if len(named) < len(lines) - start // 2 or "" in named:
        return None
    return named, header is not None


def records(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, counted in lines: a header is 0, the line after it is 1."""
    # The csv module limits a field to 131,072 characters, which ends an unclosed quote early.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line, header_line, seen = 1, 0, False
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            message = f"is not a row of a CSV table ({error}); a quote may be open or misplaced"
            raise FormatError(message, file=file, row=line - header_line) from None
        if cells is None:
            return
        if cells:
            if not seen and columns_of_header(cells) is not None:
                header_line = line
            seen = True
            yield line - header_line, cells
        line = reader.line_num + 1


def columns_of_header(cells: list[str]) -> Columns | None:
    """Where the columns are if this row is a header, None if it is a class."""
    folded = [cell.strip(" ").lower() for cell in cells]
    if folded in _OTHER_HEADERS:
        return HEADERLESS
    if "labelname" not in folded or (len(folded) > 1 and "displayname" not in folded):
        return None
    if len(folded) == 1:
        return IDS_ALONE
    return Columns(folded.index("labelname"), folded.index("displayname"), len(folded))


def class_of_row(cells: list[str], columns: Columns, file: str, row: int) -> tuple[str, str]:
    """LabelName and DisplayName of a row.

    Raises:
        FormatError: It has no LabelName, or more columns than the table.
    """
    name = cells[columns.name] if columns.name < len(cells) else ""
    if not name:
        raise FormatError("a class needs an id", file=file, row=row, column="LabelName", value=name)
    if any(cells[columns.width :]):
        raise FormatError(
            f"has more than {columns.width} columns; put a name with commas in double quotes",
            file=file,
            row=row,
            value=",".join(cells),
        )
    return name, cells[columns.display] if columns.display < len(cells) else name


def encoded_row(cells: Collection[str], line_end: str) -> bytes:
    """A row as it stands in a file.

    Raises:
        AnnotationError: A text cannot stand in one.
    """
    # Not csv.writer: before Python 3.13 it leaves a lone carriage return unquoted.
    line = ",".join(
        '"' + cell.replace('"', '""') + '"' if not cell or _NEEDS_QUOTES.search(cell) else cell
        for cell in cells
    )
    try:
        encoded = (line + line_end).encode()
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        message = "a label's name must be text without NUL and lone surrogates"
        raise AnnotationError(message, column="LabelName", value=cells)
    return encoded


def check_label_names(names: Sequence[str]) -> None:
    """Sees that names of labels can stand in tables.

    Raises:
        AnnotationError: One cannot.
    """
    for name in names:
        if not name.isascii() or "\0" in name:
            encoded_row((name,), "")

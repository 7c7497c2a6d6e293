"""JSON lines: one object a line, read by its id alone and parsed when its turn comes.

A line of a localized narrative has some 33 kB, most of it the trace of a mouse; a file has 1.6 GB.
So a table of them keeps where its lines are and which image each is of, and nothing else.
"""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import json as pajson

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.sources.packed import open_table
from datumaro_openimages_plugin.tables.arrays import texts_to_arrow
from datumaro_openimages_plugin.tables.tables import Column, OnError, Rows

__all__ = ["JsonLinesTable", "parsed", "replaced"]

_LONGEST = 64 << 20  # bytes of one line; published lines have up to some hundred kB
_BLOCK = 8 << 20  # bytes parsed together
_LONE = re.compile("[\ud800-\udfff]")  # surrogates, which no column of texts can hold


class JsonLinesTable:
    """One file of JSON lines; a `rows.Table` whose rows are not parsed to be found.

    Args:
        source: The dataset's files.
        name: The file's name among them.

    Raises:
        FormatError: The file is empty or its first line is no JSON object.
    """

    def __init__(self, source: Source, name: str) -> None:
        self.name = name
        self.moved: Callable[[int], None] = lambda size: None
        self._file: BinaryIO = open_table(source, name)
        weakref.finalize(self, self._file.close)
        self._offsets: np.ndarray | None = None
        first = self._file.readline(_LONGEST)
        self.line_end = "\r\n" if first.endswith(b"\r\n") else "\n"
        self.header = list(parsed(first, name, 1))

    def actual(self, column: str) -> str | None:
        """The key that holds a column: ``image_id`` is the ``ImageID`` of other tables."""
        wanted = "image_id" if column == "ImageID" else column
        return wanted if wanted in self.header else None

    def read(self, columns: Sequence[Column], on_error: OnError) -> Rows:
        """The ids of all lines; the rest is parsed from `raw` when an object is made of it.

        Raises:
            FormatError: What ``on_error`` raises.
        """
        ids: list[str | None] = []
        starts: list[int] = []
        for block_starts, lines in self._blocks():
            found = _ids(lines) or self._ids_one_by_one(lines, len(starts), on_error)
            ids += found
            starts += block_starts
        self._offsets = np.array(starts, np.int64)
        valid = np.array([image_id is not None for image_id in ids], bool)
        rows = Rows(len(ids), valid=None if valid.all() else valid)
        texts = texts_to_arrow([image_id or "" for image_id in ids])
        rows.text["ImageID"] = pa.chunked_array([texts])
        return rows

    def _blocks(self) -> Iterator[tuple[list[int], list[bytes]]]:
        """Offsets and bytes of some lines together; blank lines are no lines."""
        self._file.seek(0)
        starts: list[int] = []
        lines: list[bytes] = []
        at = size = 0
        while line := self._file.readline(_LONGEST):
            if len(line) == _LONGEST:
                raise FormatError("a line is too long for an annotation", file=self.name)
            if line.strip():
                starts.append(at)
                lines.append(line)
                size += len(line)
            at += len(line)
            self.moved(len(line))
            if size >= _BLOCK:
                yield starts, lines
                starts, lines, size = [], [], 0
        if lines:
            yield starts, lines

    def _ids_one_by_one(
        self, lines: list[bytes], before: int, on_error: OnError
    ) -> list[str | None]:
        """The ids of lines some of which are damaged; None for those, which are reported."""
        ids: list[str | None] = []
        for row, line in enumerate(lines, before + 1):
            try:
                ids.append(self._id(line, row))
            except FormatError as error:
                ids.append(None)
                on_error(error)
        return ids

    def _id(self, line: bytes, row: int) -> str:
        image_id = parsed(line, self.name, row).get("image_id")
        if not isinstance(image_id, str) or not image_id or _LONE.search(image_id):
            raise FormatError(
                "the line names no image; it needs an image_id that is a text",
                file=self.name,
                row=row,
                column="image_id",
                value=image_id,
            )
        return image_id

    # Single rows

    def raw(self, row: int) -> bytes:
        """The bytes of a line, without its end."""
        if self._offsets is None:
            raise RuntimeError("the table was not read")
        self._file.seek(int(self._offsets[row]))
        return self._file.readline(_LONGEST).rstrip(b"\r\n")

    def raws(self, rows: np.ndarray) -> list[bytes]:
        """The bytes of some lines."""
        return [self.raw(row) for row in rows.tolist()]

    def values(self, row: int) -> list[str]:
        """The values of a line in the order of `header`: texts, and the others as they stand."""
        text = self.raw(row).decode("utf-8", "replace")
        found = {key: text[start:stop] for key, (start, stop) in _spans(text).items()}
        values = (found.get(key, "") for key in self.header)
        return [json.loads(value) if value.startswith('"') else value for value in values]


def _ids(lines: list[bytes]) -> list[str | None] | None:
    """The ids of some lines; None where one of them is no object with a text for an id."""
    block = b"".join(lines)
    # A null in the place of the first object crashes some versions of Arrow, and it takes numbers
    # that are none of JSON.
    if not all(line.startswith(b"{") for line in lines) or b"NaN" in block or b"Infinity" in block:
        return None
    try:
        block.decode("utf-8")
        table = pajson.read_json(
            pa.BufferReader(block),
            read_options=pajson.ReadOptions(block_size=len(block) + 1),
            parse_options=pajson.ParseOptions(
                explicit_schema=pa.schema([("image_id", pa.string())]),
                unexpected_field_behavior="ignore",
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    ids: list[str | None] = table.column("image_id").to_pylist()
    return ids if len(ids) == len(lines) and all(ids) else None


def parsed(line: bytes, file: str, row: int) -> dict[str, Any]:
    """The object of a line.

    Raises:
        FormatError: It is no JSON object in UTF-8, or is nested too deeply.
    """
    try:
        value = json.loads(line.decode("utf-8-sig" if row == 1 else "utf-8"), parse_constant=_no)
    except (ValueError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(
            f"the line is no JSON object ({reason}); correct or remove it", file=file, row=row
        ) from None
    if not isinstance(value, dict):
        raise FormatError("the line is no JSON object; correct or remove it", file=file, row=row)
    return value


def _no(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def _spans(text: str) -> dict[str, tuple[int, int]]:
    """Key -> where its value starts and stops, for the keys of a line's object itself."""
    found: dict[str, tuple[int, int]] = {}
    at = text.index("{") + 1
    while True:
        at = _after_space(text, at)
        if text[at] == "}":
            return found
        if text[at] == ",":
            at = _after_space(text, at + 1)
        key, at = _DECODER.raw_decode(text, at)
        start = _after_space(text, _after_space(text, at) + 1)  # behind the colon
        _, at = _DECODER.raw_decode(text, start)
        found[key] = start, at


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def replaced(raw: bytes, values: Mapping[str, Any], dropped: Collection[str] = ()) -> bytes:
    """A line with other values under some keys; the other values stay to the letter.

    Args:
        raw: The line, a JSON object.
        values: Key -> value; keys that the line lacks come last.
        dropped: Keys to leave out.
    """
    text = raw.decode("utf-8-sig")
    texts = {key: text[start:stop] for key, (start, stop) in _spans(text).items()}
    texts.update({key: json.dumps(value, ensure_ascii=False) for key, value in values.items()})
    parts = [f"{json.dumps(key)}: {value}" for key, value in texts.items() if key not in dropped]
    return f"{{{', '.join(parts)}}}".encode()

"""Sizes of images in ``images.meta``: (height, width) of the stored pixels."""

from __future__ import annotations

import io
import operator
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as pacsv

from datumaro_openimages_plugin.errors import FormatError, OptionError
from datumaro_openimages_plugin.tables.arrays import texts_to_arrow, to_numpy
from datumaro_openimages_plugin.tables.lent import batches

__all__ = ["SizeTable", "image_meta_from_mapping", "image_meta_from_text", "image_meta_line"]

_LONGEST_SIDE = (1 << 31) - 1  # sizes are kept in 32 bits


class SizeTable(Mapping[str, tuple[int, int]]):
    """Sizes by image name as columns: a mapping name -> (height, width) in pixels.

    Args:
        names: (n,) Arrow strings; of equal ones the last counts.
        heights: (n,) int32.
        widths: (n,) int32.
    """

    def __init__(self, names: pa.Array, heights: np.ndarray, widths: np.ndarray) -> None:
        # Looking up finds the first of equal names, and the last line is the one that counts.
        self.names = names[::-1] if isinstance(names, pa.Array) else texts_to_arrow(names)[::-1]
        self.heights, self.widths = heights[::-1], widths[::-1]

    @classmethod
    def of(cls, sizes: Mapping[str, tuple[int, int]]) -> SizeTable:
        """The columns of any mapping."""
        if isinstance(sizes, SizeTable):
            return sizes
        names = texts_to_arrow([str(name) for name in sizes])
        values = np.array(list(sizes.values()), np.int32).reshape(-1, 2)
        return cls(names, values[:, 0], values[:, 1])

    def __getitem__(self, name: str) -> tuple[int, int]:
        at = pc.index(self.names, name).as_py()
        if at < 0:
            raise KeyError(name)
        return int(self.heights[at]), int(self.widths[at])

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(self.names[::-1].to_pylist()))

    def __len__(self) -> int:
        return len(pc.unique(self.names))


def _plain_image_meta(data: bytes) -> SizeTable | None:
    """Reads lines that need no unquoting in one go; None where some line is of another form."""
    start = 0
    while data.startswith((b"#", b"\n", b"\r\n"), start):
        end = data.find(b"\n", start)
        start = len(data) if end < 0 else end + 1
    body = memoryview(data)[start:]
    if not body or any(data.find(mark, start) >= 0 for mark in (b"#", b"'", b'"', b"\\", b"\t")):
        return None
    if _is_otherwise_for_arrow(data, start):
        return None
    try:
        # `read_csv` goes through all Python objects that there are, in some versions of pyarrow.
        read = batches(
            io.BytesIO(body),
            read_options=pacsv.ReadOptions(column_names=["name", "height", "width"]),
            parse_options=pacsv.ParseOptions(delimiter=" ", quote_char=False),
            convert_options=pacsv.ConvertOptions(
                column_types={"name": pa.string(), "height": pa.int32(), "width": pa.int32()},
                null_values=[],
            ),
        )
        table = pa.Table.from_batches(read).combine_chunks()
    except pa.ArrowInvalid:
        return None
    heights, widths = (to_numpy(table.column(name)) for name in ("height", "width"))
    if (heights <= 0).any() or (widths <= 0).any():
        return None
    names = table.column("name").chunk(0)
    bounds = np.frombuffer(names.buffers()[1], np.int32, len(names) + 1, 4 * names.offset)
    if (bounds[1:] == bounds[:-1]).any():
        return None  # a line that begins with a space
    return SizeTable(names, heights, widths)


def _is_otherwise_for_arrow(data: bytes, start: int) -> bool:
    """Whether a byte order mark, a lone carriage return or a number of base 16 is in lines."""
    if data.startswith(b"\xef\xbb\xbf", start):
        return True
    # Whether there is a byte is found ten times as fast as what it is part of.
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return True
    return any(mark in data and b" 0" + mark in data for mark in (b"x", b"X"))


def image_meta_from_text(data: bytes, file: str) -> Mapping[str, tuple[int, int]]:
    """Reads ``images.meta``: lines of name, height, width; quoting and comments as in a shell.

    Raises:
        FormatError: A line has fewer fields, or a size that is no positive number.
    """
    plain = _plain_image_meta(data)
    if plain is not None:
        return plain
    sizes: dict[str, tuple[int, int]] = {}
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError("the file is not UTF-8 text; save it as UTF-8", file=file) from None
    for number, line in enumerate(_lines(text), 1):
        try:
            if "'" in line or '"' in line or "\\" in line or "#" in line:
                fields = shlex.split(line, comments=True)
            else:
                fields = [text for text in line.replace("\t", " ").split(" ") if text]
            if not fields:
                continue
            # Surplus fields are left for later versions of the format.
            sizes[fields[0]] = _side(int(fields[1])), _side(int(fields[2]))
        except (ValueError, IndexError):
            raise FormatError(
                "expected: name, height and width in pixels", file=file, row=number, value=line
            ) from None
    return sizes


def image_meta_from_mapping(given: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Reads the import option ``image_meta``: image id -> (height, width) in pixels.

    Raises:
        OptionError: A size is not two positive whole numbers.
    """
    sizes: dict[str, tuple[int, int]] = {}
    for name, size in given.items():
        try:
            if len(size) != 2:
                raise ValueError
            sizes[str(name)] = _side(size[0]), _side(size[1])
        except (TypeError, ValueError, LookupError):
            raise OptionError(
                "image_meta needs (height, width), two whole numbers of pixels from 1; correct "
                "it, or leave the image out if its size is not known",
                image_id=str(name),
                value=size,
            ) from None
    return sizes


def _side(value: Any) -> int:
    """A height or a width in pixels.

    Raises:
        TypeError: It is no whole number.
        ValueError: No picture is so small or so large.
    """
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    side = operator.index(value)
    if not 0 < side <= _LONGEST_SIDE:
        raise ValueError
    return side


def _lines(text: str) -> Iterator[str]:
    # Only line feeds end a line; other separators may stand in a name.
    return (line.rstrip("\r") for line in text.split("\n"))


def image_meta_line(name: str, size: tuple[int, int]) -> str:
    """A line of ``images.meta``, as `image_meta_from_text` reads it."""
    return f"{name if name.isalnum() else shlex.quote(name)} {size[0]} {size[1]}"

"""Opening single files: unpacked where they are packed, and not too many at a time.

A table's file stays open as long as its rows may be asked for. A dataset may have more tables than
a process may have open files, so small ones are held in memory, and of many large ones the later
are copied into one common temporary file.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tempfile
import threading
import weakref
import zipfile
from typing import Any, BinaryIO

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.sources.zips import UNPACKED_VARIABLE, most_unpacked, naming_damage

__all__ = ["open_table", "open_unpacked", "read_unpacked"]

_SMALL = 1 << 18  # bytes of a table that is held in memory
_MOST_OPEN = 64

_open: weakref.WeakSet[BinaryIO] = weakref.WeakSet()


def open_table(source: Source, name: str) -> BinaryIO:
    """A seekable handle on a table's plain text, to be kept open as long as there is need.

    Raises:
        FormatError: A packed file is damaged, or unpacks to far more than it holds.
    """
    file = open_unpacked(source, name)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= _SMALL:
        with file:
            return io.BytesIO(file.read())
    if len(_open) < _MOST_OPEN:
        _open.add(file)
        return file
    with file:
        return io.BufferedReader(_Part.copy(file, size))


class _Common:
    """The temporary file of all parts; it goes when its last part goes."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 (closed when this goes)
        weakref.finalize(self, self.file.close)


class _Part(io.RawIOBase):
    """A part of the common temporary file, as a file of its own.

    Args:
        common: The common file.
        start: Where the part begins.
        size: How many bytes it has.
    """

    _last: weakref.ref[_Common] | None = None
    _lock = threading.Lock()

    def __init__(self, common: _Common, start: int, size: int) -> None:
        self._common = common
        self._start = start
        self._size = size
        self._at = 0

    @classmethod
    def copy(cls, file: BinaryIO, size: int) -> _Part:
        """Copies a file to the end of the common one."""
        with cls._lock:
            common = None if cls._last is None else cls._last()
            if common is None:
                common = _Common()
                cls._last = weakref.ref(common)
            start = common.file.seek(0, os.SEEK_END)
            shutil.copyfileobj(file, common.file)
            return cls(common, start, size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        with self._lock:
            self._common.file.seek(self._start + self._at)
            data = self._common.file.read(max(min(len(buffer), self._size - self._at), 0))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def open_unpacked(source: Source, name: str) -> BinaryIO:
    """A seekable handle on a file's plain content, unpacked where it is ``.gz`` or ``.zip``.

    A zip of one file stands for that file.

    Raises:
        FormatError: The packed file is damaged, or unpacks to far more than it holds.
    """
    packed = name.lower().endswith((".gz", ".zip"))
    if not packed and source.path(name) is not None:
        return source.open(name)
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (handed out)
    try:
        with naming_damage(name), source.open(name) as raw:
            _unpack(raw, name, copy)  # type: ignore[arg-type]
    except BaseException:
        copy.close()
        raise
    copy.flush()
    copy.seek(0)
    return copy  # type: ignore[return-value]


def read_unpacked(source: Source, name: str) -> bytes:
    """The whole content of a file, unpacked as by `open_unpacked`."""
    with open_unpacked(source, name) as file:
        return file.read()


def _unpack(raw: BinaryIO, name: str, copy: BinaryIO) -> None:
    lower = name.lower()
    if not lower.endswith((".gz", ".zip")):
        shutil.copyfileobj(raw, copy)
        return
    packed = raw.seek(0, os.SEEK_END)
    raw.seek(0)
    most = most_unpacked(packed)
    if lower.endswith(".gz"):
        with gzip.open(raw) as unpacked:
            _copy_at_most(unpacked, copy, most, name)  # type: ignore[arg-type]
        return
    with zipfile.ZipFile(raw) as archive:
        members = [
            info
            for info in archive.infolist()
            if not info.filename.endswith("/") and not info.filename.startswith("__MACOSX/")
        ]
        if len(members) != 1:
            raise FormatError("one file is expected in this zip", file=name, value=len(members))
        with archive.open(members[0]) as member:
            _copy_at_most(member, copy, most, name)  # type: ignore[arg-type]


def _copy_at_most(file: BinaryIO, copy: BinaryIO, most: int, name: str) -> None:
    while block := file.read(1 << 20):
        most -= len(block)
        if most < 0:
            raise FormatError(
                "the file unpacks to far more than it holds; if you trust it, unpack it yourself "
                f"or allow so many bytes by {UNPACKED_VARIABLE}",
                file=name,
            )
        copy.write(block)

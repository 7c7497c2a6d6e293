"""Single files that are packed: ``.csv.gz``, ``.csv.zip``."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import zipfile
import zlib
from typing import BinaryIO

from datumaro_openimages_plugin.archive import Source
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.zips import MAX_RATIO, MIN_UNPACKED

__all__ = ["open_unpacked", "read_unpacked"]


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
        with source.open(name) as raw:
            _unpack(raw, name, copy)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        copy.close()
        raise FormatError(f"the packed file is damaged: {error}", file=name) from None
    except FormatError:
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
    most = max(MIN_UNPACKED, MAX_RATIO * packed)
    if lower.endswith(".gz"):
        with gzip.open(raw) as unpacked:
            _copy_at_most(unpacked, copy, most, name)  # type: ignore[arg-type]
        return
    with zipfile.ZipFile(raw) as archive:
        members = [
            info
            for info in archive.infolist()
            if not info.is_dir() and not info.filename.startswith("__MACOSX/")
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
                "the file unpacks to far more than it holds; if you trust it, unpack it yourself",
                file=name,
            )
        copy.write(block)

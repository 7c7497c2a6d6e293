"""Packing a table again that was packed: ``.csv.gz``, ``.csv.zip``."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
from typing import BinaryIO

__all__ = ["pack", "plain_name", "same_content"]

_SUFFIXES = (".gz", ".zip")
_TIME = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal tables give equal bytes
_BLOCK = 1 << 20


def plain_name(name: str) -> str:
    """The name of a file's content: without the suffix of a packed file."""
    return name[: name.rindex(".")] if name.lower().endswith(_SUFFIXES) else name


def pack(plain: str, packed: str) -> None:
    """Packs a file into one that is called like it, with ``.gz`` or ``.zip`` after it.

    Raises:
        OSError: It cannot be read or written.
    """
    with open(plain, "rb") as source, open(packed, "wb") as file:
        if packed.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as target:
                shutil.copyfileobj(source, target, _BLOCK)
            return
        info = zipfile.ZipInfo(os.path.basename(plain), _TIME)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        info.file_size = os.path.getsize(plain)
        with zipfile.ZipFile(file, "w") as archive, archive.open(info, "w") as member:
            shutil.copyfileobj(source, member, _BLOCK)


def same_content(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether two open files hold the same bytes from where they stand."""
    while True:
        block = one.read(_BLOCK)
        if block != other.read(_BLOCK):
            return False
        if not block:
            return True

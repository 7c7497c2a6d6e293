"""What has come of a file so far: its part, what the server called it, and whether it is right."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Wanted", "forget", "part_path", "problem", "remember", "size_of", "tag_of"]


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Attributes:
        url: Its address.
        path: Where it is to lie.
        size: In bytes, None where that is not known.
        checksum: ``md5:…`` or ``sha256:…``, "" where none is known.
        start: What its first bytes must be.
        largest: How many bytes are believed where ``size`` is not known.
    """

    url: str
    path: str
    size: int | None = None
    checksum: str = ""
    start: bytes = b""
    largest: int = 1 << 36


def part_path(wanted: Wanted) -> str:
    """Where a file grows until it is whole."""
    return wanted.path + ".part"


def size_of(path: str) -> int:
    """The size of a file in bytes, 0 where there is none."""
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def tag_of(wanted: Wanted) -> str:
    """The ETag of the part, "" where there is none; the second line is the server's own MD5."""
    return _lines_of_tag(wanted)[0]


def _lines_of_tag(wanted: Wanted) -> tuple[str, str]:
    try:
        with open(part_path(wanted) + ".tag", encoding="ascii") as file:
            tag, _, checksum = file.read().partition("\n")
    except (FileNotFoundError, UnicodeDecodeError):
        return "", ""
    return tag, checksum.strip()


def remember(wanted: Wanted, headers: Any) -> None:
    """Keeps the ETag, if it is a strong one, and the MD5 that the server tells of its file."""
    tag = headers.get("ETag", "")
    if not re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', tag):
        tag = ""
    with open(part_path(wanted) + ".tag", "w", encoding="ascii") as file:
        file.write(f"{tag}\n{_told_checksum(headers)}\n")


def _told_checksum(headers: Any) -> str:
    for value in headers.get_all("x-goog-hash", []):
        for field in value.split(","):
            name, _, text = field.strip().partition("=")
            if name == "md5":
                try:
                    return "md5:" + base64.b64decode(text, validate=True).hex()
                except binascii.Error:
                    return ""
    return ""


def forget(wanted: Wanted) -> None:
    """Deletes what has come of a file."""
    for path in (part_path(wanted), part_path(wanted) + ".tag"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


def problem(wanted: Wanted, part: str) -> str:
    """What is wrong with a file that is complete by its length, "" for nothing."""
    size = size_of(part)
    if wanted.size is not None and size != wanted.size:
        return f"{size} bytes came, published are {wanted.size}"
    checksum = wanted.checksum or _lines_of_tag(wanted)[1]
    with open(part, "rb") as file:
        if file.read(len(wanted.start)) != wanted.start:
            return "what came is another kind of file"
        if checksum:
            algorithm, _, expected = checksum.partition(":")
            file.seek(0)
            digest = hashlib.new(algorithm, usedforsecurity=False)
            while block := file.read(1 << 20):
                digest.update(block)
            if digest.hexdigest() != expected:
                return (
                    f"the {algorithm.upper()} of what came is {digest.hexdigest()}, not {expected}"
                )
    return ""

"""Zips: opened once, read without unpacking, and refused where they lie about what they hold."""

from __future__ import annotations

import functools
import lzma
import os
import posixpath
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from datumaro_openimages_plugin.errors import (
    FormatError,
    OpenImagesError,
    OptionError,
    UnsafePathError,
)

__all__ = [
    "MAX_RATIO",
    "MIN_UNPACKED",
    "InnerZips",
    "ZipMember",
    "most_unpacked",
    "naming_damage",
    "open_zip",
    "safe_member",
]

#: A zip may unpack to this many times its own size, and at least to `MIN_UNPACKED` bytes.
MAX_RATIO = 200
MIN_UNPACKED = 1 << 30
MAX_MEMBERS = 20_000_000
#: Raises the limits: bytes that a zip may unpack to, and members that it may have.
UNPACKED_VARIABLE = "DATUMARO_OPENIMAGES_MAX_UNPACKED"
MEMBERS_VARIABLE = "DATUMARO_OPENIMAGES_MAX_MEMBERS"
_DRIVE = re.compile(r"[A-Za-z]:")


def most_unpacked(packed: int) -> int:
    """How many bytes a packed file of ``packed`` bytes may unpack to.

    Raises:
        OptionError: The variable that raises the limit is no number.
    """
    return max(MIN_UNPACKED, MAX_RATIO * packed, _from_environment(UNPACKED_VARIABLE))


def _from_environment(variable: str) -> int:
    text = os.environ.get(variable, "0")
    if not (text.isdigit() and text.isascii()):
        raise OptionError(f"{variable} must be a whole number", value=text)
    return int(text)


@contextmanager
def naming_damage(file: str) -> Iterator[None]:
    """Makes whatever unpacking may raise an error that names the file.

    Raises:
        FormatError: The member is damaged, encrypted, or packed in a way that is not known here.
    """
    try:
        yield
    except (FileNotFoundError, OpenImagesError):
        raise
    except _DAMAGE as error:
        raise FormatError(f"the packed file is damaged: {error}", file=file) from None


#: RuntimeError is what an encrypted member raises.
_DAMAGE: tuple[type[Exception], ...] = (
    OSError, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError,
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError,
)  # fmt: skip


@functools.lru_cache(maxsize=20)  # the masks of a split are published as 16 zips
def _opened_zip(
    path: str, inner: str, size: int, mtime_ns: int, process: int
) -> tuple[zipfile.ZipFile, dict[str, str]]:
    """An open zip and its members by their last name, shared by all who read from it.

    Size and time make a replaced file a new key; a forked process must not share its parent's
    place in the file.
    """
    if not inner:
        return zipfile.ZipFile(path), {}
    file = path
    if inner != _ITSELF:
        file = tempfile.TemporaryFile()  # type: ignore[assignment] # noqa: SIM115
        with naming_damage(inner), open_zip(path).open(inner) as packed:
            shutil.copyfileobj(packed, file)  # type: ignore[arg-type]
    opened = zipfile.ZipFile(file)
    members = [info for info in opened.infolist() if not info.filename.endswith("/")]
    check_unpacked_size(members, opened, os.path.basename(inner if inner != _ITSELF else path))
    return opened, {posixpath.basename(info.filename): info.filename for info in members}


_ITSELF = "/"


def open_zip(path: str) -> zipfile.ZipFile:
    """A zip to read from, opened once.

    Raises:
        FormatError: The file is no zip.
    """
    return _zip_and_members(path, "")[0]


def _zip_and_members(path: str, inner: str) -> tuple[zipfile.ZipFile, dict[str, str]]:
    try:
        status = os.stat(path)
        return _opened_zip(path, inner, status.st_size, status.st_mtime_ns, os.getpid())
    except FormatError:
        raise
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, ValueError) as error:
        message = f"not a readable zip, perhaps cut short; get it anew: {error}"
        raise FormatError(message, file=os.path.basename(path)) from None


def check_unpacked_size(members: list[zipfile.ZipInfo], opened: zipfile.ZipFile, file: str) -> None:
    """Refuses a zip that unpacks to far more than it holds."""
    if len(members) > max(MAX_MEMBERS, _from_environment(MEMBERS_VARIABLE)):
        message = f"the zip has too many members; {MEMBERS_VARIABLE}=<number> allows more"
        raise FormatError(message, file=file, value=len(members))
    unpacked = sum(info.file_size for info in members)
    assert opened.fp is not None
    packed = opened.fp.seek(0, os.SEEK_END)
    if unpacked > most_unpacked(packed):
        raise FormatError(
            "the zip unpacks to far more than it holds; if you trust it, unpack it yourself "
            f"and import the folder, or allow so many bytes by {UNPACKED_VARIABLE}",
            file=file,
            value=unpacked,
        )


class InnerZips:
    """Reads a file that is in one of several zips when called, whatever arguments it gets.

    Args:
        places: The zips, in the order to look into them: their path, or the path of the archive
            that they are in and their name there.
        member: The file's last name.
    """

    __slots__ = ("member", "places")

    def __init__(self, places: tuple[tuple[str, str], ...], member: str) -> None:
        self.places = places
        self.member = member

    def __call__(self, *_: Any) -> bytes:
        """The file's bytes.

        Raises:
            FileNotFoundError: No zip has such a file.
        """
        for path, inner in self.places:
            opened, members = _zip_and_members(path, inner or _ITSELF)
            name = members.get(self.member)
            if name is not None:
                with naming_damage(self.member):
                    return opened.read(name)
        raise FileNotFoundError(self.member)

    def __getstate__(self) -> tuple[tuple[tuple[str, str], ...], str]:
        return self.places, self.member

    def __setstate__(self, state: tuple[tuple[tuple[str, str], ...], str]) -> None:
        self.places, self.member = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InnerZips) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash(self.__getstate__())


class ZipMember:
    """Reads one member of a zip when called, whatever arguments it gets."""

    __slots__ = ("archive", "name")

    def __init__(self, archive: str, name: str) -> None:
        self.archive = archive
        self.name = name

    def __call__(self, *_: Any) -> bytes:
        """The member's bytes."""
        with naming_damage(self.name):
            return open_zip(self.archive).read(self.name)

    def __getstate__(self) -> tuple[str, str]:
        return self.archive, self.name

    def __setstate__(self, state: tuple[str, str]) -> None:
        self.archive, self.name = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ZipMember) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((self.archive, self.name))


def safe_member(info: zipfile.ZipInfo, file: str) -> str:
    """The member's name with forward slashes.

    Raises:
        UnsafePathError: The name is absolute, has ``..``, a drive, a NUL, or is a link.
    """
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    bad = ".." in parts or name.startswith("/") or "\0" in info.orig_filename or not name
    if bad or _DRIVE.match(name) or stat.S_ISLNK(info.external_attr >> 16):
        raise UnsafePathError(
            "the zip has a member that would lie outside its folder, or a link; make the zip anew",
            file=file,
            value=info.orig_filename,
        )
    return "/".join(part for part in parts if part not in ("", "."))

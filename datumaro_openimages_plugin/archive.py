"""Where a dataset's files are: a folder, or a zip that is read without unpacking it.

Both sources list their files by names relative to the dataset, with forward slashes, and open
them by these names only: a name found *in* a data file is looked up in that list and never
joined to a path, so no annotation can reach outside its dataset.
"""

from __future__ import annotations

import functools
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

from datumaro_openimages_plugin.errors import FormatError, UnsafePathError

__all__ = ["Folder", "Source", "ZipArchive", "ZipMember", "is_zip", "open_source", "safe_member"]

#: A zip may unpack to this many times its own size, and at least to `MIN_UNPACKED` bytes.
MAX_RATIO = 200
MIN_UNPACKED = 1 << 30
MAX_MEMBERS = 20_000_000
_DRIVE = re.compile(r"[A-Za-z]:")


class Source(Protocol):
    """A place that holds the files of one dataset."""

    root: str

    def walk(self, enter: Callable[[str], bool], below: str = "") -> Iterator[str]:
        """Yields the names of all files in ``below`` and its folders that ``enter`` admits."""

    def open(self, name: str) -> BinaryIO:
        """Opens a file for reading; the handle can seek."""

    def read(self, name: str) -> bytes:
        """The whole content of a file."""

    def size(self, name: str) -> int:
        """How many bytes the whole content of a file is."""

    def path(self, name: str) -> str | None:
        """The file's own path, None where it is inside an archive."""

    def reader(self, name: str) -> Callable[..., bytes]:
        """A picklable callable that gives the file's bytes whatever arguments it gets."""


class _FileReader:
    """Reads a file when called; small enough to travel with every mask."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, *_: Any) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    def __getstate__(self) -> str:
        return self.path

    def __setstate__(self, path: str) -> None:
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _FileReader) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


class Folder:
    """A dataset in a folder."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)

    def walk(self, enter: Callable[[str], bool], below: str = "") -> Iterator[str]:
        """Yields file names, folders in sorted order; links that lead back are not followed."""
        pending = [(below, frozenset([os.path.realpath(self.root)]))]
        while pending:
            folder, above = pending.pop()
            with os.scandir(os.path.join(self.root, folder)) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            inner = []
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if not entry.is_dir():
                    yield name
                elif enter(name):
                    real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
                    if real not in above:
                        inner.append((name, above | {real} if entry.is_symlink() else above))
            pending.extend(reversed(inner))

    def open(self, name: str) -> BinaryIO:
        """Opens a file for reading."""
        return open(os.path.join(self.root, name), "rb")

    def read(self, name: str) -> bytes:
        """The whole content of a file."""
        with self.open(name) as file:
            return file.read()

    def size(self, name: str) -> int:
        """How many bytes a file has."""
        return os.path.getsize(os.path.join(self.root, name))

    def path(self, name: str) -> str | None:
        """The file's own path."""
        return os.path.join(self.root, name)

    def reader(self, name: str) -> Callable[..., bytes]:
        """A picklable callable that gives the file's bytes."""
        return _FileReader(os.path.join(self.root, name))


@functools.lru_cache(maxsize=4)
def _opened_zip(path: str, size: int, mtime_ns: int) -> zipfile.ZipFile:
    """An open zip, shared by all its members; size and time make a replaced file a new key."""
    return zipfile.ZipFile(path)


def _zip(path: str) -> zipfile.ZipFile:
    try:
        status = os.stat(path)
        return _opened_zip(path, status.st_size, status.st_mtime_ns)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise FormatError(f"not a readable zip: {error}", file=os.path.basename(path)) from None


class ZipMember:
    """Reads one member of a zip when called, whatever arguments it gets."""

    __slots__ = ("archive", "name")

    def __init__(self, archive: str, name: str) -> None:
        self.archive = archive
        self.name = name

    def __call__(self, *_: Any) -> bytes:
        """The member's bytes."""
        return _zip(self.archive).read(self.name)

    def __getstate__(self) -> tuple[str, str]:
        return self.archive, self.name

    def __setstate__(self, state: tuple[str, str]) -> None:
        self.archive, self.name = state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ZipMember) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((self.archive, self.name))


class ZipArchive:
    """A dataset in a zip; its one top folder, if it has one, is looked through.

    Args:
        root: Path of the zip.

    Raises:
        UnsafePathError: A member's name would lie outside the folder it is unpacked to.
        FormatError: The file is no zip, or unpacks to far more than it holds.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        members = [info for info in _zip(self.root).infolist() if not info.is_dir()]
        self._check_size(members)
        names = [safe_member(info, os.path.basename(root)) for info in members]
        names_kept = [name for name in names if not name.startswith("__MACOSX/")]
        tops = {name.split("/", 1)[0] for name in names_kept if "/" in name}
        flat = any("/" not in name for name in names_kept)
        # A zip made of one folder: what is in that folder is the dataset. Folders that belong
        # to the layout itself are not such a wrapper.
        wrapped = len(tops) == 1 and not flat and next(iter(tops)).lower() not in _LAYOUT
        self._prefix = next(iter(tops)) + "/" if wrapped else ""
        self._members = {
            name[len(self._prefix) :]: info.filename
            for name, info in zip(names, members, strict=True)
            if name.startswith(self._prefix) and not name.startswith("__MACOSX/")
        }

    def _check_size(self, members: list[zipfile.ZipInfo]) -> None:
        file = os.path.basename(self.root)
        if len(members) > MAX_MEMBERS:
            raise FormatError("the zip has too many members", file=file, value=len(members))
        unpacked = sum(info.file_size for info in members)
        if unpacked > max(MIN_UNPACKED, MAX_RATIO * os.path.getsize(self.root)):
            raise FormatError(
                "the zip unpacks to far more than it holds; if you trust it, unpack it yourself "
                "and import the folder",
                file=file,
                value=unpacked,
            )

    def walk(self, enter: Callable[[str], bool], below: str = "") -> Iterator[str]:
        """Yields member names in sorted order."""
        entered: dict[str, bool] = {below: True}
        start = below + "/" if below else ""

        def is_entered(folder: str) -> bool:
            if folder not in entered:
                above = folder.rpartition("/")[0]
                entered[folder] = is_entered(above) and enter(folder)
            return entered[folder]

        for name in sorted(self._members):
            if name.startswith(start) and is_entered(name.rpartition("/")[0]):
                yield name

    def open(self, name: str) -> BinaryIO:
        """Opens a member for reading; the handle can seek."""
        return _zip(self.root).open(self._members[name])  # type: ignore[return-value]

    def read(self, name: str) -> bytes:
        """The whole content of a member."""
        return _zip(self.root).read(self._members[name])

    def size(self, name: str) -> int:
        """How many bytes a member has when unpacked."""
        return _zip(self.root).getinfo(self._members[name]).file_size

    def path(self, name: str) -> str | None:
        """None: members have no path of their own."""
        return None

    def reader(self, name: str) -> Callable[..., bytes]:
        """A picklable callable that gives the member's bytes."""
        return ZipMember(self.root, self._members[name])


_LAYOUT = {"annotations", "images", "masks", "train", "validation", "test", "labels", "metadata"}


def safe_member(info: zipfile.ZipInfo, file: str) -> str:
    """The member's name with forward slashes.

    Raises:
        UnsafePathError: The name is absolute, has ``..``, a drive, a NUL, or is a link.
    """
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    bad = ".." in parts or name.startswith("/") or "\0" in info.orig_filename
    if bad or _DRIVE.match(name) or stat.S_ISLNK(info.external_attr >> 16):
        raise UnsafePathError(
            "the zip has a member that would lie outside its folder, or a link; make the zip anew",
            file=file,
            value=info.orig_filename,
        )
    return "/".join(part for part in parts if part not in ("", "."))


def is_zip(path: str) -> bool:
    """Whether ``path`` is a file that begins as a zip does."""
    return os.path.isfile(path) and zipfile.is_zipfile(path)


def open_source(path: str) -> Folder | ZipArchive:
    """The source for a path given by the user: a folder or a zip."""
    return ZipArchive(path) if is_zip(path) else Folder(path)

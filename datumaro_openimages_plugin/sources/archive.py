"""Where a dataset's files are: a folder, or a zip that is read without unpacking it.

Both sources list their files by names relative to the dataset, with forward slashes, and open
them by these names only: a name found *in* a data file is looked up in that list and never
joined to a path, so no annotation can reach outside its dataset.
"""

from __future__ import annotations

import operator
import os
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Protocol

from datumaro_openimages_plugin.sources.safe_names import PARTIAL
from datumaro_openimages_plugin.sources.zips import (
    ZipMember,
    check_unpacked_size,
    naming_damage,
    open_zip,
    safe_member,
)

__all__ = ["Folder", "Source", "ZipArchive", "is_zip", "open_source"]


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

    def place(self, name: str) -> tuple[str, str]:
        """The path of the file, or of the archive that it is in, and its member's name there."""

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
        self._start = os.path.join(self.root, "")

    def walk(self, enter: Callable[[str], bool], below: str = "") -> Iterator[str]:
        """Yields file names, folders in sorted order; links that lead back are not followed."""
        pending = [(below, frozenset([os.path.realpath(self.root)]))]
        while pending:
            folder, above = pending.pop()
            with os.scandir(os.path.join(self.root, folder)) as found:
                entries = sorted(found, key=operator.attrgetter("name"))
            inner = []
            start = f"{folder}/" if folder else ""
            for entry in entries:
                name = start + entry.name
                if name == PARTIAL:
                    continue  # what an export is writing right now, or a killed one has left
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
        return self._start + name

    def place(self, name: str) -> tuple[str, str]:
        """The file's own path, and no member."""
        return self._start + name, ""

    def reader(self, name: str) -> Callable[..., bytes]:
        """A picklable callable that gives the file's bytes."""
        return _FileReader(self._start + name)


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
        opened = open_zip(self.root)
        members = [info for info in opened.infolist() if not info.filename.endswith("/")]
        check_unpacked_size(members, opened, os.path.basename(root))
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
        with naming_damage(name):
            return open_zip(self.root).open(self._members[name])  # type: ignore[return-value]

    def read(self, name: str) -> bytes:
        """The whole content of a member."""
        with naming_damage(name):
            return open_zip(self.root).read(self._members[name])

    def size(self, name: str) -> int:
        """How many bytes a member has when unpacked."""
        return open_zip(self.root).getinfo(self._members[name]).file_size

    def path(self, name: str) -> str | None:
        """None: members have no path of their own."""
        return None

    def place(self, name: str) -> tuple[str, str]:
        """The zip's path, and the member's name in it."""
        return self.root, self._members[name]

    def reader(self, name: str) -> Callable[..., bytes]:
        """A picklable callable that gives the member's bytes."""
        return ZipMember(self.root, self._members[name])


_LAYOUT = {"annotations", "images", "masks", "train", "validation", "test", "labels", "metadata"}


def is_zip(path: str) -> bool:
    """Whether ``path`` is a file that is a zip, or is called one: it may be cut short."""
    called_so = path.lower().endswith(".zip")
    return os.path.isfile(path) and (called_so or zipfile.is_zipfile(path))


def open_source(path: str) -> Folder | ZipArchive:
    """The source for a path given by the user: a folder or a zip."""
    return ZipArchive(path) if is_zip(path) else Folder(path)

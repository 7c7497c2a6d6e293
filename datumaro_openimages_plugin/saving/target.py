"""Where an export's files go: a staged folder, or a zip inside of one."""

from __future__ import annotations

import contextlib
import os
import zipfile
from typing import Any, Protocol

__all__ = ["ANNOTATIONS_DIR", "IMAGES_DIR", "MASKS_DIR", "Replaced", "Target", "ZipTarget"]

#: Folders of an exported dataset.
ANNOTATIONS_DIR, IMAGES_DIR, MASKS_DIR = "annotations", "images", "masks"


class Target(Protocol):
    """A place for the files of one export; names are relative, with forward slashes."""

    def path(self, rel: str) -> str:
        """A path to write the file ``rel`` to; its folders exist."""

    def add_file(self, src: str, rel: str, link: bool = False) -> None:
        """Places a copy of the file ``src``, a hard link if that is wanted and possible."""


class Replaced(Protocol):
    """The dataset that an export replaces, as those that write masks ask it."""

    in_place: bool

    def inside(self, path: str) -> str | None:
        """A file's name in the dataset; None where it is not one of it."""

    def moved_mask(self, reader: Any, rel: str) -> None:
        """Takes note that the PNG that ``reader`` reads is ``rel`` from now on."""


class ZipTarget:
    """Collects an export's files in one zip.

    Pictures are stored, tables are compressed. Member times are fixed, so that equal datasets
    give equal bytes.

    Args:
        path: The zip to write.
        scratch: An empty folder for files that are written before they are packed.
    """

    _TIME = (1980, 1, 1, 0, 0, 0)

    def __init__(self, path: str, scratch: str) -> None:
        self._zip = zipfile.ZipFile(path, "w", allowZip64=True)
        self._scratch = scratch
        self._open: list[str] = []

    def path(self, rel: str) -> str:
        """A path in the scratch folder; `close` packs what was written there."""
        self._open.append(rel)
        path = os.path.join(self._scratch, *rel.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def add_file(self, src: str, rel: str, link: bool = False) -> None:
        """Packs a copy of the file ``src``; a zip has no links."""
        stored = not rel.endswith((".csv", ".json", ".meta"))
        info = zipfile.ZipInfo(rel, self._TIME)
        info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        info.file_size = os.path.getsize(src)
        with open(src, "rb") as file, self._zip.open(info, "w") as member:
            while block := file.read(1 << 20):
                member.write(block)

    def discard(self) -> None:
        """Ends without a zip, after an error."""
        file, self._zip.fp = self._zip.fp, None  # it would write its directory yet
        with contextlib.suppress(OSError):
            if file is not None:
                file.close()

    def close(self) -> None:
        """Packs the written files and ends the zip."""
        for rel in self._open:
            path = os.path.join(self._scratch, *rel.split("/"))
            self.add_file(path, rel)
            os.remove(path)
        self._zip.close()

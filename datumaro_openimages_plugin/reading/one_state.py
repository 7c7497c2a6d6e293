"""Reading a dataset in one state, though another process may replace it meanwhile.

Tables are opened one after another. Where they are replaced between two of them, what was read is
thrown away and everything is read again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.saving.journal import recover

__all__ = ["Stamp", "read_in_one_state", "stamp"]

Stamp = tuple[tuple[int, ...] | None, ...]
"""What tells that a file has become another one, for each file; None for one that is missing."""

_WAIT_S = 60.0  # as long as it is replaced faster than it can be read


class _Read(Protocol):
    stamp: Stamp
    files: DatasetFiles


ReadT = TypeVar("ReadT", bound=_Read)


def stamp(files: DatasetFiles) -> Stamp:
    """The stamp of a dataset's tables, or of the zip that they are in."""
    root = files.source.root
    if not os.path.isdir(root):
        return (_of_file(root),)
    return tuple(_of_file(os.path.join(root, file.name)) for file, _ in files.known())


def _of_file(path: str) -> tuple[int, ...] | None:
    for follow in (True, False):  # a link that leads nowhere is there, too
        try:
            status = os.stat(path, follow_symlinks=follow)
        except OSError:
            continue
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    return None


def _place(path: str) -> tuple[int, ...] | None:
    """Which folder a path leads to; its content does not count."""
    found = _of_file(path)
    return None if found is None else found[:2]


def read_in_one_state(path: str, read: Callable[[], ReadT]) -> ReadT:
    """Reads a dataset, again if it was replaced meanwhile; finishes what a killed export left.

    Args:
        path: A folder or a zip.
        read: Reads it; notes `stamp` when it has listed the files and opened none of them yet.

    Raises:
        SaveError: It is replaced again and again, or half replaced and cannot be finished.
    """
    last_error = ""
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        recover(path)
        place = _place(path)
        try:
            result = read()
        except (OSError, ValueError) as error:
            # What was listed may have gone since. Else it fails again, in the same way.
            if _place(path) == place and str(error) == last_error:
                raise
            last_error = str(error)
            continue
        whole = None not in result.stamp and result.stamp == stamp(result.files)
        if whole and _place(path) == place:
            return result
    raise SaveError("is replaced again and again while it is read; try later", file=path)

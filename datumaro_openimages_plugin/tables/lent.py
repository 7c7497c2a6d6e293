"""Python's files read as CSV by Arrow, whose threads give them back before reading ends."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import csv as pacsv

__all__ = ["batches"]

_SMALL = 1 << 18  # bytes
_PATIENCE_S = 1.0
_PAUSE_S = 0.0001


def batches(file: Any, **options: Any) -> Iterator[pa.RecordBatch]:
    """What ``pyarrow.csv.open_csv`` reads from a binary file.

    A thread of Arrow's lets go of the file a moment after its last bytes were used. A Python that
    ends in that moment is aborted by it, so this ends when the thread is done. The bytes of a small
    file become Arrow's own, which takes less time.
    """
    start = _start(file)
    if len(start) < _SMALL:
        own = pa.BufferOutputStream()
        own.write(start)
        yield from pacsv.open_csv(pa.BufferReader(own.getvalue()), **options)
        return
    lent = _Lent(file, start)
    held = weakref.ref(lent)
    try:
        yield from pacsv.open_csv(pa.PythonFile(lent, mode="r"), **options)
    finally:
        del lent
        patience = time.monotonic() + _PATIENCE_S
        while held() is not None and time.monotonic() < patience:
            time.sleep(_PAUSE_S)


def _start(file: Any) -> bytes:
    """The first bytes of a file; fewer than ``_SMALL`` are all."""
    start = b""
    while len(start) < _SMALL and (more := file.read(_SMALL - len(start))):
        start += more
    return start


class _Lent:
    """What Arrow uses of a file; closing it leaves the file open.

    Args:
        file: The file.
        start: What was read of it already.
    """

    closed = False

    def __init__(self, file: Any, start: bytes) -> None:
        self._read = file.read
        self._start = start

    def read(self, size: int) -> bytes:
        """The next bytes."""
        data, self._start = self._start[:size], self._start[size:]
        if len(data) == size:
            return data
        more: bytes = self._read(size - len(data))
        return data + more if data else more

    def close(self) -> None:
        """Does nothing: whoever lent the file closes it."""

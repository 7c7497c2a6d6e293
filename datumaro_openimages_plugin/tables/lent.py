"""Python's files read as CSV by Arrow, whose threads give them back before reading ends."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyarrow import csv as pacsv

__all__ = ["batches"]

_PATIENCE_S = 1.0
_PAUSE_S = 0.0001


def batches(file: Any, **options: Any) -> Iterator[pa.RecordBatch]:
    """What ``pyarrow.csv.open_csv`` reads from a binary file.

    A thread of Arrow's lets go of the file a moment after its last bytes were used. A Python that
    ends in that moment is aborted by it, so this ends when the thread is done.
    """
    lent = _Lent(file)
    held = weakref.ref(lent)
    try:
        yield from pacsv.open_csv(pa.PythonFile(lent, mode="r"), **options)
    finally:
        del lent
        patience = time.monotonic() + _PATIENCE_S
        while held() is not None and time.monotonic() < patience:
            time.sleep(_PAUSE_S)


class _Lent:
    """What Arrow uses of a file; closing it leaves the file open."""

    closed = False

    def __init__(self, file: Any) -> None:
        self.read = file.read

    def close(self) -> None:
        """Does nothing: whoever lent the file closes it."""

"""Holding Python's garbage collector back while a dataset is loaded."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["paused_gc"]

_FROZEN = 1000  # Python 3.12 begins with some hundred; a program that freezes has many more

_lock = threading.Lock()
_blocks = 0  # how many are being run
_was_enabled = False


@contextmanager
def paused_gc() -> Iterator[None]:
    """Holds the cyclic garbage collector back while its block runs.

    A dataset that is kept in memory is millions of objects, none of which is garbage, and the
    collector goes through all of them again and again while they are made. Only objects in cycles
    wait; all others are freed as ever. Blocks may be nested and may run in several threads: the
    collector runs again when the last one ends, by an exception too, if it ran when the first
    began. What was made meanwhile is then as old to it as what it has seen again and again: it is
    gone through by full collections only.

        with paused_gc():
            dataset = Dataset.import_from(path, "open_images")
            dataset.init_cache()
    """
    global _blocks, _was_enabled
    with _lock:
        if _blocks == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0 and _was_enabled:
                _grow_old()
                gc.enable()


def _grow_old() -> None:
    """Moves all objects to the oldest generation, without going through them."""
    if gc.get_freeze_count() < _FROZEN:  # what somebody has frozen stays so
        gc.freeze()
        gc.unfreeze()

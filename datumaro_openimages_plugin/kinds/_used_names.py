"""Which of millions of names are taken, in some eight bytes each."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["UsedNames"]

_RECENT = 1 << 16  # hashes that wait to be sorted in with the others


class UsedNames:
    """Names that are taken; those that differ only in case are one.

    Hashes stand for names. A name whose hash another one has, which among millions is all but
    impossible, counts as taken: what is said to be free is free.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted = np.empty(0, np.int64)

    def take(self, name: str) -> bool:
        """Takes a name; False where it was taken before."""
        data = name.casefold().encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(data, digest_size=8).digest()
        number = int.from_bytes(digest, "little", signed=True)
        if number in self._recent or self._is_sorted_in(number):
            return False
        self._recent.add(number)
        if len(self._recent) >= _RECENT:
            recent = np.fromiter(self._recent, np.int64, len(self._recent))
            self._sorted = np.sort(np.concatenate([self._sorted, np.sort(recent)]), kind="stable")
            self._recent.clear()
        return True

    def _is_sorted_in(self, number: int) -> bool:
        at = int(self._sorted.searchsorted(number))
        return at < len(self._sorted) and self._sorted.item(at) == number

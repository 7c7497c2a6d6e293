"""Which of millions of names are taken, in some sixteen bytes each."""

from __future__ import annotations

import hashlib
from array import array

__all__ = ["UsedNames"]

_SLOTS = 1 << 3  # at first; a power of two (each of many subsets has its names)


class UsedNames:
    """Names that are taken; those that differ only in case are one.

    Hashes stand for names. A name whose hash another one has, which among millions is all but
    impossible, counts as taken: what is said to be free is free.
    """

    def __init__(self) -> None:
        # Each hash is in the slot that its last bits say, or in the next free one; 0 is free.
        self._slots = array("Q", bytes(8 * _SLOTS))
        self._count = 0

    def take(self, name: str) -> bool:
        """Takes a name; False where it was taken before."""
        data = name.casefold().encode("utf-8", "surrogatepass")
        number = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") or 1
        if not self._put(number):
            return False
        self._count += 1
        if 3 * self._count > 2 * len(self._slots):
            old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
            for number in old:
                if number:
                    self._put(number)
        return True

    def _put(self, number: int) -> bool:
        slots = self._slots
        last = len(slots) - 1
        at = number & last
        while found := slots[at]:
            if found == number:
                return False
            at = (at + 1) & last
        slots[at] = number
        return True

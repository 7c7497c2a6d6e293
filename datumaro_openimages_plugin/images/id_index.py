"""Where ids stand in a column of ids.

Published image ids are 16 hexadecimal digits. As numbers they are found by binary search, which
takes a fraction of the time and memory of a hash table of texts; other ids are looked up as texts.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.tables.arrays import bools_to_arrow, is_null, to_numpy

__all__ = ["IdIndex", "hex_keys"]

_DIGITS = 16
_BLOCK = 1 << 15  # ids at a time, so that what is computed between stays in a core's cache
_HEX_ID = "^[0-9a-f]{16}$"


def hex_keys(ids: pa.Array) -> np.ndarray | None:
    """(n,) uint64 numbers of ids that all have 16 lower-case hexadecimal digits, else None."""
    count = len(ids)
    if not count or ids.null_count:
        return None
    _, offsets, data = ids.buffers()
    bounds = np.frombuffer(offsets, np.int32, count + 1, 4 * ids.offset)
    if int(bounds[-1]) - int(bounds[0]) != count * _DIGITS or (np.diff(bounds) != _DIGITS).any():
        return None
    keys = np.empty(count, np.uint64)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        words = np.frombuffer(data, ">u8", size * 2, int(bounds[0]) + start * _DIGITS)
        halves = _packed(words.astype(np.uint64))
        if halves is None:
            return None
        keys[start : start + size] = (halves[0::2] << np.uint64(32)) | halves[1::2]
    return keys


def _packed(words: np.ndarray) -> np.ndarray | None:
    """The numbers of eight hexadecimal digits each; a digit is a byte, the first the highest.

    None where a byte is no digit.
    """
    digits = words >> np.uint64(6)
    digits &= _ones(0x01)
    digits *= np.uint64(9)
    digits += words & _ones(0x0F)
    # What the digits are written as: other bytes come out as something else, or as no digit.
    written = digits + _ones(0x06)
    written >>= np.uint64(4)
    written &= _ones(0x01)
    written *= np.uint64(0x27)
    written += digits
    written += _ones(0x30)
    if (written != words).any() or (digits & _ones(0x10)).any():
        return None
    digits = (digits | (digits >> np.uint64(4))) & np.uint64(0x00FF00FF00FF00FF)
    digits = (digits | (digits >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
    return (digits | (digits >> np.uint64(16))) & np.uint64(0x00000000FFFFFFFF)


def _ones(byte: int) -> np.uint64:
    """The same byte eight times."""
    return np.uint64(byte * 0x0101010101010101)


class IdIndex:
    """Finds ids in a column of ids; of equal ones, the first.

    Args:
        ids: (n,) Arrow strings.
    """

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids
        self._order: np.ndarray | None = None
        self._keys = hex_keys(ids)
        if self._keys is not None and (self._keys[1:] < self._keys[:-1]).any():
            self._order = np.argsort(self._keys, kind="stable")
            self._keys = self._keys[self._order]

    def look_up(self, ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """(n,) int64 positions of ids, -1 for those that are not here."""
        if self._keys is None:
            at = pc.index_in(ids, value_set=self.ids)
            return np.where(is_null(at), -1, to_numpy(at)).astype(np.int64)
        chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
        found = [self._look_up(chunk, self._keys) for chunk in chunks]
        return np.concatenate([np.empty(0, np.int64), *found])

    def _look_up(self, ids: pa.Array, keys: np.ndarray) -> np.ndarray:
        wanted = hex_keys(ids)
        if wanted is None:
            alike = to_numpy(pc.match_substring_regex(ids, _HEX_ID))
            found = np.full(len(ids), -1, np.int64)
            if alike.any():
                found[alike] = self._look_up(ids.filter(bools_to_arrow(alike)), keys)
            return found
        at = np.searchsorted(keys, wanted)
        at[at == len(keys)] = 0
        missing = keys[at] != wanted
        if self._order is not None:
            at = self._order[at]
        at[missing] = -1
        return at

    def repeated(self) -> np.ndarray:
        """Ascending positions of ids that stand further up already."""
        if self._keys is None:
            if len(pc.unique(self.ids)) == len(self.ids):
                return np.empty(0, np.int64)
            return np.flatnonzero(self.look_up(self.ids) != np.arange(len(self.ids)))
        again = np.flatnonzero(self._keys[1:] == self._keys[:-1]) + 1
        return again if self._order is None else np.sort(self._order[again])

"""The bytes of some rows of a table, and where each row is in them."""

from __future__ import annotations

import numpy as np

__all__ = ["RowSpans"]

_LF, _CR = 10, 13


class RowSpans:
    """Rows as they stand in their file.

    Args:
        data: Bytes.
        starts: (n,) int64: where each row begins in them.
        stops: (n,) int64: where what belongs to it ends, its line end included.
    """

    def __init__(self, data: bytes, starts: np.ndarray, stops: np.ndarray) -> None:
        self._data = data
        self._bytes = np.frombuffer(data, np.uint8)
        self._starts = starts
        self._full = stops
        self._stops = self._without_ends(stops)

    def _without_ends(self, stops: np.ndarray) -> np.ndarray:
        stops = stops.copy()
        while True:
            last = self._bytes[np.maximum(stops, 1) - 1] if len(self._bytes) else stops
            ends = ((last == _LF) | (last == _CR)) & (stops > self._starts)
            if not ends.any():
                return stops
            stops -= ends

    def lines(self, chosen: np.ndarray | None = None) -> list[bytes]:
        """The rows without their line ends, or those of a (n,) mask."""
        starts, stops = self._starts, self._stops
        if chosen is not None:
            starts, stops = starts[chosen], stops[chosen]
        data = self._data
        bounds = zip(starts.tolist(), stops.tolist(), strict=True)
        return [data[start:stop] for start, stop in bounds]

    def begin_with(self, texts: list[bytes], which: np.ndarray) -> np.ndarray:
        """(n,) bool: whether each row begins with the text ``texts[which[i]]``, none empty."""
        if not len(which) or not len(self._bytes):
            return np.zeros(len(which), bool)
        wanted = np.frombuffer(b"".join(texts), np.uint8)
        sizes = np.array([len(text) for text in texts], np.int64)
        begins = np.cumsum(sizes) - sizes
        longest = int(sizes.max())
        if (sizes == longest).all() and len(self._bytes) >= longest:
            # As published ids do, all have one length: rows are cut out as a table of bytes.
            windows = np.lib.stride_tricks.sliding_window_view(self._bytes, longest)
            enough = self._stops - self._starts >= longest
            found = windows[np.where(enough, self._starts, 0)]
            return enough & (found == wanted.reshape(-1, longest)[which]).all(axis=1)
        sizes, begins = sizes[which], begins[which]
        enough = self._stops - self._starts >= sizes
        sizes = np.where(enough, sizes, 1)
        ends = np.cumsum(sizes)
        within = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        at = np.repeat(self._starts, sizes) + within
        # A row that is too short may be the last one, and empty.
        at = np.minimum(at, len(self._bytes) - 1)
        same = self._bytes[at] == wanted[np.repeat(begins, sizes) + within]
        return enough & np.logical_and.reduceat(same, ends - sizes)

    def block(self, line_end: str) -> memoryview | None:
        """All rows with their line ends, if they stand together like that; else None."""
        end = line_end.encode()
        together = (self._full[:-1] == self._starts[1:]).all()
        if not together or ((self._full - self._stops) != len(end)).any():
            return None
        for place, byte in enumerate(end):
            if (self._bytes[self._stops + place] != byte).any():
                return None
        return memoryview(self._data)[int(self._starts[0]) : int(self._full[-1])]

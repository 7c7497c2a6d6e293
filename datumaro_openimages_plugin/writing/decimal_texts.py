"""Fractions of an image as text, whole columns at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin.annotations.values import coordinate_text
from datumaro_openimages_plugin.tables.arrays import long_texts, to_arrow

__all__ = ["decimal_texts"]

_BILLION = 1_000_000_000
_MOST = 2  # what is further out is no place in an image
#: The three digits of numbers below a thousand, and how many of them are left without zeros at
#: the end.
_DIGITS = np.array([f"{n:03d}" for n in range(1000)], "S3").view(np.uint8).reshape(1000, 3)
_USED = np.array([len(f"{n:03d}".rstrip("0")) for n in range(1000)], np.int8)


def decimal_texts(values: np.ndarray) -> pa.Array:
    """What `values.coordinate_text` gives for each of some numbers.

    Args:
        values: (n,) float64, finite.

    Returns:
        (n,) long Arrow strings.

    Raises:
        ValueError: A number is no place in or near an image.
    """
    odd = np.flatnonzero((values < 0) | (values >= _MOST))
    if not len(odd):
        return _plain_texts(values)
    others = long_texts([coordinate_text(value) for value in values[odd].tolist()])
    place = np.arange(len(values))
    place[odd] = len(values) + np.arange(len(odd))
    plain = np.where((values < 0) | (values >= _MOST), 0, values)
    return pa.concat_arrays([_plain_texts(plain), others]).take(to_arrow(place))


def _plain_texts(values: np.ndarray) -> pa.Array:
    """Texts of numbers from 0 to below 2."""
    billionths = np.rint(values * _BILLION).astype(np.int32)
    thousands = billionths // 1000
    low = billionths - 1000 * thousands
    millions = thousands // 1000
    middle = thousands - 1000 * millions
    whole = millions // 1000
    high = millions - 1000 * whole
    text = np.empty((len(values), 11), np.uint8)
    text[:, 0] = whole
    text[:, 0] += ord("0")
    text[:, 1] = ord(".")
    text[:, 2:5] = _DIGITS[high]
    text[:, 5:8] = _DIGITS[middle]
    text[:, 8:] = _DIGITS[low]
    used = np.where(middle > 0, 3 + _USED[middle], np.maximum(_USED[high], 1))
    used = np.where(low > 0, 6 + _USED[low], used) + 2
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(used, out=offsets[1:])
    data = text[np.arange(11) < used[:, None]]
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_string(), len(values), buffers)

"""Fractions of an image as text, whole columns at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin.annotations.values import coordinate_text
from datumaro_openimages_plugin.tables.arrays import long_texts, to_arrow

__all__ = ["coordinate_columns", "decimal_texts"]

_BILLION = 1_000_000_000
_SPLIT = (1 << 27) + 1  # parts a float64 into two of 26 bits
_MOST = 2  # what is further out is no place in an image
_WIDTH = 12  # of a digit, a point, nine decimals and a comma


def _texts(texts: list[bytes]) -> np.ndarray:
    """(n,) texts of four bytes, each as one number."""
    return np.array(texts, "S4").view(np.uint32)


def _used(texts: list[bytes]) -> np.ndarray:
    """(n,) how many bytes of texts are left without zeros at the end."""
    return np.array([len(text.rstrip(b"0")) for text in texts], np.int8)


#: A number's text is made of three parts: ``d.dd``, ``dddd``, and ``ddd`` with a comma.
_FIRST = _texts([b"%d.%02d" % divmod(n, 100) for n in range(100 * _MOST + 1)])
_MIDDLE = _texts([b"%04d" % n for n in range(10_000)])
_LAST = _texts([b"%03d," % n for n in range(1000)])
#: How many decimals each part has that are no zeros at the end.
_FIRST_USED = _used([b"%02d" % (n % 100) for n in range(100 * _MOST + 1)])
_MIDDLE_USED = _used([b"%04d" % n for n in range(10_000)])
_LAST_USED = _used([b"%03d" % n for n in range(1000)])
#: Which characters are left of a number with so many decimals.
_KEPT = np.array([[n < 2 + used or n == _WIDTH - 1 for n in range(_WIDTH)] for used in range(10)])


def coordinate_columns(points: np.ndarray, sizes: np.ndarray) -> pa.Array:
    """The corner columns of new boxes: XMin, XMax, YMin, YMax as one text each.

    Args:
        points: (n, 4) float64 x1, y1, x2, y2 in pixels, finite.
        sizes: (n, 2) float64 height, width in pixels.

    Returns:
        (n,) Arrow strings: what `values.coordinate_text` gives for the four, with commas.
    """
    height, width = sizes.T
    x1, y1, x2, y2 = points.T
    return decimal_texts(np.stack([x1 / width, x2 / width, y1 / height, y2 / height], axis=1))


def decimal_texts(values: np.ndarray) -> pa.Array:
    """What `values.coordinate_text` gives for each of some numbers, with commas between.

    Args:
        values: (n, k) float64, finite.

    Returns:
        (n,) long Arrow strings of k numbers each.

    Raises:
        ValueError: A number is no place in or near an image.
    """
    odd: np.ndarray = np.any((values < 0) | (values >= _MOST), axis=1)
    if not odd.any():
        return _plain_texts(values)
    at = np.flatnonzero(odd)
    others = long_texts([",".join(map(coordinate_text, row)) for row in values[at].tolist()])
    place = np.arange(len(values))
    place[at] = len(values) + np.arange(len(at))
    plain = np.where(odd[:, None], 0, values)
    return pa.concat_arrays([_plain_texts(plain), others]).take(to_arrow(place))


def _plain_texts(values: np.ndarray) -> pa.Array:
    """Texts of (n, k) numbers from 0 to below 2."""
    billionths = _billionths(values)
    thousands = billionths // 1000
    last = billionths - 1000 * thousands
    first = thousands // 10_000
    middle = thousands - 10_000 * first
    parts = np.stack([_FIRST.take(first), _MIDDLE.take(middle), _LAST.take(last)], axis=2)
    text = parts.view(np.uint8)
    # Zeros at the end go, but for the first one; so does the last comma.
    used = np.where(
        middle > 0, 2 + _MIDDLE_USED.take(middle), np.maximum(_FIRST_USED.take(first), 1)
    )
    used = np.where(last > 0, 6 + _LAST_USED.take(last), used)
    keep = _KEPT.take(used, axis=0)
    keep[:, -1:, 11] = False
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum((used + 3).sum(axis=1) - 1, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text[keep])]
    return pa.Array.from_buffers(pa.large_string(), len(values), buffers)


def _billionths(values: np.ndarray) -> np.ndarray:
    """Numbers in billionths, as int32, each rounded once, as Python rounds it for its text."""
    scaled = values * _BILLION
    nearest = np.rint(scaled)
    halves = np.abs(scaled - nearest) == 0.5
    if halves.any():
        # Many coordinates of two decimals in an image 1024 pixels wide come to a half. Only what
        # the product itself was rounded by tells on which side of it they are.
        half = scaled[halves]
        rest = _lost_in_product(values[halves], half)
        nearest[halves] = np.where(rest == 0, nearest[halves], half + np.copysign(0.5, rest))
    return nearest.astype(np.int32)


def _lost_in_product(values: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    """What the exact products with a billion have more than the rounded ones."""
    # Halves of the digits, whose products are exact.
    high = values * _SPLIT
    high -= high - values
    return (high * _BILLION - scaled) + (values - high) * _BILLION

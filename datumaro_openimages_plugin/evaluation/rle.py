"""Masks as COCO's run lengths, checked before they reach the C code that trusts them."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

__all__ = [
    "Rle",
    "box_frac",
    "resized",
    "rle_from_mask",
    "rle_from_text",
    "rle_to_text",
]

Rle = dict[str, Any]
"""``{"size": [height, width], "counts": bytes}``, as pycocotools has it."""

#: The largest mask that is accepted; published ones have at most 2 megapixels.
MAX_PIXELS = 1 << 28
_MAX_BYTES = 1 << 26


def rle_from_mask(mask: np.ndarray) -> Rle:
    """The run lengths of a (h, w) mask."""
    return coco_mask.encode(np.asfortranarray(np.asarray(mask) != 0, dtype=np.uint8))  # type: ignore[no-any-return]


def rle_from_text(text: str, size: tuple[int, int]) -> Rle:
    """Reads a ``Mask`` field of the challenge: run lengths, then zlib, then base64.

    Args:
        text: The field.
        size: ``ImageHeight``, ``ImageWidth``.

    Raises:
        ValueError: It is not that, or the runs do not fill a mask of this size.
    """
    height, width = size
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"has an impossible size of {width} by {height}")
    try:
        packed = base64.b64decode(text, validate=True)
        unpacking = zlib.decompressobj()
        counts = unpacking.decompress(packed, _MAX_BYTES)
    except (binascii.Error, ValueError, zlib.error):
        raise ValueError("is not base64 of zlib of run lengths") from None
    if not unpacking.eof:
        raise ValueError("is cut off or too large")
    if int(_runs(counts).sum()) != height * width:
        raise ValueError(f"does not fill a mask of {width} by {height}")
    return {"size": [height, width], "counts": counts}


def rle_to_text(rle: Rle) -> str:
    """The ``Mask`` field of the challenge for run lengths."""
    return base64.b64encode(zlib.compress(rle["counts"])).decode()


def _runs(counts: bytes) -> np.ndarray:
    """(n,) int64 lengths of the runs.

    Each number is written in groups of five bits from the lowest on, 48 added; bit 6 says that
    more follow, bit 5 of the last is the sign. From the fourth on a number is the difference to
    the second before it.

    Raises:
        ValueError: The bytes are no such numbers, or a run is negative.
    """
    groups = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not len(groups) or groups.min() < 0 or groups.max() > 63 or groups[-1] & 32:
        raise ValueError("has run lengths that are none of COCO's")
    ends = np.flatnonzero((groups & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() > 6:  # 35 bits are more than any mask has pixels
        raise ValueError("has a run longer than any mask")
    place = np.arange(len(groups)) - np.repeat(starts, ends - starts + 1)
    values = np.add.reduceat((groups & 31) << (5 * place), starts)
    values -= np.where(groups[ends] & 16, np.int64(1) << (5 * (ends - starts + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    if values.min() < 0:
        raise ValueError("has a negative run")
    return values


def resized(rle: Rle, size: tuple[int, int]) -> Rle:
    """The mask at another (height, width), by nearest neighbour."""
    if tuple(rle["size"]) == tuple(size):
        return rle
    mask = cv2.resize(coco_mask.decode(rle), (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return rle_from_mask(mask)


def box_frac(rle: Rle) -> np.ndarray:
    """(4,) float64 x1, y1, x2, y2 of the mask's extent as fractions; all 0 for an empty mask."""
    x, y, width, height = coco_mask.toBbox(rle).astype(np.float64)
    size = np.array([rle["size"][1], rle["size"][0]] * 2, np.float64)
    return np.array([x, y, x + width, y + height]) / size  # type: ignore[no-any-return]

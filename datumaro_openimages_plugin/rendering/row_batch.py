"""Annotations that wait to be written, as columns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.rendering.row_places import RowPlaces
from datumaro_openimages_plugin.tables.arrays import long_texts

__all__ = ["RowBatch", "bytes_of_texts", "joined_texts"]

Size = tuple[int, int]
_points_of = attrgetter("points")


class RowBatch:
    """Annotations of some items.

    Args:
        annotations: The annotations, item by item.
        items: Their items.
        sizes: (height, width) in pixels of the items' images, None where it is not known.
        item: (n,) int64: the position of each annotation's item.
        label: (n,) int64: its label's index.
        key: (n,) int64: a number for its attributes.
        places: Where they were read.
    """

    def __init__(
        self,
        annotations: list[Any],
        items: list[DatasetItem],
        sizes: list[Size | None],
        item: np.ndarray,
        label: np.ndarray,
        key: np.ndarray,
        places: RowPlaces,
    ) -> None:
        self.annotations = annotations
        self.items = items
        self.sizes = sizes
        self.item = item
        self.label = label
        self.key = key
        self.places = places

    def __len__(self) -> int:
        return len(self.annotations)

    def item_of(self, position: int) -> DatasetItem:
        """The item of an annotation."""
        return self.items[self.item[position]]

    def size_of(self, position: int) -> Size | None:
        """The size of an annotation's image."""
        return self.sizes[self.item[position]]

    @cached_property
    def is_sized(self) -> np.ndarray:
        """(n,) bool: whether the size of an annotation's image is known."""
        return np.array([size is not None for size in self.sizes], bool)[self.item]

    @cached_property
    def size_px(self) -> np.ndarray:
        """(n, 2) float64 height, width in pixels; 1 where not known."""
        return np.array([size or (1, 1) for size in self.sizes], np.float64)[self.item]

    @cached_property
    def is_resized(self) -> np.ndarray:
        """(n,) bool: whether an annotation's image has another size than it was imported with."""
        found = map(_is_resized, self.items, self.sizes)
        return np.fromiter(found, bool, len(self.items))[self.item]

    @cached_property
    def points(self) -> np.ndarray:
        """(n, 4) float64 x1, y1, x2, y2 in pixels."""
        flat = itertools.chain.from_iterable(map(_points_of, self.annotations))
        return np.fromiter(flat, np.float64).reshape(-1, 4)


def _is_resized(item: DatasetItem, size: Size | None) -> bool:
    origin = getattr(item, "origin", None)
    return origin is not None and origin.size is not None and origin.size != size


def joined_texts(columns: Sequence[pa.Array]) -> pa.Array:
    """Rows of plain CSV fields, as Arrow strings."""
    # A scalar that Arrow makes of a Python object would import pandas.
    return pc.binary_join_element_wise(*columns, long_texts([","])[0])


def bytes_of_texts(texts: pa.Array) -> list[bytes]:
    """Each of (n,) long Arrow strings without nulls."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset).tolist()
    every = memoryview(data or b"")
    return [bytes(every[start:stop]) for start, stop in itertools.pairwise(bounds)]

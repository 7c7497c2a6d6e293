"""The sizes of images that were written, in a fraction of a dictionary's memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.images.id_index import IdIndex
from datumaro_openimages_plugin.images.image_sizes import image_meta_line
from datumaro_openimages_plugin.tables.arrays import (
    bools_to_arrow,
    long_texts,
    text_bytes,
    texts_to_arrow,
    to_arrow,
    to_numpy,
)

__all__ = ["WrittenSizes", "image_meta_lines"]

_GATHERED = 1 << 14  # images whose sizes are put into columns together


class WrittenSizes:
    """Sizes by image id; an id may come again, as an image of another subset."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._names: list[pa.Array] = []
        self._columns: list[np.ndarray] = []

    def add_all(self, ids: Sequence[str], sizes: Sequence[tuple[int, int] | None]) -> None:
        """Takes the sizes of some images: (height, width) in pixels, None for unknown ones."""
        for image_id, size in zip(ids, sizes, strict=True):
            if size is not None:
                self._ids.append(image_id)
                self._sizes.append(size)
        if len(self._ids) >= _GATHERED:
            self._gather()

    def add_columns(self, ids: pa.Array, sizes: np.ndarray) -> None:
        """Takes the sizes of (n,) images: (n, 2) height, width in pixels."""
        self._gather()
        self._names.append(ids)
        self._columns.append(sizes.astype(np.int64))

    def _gather(self) -> None:
        self._names.append(texts_to_arrow(self._ids))
        self._columns.append(np.array(self._sizes, np.int64).reshape(-1, 2))
        self._ids, self._sizes = [], []

    def known(self, others: Mapping[str, tuple[int, int]]) -> tuple[pa.Array, np.ndarray, int]:
        """Ids whose size is the same wherever they stand, in the order they came.

        Args:
            others: Sizes of images that were not written; those that were come first.

        Returns:
            (n,) Arrow strings, (n, 2) int64 heights and widths, and how many ids have several.
        """
        first = len(self._ids) + sum(map(len, self._names))
        self.add_all(list(others), list(others.values()))
        self._gather()
        names, sizes = pa.concat_arrays(self._names), np.concatenate(self._columns)
        self._names, self._columns = [names], [sizes]
        index = IdIndex(names)
        again = index.repeated()
        if not len(again):
            return names, sizes, 0
        keep = np.ones(len(names), bool)
        keep[again] = False
        written = again[again < first]
        before = index.look_up(names.take(to_arrow(written)))
        unlike = before[(sizes[before] != sizes[written]).any(axis=1)]
        unlike = np.flatnonzero(np.bincount(unlike, minlength=0))
        keep[unlike] = False
        return names.filter(bools_to_arrow(keep)), sizes[keep], len(unlike)


def image_meta_lines(names: pa.Array, sizes: np.ndarray) -> Iterator[bytes | memoryview]:
    """The blocks of ``images.meta``; its lines are as `image_sizes.image_meta_line` makes them.

    Args:
        names: (n,) Arrow strings.
        sizes: (n, 2) int64 heights and widths in pixels.
    """
    yield b"# <image name> <height> <width>\n\n"
    for start in range(0, len(names), _GATHERED):
        some, of = names.slice(start, _GATHERED), sizes[start : start + _GATHERED]
        if to_numpy(pc.ascii_is_alnum(some)).all():
            # Arrow makes no scalars of Python objects without importing pandas.
            space, end, nothing = long_texts([" ", "\n", ""])
            height, width = (to_arrow(of[:, at]).cast(pa.large_string()) for at in (0, 1))
            width = pc.binary_join_element_wise(width, nothing, end)
            lines = some.cast(pa.large_string()), height, width
            yield text_bytes(pc.binary_join_element_wise(*lines, space))
        else:
            pairs = zip(some.to_pylist(), of.tolist(), strict=True)
            yield "".join(f"{image_meta_line(n, (h, w))}\n" for n, (h, w) in pairs).encode()

"""Arrow arrays to NumPy and back, by their buffers.

Arrow's own conversions, its scalars among them, import pandas when first used, which takes longer
than reading a table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

__all__ = [
    "bools_to_arrow",
    "distinct_codes",
    "is_null",
    "long_texts",
    "text_bytes",
    "texts_to_arrow",
    "to_arrow",
    "to_numpy",
]


def to_numpy(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) numbers or bools; where a value is null, whatever its buffer holds."""
    if not isinstance(values, pa.ChunkedArray):
        return _one(values)
    return np.concatenate([np.empty(0, _dtype(values.type)), *map(_one, values.chunks)])


def is_null(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) bool: where a value is null."""
    if isinstance(values, pa.ChunkedArray):
        return np.concatenate([np.empty(0, bool), *(is_null(chunk) for chunk in values.chunks)])
    bitmap = values.buffers()[0]
    if bitmap is None or not values.null_count:
        return np.zeros(len(values), bool)
    return ~_bits(bitmap, values.offset, len(values))


def to_arrow(values: np.ndarray) -> pa.Array:
    """An Arrow array on the memory of (n,) whole numbers."""
    values = np.ascontiguousarray(values)
    kind = getattr(pa, values.dtype.name)()
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def texts_to_arrow(texts: Sequence[str]) -> pa.Array:
    """Arrow strings."""
    return _texts(texts, np.int32, pa.string())


def long_texts(texts: Sequence[str]) -> pa.Array:
    """Arrow strings that may have more than two gigabytes together."""
    return _texts(texts, np.int64, pa.large_string())


def _texts(texts: Sequence[str], offset: type[np.integer], kind: pa.DataType) -> pa.Array:
    joined = "".join(texts)
    data = joined.encode()
    if len(data) == len(joined):
        sizes = list(map(len, texts))
    else:
        sizes = [len(text.encode()) for text in texts]
    offsets = np.zeros(len(texts) + 1, offset)
    np.cumsum(sizes, out=offsets[1:])
    return pa.Array.from_buffers(
        kind, len(texts), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


def text_bytes(texts: pa.Array) -> memoryview:
    """The bytes of (n,) long Arrow strings without nulls, one after another."""
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int64, len(texts) + 1, 8 * texts.offset)
    return memoryview(data or b"")[int(bounds[0]) : int(bounds[-1])]


def bools_to_arrow(values: np.ndarray) -> pa.Array:
    """An Arrow array of (n,) bool."""
    packed = np.packbits(values, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(packed)])


def distinct_codes(codes: np.ndarray) -> list[int]:
    """The distinct ones of (n,) small whole numbers from 0, ascending.

    ``numpy.unique`` would import ``numpy.ma``, which takes longer than reading a small dataset.
    """
    return np.flatnonzero(np.bincount(codes)).tolist()  # type: ignore[no-any-return]


def _dtype(kind: pa.DataType) -> np.dtype:
    return np.dtype(str(kind))


def _one(values: pa.Array) -> np.ndarray:
    data = values.buffers()[1]
    if data is None:
        return np.empty(0, _dtype(values.type))
    if pa.types.is_boolean(values.type):
        return _bits(data, values.offset, len(values))
    dtype = _dtype(values.type)
    return np.frombuffer(data, dtype, len(values), values.offset * dtype.itemsize)


def _bits(data: pa.Buffer, offset: int, count: int) -> np.ndarray:
    packed = np.frombuffer(data, np.uint8)
    return np.unpackbits(packed, bitorder="little")[offset : offset + count].astype(bool)

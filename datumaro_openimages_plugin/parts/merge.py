"""Joining parts: their tables row by row in the order of the whole, everything else as it is."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.errors import FormatError, SaveError
from datumaro_openimages_plugin.files.names import recognise
from datumaro_openimages_plugin.images.image_sizes import image_meta_from_text, image_meta_line
from datumaro_openimages_plugin.images.images import IMAGE_COLUMNS
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.parts.order import Order, order_path
from datumaro_openimages_plugin.rendering.sinks import CsvSink, Sink
from datumaro_openimages_plugin.saving.staging import Staging
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

__all__ = ["merge_parts"]

_BLOCK = 1 << 15  # rows put in order at a time


def merge_parts(parts: Sequence[str], target: str, *, keep: bool = False) -> None:
    """Joins parts that `convert_part` made to one dataset, all or nothing.

    The result is the same to the byte as what one process would have written, unless a transform
    made images or left some out: then it has the same rows, part after part.

    Args:
        parts: The parts' folders, in the order of their shards.
        target: Where the dataset is to be; what is there is replaced.
        keep: Whether the parts stay; otherwise they are deleted when the whole is there.

    Raises:
        SaveError: Two parts have different files of one name, as where ids in two of them make
            one file name for a mask, or the target cannot be written.
        FormatError: A part is not complete, or parts are of different datasets.
    """
    orders = [_order(part) for part in parts]
    whole = _Whole(orders)
    # A part without images knows nothing of what the others carry, such as the hierarchy.
    filled = [n for n, order in enumerate(orders) if order.ids] or list(range(len(parts)))
    found: dict[str, list[int]] = defaultdict(list)  # file -> parts that have it
    for number in filled:
        for name in open_source(parts[number]).walk(lambda _: True):
            found[name].append(number)
    if not any(order.always_meta for order in orders) and not _needs_sizes(found):
        found = {name: owners for name, owners in found.items() if not _is_meta(name)}
    with Staging(target) as staging:
        for name, owners in sorted(found.items()):
            folders = {owner: parts[owner] for owner in owners}
            _join(name, folders, whole, staging, link=not keep)
    if not keep:
        for part in parts:
            shutil.rmtree(part)
            os.remove(order_path(part))


def _needs_sizes(names: Iterable[str]) -> bool:
    known = [recognise(name) for name in names]
    kinds = [KINDS_BY_NAME.get(file.kind) for file in known if file is not None]
    return any(kind is not None and kind.needs_sizes for kind in kinds)


def _is_meta(name: str) -> bool:
    known = recognise(name)
    return known is not None and known.kind == "images_meta"


def _order(part: str) -> Order:
    try:
        return Order.read(part)
    except FileNotFoundError:
        raise FormatError("the part is not complete; make it again", file=part) from None


class _Whole:
    """The places of all images.

    Args:
        orders: Those of the parts.
    """

    def __init__(self, orders: Sequence[Order]) -> None:
        ordered = all(order.numbers is not None for order in orders)
        before = 0
        self._places: list[dict[str, tuple[pa.Array, np.ndarray]]] = []
        for order in orders:
            count = len(order.ids)
            numbers = order.numbers if ordered else None
            if numbers is None:
                numbers = np.arange(before, before + count)
            before += count
            codes, ids = np.array(order.subset_codes, np.int64), pa.array(order.ids, pa.string())
            self._places.append(
                {
                    subset: (ids.filter(pa.array(codes == code)), numbers[codes == code])
                    for code, subset in enumerate(order.subsets)
                }
            )
        every = np.concatenate(
            [np.empty(0, np.int64), *(n for part in self._places for _, n in part.values())]
        )
        if len(np.unique(every)) < len(every):
            raise FormatError("two parts have one image; they are not shards of one dataset")

    def of(self, part: int, subset: str, ids: pa.ChunkedArray, name: str) -> np.ndarray:
        """(n,) int64: the places of a part's rows by their images.

        Raises:
            FormatError: A row is of an image that the part does not have.
        """
        known, numbers = self._places[part].get(
            subset, (pa.array([], pa.string()), np.empty(0, np.int64))
        )
        at = pc.fill_null(pc.index_in(ids, value_set=known), -1).to_numpy().astype(np.int64)
        if (at < 0).any():
            row = int(np.flatnonzero(at < 0)[0])
            message = "the row is of an image that the part does not have"
            raise FormatError(message, file=name, row=row + 1, value=ids[row].as_py())
        return numbers[at]

    def ids(self, part: int) -> dict[str, int]:
        """Id -> place of a part's images."""
        found: dict[str, int] = {}
        for ids, numbers in self._places[part].values():
            for name, number in zip(ids.to_pylist(), numbers.tolist(), strict=True):
                found[name] = min(number, found.get(name, number))
        return found


def _join(
    name: str, folders: Mapping[int, str], whole: _Whole, staging: Staging, link: bool
) -> None:
    """Makes one file of the whole of those that the parts have."""
    known = recognise(name)
    kind = None if known is None else KINDS_BY_NAME.get(known.kind)
    if known is not None and (kind is not None or known.kind == "images"):
        sink: Sink
        if kind is None:
            sink = CsvSink(lambda: staging.path(name), IMAGE_COLUMNS)
        else:
            sink = kind.sink(lambda: staging.path(name), kind.fields, kind.default)
        opened = CsvTable if kind is None else kind.opened
        tables = {part: opened(open_source(at), name) for part, at in folders.items()}
        _join_tables(tables, known.subset, whole, sink)
    elif known is not None and known.kind == "images_meta":
        with open(staging.path(name), "wb") as file:
            file.write(_joined_sizes(name, folders, whole))
    else:
        paths = [os.path.join(folder, *name.split("/")) for folder in folders.values()]
        for path in paths[1:]:
            if not filecmp.cmp(paths[0], path, shallow=False):
                message = "parts have different files of this name; convert in one process"
                raise SaveError(message, file=name)
        staging.add_file(paths[0], name, link)


def _join_tables(tables: Mapping[int, Any], subset: str | None, whole: _Whole, sink: Sink) -> None:
    owners, rows, places = [], [], []
    for part, table in tables.items():
        of_part = _places(part, table, subset, whole)
        owners.append(np.full(len(of_part), part))
        rows.append(np.arange(len(of_part)))
        places.append(of_part)
    order = np.argsort(np.concatenate(places), kind="stable")
    owner, row = np.concatenate(owners)[order], np.concatenate(rows)[order]
    for start in range(0, len(order), _BLOCK):
        _write(tables, owner[start : start + _BLOCK], row[start : start + _BLOCK], sink)
    sink.close()


def _places(part: int, table: Any, subset: str | None, whole: _Whole) -> np.ndarray:
    """(n,) int64: the places of a table's rows; a table of all subsets says each row's own."""
    columns = [Column("ImageID")]
    if subset is None:
        columns.append(Column("Subset", "code"))
    read = table.read(columns, _fail)
    ids = read.text["ImageID"]
    if subset is not None:
        return whole.of(part, subset, ids, table.name)
    codes, names = read.code["Subset"]
    found = np.empty(read.count, np.int64)
    for code, name in enumerate(names):
        at = np.flatnonzero(codes == code)
        found[at] = whole.of(part, name, ids.take(pa.array(at)), table.name)
    return found


def _write(tables: Mapping[int, Any], owner: np.ndarray, row: np.ndarray, sink: Sink) -> None:
    """Writes some rows; those of one table lie together there, so they are read at once."""
    lines: list[bytes] = [b""] * len(owner)
    for part in np.unique(owner).tolist():
        at = np.flatnonzero(owner == part)
        for i, line in zip(at.tolist(), tables[part].raws(row[at]), strict=True):
            lines[i] = line
    # First all headers, so that the rows of a block have one width.
    in_order = owner[np.sort(np.unique(owner, return_index=True)[1])].tolist()
    for part in in_order:
        sink.accepts_raw(tables[part].header, tables[part].line_end)
    for part in in_order:
        table = tables[part]
        if not sink.accepts_raw(table.header, table.line_end):
            for i in np.flatnonzero(owner == part).tolist():
                lines[i] = sink.line(dict(zip(table.header, table.values(int(row[i])))))  # noqa: B905 (a short row)
    sink.raw_lines(lines)


def _joined_sizes(name: str, folders: Mapping[int, str], whole: _Whole) -> bytes:
    """``images.meta`` of all: each image's size from its own part, then what no image has."""
    sizes: dict[str, tuple[int, int] | None] = {}
    place: dict[str, int] = {}
    others: dict[str, tuple[int, int]] = {}
    for part, folder in folders.items():
        with open(os.path.join(folder, *name.split("/")), "rb") as file:
            read = image_meta_from_text(file.read(), name)
        own = whole.ids(part)
        for image_id, size in read.items():
            if image_id not in own:
                others.setdefault(image_id, size)
                continue
            if sizes.setdefault(image_id, size) != size:
                sizes[image_id] = None  # two images of one id in two subsets
            place[image_id] = min(own[image_id], place.get(image_id, own[image_id]))
    known = {key: size for key, size in sizes.items() if size is not None}
    ordered = sorted(known, key=place.__getitem__)
    rest = [key for key in others if key not in sizes]
    lines = [image_meta_line(key, known[key]) for key in ordered]
    lines += [image_meta_line(key, others[key]) for key in rest]
    return "\n".join(["# <image name> <height> <width>", "", *lines, ""]).encode()


def _fail(error: FormatError) -> None:
    raise error

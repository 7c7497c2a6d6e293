"""Annotations of items -> the writers of their kinds."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.annotations.shapes import (
    count_unlike_first,
    is_outline,
    masks_from_outlines,
)
from datumaro_openimages_plugin.files.layout import Layout
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.kinds._kind import Kind
from datumaro_openimages_plugin.rendering.row_writer import RowWriter
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing

__all__ = ["ITEM_ATTRIBUTES", "AnnotationWriter"]

Size = tuple[int, int]


def _by_type() -> dict[AnnotationType, list[Kind]]:
    """Type -> the kinds that take its annotations; those that take only some come first."""
    found: dict[AnnotationType, list[Kind]] = {}
    for kind in sorted(KINDS, key=lambda kind: kind.takes is None):
        if kind.type is not None:
            found.setdefault(kind.type, []).append(kind)
    return found


_BBOX, _MASK = AnnotationType.bbox, AnnotationType.mask
_KINDS_BY_TYPE = list(_by_type().items())
_TYPES = tuple(type for type, _ in _KINDS_BY_TYPE)  # a tuple, since enums are slow to hash
_BBOX_PLACE = _TYPES.index(_BBOX)
_ITEM_KINDS = [kind for kind in KINDS if kind.item_attribute is not None]
#: Attributes of items that a kind writes.
ITEM_ATTRIBUTES = frozenset(kind.item_attribute or "" for kind in _ITEM_KINDS)

_annotations_of, _attributes_of = attrgetter("annotations"), attrgetter("attributes")

_UNLIKE_FIRST = "attributes of outlines that are part of another one's mask"


class AnnotationWriter:
    """Gives the annotations of items to the writers of their kinds.

    Args:
        writing: What the export's writers share.
        layout: What files are called.
    """

    def __init__(self, writing: Writing, layout: Layout) -> None:
        self._writing = writing
        self._layout = layout
        self._sinks: dict[tuple[str, str], Sink] = {}
        self._writers: dict[tuple[str, str], KindWriter] = {}
        self._places: dict[type, int] = {}

    def write(self, items: Sequence[DatasetItem], sizes: Sequence[Size | None]) -> None:
        """Writes the annotations of some items of one subset.

        Args:
            items: The items.
            sizes: (height, width) of their images in pixels, None where it is not known.
        """
        if any(map(_attributes_of, items)) or not self._write_together(items, sizes):
            for item, size in zip(items, sizes, strict=True):
                self._write_one(item, size)

    # Many items

    def _write_together(self, items: Sequence[DatasetItem], sizes: Sequence[Size | None]) -> bool:
        """Writes items without attributes; False where an annotation needs a look at its item.

        That is one of a type that no kind has, or a box with a rotation.
        """
        counts = list(map(len, map(_annotations_of, items)))
        annotations = list(itertools.chain.from_iterable(map(_annotations_of, items)))
        classes = list(map(type, annotations))
        places = self._places_of(annotations, classes)
        if -1 in places:
            return False
        groups = []
        ends = np.cumsum([0, *counts])
        if len(places) > 1:
            of_class = map(self._places.__getitem__, classes)
            at_place = np.fromiter(of_class, np.int8, len(classes))
        for place in sorted(places):
            mine, mine_of = annotations, counts
            if len(places) > 1:
                chosen = at_place == place
                mine = list(itertools.compress(annotations, chosen.tobytes()))
                before = np.concatenate([[0], np.cumsum(chosen)])
                mine_of = np.diff(before[ends]).tolist()
            names = _names(mine)
            if place == _BBOX_PLACE and "rotation" in names:
                return False
            groups.append((place, mine, mine_of, names))
        for place, mine, mine_of, names in groups:
            self._write_group(_KINDS_BY_TYPE[place][1], mine, mine_of, items, sizes, names)
        return True

    def _places_of(self, annotations: Sequence[Any], classes: list[type]) -> set[int]:
        """Where the types of annotations are in ``_KINDS_BY_TYPE``, -1 for nowhere."""
        distinct = set(classes)
        for cls in distinct.difference(self._places):
            kind = annotations[classes.index(cls)].type
            self._places[cls] = _TYPES.index(kind) if kind in _TYPES else -1
        return {self._places[cls] for cls in distinct}

    def _write_group(
        self,
        kinds: Sequence[Kind],
        annotations: list[Any],
        counts: list[int],
        items: Sequence[DatasetItem],
        sizes: Sequence[Size | None],
        names: Collection[str],
    ) -> None:
        """Writes annotations of one type: ``counts[i]`` of ``items[i]``."""
        kind = next(k for k in kinds if k.takes is None or _may_take(k, annotations, names))
        if kind.takes is None:
            writer = self.writer_of(kind, items[0].subset)
            if isinstance(writer, RowWriter):
                writer.add_items(annotations, items, sizes, counts)
                return
        rest = iter(annotations)
        for item, size, count in zip(items, sizes, counts, strict=True):
            if count:
                mine = list(itertools.islice(rest, count))
                self._write_kinds(kinds, mine, item, size, names)

    # One item

    def _write_one(self, item: DatasetItem, size: Size | None) -> None:
        annotations = item.annotations
        types = [annotation.type for annotation in annotations]
        if item.attributes and (held := _held(item)):
            annotations = [a for a in annotations if id(a) not in held]
            types = [annotation.type for annotation in annotations]
        others = [
            a
            for a, kind in zip(annotations, types, strict=True)
            if kind not in _TYPES or (kind is _BBOX and "rotation" in a.attributes)
        ]
        made = self._shapes(others, item, size) if others else {}
        for kind_type, kinds in _KINDS_BY_TYPE:
            if kind_type not in types and kind_type not in made:
                continue
            found = [a for a, kind in zip(annotations, types, strict=True) if kind is kind_type]
            if others and kind_type is _BBOX:
                found = [box for box in found if "rotation" not in box.attributes]
            if kind_type in made:
                found += made[kind_type]
            self._write_kinds(kinds, found, item, size, _names(found))
        for kind in _ITEM_KINDS if item.attributes else ():
            if kind.item_attribute in item.attributes:
                self.writer_of(kind, item.subset).add([], item, size)

    def _write_kinds(
        self,
        kinds: Sequence[Kind],
        annotations: list[Any],
        item: DatasetItem,
        size: Size | None,
        names: Collection[str],
    ) -> None:
        """Gives annotations of one type, with attributes of these names, to their kinds."""
        for kind in kinds:
            mine = annotations
            if kind.takes is not None:
                if not _may_take(kind, annotations, names):
                    continue
                mine = [a for a in annotations if kind.takes(a)]
                if mine:
                    annotations = [a for a in annotations if not kind.takes(a)]
            if mine:
                self.writer_of(kind, item.subset).add(mine, item, size)
            if kind.takes is None:
                return
        for annotation in annotations:
            self._writing.lost[f"{annotation.type.name} annotations"] += 1

    def _shapes(
        self, others: list[Any], item: DatasetItem, size: tuple[int, int] | None
    ) -> dict[AnnotationType, list[Any]]:
        """What outlines and boxes with a rotation are written as, by type; counts the rest."""
        outlines, boxes = [], []
        for annotation in others:
            try:
                if is_outline(annotation):
                    self._writing.label_name(annotation)
                    outlines.append(annotation)
                elif annotation.type is _BBOX:
                    boxes.append(annotation)
                else:
                    self._writing.lost[f"{annotation.type.name} annotations"] += 1
            except ValueError as error:
                self._writing.refuse(error, item, annotation)
        if outlines and size is None:
            self._writing.lost["outlines on images of unknown size"] += len(outlines)
        unlike = count_unlike_first(outlines)
        if unlike:
            self._writing.lost[_UNLIKE_FIRST] += unlike
        made = masks_from_outlines(outlines, size) if outlines and size is not None else []
        return {kind: found for kind, found in ((_BBOX, boxes), (_MASK, made)) if found}

    # The files

    def writer_of(self, kind: Kind, subset: str) -> KindWriter:
        """The writer of a kind's rows of a subset."""
        key = kind.name, subset
        writer = self._writers.get(key)
        if writer is None:
            name = self._layout.file(*key)
            target = self._writing.target
            sink = self._sinks[key] = kind.sink(
                lambda: target.path(name), kind.fields, kind.default
            )
            writer = self._writers[key] = kind.writer(sink, self._writing)
        return writer

    @property
    def sinks(self) -> list[Sink]:
        """The files."""
        return list(self._sinks.values())

    def needs_sizes(self) -> bool:
        """Whether rows were written that readers need the images' sizes for."""
        return any(
            sink.count and KINDS_BY_NAME[kind].needs_sizes
            for (kind, _), sink in self._sinks.items()
        )

    def flush(self) -> None:
        """Writes what waits to be written."""
        for writer in self._writers.values():
            writer.flush()


def _held(item: DatasetItem) -> set[int]:
    """Python's ``id()`` of the annotations that are written with an attribute of the item."""
    held: set[int] = set()
    for kind in _ITEM_KINDS:
        if kind.holds is not None and kind.item_attribute in item.attributes:
            held.update(kind.holds(item))
    return held


def _names(annotations: Sequence[Any]) -> set[str]:
    """The names of the annotations' attributes."""
    return set().union(*map(_attributes_of, annotations))


def _may_take(kind: Kind, annotations: Sequence[Any], names: Collection[str]) -> bool:
    """Whether a kind that takes some may take any of these, with attributes of these names."""
    if kind.marks is None or not kind.marks.isdisjoint(names):
        return True
    if not any(hasattr(cls, "_source") for cls in set(map(type, annotations))):
        return False
    sources: Iterator[Any] = (getattr(a, "_source", None) for a in annotations)
    return any(source is not None and source.kind == kind.name for source in set(sources))

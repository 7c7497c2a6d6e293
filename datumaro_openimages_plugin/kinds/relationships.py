"""Visual relationships: "woman wears hat" between two boxes, "woman is singing" of one.

They become an item's attribute ``relationships``: a list of `Relationship`, whose ends are the
ids of the item's boxes, or, for ``is``, the id of an attribute such as "wooden". The published rows
name boxes by label and coordinates only, so rows are tied to the rows of the box files; a box that
no box file has is added to the item, and stays a part of its relationship when it is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType
from datumaro_openimages_plugin.annotations.links import match_boxes
from datumaro_openimages_plugin.annotations.objects import OriginBbox
from datumaro_openimages_plugin.annotations.origin import Origin
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.kinds.boxes import COORDINATES, coordinates, corner_columns
from datumaro_openimages_plugin.kinds.labels import kept
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing
from datumaro_openimages_plugin.tables.tables import Column

__all__ = ["FIELDS", "IS", "RELATIONSHIPS", "Relationship", "attach", "columns", "from_rows"]

#: The attribute of items.
ATTRIBUTE = "relationships"

#: The relationship whose object is an attribute of the subject, not a second box.
IS = "is"

_ENDS = {end: tuple(f"{name}{end}" for name in COORDINATES) for end in (1, 2)}

#: The published header; the second box of an ``is`` row repeats the first.
FIELDS = ("ImageID", "LabelName1", "LabelName2", *_ENDS[1], *_ENDS[2], "RelationshipLabel")


class Relationship(list[Any]):
    """``[subject id, relationship, object id or attribute id]``, with the row it was read from.

    Equal to a plain list of the same values, and written as one by every format that keeps
    attributes of items.

    Args:
        values: The three values.
        origin: The row.
    """

    def __init__(self, values: Iterable[Any] = (), origin: Origin | None = None) -> None:
        super().__init__(values)
        self.origin = origin


def columns(labels: Labels) -> Sequence[Column]:
    """What relationships are made of; ``LabelName2`` is a label only where it is of a box."""
    return (
        Column("ImageID", "run"),
        Column("LabelName1", "code", parse=labels),
        Column("LabelName2", "code"),
        Column("RelationshipLabel", "code", parse=_relationship),
        *corner_columns(_ENDS[1]),
        *corner_columns(_ENDS[2]),
    )


def _relationship(text: str) -> str:
    if not text.strip():
        raise ValueError("names no relationship")
    return text.strip()


def link(tables: Mapping[str, KindTable], labels: Labels) -> None:
    """Finds the box of each end: by image, label and coordinates.

    Fills, for each row: ``subject`` and ``object``, the boxes' ids from 1 in each image (0 for the
    object of ``is``); ``label1`` and ``label2``; ``new1`` and ``new2``, whether it is the first row
    with a box that the box files lack.
    """
    table, boxes = tables["relationships"], tables["boxes"]
    count = len(table.image)
    names = ("subject", "object", "label1", "label2", "new1", "new2")
    table.extra.update({name: np.zeros(count, np.int64) for name in names})
    rows, ends = _ends(table, labels)
    if not len(rows):
        return
    image = table.image[rows].astype(np.int64)
    label = np.where(ends == 1, table.extra["label1"][rows], table.extra["label2"][rows])
    first, second = (np.stack([table.number[n][rows] for n in _ENDS[e]], axis=1) for e in (1, 2))
    frac = np.where((ends == 1)[:, None], first, second)
    box = _match(image, label, frac, boxes, len(labels.names))
    number = np.zeros(len(rows), np.int64)
    known = box >= 0
    number[known] = boxes.rank()[box[known]] + 1
    others = np.flatnonzero(~known)
    new, number[others] = _numbered(image[others], label[others], frac[others], boxes)
    is_new = np.zeros(len(rows), np.int64)
    is_new[others[new]] = 1
    for end, name in ((1, "subject"), (2, "object")):
        mine = ends == end
        table.extra[name][rows[mine]] = number[mine]
        table.extra[f"new{end}"][rows[mine]] = is_new[mine]


def _ends(table: KindTable, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Rows and ends (1, 2) that are boxes, row by row; fills ``label1`` and ``label2``."""
    rows = np.flatnonzero(table.image >= 0)
    if not len(rows):
        return rows, rows
    is_pair = np.array([name != IS for name in table.values["RelationshipLabel"]], bool)
    pairs = rows[is_pair[table.code["RelationshipLabel"][rows]]]
    table.extra["label1"][rows] = table.index("LabelName1", rows)
    texts, codes = table.values["LabelName2"], table.code["LabelName2"]
    used = np.unique(codes[pairs])
    index = np.zeros(len(texts), np.int64)
    index[used] = [labels(texts[code]) for code in used.tolist()]
    table.extra["label2"][pairs] = index[codes[pairs]]
    both = np.concatenate(
        [np.stack([rows, np.full(len(rows), 1)]), np.stack([pairs, pairs * 0 + 2])], 1
    )
    return tuple(both[:, np.lexsort(both[::-1])])  # type: ignore[return-value]


def _match(
    image: np.ndarray, label: np.ndarray, frac: np.ndarray, boxes: KindTable, labels: int
) -> np.ndarray:
    """(n,) int64 row of each end's box, -1 where no box file has it."""
    if not len(boxes.image):
        return np.full(len(image), -1, np.int64)
    rows = np.flatnonzero(boxes.image >= 0)
    box_keys = boxes.image[rows].astype(np.int64) * labels + boxes.index("LabelName", rows)
    box_frac = np.stack([boxes.number[name][rows] for name in COORDINATES], axis=1)
    found = match_boxes(image * labels + label, frac, box_keys, box_frac)
    return np.where(found < 0, -1, rows[found])


def _numbered(
    image: np.ndarray, label: np.ndarray, frac: np.ndarray, boxes: KindTable
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers boxes that the box files lack, after those of their image, by first occurrence.

    Returns:
        Positions of the first end of each, and (n,) int64 numbers of all ends' boxes.
    """
    values = np.column_stack([image, label, frac])
    _, first, which = np.unique(values, axis=0, return_index=True, return_inverse=True)
    order = np.lexsort((first, image[first]))
    images = image[first[order]]
    before = boxes.of_images(images)[1]
    new_image = np.flatnonzero(np.diff(images, prepend=-1))
    start = np.repeat(new_image, np.diff(np.append(new_image, len(images))))
    number = np.empty(len(first), np.int64)
    number[order] = before + np.arange(len(images)) - start + 1
    return first, number[which.reshape(-1)]


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[tuple[Relationship, list[OriginBbox]]]:
    """Makes the relationships of some rows, each with the boxes that it is the first to have.

    Args:
        table: The kind's rows.
        rows: (n,) row numbers, image by image.
        batch: The images.
        counts: How many of the rows each image has.
    """
    of_image = np.repeat(np.arange(len(counts)), counts)
    sizes = np.stack([batch.widths_px[of_image], batch.heights_px[of_image]], axis=1).tolist()
    subjects, objects = (table.extra[name][rows].tolist() for name in ("subject", "object"))
    relations, seconds = table.values["RelationshipLabel"], table.values["LabelName2"]
    codes = table.code["RelationshipLabel"][rows].tolist()
    for row, subject, object_, code, size in zip(
        rows.tolist(), subjects, objects, codes, sizes, strict=True
    ):
        origin = Origin(table.rows, row)
        other = object_ or seconds[table.code["LabelName2"].item(row)].strip()
        made = [
            _new_box(table, row, end, number, size, origin)
            for end, number in ((1, subject), (2, object_))
            if table.extra[f"new{end}"][row]
        ]
        yield Relationship([subject, relations[code], other], origin), made


def _new_box(
    table: KindTable, row: int, end: int, number: int, size: Sequence[float], origin: Origin
) -> OriginBbox:
    x1, x2, y1, y2 = (table.number[name].item(row) for name in _ENDS[end])
    width, height = size
    return OriginBbox(
        x1 * width,
        y1 * height,
        (x2 - x1) * width,
        (y2 - y1) * height,
        id=number,
        label=int(table.extra[f"label{end}"][row]),
        group=number,
        origin=origin,
    )


def attach(item: Any, made: list[Any], table: KindTable) -> None:
    """Numbers the item's boxes from 1, adds those that no box file has, and the relationships."""
    boxes = [a for a in item.annotations if a.type is AnnotationType.bbox]
    for number, box in enumerate((b for b in boxes if b.origin.kind == "boxes"), 1):
        box.id = number
    for _, new in made:
        item.annotations.extend(new)
    if made:
        item.attributes[ATTRIBUTE] = [relationship for relationship, _ in made]


def holds(item: Any) -> Collection[int]:
    """Python's ``id()`` of the boxes that only relationships of the item have.

    They are written as these relationships' ends and nowhere else.
    """
    new = {
        box.id: id(box)
        for box in item.annotations
        if box.type is AnnotationType.bbox
        and getattr(box, "origin", None) is not None
        and box.origin.kind == "relationships"
    }
    if not new:
        return ()
    there = {a.id for a in item.annotations if a.type is AnnotationType.bbox}
    held: set[int] = set()
    for relationship in item.attributes[ATTRIBUTE]:
        if isinstance(relationship, (list, tuple)) and len(relationship) == 3:
            ends = [end for end in (relationship[0], relationship[2]) if not isinstance(end, str)]
            if there.issuperset(ends):
                held.update(new[end] for end in ends if end in new)
    return held


def to_fields(
    relationship: Sequence[Any],
    boxes: Mapping[Any, Any],
    item: Any,
    size: tuple[int, int] | None,
    label_name: Any,
) -> dict[str, str] | None:
    """The row of a relationship, None where its image's size is needed and not known.

    Args:
        relationship: Subject id, relationship, object id or attribute id.
        boxes: The item's boxes by id.
        item: The item.
        size: (height, width) of its image in pixels.
        label_name: Gives the LabelName of an annotation.
    """
    subject, relation, other = relationship
    origin = getattr(relationship, "origin", None)
    old = {} if origin is None else origin.fields
    name = label_name(boxes[subject])
    corners = [_corners(boxes[subject], 1, size, old)]
    if isinstance(other, str):
        second = other
        corners.append(_second_of_is(corners[0], old))
    else:
        second = label_name(boxes[other])
        corners.append(_corners(boxes[other], 2, size, old))
    if corners[0] is None or corners[1] is None:
        return None
    return {
        **old,
        "ImageID": item.id,
        "LabelName1": kept(old, "LabelName1", str.strip, name) or name,
        "LabelName2": kept(old, "LabelName2", str.strip, second) or second,
        **corners[0],
        **corners[1],
        "RelationshipLabel": kept(old, "RelationshipLabel", str.strip, relation) or relation,
    }


def _corners(
    box: Any, end: int, size: tuple[int, int] | None, old: Mapping[str, str]
) -> dict[str, str] | None:
    """The columns of one end: as its row had them, as the box's own row has them, or anew."""
    names = _ENDS[end]
    texts = (
        {name: old[column] for name, column in zip(COORDINATES, names, strict=True)} if old else {}
    )
    origin = getattr(box, "origin", None)
    if not _agrees(box, size, texts):
        texts = {}
        if origin is not None and origin.kind == "boxes":
            texts = origin.fields
    found = coordinates(box.points, size, texts, _fractions(texts))
    if found is None:
        return None
    return {column: found[name] for name, column in zip(COORDINATES, names, strict=True)}


def _agrees(box: Any, size: tuple[int, int] | None, texts: Mapping[str, str]) -> bool:
    if not texts:
        return False
    found = coordinates(box.points, size, texts, _fractions(texts))
    return found is not None and all(found[name] == texts[name] for name in COORDINATES)


def _fractions(texts: Mapping[str, str]) -> tuple[float, ...]:
    return tuple(float(texts[name]) for name in COORDINATES if name in texts)


def _second_of_is(first: Mapping[str, str] | None, old: Mapping[str, str]) -> dict[str, str] | None:
    """The second box of an ``is`` row repeats the first."""
    if first is None:
        return None
    again = dict(zip(_ENDS[2], (first[name] for name in _ENDS[1]), strict=True))
    unmoved = old and all(old[name] == first[name] for name in _ENDS[1])
    return {name: old[name] for name in _ENDS[2]} if unmoved else again


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    from datumaro_openimages_plugin.kinds._relationship_writer import RelationshipWriter

    return RelationshipWriter(sink, writing)


RELATIONSHIPS = Kind(
    name="relationships",
    patterns=("{subset}-annotations-vrd.csv", "{subset}-vrd.csv", "relationships.csv"),
    fields=FIELDS,
    telling=("ImageID", "LabelName1", "RelationshipLabel"),
    file_name="{subset}-annotations-vrd.csv",
    published="oidv6-{subset}-annotations-vrd.csv",
    columns=columns,
    from_rows=from_rows,
    writer=_writer,
    class_columns=("LabelName1", "LabelName2"),
    item_attribute=ATTRIBUTE,
    needs_sizes=True,
    link=link,
    attach=attach,
    holds=holds,
)

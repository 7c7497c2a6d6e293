"""Boxes: normalised corners, five flags and a confidence."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from datumaro_openimages_plugin._host import OBJECT_ID, AnnotationType, round_points
from datumaro_openimages_plugin.annotations.extras import EXTRA_ATTRIBUTE, EXTRA_COLUMN
from datumaro_openimages_plugin.annotations.objects import OriginBbox, other_fields
from datumaro_openimages_plugin.annotations.values import (
    ROUNDING_FRAC,
    ROUNDING_PX,
    coordinate_text,
    flag_from_text,
    flag_text,
)
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable, row_numbers
from datumaro_openimages_plugin.kinds.labels import confidence, confidence_text, kept
from datumaro_openimages_plugin.tables.tables import Column

if TYPE_CHECKING:
    from datumaro_openimages_plugin.rendering.sinks import Sink
    from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing

__all__ = [
    "ATTRIBUTES",
    "BOXES",
    "CLICK_FIELDS",
    "COORDINATES",
    "EXTRA",
    "FIELDS",
    "FLAGS",
    "columns",
    "coordinates",
    "corner_columns",
    "default",
    "from_rows",
    "near_px",
    "to_fields",
]

#: The corner columns: x by the image's width, y by its height, from the top left.
COORDINATES = ("XMin", "XMax", "YMin", "YMax")

#: Attribute -> column of the flags, in the published order: 1 yes, 0 no, -1 unknown.
FLAGS = {
    "occluded": "IsOccluded",
    "truncated": "IsTruncated",
    "is_group_of": "IsGroupOf",
    "is_depiction": "IsDepiction",
    "is_inside": "IsInside",
}

#: The published header of 13 columns.
FIELDS = ("ImageID", "Source", "LabelName", "Confidence", *COORDINATES, *FLAGS.values())

#: The extreme clicks that the V6 train file has besides.
CLICK_FIELDS = tuple(f"XClick{i}{axis}" for axis in "XY" for i in range(1, 5))

#: Attributes that have a column.
ATTRIBUTES = frozenset(("score", *FLAGS))

#: Attribute -> column that is shown on request; the clicks are in the order they were made.
EXTRA = {
    "source": "Source",
    **{name.lower(): name for name in CLICK_FIELDS},
    EXTRA_ATTRIBUTE: EXTRA_COLUMN,
}


def default(column: str) -> str:
    """What the published files have where nothing is known: clicks and flags are -1."""
    return "-1" if column.startswith(("XClick", "Is")) else ""


def columns(labels: Labels) -> Sequence[Column]:
    """What boxes are made of; V3 train files lack the flags."""
    return (
        Column("ImageID", "run"),
        Column("LabelName", "code", parse=labels),
        Column("Confidence", "code", required=False, parse=confidence),
        *corner_columns(COORDINATES),
        *(Column(name, "flag", required=False, parse=flag_from_text) for name in FLAGS.values()),
    )


def corner_columns(names: Sequence[str], optional: bool = False) -> Iterator[Column]:
    """The columns of a box's corners.

    Args:
        names: The lowest and the highest x, then the same of y.
        optional: Whether they may be empty or missing.
    """
    for name, above in zip(names, (None, names[0], None, names[2]), strict=True):
        yield Column(
            name, "number", required=not optional, empty=optional, fraction=True, above=above
        )


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[Any]:
    """Makes the boxes of some rows, one after another; groups count from 1 in each image.

    Args:
        table: The kind's rows.
        rows: (n,) row numbers, image by image.
        batch: The images.
        counts: How many of the rows each image has.
    """
    groups = np.arange(1, len(rows) + 1) - np.repeat(np.cumsum(counts) - counts, counts)
    labels = table.index("LabelName", rows)
    keys = _attribute_keys(table, rows)
    attributes = _attributes(table, keys)
    new, source, object_id, others = OriginBbox.__new__, table.rows, OBJECT_ID, _OTHERS
    # Constructors with their converters and validators take several times as long; a test holds
    # the result against the constructor's.
    for label, key, group, row, x1, y1, x2, y2 in zip(
        labels.tolist(),
        keys.tolist(),
        groups.tolist(),
        row_numbers(rows),
        *_points_px(table, rows, batch, counts),
        strict=True,
    ):
        box = new(OriginBbox)
        box.id = box.z_order = 0
        box.label = label
        box.group = group
        box.points = [x1, y1, x2, y2]
        box.attributes = attributes[key].copy()
        box._source = source
        box._row = row
        if object_id is not None:
            box.object_id = object_id
        if others:
            for set_field, value in others:
                set_field(box, value)
        yield box


_OTHERS = other_fields(
    OriginBbox, {"id", "object_id", "z_order", "label", "group", "points", "attributes", "origin"}
)


def _points_px(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> list[list[float]]:
    """x1, y1, x2, y2 in pixels, each of all boxes, rounded as this Datumaro rounds points."""
    points = np.empty((4, len(rows)))
    for at, (low, high, sizes) in enumerate(
        (("XMin", "XMax", batch.widths_px), ("YMin", "YMax", batch.heights_px))
    ):
        size = np.repeat(sizes, counts)
        start = np.multiply(table.number[low][rows], size, out=points[at])
        # A Bbox is made of corner and extent; adding them again is part of its exact value.
        end = np.multiply(table.number[high][rows], size, out=points[at + 2])
        end -= start
        end += start
    return round_points(points)  # type: ignore[no-any-return]


def _attribute_keys(table: KindTable, rows: np.ndarray) -> np.ndarray:
    """(n,) int64: a number for each row that tells its attributes; see `_attributes`.

    Its digits are the row's codes, one up, each in a base of its own.
    """
    key, ones = np.zeros(len(rows), np.int64), 0
    for column in _ATTRIBUTE_COLUMNS:
        base = len(table.values[column]) + 1
        key *= base
        key += table.code[column][rows]
        ones = ones * base + 1
    key += ones
    return key


def _attributes(table: KindTable, keys: np.ndarray) -> _Known:
    """Attributes by key of `_attribute_keys`, those of some rows at least."""
    if "attributes" not in table.derived:
        count = math.prod(len(table.values[column]) + 1 for column in _ATTRIBUTE_COLUMNS)
        # A list is quicker; with all sorts of scores it would be a long one.
        few = count <= _FEW_KEYS
        table.derived["attributes"] = [None] * count if few else defaultdict(lambda: None)
    known: _Known = table.derived["attributes"]
    for key in _distinct(keys):
        if known[key] is None:
            known[key] = _attributes_of(table, key)
    return known


_Known = list[Any] | defaultdict[int, Any]
_FEW_KEYS = 1 << 16


def _distinct(keys: np.ndarray) -> Iterable[int]:
    if keys.max(initial=0) > 4 * len(keys) + 10_000:
        return set(keys.tolist())
    return np.flatnonzero(np.bincount(keys)).tolist()  # type: ignore[no-any-return]


def _attributes_of(table: KindTable, key: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for column in reversed(_ATTRIBUTE_COLUMNS):
        key, digit = divmod(key, len(table.values[column]) + 1)
        value[column] = table.values[column][digit - 1] if digit else None
    score = value["Confidence"]
    attributes = {"score": 1.0 if score is None else score}
    flags = {name: value[column] for name, column in FLAGS.items()}
    return attributes | {name: flag for name, flag in flags.items() if flag is not None}


_ATTRIBUTE_COLUMNS = ("Confidence", *FLAGS.values())


def near_px(sizes: np.ndarray) -> np.ndarray:
    """(n,) float64: how far a box's points may be from its row's corners and still be they.

    Args:
        sizes: (n, 2) height, width in pixels.
    """
    return ROUNDING_PX + ROUNDING_FRAC * sizes.max(axis=1)


def is_there(points: Sequence[float], size: tuple[int, int] | None, frac: Sequence[float]) -> bool:
    """Whether a box is still where its row has it.

    Args:
        points: x1, y1, x2, y2 in pixels.
        size: (height, width) of the image in pixels, None where it is not known.
        frac: The row's XMin, XMax, YMin, YMax as numbers, empty where there is none.
    """
    if len(frac) != 4:
        return False
    height, width = size or (1, 1)
    x1, y1, x2, y2 = points
    low_x, high_x, low_y, high_y = frac
    near = ROUNDING_PX + ROUNDING_FRAC * max(width, height)
    return (
        abs(x1 - low_x * width) <= near
        and abs(x2 - high_x * width) <= near
        and abs(y1 - low_y * height) <= near
        and abs(y2 - high_y * height) <= near
    )


def coordinates(
    points: Sequence[float],
    size: tuple[int, int] | None,
    old: Mapping[str, str],
    old_frac: Sequence[float],
) -> dict[str, str] | None:
    """The four corner columns of a box.

    Args:
        points: x1, y1, x2, y2 in pixels.
        size: (height, width) of the image in pixels, None where it is not known.
        old: The row it was read from; its text comes back where the points still agree with it.
        old_frac: That row's XMin, XMax, YMin, YMax as numbers, empty where there is none.

    Returns:
        Column -> text, or None where the image's size is needed and not known.
    """
    if is_there(points, size, old_frac):
        return {name: old[name] for name in COORDINATES}
    height, width = size or (1, 1)
    x1, y1, x2, y2 = points
    if size is None:
        return None
    if x2 < x1 or y2 < y1:
        raise ValueError(f"has corners {list(points)}, which are no box")
    return {
        "XMin": coordinate_text(x1 / width),
        "XMax": coordinate_text(x2 / width),
        "YMin": coordinate_text(y1 / height),
        "YMax": coordinate_text(y2 / height),
    }


def to_fields(
    annotation: Any,
    label: str,
    image_id: str,
    size: tuple[int, int] | None,
    old: Mapping[str, str],
    old_frac: Sequence[float],
    flags: Mapping[str, str] = FLAGS,
) -> dict[str, str] | None:
    """The row of a box, None where its image's size is needed and not known.

    Args:
        annotation: A `Bbox`.
        label: Its LabelName.
        image_id: Its image.
        size: (height, width) of the image in pixels.
        old: The row it was read from, empty where it was not; values that still hold come back
            as they were written.
        old_frac: That row's coordinates as numbers.
        flags: Attribute -> column of the flags.

    Raises:
        ValueError: An attribute has a value that its column cannot hold.
    """
    corners = coordinates(annotation.points, size, old, old_frac)
    if corners is None:
        return None
    attributes = annotation.attributes
    fields = {
        **old,
        "ImageID": image_id,
        "LabelName": kept(old, "LabelName", str.strip, label) or label,
        "Confidence": confidence_text(old, attributes.get("score")),
        **corners,
    }
    for attribute, column in flags.items():
        text = flag_text(attributes.get(attribute), attribute)
        as_read = kept(old, column, flag_from_text, flag_from_text(text))
        fields[column] = text if as_read is None else as_read
    # Clicks are the extreme points of the box: with other corners they are no longer its own.
    if old and any(corners[name] != old[name] for name in COORDINATES):
        fields.update({name: "-1" for name in CLICK_FIELDS if name in fields})
    return fields


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    from datumaro_openimages_plugin.kinds._row_writers import (
        BoxWriter,  # which imports this module
    )

    return BoxWriter(sink, writing.label_names, writing.refuse, writing.lost)


BOXES = Kind(
    name="boxes",
    patterns=(
        "{subset}-annotations-bbox.csv",
        "{subset}-annotations-human-bbox.csv",
        "annotations-human-bbox.csv",
        "{subset}-detection-bbox.csv",
        "{subset}-segmentation-bbox.csv",
        "{subset}-vrd-bbox.csv",
        "detections.csv",
    ),
    fields=FIELDS,
    telling=("ImageID", "LabelName", "XMin"),
    file_name="{subset}-annotations-bbox.csv",
    published_train="oidv6-train-annotations-bbox.csv",
    columns=columns,
    from_rows=from_rows,
    writer=_writer,
    type=AnnotationType.bbox,
    attributes=ATTRIBUTES,
    extra=EXTRA,
    default=default,
    needs_sizes=True,
)

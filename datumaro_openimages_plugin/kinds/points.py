"""Point labels: is this point on a thing of this class, yes, no or unsure?

One point, one class, one question each. A point answered ``no`` is a verified negative, not a
place where the class is; a point is no centre of a thing either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType, Points, round_points
from datumaro_openimages_plugin.annotations.extras import (
    EXTRA_ATTRIBUTE,
    EXTRA_COLUMN,
    column_text,
)
from datumaro_openimages_plugin.annotations.objects import OriginPoints, other_fields
from datumaro_openimages_plugin.annotations.origin import Origin
from datumaro_openimages_plugin.annotations.values import (
    ROUNDING_FRAC,
    ROUNDING_PX,
    coordinate_text,
)
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.kinds.labels import kept
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.rendering.writing import KindWriter, RowByRow, Writing
from datumaro_openimages_plugin.tables.tables import Column

__all__ = [
    "ANSWERS",
    "ATTRIBUTES",
    "EXTRA",
    "FIELDS",
    "POINTS",
    "VOTES",
    "answer_text",
    "columns",
    "from_rows",
    "to_fields",
    "votes_text",
]

#: The columns as they are known from readers of the published files; they are read by name.
FIELDS = (
    "ImageId", "X", "Y", "Label", "EstimatedYesNo", "Source",
    "YesVotes", "NoVotes", "UnsureVotes", "TextLabel",
)  # fmt: skip

#: What ``EstimatedYesNo``, the consensus of the votes, can be.
ANSWERS = ("yes", "no", "unsure")

#: Attribute -> column of the votes.
VOTES = {"yes_votes": "YesVotes", "no_votes": "NoVotes", "unsure_votes": "UnsureVotes"}

_VOTES = re.compile("[0-9]{1,9}")

ATTRIBUTES = frozenset(("estimated_yes_no", "text_label", *VOTES))
EXTRA = {"source": "Source", EXTRA_ATTRIBUTE: EXTRA_COLUMN}


def columns(labels: Labels) -> Sequence[Column]:
    """What point labels are made of."""
    return (
        Column("ImageID"),
        Column("X", "number", fraction=True),
        Column("Y", "number", fraction=True),
        Column("Label", "code", parse=labels),
        Column("EstimatedYesNo", "code", required=False, parse=answer),
        *(Column(name, "code", required=False, parse=votes) for name in VOTES.values()),
        Column("TextLabel", "code", required=False),
    )


def answer(text: str) -> str | None:
    """The value of an ``EstimatedYesNo`` field, None where it is empty.

    Raises:
        ValueError: It is no answer.
    """
    value = text.strip().lower()
    if value and value not in ANSWERS:
        raise ValueError("is not yes, no or unsure")
    return value or None


def votes(text: str) -> int | None:
    """The number in a field of votes, None where it is empty.

    Raises:
        ValueError: It is no whole number from 0.
    """
    value = text.strip()
    if value and not _VOTES.fullmatch(value):
        raise ValueError("is not a whole number from 0")
    return int(value) if value else None


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[Any]:
    """Makes the points of some rows, one after another.

    Args:
        table: The kind's rows.
        rows: (n,) row numbers, image by image.
        batch: The images.
        counts: How many of the rows each image has.
    """
    sizes = [np.repeat(size, counts) for size in (batch.widths_px, batch.heights_px)]
    points = np.stack([table.number[a][rows] * s for a, s in zip("XY", sizes, strict=True)], axis=1)
    flat = round_points(points.reshape(-1))
    keys, attributes = _attributes(table, rows)
    new, new_origin, source = OriginPoints.__new__, Origin.__new__, table.rows
    visible = Points.Visibility.visible
    labels = table.index("Label", rows).tolist()
    at = 0
    # As for boxes, constructors would take several times as long.
    for label, key, row in zip(labels, keys, rows.tolist(), strict=True):
        point = new(OriginPoints)
        point.id = point.group = point.z_order = 0
        point.label = label
        point.points = flat[at : at + 2]
        at += 2
        point.visibility = [visible]
        point.attributes = attributes[key].copy()
        point.origin = origin = new_origin(Origin)
        origin.source = source
        origin.row = row
        for set_field, value in _OTHERS:
            set_field(point, value)
        yield point


_OTHERS = other_fields(
    OriginPoints,
    {"id", "group", "z_order", "label", "points", "visibility", "attributes", "origin"},
)


def _attributes(table: KindTable, rows: np.ndarray) -> tuple[list[int], list[dict[str, Any]]]:
    """A key for each row, and the attributes that rows of a key have."""
    named = {"estimated_yes_no": "EstimatedYesNo", **VOTES, "text_label": "TextLabel"}
    codes = np.stack([table.code[column][rows] for column in named.values()], axis=1)
    distinct, keys = np.unique(codes, axis=0, return_inverse=True)
    attributes = []
    for found in distinct.tolist():
        values = [
            table.values[column][code] if code >= 0 else None
            for column, code in zip(named.values(), found, strict=True)
        ]
        attributes.append(
            {n: v for n, v in zip(named, values, strict=True) if v is not None and v != ""}
        )
    return keys.reshape(-1).tolist(), attributes


def is_point_label(annotation: Any) -> bool:
    """Whether points are what this kind can hold: one point."""
    return len(annotation.points) == 2


def to_fields(
    annotation: Any,
    label: str,
    image_id: str,
    size: tuple[int, int] | None,
    old: Mapping[str, str],
) -> dict[str, str] | None:
    """The row of a point, None where its image's size is needed and not known.

    Args:
        annotation: `Points` of one point.
        label: Its LabelName.
        image_id: Its image.
        size: (height, width) of the image in pixels.
        old: The row it was read from, empty where it was not; values that still hold come back
            as they were written.

    Raises:
        ValueError: An attribute has a value that its column cannot hold.
    """
    place = _place(annotation.points, size, old)
    if place is None:
        return None
    given = annotation.attributes.get("estimated_yes_no")
    text_label = annotation.attributes.get("text_label")
    fields = {
        **old,
        next((name for name in old if name.casefold() == "imageid"), "ImageId"): image_id,
        **place,
        "Label": kept(old, "Label", str.strip, label) or label,
        "EstimatedYesNo": kept(old, "EstimatedYesNo", answer, given) or answer_text(given),
        "TextLabel": column_text("text_label", text_label),
    }
    for name, column in VOTES.items():
        count = annotation.attributes.get(name)
        fields[column] = kept(old, column, votes, count) or votes_text(name, count)
    return fields


def _place(
    points: Sequence[float], size: tuple[int, int] | None, old: Mapping[str, str]
) -> dict[str, str] | None:
    height, width = size or (1, 1)
    x, y = points
    near = ROUNDING_PX + ROUNDING_FRAC * max(width, height)
    if old:
        far = abs(x - float(old["X"]) * width), abs(y - float(old["Y"]) * height)
        if max(far) <= near:
            return {"X": old["X"], "Y": old["Y"]}
    if size is None:
        return None
    return {"X": coordinate_text(x / width), "Y": coordinate_text(y / height)}


def answer_text(value: Any) -> str:
    """The text of ``EstimatedYesNo``, empty where none is given.

    Raises:
        ValueError: It is no answer.
    """
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or value.strip().lower() not in ANSWERS:
        raise ValueError(f"has estimated_yes_no {value!r}, which is not yes, no or unsure")
    return value.strip().lower()


def votes_text(name: str, value: Any) -> str:
    """The text of a number of votes, empty where none is given.

    Raises:
        ValueError: It is no whole number from 0.
    """
    if value is None or value == "":
        return ""
    if isinstance(value, bool) or not _VOTES.fullmatch(str(value)):
        raise ValueError(f"has {name} {value!r}, which is not a whole number from 0")
    return str(value)


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    return RowByRow(sink, writing, "point", to_fields, ATTRIBUTES, EXTRA, "points")


POINTS = Kind(
    name="points",
    patterns=("{subset}-annotations-point-labels.csv", "points.csv"),
    fields=FIELDS,
    telling=("ImageID", "X", "Y", "EstimatedYesNo"),
    file_name="{subset}-annotations-point-labels.csv",
    published="oidv7-{val}-annotations-point-labels.csv",
    columns=columns,
    from_rows=from_rows,
    writer=_writer,
    type=AnnotationType.points,
    takes=is_point_label,
    attributes=ATTRIBUTES,
    extra=EXTRA,
    class_columns=("Label",),
    negative=("EstimatedYesNo", "no"),
    needs_sizes=True,
)

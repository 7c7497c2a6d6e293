"""Image-level labels: verified present (confidence 1) or absent (confidence 0)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from datumaro_openimages_plugin._host import OBJECT_ID, AnnotationType
from datumaro_openimages_plugin.annotations.extras import EXTRA_ATTRIBUTE, EXTRA_COLUMN
from datumaro_openimages_plugin.annotations.objects import OriginLabel, other_fields
from datumaro_openimages_plugin.annotations.values import score_text
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable, row_numbers
from datumaro_openimages_plugin.tables.tables import Column

if TYPE_CHECKING:
    from datumaro_openimages_plugin.rendering.sinks import Sink
    from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing

__all__ = [
    "ATTRIBUTES",
    "EXTRA",
    "FIELDS",
    "LABELS",
    "columns",
    "confidence",
    "confidence_text",
    "from_rows",
    "kept",
    "to_fields",
]

#: The published header.
FIELDS = ("ImageID", "Source", "LabelName", "Confidence")

#: Attributes that have a column.
ATTRIBUTES = frozenset(("score",))

#: Attribute -> column that is shown on request.
EXTRA = {"source": "Source", EXTRA_ATTRIBUTE: EXTRA_COLUMN}


def confidence(text: str) -> float:
    """The value of a ``Confidence`` field.

    Raises:
        ValueError: It is no number from 0 to 1.
    """
    try:
        value = float(text)
    except ValueError:
        raise ValueError("is not a number from 0 to 1") from None
    if not (0 <= value <= 1) or math.isnan(value):
        raise ValueError("is not a number from 0 to 1")
    return value


def columns(labels: Labels) -> Sequence[Column]:
    """What labels are made of."""
    return (
        Column("ImageID", "run"),
        Column("LabelName", "code", parse=labels),
        Column("Confidence", "code", parse=confidence),
    )


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[Any]:
    """Makes the labels of some rows, one after another.

    Args:
        table: The kind's rows.
        rows: (n,) row numbers, image by image.
        batch: The images.
        counts: How many of the rows each image has.
    """
    score_of = table.values["Confidence"]
    labels = table.index("LabelName", rows).tolist()
    scores = table.code["Confidence"][rows].tolist()
    new, source, object_id, others = OriginLabel.__new__, table.rows, OBJECT_ID, _OTHERS
    # Constructors with their converters and validators take several times as long; a test holds
    # the result against the constructor's.
    for label, score, row in zip(labels, scores, row_numbers(rows), strict=True):
        annotation = new(OriginLabel)
        annotation.id = annotation.group = 0
        annotation.label = label
        annotation.attributes = {"score": score_of[score]}
        annotation._source = source
        annotation._row = row
        if object_id is not None:
            annotation.object_id = object_id
        if others:
            for set_field, value in others:
                set_field(annotation, value)
        yield annotation


_OTHERS = other_fields(OriginLabel, {"id", "group", "object_id", "label", "attributes", "origin"})


def to_fields(annotation: Any, label: str, image_id: str, old: Mapping[str, str]) -> dict[str, str]:
    """The row of a label.

    Args:
        annotation: A `Label`.
        label: Its LabelName.
        image_id: Its image.
        old: The row it was read from, empty where it was not; values that still hold come back
            as they were written.

    Raises:
        ValueError: Its score is no number from 0 to 1.
    """
    return {
        **old,
        "ImageID": image_id,
        "LabelName": kept(old, "LabelName", str.strip, label) or label,
        "Confidence": confidence_text(old, annotation.attributes.get("score")),
    }


def confidence_text(old: Mapping[str, str], score: Any) -> str:
    """The text of ``Confidence``: the row's own where that still means the score.

    Raises:
        ValueError: The score is no number from 0 to 1.
    """
    text = score_text(score) or "1"
    return kept(old, "Confidence", confidence, float(text)) or text


def kept(
    old: Mapping[str, str], column: str, parse: Callable[[str], Any], value: Any
) -> str | None:
    """The column's old text where it still means ``value``, None where it does not."""
    text = old.get(column)
    if text is None:
        return None
    try:
        return text if parse(text) == value else None
    except ValueError:
        return None


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    from datumaro_openimages_plugin.kinds._row_writers import (
        LabelWriter,  # which imports this module
    )

    return LabelWriter(sink, writing.label_names, writing.refuse, writing.lost)


LABELS = Kind(
    name="labels",
    patterns=(
        "{subset}-annotations-human-imagelabels.csv",
        "{subset}-annotations-human-imagelabels-boxable.csv",
        "{subset}-annotations-human.csv",
        "annotations-human.csv",
        "{subset}-detection-human-imagelabels.csv",
        "{subset}-segmentation-labels.csv",
        "{subset}-vrd-labels.csv",
        "classifications.csv",
    ),
    fields=FIELDS,
    telling=("ImageID", "LabelName", "Confidence"),
    file_name="{subset}-annotations-human-imagelabels.csv",
    published="oidv7-{val}-annotations-human-imagelabels.csv",
    columns=columns,
    from_rows=from_rows,
    writer=_writer,
    type=AnnotationType.label,
    attributes=ATTRIBUTES,
    negative=("Confidence", 0.0),
    extra=EXTRA,
)

"""Boxes of people of the extended set "More Inclusive Annotations for People".

Every person in an image has a box, with how that person's gender and age are perceived. These are
sensitive attributes, so the files are read only when ``kinds`` asks for ``people``; and a box that
has such an attribute is written to a file of this kind, never to the ordinary box file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType
from datumaro_openimages_plugin.annotations.extras import column_text
from datumaro_openimages_plugin.annotations.objects import OriginBbox
from datumaro_openimages_plugin.annotations.origin import Origin
from datumaro_openimages_plugin.annotations.values import flag_from_text
from datumaro_openimages_plugin.kinds import boxes
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.kinds.labels import confidence
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.rendering.writing import KindWriter, RowByRow, Writing
from datumaro_openimages_plugin.tables.tables import Column

__all__ = ["FIELDS", "PEOPLE", "PRESENTATIONS", "columns", "from_rows", "to_fields"]

#: Attribute -> column; two flags are called otherwise than in the ordinary box files.
FLAGS = {**boxes.FLAGS, "is_depiction": "IsDepictionOf", "is_inside": "IsInsideOf"}

#: Attribute -> column of what is perceived of a person.
PRESENTATIONS = {
    "gender_presentation": "GenderPresentation",
    "age_presentation": "AgePresentation",
}

#: The published header of 14 columns; there is no ``Source``.
FIELDS = (
    "ImageID", "LabelName", "Confidence", *boxes.COORDINATES, *FLAGS.values(),
    *PRESENTATIONS.values(),
)  # fmt: skip

ATTRIBUTES = frozenset(("score", *FLAGS, *PRESENTATIONS))


def columns(labels: Labels) -> Sequence[Column]:
    """What boxes of people are made of."""
    return (
        Column("ImageID"),
        Column("LabelName", "code", parse=labels),
        Column("Confidence", "code", required=False, parse=confidence),
        *boxes.corner_columns(boxes.COORDINATES),
        *(Column(name, "flag", required=False, parse=flag_from_text) for name in FLAGS.values()),
        *(Column(name, "code", required=False) for name in PRESENTATIONS.values()),
    )


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[Any]:
    """Makes the boxes of some rows, one after another.

    Args:
        table: The kind's rows.
        rows: (n,) row numbers, image by image.
        batch: The images.
        counts: How many of the rows each image has.
    """
    of_image = np.repeat(np.arange(len(counts)), counts)
    widths, heights = batch.widths_px[of_image], batch.heights_px[of_image]
    sizes = {"X": widths, "Y": heights}
    edges = [(table.number[n][rows] * sizes[n[0]]).tolist() for n in boxes.COORDINATES]
    labels = table.index("LabelName", rows).tolist()
    for label, row, x1, x2, y1, y2 in zip(labels, rows.tolist(), *edges, strict=True):
        yield OriginBbox(
            x1,
            y1,
            x2 - x1,
            y2 - y1,
            label=label,
            attributes=_attributes(table, row),
            origin=Origin(table.rows, row),
        )


def _attributes(table: KindTable, row: int) -> dict[str, Any]:
    named = {"score": "Confidence", **FLAGS, **PRESENTATIONS}
    found: dict[str, Any] = {"score": 1.0}
    for attribute, column in named.items():
        code = table.code[column].item(row)
        value = table.values[column][code] if code >= 0 else None
        if value is not None and value != "":
            found[attribute] = value
    return found


def is_of_person(annotation: Any) -> bool:
    """Whether a box is one of this kind: it has what is perceived of a person."""
    if not _PERCEIVED.isdisjoint(annotation.attributes):
        return True
    # Not its `origin`, which would be made for each box.
    source = getattr(annotation, "_source", None)
    return source is not None and source.kind == "people"


_PERCEIVED = frozenset(PRESENTATIONS)


def to_fields(
    annotation: Any,
    label: str,
    image_id: str,
    size: tuple[int, int] | None,
    old: Mapping[str, str],
) -> dict[str, str] | None:
    """The row of a box, None where its image's size is needed and not known.

    Args:
        annotation: A `Bbox`.
        label: Its LabelName.
        image_id: Its image.
        size: (height, width) of the image in pixels.
        old: The row it was read from, empty where it was not; values that still hold come back
            as they were written.

    Raises:
        ValueError: An attribute has a value that its column cannot hold.
    """
    old_frac = [float(old[name]) for name in boxes.COORDINATES] if old else ()
    fields = boxes.to_fields(annotation, label, image_id, size, old, old_frac, FLAGS)
    if fields is None:
        return None
    for attribute, column in PRESENTATIONS.items():
        fields[column] = column_text(attribute, annotation.attributes.get(attribute))
    return fields


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    return RowByRow(sink, writing, "person", to_fields, ATTRIBUTES, {}, "people")


PEOPLE = Kind(
    name="people",
    patterns=("open_images_extended_miap_boxes_{val}.csv",),
    fields=FIELDS,
    telling=("ImageID", "LabelName", "GenderPresentation"),
    file_name="open_images_extended_miap_boxes_{val}.csv",
    columns=columns,
    from_rows=from_rows,
    writer=_writer,
    type=AnnotationType.bbox,
    takes=is_of_person,
    marks=_PERCEIVED,
    attributes=ATTRIBUTES,
    by_default=False,
    needs_sizes=True,
)

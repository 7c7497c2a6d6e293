"""Localized narratives: what an annotator said of an image, and where the mouse was meanwhile.

A file of JSON lines, one narrative each; several may be of one image. The whole ones have
the caption word by word with times and the trace; others have the caption alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.objects import OriginCaption
from datumaro_openimages_plugin.annotations.origin import Origin
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.rendering.json_lines_sink import JsonLinesSink
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing
from datumaro_openimages_plugin.tables.json_lines import JsonLinesTable, parsed, replaced
from datumaro_openimages_plugin.tables.tables import Column

__all__ = ["FIELDS", "NARRATIVES", "NarrativeWriter", "columns", "from_rows"]

#: The keys of a whole narrative: times in seconds from the start of the recording; traces are
#: lists of {x, y, t}, x and y in fractions of the image and possibly outside of it.
FIELDS = (
    "dataset_id", "image_id", "annotator_id", "caption", "timed_caption", "traces",
    "voice_recording",
)  # fmt: skip

#: Keys that are attributes of the caption, under their own names, where a line has them.
ATTRIBUTES = frozenset(("annotator_id", "timed_caption", "traces", "voice_recording"))

#: Keys that are shown on request.
EXTRA = {"dataset_id": "dataset_id"}


def columns(labels: Labels) -> Sequence[Column]:
    """What is read of all lines beforehand."""
    return (Column("ImageID"),)


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[Any]:
    """Makes the captions of some lines, each when its turn comes.

    Args:
        table: The kind's rows.
        rows: (n,) row numbers, image by image.
        batch: The images.
        counts: How many of the rows each image has.

    Raises:
        FormatError: A line is no JSON object.
    """
    for row in rows.tolist():
        file, local = table.rows.locate(row)
        values = parsed(file.raw(local), file.name, local + 1)
        yield OriginCaption(
            _text(values.get("caption")),
            attributes={key: values[key] for key in FIELDS if key in values and key in ATTRIBUTES},
            origin=Origin(table.rows, row),
        )


def _text(caption: Any) -> str:
    return "" if caption is None else str(caption)


class NarrativeWriter:
    """Writes captions as narratives; what is unchanged of a line stays to the letter.

    Args:
        sink: The file.
        writing: What the export's writers share.
    """

    def __init__(self, sink: Sink, writing: Writing) -> None:
        self._sink = sink
        self._writing = writing

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Writes an item's captions."""
        for annotation in annotations:
            try:
                line = self._line(annotation, item)
                self._sink.raw(line, getattr(annotation, "origin", None))
            except ValueError as error:
                self._writing.refuse(error, item, annotation)

    def _line(self, annotation: Any, item: DatasetItem) -> bytes:
        attributes = annotation.attributes
        shown = self._writing.shown_columns("caption", attributes, EXTRA, ATTRIBUTES)
        given = {key: attributes[key] for key in FIELDS if key in attributes and key in ATTRIBUTES}
        origin = getattr(annotation, "origin", None)
        shown_anew = extras.columns_over(shown, EXTRA, origin)
        no_more_shown = shown_anew.keys() - shown.keys()
        values = {**shown_anew, "image_id": item.id, "caption": annotation.caption, **given}
        try:
            json.dumps(values, allow_nan=False, ensure_ascii=False).encode("utf-8")
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"cannot be written as JSON: {error}") from None
        raw = origin.raw if origin is not None and origin.kind == "narratives" else None
        if origin is None or raw is None:
            values.setdefault("dataset_id", f"open_images_{item.subset}")
            ordered = {key: values[key] for key in FIELDS if key in values}
            return json.dumps(ordered, ensure_ascii=False).encode("utf-8")
        self._sink.accepts_raw((), origin.line_end)
        old = parsed(raw, item.id, 1)
        changed = {key: value for key, value in values.items() if not _same(old, key, value)}
        dropped = {key for key in ATTRIBUTES.intersection(old) if key not in given} | no_more_shown
        return replaced(raw, changed, dropped) if changed or dropped else raw

    def flush(self) -> None:
        """Nothing waits to be written."""


def _same(old: dict[str, Any], key: str, value: Any) -> bool:
    return key in old and (old[key] == value or (key == "caption" and _text(old[key]) == value))


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    return NarrativeWriter(sink, writing)


NARRATIVES = Kind(
    name="narratives",
    patterns=(
        "open_images_{subset}_v6_localized_narratives-{shard}.jsonl",
        "open_images_{subset}_localized_narratives-{shard}.jsonl",
        "open_images_{subset}_v6_localized_narratives.jsonl",
        "open_images_{subset}_localized_narratives.jsonl",
        "open_images_{subset}_v6_captions.jsonl",
        "open_images_{subset}_captions.jsonl",
    ),
    fields=FIELDS,
    telling=("ImageID", "caption"),
    file_name="open_images_{subset}_localized_narratives.jsonl",
    published_train="open_images_train_v6_localized_narratives-00000-of-00001.jsonl",
    columns=columns,
    from_rows=from_rows,
    writer=_writer,
    type=AnnotationType.caption,
    attributes=ATTRIBUTES,
    extra=EXTRA,
    class_columns=(),
    opened=JsonLinesTable,
    sink=JsonLinesSink,
)

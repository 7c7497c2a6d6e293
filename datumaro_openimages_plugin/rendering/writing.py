"""What the writers of one export share, and what a writer of a kind's rows is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.saving.target import Replaced, Target

__all__ = ["KindWriter", "Refuse", "RowByRow", "Writing", "missing_label", "write_row"]

Refuse = Callable[[ValueError, DatasetItem, Any], None]
"""Gets the error of an annotation, its item, and the annotation."""


class KindWriter(Protocol):
    """Writes one subset's annotations of one kind."""

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Takes an item's annotations of the kind, and what the item's attribute has.

        Args:
            annotations: Those of the kind; none where only the item has something to write.
            item: The item, whose other annotations they may refer to.
            size: (height, width) of its image in pixels, None where it is not known.
        """

    def flush(self) -> None:
        """Writes what was taken."""


@dataclass
class Writing:
    """What all writers of one export share.

    Args:
        target: Where files go.
        label_names: LabelName by label index; changed in place as imports become known.
        refuse: Gets what cannot be written; returns to skip it.
        lost: What the format cannot hold -> how often; reported at the end.
        notes: What else there is to report -> how often.
        old: What is in the target, None where nothing is.
    """

    target: Target
    label_names: list[str]
    refuse: Refuse
    lost: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    old: Replaced | None = None

    def label_name(self, annotation: Any) -> str:
        """The LabelName of an annotation.

        Raises:
            ValueError: It has no label, or one that the categories lack.
        """
        label = annotation.label
        if label is None or not 0 <= label < len(self.label_names):
            raise ValueError(missing_label(label, len(self.label_names)))
        return self.label_names[label]

    def shown_columns(
        self,
        what: str,
        attributes: Mapping[str, Any],
        columns: Mapping[str, str],
        known: frozenset[str],
    ) -> dict[str, str]:
        """Columns that attributes show; the attributes without any are counted.

        Args:
            what: Whose attributes they are, for the report.
            attributes: The attributes.
            columns: Attribute -> column.
            known: Attributes that are written in another way.
        """
        found = {}
        for name, value in attributes.items():
            if name in columns:
                found[columns[name]] = extras.column_text(name, value)
            elif name not in known:
                self.lost[f"{name!r} attributes of {what}s"] += 1
        return found


class RowByRow:
    """A writer of one subset's annotations of a kind of which there are not so many.

    Args:
        sink: The table.
        writing: What the export's writers share.
        what: What its annotations are called in reports.
        to_fields: Makes the row of an annotation of its LabelName, its item, the size of its
            image and the row that it was read from; gives None where the size is needed.
        known: Attributes that ``to_fields`` writes.
        extra: Attribute -> column of those that are shown on request.
        kind: The kind's name; rows of other kinds are not taken for its own.
    """

    def __init__(
        self,
        sink: Sink,
        writing: Writing,
        what: str,
        to_fields: Callable[..., dict[str, str] | None],
        known: frozenset[str],
        extra: Mapping[str, str],
        kind: str,
    ) -> None:
        self._sink = sink
        self._writing = writing
        self._what = what
        self._to_fields = to_fields
        self._known = known
        self._extra = extra
        self._kind = kind

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Writes an item's annotations."""
        for annotation in annotations:
            origin = getattr(annotation, "origin", None)
            if origin is not None and origin.kind != self._kind:
                origin = None
            try:
                label = self._writing.label_name(annotation)
                old = {} if origin is None else origin.fields
                fields = self._to_fields(annotation, label, item.id, size, old)
                if fields is None:
                    self._writing.lost[f"{self._what} on images of unknown size"] += 1
                    continue
                shown = self._writing.shown_columns(
                    f"{self._what} annotation", annotation.attributes, self._extra, self._known
                )
                fields |= extras.columns_over(shown, self._extra, origin)
            except ValueError as error:
                self._writing.refuse(error, item, annotation)
                continue
            write_row(self._sink, origin, fields)

    def flush(self) -> None:
        """Nothing waits to be written."""


def write_row(
    sink: Sink, origin: Any, fields: Mapping[str, str], old: Mapping[str, str] | None = None
) -> None:
    """Writes a row as it stood where nothing of it changed, else its fields.

    Args:
        sink: The table.
        origin: The row that it was read from, None where it was not.
        fields: The row.
        old: That of ``origin``, where it is at hand.
    """
    if origin is not None and (origin.fields if old is None else old) == fields:
        raw = origin.raw
        if raw is not None and sink.accepts_raw(list(fields), origin.line_end):
            sink.raw(raw, origin)
            return
    sink.row(fields, origin)


def missing_label(label: int | None, count: int) -> str:
    """Why an annotation with this label index cannot be written."""
    if label is None:
        return "has no label; give it one or remove it"
    return f"has label {label}, and there are {count} labels"

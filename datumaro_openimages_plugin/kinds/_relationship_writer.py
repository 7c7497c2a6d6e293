"""Writing the rows of relationships."""

from __future__ import annotations

from collections import Counter
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.errors import AnnotationError
from datumaro_openimages_plugin.kinds.relationships import ATTRIBUTE, IS, to_fields
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.rendering.writing import Writing, write_row

__all__ = ["RelationshipWriter"]


class RelationshipWriter:
    """Writes one subset's relationships; those whose boxes are gone are counted.

    Args:
        sink: The table.
        writing: What all writers of the export share.
    """

    def __init__(self, sink: Sink, writing: Writing) -> None:
        self._sink = sink
        self._writing = writing

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Writes the relationships of an item."""
        found = item.attributes[ATTRIBUTE]
        if not isinstance(found, (list, tuple)):
            self._refuse(item, "are no list", found)
            return
        boxes = [a for a in item.annotations if a.type is AnnotationType.bbox]
        by_id = {box.id: box for box in boxes}
        repeated = {number for number, count in Counter(b.id for b in boxes).items() if count > 1}
        for relationship in found:
            reason = _unusable(relationship, repeated)
            if reason is not None:
                self._refuse(item, reason, relationship)
                continue
            ends = [end for end in (relationship[0], relationship[2]) if not isinstance(end, str)]
            if not all(end in by_id for end in ends):
                self._writing.lost["relationships whose boxes are gone"] += 1
                continue
            try:
                self._write(relationship, by_id, item, size)
            except ValueError as error:
                self._refuse(item, str(error), relationship)

    def _write(
        self, relationship: Any, boxes: dict[int, Any], item: DatasetItem, size: Any
    ) -> None:
        fields = to_fields(relationship, boxes, item, size, self._writing.label_name)
        if fields is None:
            self._writing.lost["relationships on images of unknown size"] += 1
            return
        write_row(self._sink, getattr(relationship, "origin", None), fields)

    def _refuse(self, item: DatasetItem, reason: str, value: Any) -> None:
        error = AnnotationError(
            f"the item's {ATTRIBUTE} {reason}; each is [id of a box, relationship, id of a box], "
            f"or [id of a box, {IS!r}, id of an attribute]",
            file=item.subset,
            image_id=item.id,
            value=value,
        )
        self._writing.refuse(error, item, None)

    def flush(self) -> None:
        """Nothing waits to be written."""


def _unusable(relationship: Any, repeated: set[int]) -> str | None:
    """Why a relationship cannot be written, whatever boxes there are; None where it can."""
    if not isinstance(relationship, (list, tuple)) or len(relationship) != 3:
        return "have one that is no list of three"
    subject, relation, other = relationship
    if not isinstance(subject, int) or not isinstance(other, (int, str)):
        return "have an end that is no id"
    if not isinstance(relation, str) or not relation.strip():
        return "have one without a relationship"
    if isinstance(other, str) != (relation == IS):
        return f"have one in which {relation!r} does not go with {other!r}"
    if repeated.intersection(end for end in (subject, other) if not isinstance(end, str)):
        return "name an id that several boxes have"
    return None

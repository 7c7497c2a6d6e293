"""Adding to an image's annotations what follows from them by the hierarchy of classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType
from datumaro_openimages_plugin.expansion import Expansion

__all__ = ["KINDS", "expanded"]

_LABEL, _BBOX, _MASK = AnnotationType.label, AnnotationType.bbox, AnnotationType.mask

#: What can be expanded, by name.
KINDS = {"labels": _LABEL, "boxes": _BBOX, "masks": _MASK}


def expanded(
    annotations: Sequence[Any],
    expansion: Expansion,
    types: Collection[AnnotationType],
    *,
    repeats: bool = False,
) -> list[Any]:
    """The annotations of one image, each followed by its copies for other labels.

    Args:
        annotations: What the image has.
        expansion: Which labels follow from which.
        types: The types to expand.
        repeats: Whether copies are made of what is there already too.
    """
    groups = _Groups(annotations)
    known: dict[tuple[Any, ...], int] = {}
    if not repeats:
        known = {_identity(a, a.label): a.group for a in annotations if a.type in types}
    copies: dict[int, list[Any]] = {}
    # Of several labels that have one ancestor, the surest one is copied.
    for number, annotation in sorted(enumerate(annotations), key=lambda pair: -_score(pair[1])):
        if annotation.type not in types or annotation.label is None:
            continue
        absent = annotation.type is _LABEL and _score(annotation) == 0
        label = annotation.label
        made = copies[number] = []
        for other in expansion.below(label) if absent else expansion.above(label):
            identity = _identity(annotation, other)
            if identity in known:
                groups.join(annotation.group, other, known[identity])
                continue
            copy = _copy(annotation, other, groups, occurrence=_count(made, other))
            made.append(copy)
            if not repeats:
                known[identity] = copy.group
    return [
        part
        for number, annotation in enumerate(annotations)
        for part in (annotation, *copies.get(number, ()))
    ]


def _count(made: Sequence[Any], label: int) -> int:
    return sum(copy.label == label for copy in made)


def _copy(annotation: Any, label: int, groups: _Groups, occurrence: int) -> Any:
    if annotation.type is _LABEL:
        return annotation.wrap(label=label, attributes=dict(annotation.attributes))
    # An id belongs to one annotation, and a group to one object.
    return annotation.wrap(
        id=0,
        label=label,
        group=groups.of_copy(annotation.group, label, occurrence),
        attributes=dict(annotation.attributes),
    )


def _identity(annotation: Any, label: int | None) -> tuple[Any, ...]:
    """What makes two annotations of one image say the same."""
    if annotation.type is _LABEL:
        return _LABEL, label, _score(annotation) == 0
    if annotation.type is _BBOX:
        return _BBOX, label, *annotation.points
    # Pictures are not compared: a mask is known by its id, or else by itself.
    return _MASK, label, annotation.attributes.get("box_id") or id(annotation)


def _score(annotation: Any) -> float:
    try:
        return float(annotation.attributes.get("score", 1))
    except (TypeError, ValueError):
        return 1.0


class _Groups:
    """Numbers the groups of copies: a box's and its masks' copies for one label are together."""

    def __init__(self, annotations: Sequence[Any]) -> None:
        self._next = max((a.group for a in annotations), default=0) + 1
        self._known: dict[tuple[int, int, int], int] = {}

    def join(self, group: int, label: int, known: int) -> None:
        """What belongs to a group and is copied for a label goes to a group that is there."""
        if group and known:
            self._known.setdefault((group, label, 0), known)

    def of_copy(self, group: int, label: int, occurrence: int) -> int:
        """The group of a copy."""
        if not group:
            return 0
        key = group, label, occurrence
        if key not in self._known:
            self._known[key] = self._next
            self._next += 1
        return self._known[key]

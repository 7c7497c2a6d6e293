"""What an item's annotations are to the metric: boxes, masks, flags, scores, verified labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.annotations.shapes import is_outline
from datumaro_openimages_plugin.annotations.values import flag_text
from datumaro_openimages_plugin.errors import AnnotationError, FormatError
from datumaro_openimages_plugin.kinds.boxes import near_px

__all__ = [
    "boxes_of",
    "corners_frac",
    "is_group",
    "is_verified",
    "score_of",
    "twice",
    "uncompared",
]


def boxes_of(item: DatasetItem) -> list[Any]:
    """The boxes that count: not those that only a relationship or a list of people names."""
    return [a for a in item.annotations if a.type is AnnotationType.bbox and _is_box(a)]


def _is_box(box: Any) -> bool:
    origin = getattr(box, "origin", None)
    return (origin is None or origin.kind == "boxes") and not is_outline(box)


def uncompared(item: DatasetItem, masks: bool, side: str) -> list[str]:
    """What is not compared: with boxes, masks and outlines; with masks, points and such."""
    used = {AnnotationType.mask} if masks else {AnnotationType.bbox}
    if side == "truth":
        used |= {AnnotationType.label, AnnotationType.bbox}
    found = []
    for annotation in item.annotations:
        kind = annotation.type
        if is_outline(annotation):
            compared = masks
        else:
            compared = kind in used and (kind is not AnnotationType.bbox or _is_box(annotation))
        if not compared:
            origin = getattr(annotation, "origin", None)
            rows = "" if origin is None else f" from {origin.kind.replace('_', ' ')}"
            found.append(f"annotations of type {kind.name}{rows} in the {side}")
    return found


def corners_frac(boxes: list[Any], size: tuple[int, int] | None) -> np.ndarray:
    """(n, 4) float64 x1, y1, x2, y2 as fractions: those that were read where they still hold."""
    height, width = size or (1, 1)
    scale = np.array([width, height, width, height], np.float64)
    corners = np.array([box.points for box in boxes], np.float64).reshape(-1, 4) / scale
    read = np.full_like(corners, np.nan)
    for row, box in enumerate(boxes):
        origin = getattr(box, "origin", None)
        if origin is not None and len(origin.fractions) == 4:
            read[row] = np.array(origin.fractions)[[0, 2, 1, 3]]
    near = near_px(np.array([[height, width]], np.float64))
    same = (np.abs(read - corners) * scale <= near).all(axis=1, keepdims=True)
    return np.where(same, read, corners)


def is_verified(label: Any) -> int | None:
    """1 for a label that a person found present, 0 for absent, None for one of a machine."""
    score = label.attributes.get("score", 1)
    origin = getattr(label, "origin", None)
    source = label.attributes.get("source") or (
        "" if origin is None else origin.fields.get("Source")
    )
    if source == "machine" or score not in (0, 1):
        return None
    return int(score)


def is_group(box: Any, item: DatasetItem) -> bool:
    """Whether a box is a group-of box.

    Raises:
        AnnotationError: Its flag has a value that is none.
    """
    value = box.attributes.get("is_group_of")
    try:
        return value is True or (value is not None and flag_text(value, "is_group_of") == "1")
    except ValueError as error:
        raise AnnotationError(str(error), image_id=item.id, column="is_group_of") from None


def score_of(item: DatasetItem, *annotations: Any) -> float:
    """The score of a prediction: that of the first annotation that has one.

    Raises:
        AnnotationError: None has, or it is no finite number.
    """
    for annotation in annotations:
        value = None if annotation is None else annotation.attributes.get("score")
        if value is not None:
            try:
                score = float(value)
            except (TypeError, ValueError, OverflowError):
                score = math.nan
            if math.isfinite(score):
                return score
            message = "a prediction's score must be a number"
            raise AnnotationError(message, image_id=item.id, column="score", value=value)
    kind = annotations[0].type.name
    message = f"a {kind} has no score; predictions need the attribute score"
    raise AnnotationError(message, image_id=item.id, column="score")


def twice(item: DatasetItem, side: str) -> FormatError:
    """The error of an id that two items have."""
    message = f"the id is in two subsets of the {side}; choose the subset to score"
    return FormatError(message, image_id=item.id, value=item.subset)

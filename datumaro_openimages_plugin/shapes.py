"""Shapes that the format has no table for and that are segmentation: they become masks.

Polygons, ellipses and rotated boxes are rasterised at their image's size; the polygons of one
group and label are one instance, as they are in CVAT and COCO.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from datumaro_openimages_plugin._host import AnnotationType, Mask, annotation_type

__all__ = ["is_outline", "masks_from_outlines"]

_OUTLINES = {
    kind
    for kind in map(annotation_type, ("polygon", "ellipse", "rotated_bbox"))
    if kind is not None
}


def is_outline(annotation: Any) -> bool:
    """Whether an annotation is the outline of an object rather than a box or a mask."""
    if annotation.type is AnnotationType.bbox:
        return "rotation" in annotation.attributes and _rotation_deg(annotation) != 0
    return annotation.type in _OUTLINES


def masks_from_outlines(outlines: Iterable[Any], size: tuple[int, int]) -> list[Mask]:
    """Masks of (height, width) ``size``, one per instance, in the order of their first outline.

    An instance's attributes and group are those of its first outline.
    """
    instances: dict[Any, list[Any]] = {}
    for number, outline in enumerate(outlines):
        # Ungrouped outlines stand alone.
        key = (outline.group, outline.label) if outline.group else (0, number)
        instances.setdefault(key, []).append(outline)
    masks = []
    for parts in instances.values():
        first = parts[0]
        masks.append(
            Mask(
                image=_rasterised([_polygon_px(part) for part in parts], size),
                label=first.label,
                attributes={k: v for k, v in first.attributes.items() if k != "rotation"},
                group=first.group,
            )
        )
    return masks


def _rasterised(polygons: list[list[float]], size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: the union of polygons given as x, y, x, y … in pixels."""
    drawable = [polygon for polygon in polygons if len(polygon) >= 6]
    if not drawable:
        return np.zeros(size, bool)
    encoded = coco_mask.frPyObjects(drawable, *size)
    return coco_mask.decode(coco_mask.merge(encoded)).astype(bool)  # type: ignore[no-any-return]


def _polygon_px(outline: Any) -> list[float]:
    if outline.type is AnnotationType.bbox:
        return _rotated_px(outline.points, _rotation_deg(outline))
    if hasattr(outline, "as_polygon"):
        # Flat for an ellipse, corners in pairs for a rotated box.
        return [float(value) for value in np.ravel(outline.as_polygon())]
    return [float(value) for value in outline.points]


def _rotation_deg(box: Any) -> float:
    """CVAT's ``rotation`` of a rectangle, clockwise in degrees about its centre."""
    try:
        value = float(box.attributes.get("rotation") or 0) % 360
    except (TypeError, ValueError):
        return 0.0
    return value if math.isfinite(value) else 0.0


def _rotated_px(points: list[float], degrees: float) -> list[float]:
    x1, y1, x2, y2 = points
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = []
    for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2)):
        dx, dy = x - centre_x, y - centre_y
        corners += [centre_x + dx * cos - dy * sin, centre_y + dx * sin + dy * cos]
    return corners

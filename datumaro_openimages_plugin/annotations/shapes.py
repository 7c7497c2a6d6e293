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

__all__ = ["count_unlike_first", "is_outline", "masks_from_outlines", "rotation_deg"]

_OUTLINES = {
    kind
    for kind in map(annotation_type, ("polygon", "ellipse", "rotated_bbox"))
    if kind is not None
}

_ELLIPSE = annotation_type("ellipse")

#: Beyond this distance from the image a polygon is cut; nearer ones keep the rasteriser's very
#: pixels, which a cut may change along the edges.
_FAR_PX = 10_000.0


def is_outline(annotation: Any) -> bool:
    """Whether an annotation is the outline of an object rather than a box or a mask.

    Raises:
        ValueError: It is one, and has a coordinate that is not finite.
    """
    if annotation.type not in _OUTLINES and (
        annotation.type is not AnnotationType.bbox or rotation_deg(annotation) == 0
    ):
        return False
    if not np.isfinite(annotation.points).all():
        raise ValueError("has a coordinate that is not a finite number")
    return True


def masks_from_outlines(outlines: Iterable[Any], size: tuple[int, int]) -> list[Mask]:
    """Masks of (height, width) ``size``, one per instance, in the order of their first outline.

    An instance's attributes and group are those of its first outline.
    """
    masks = []
    for parts in _instances(outlines):
        first = parts[0]
        masks.append(
            Mask(
                image=_rasterised([_polygon_px(part) for part in parts], size),
                label=first.label,
                attributes=_attributes(first),
                group=first.group,
            )
        )
    return masks


def count_unlike_first(outlines: Iterable[Any]) -> int:
    """How many outlines have other attributes than the mask that they become part of."""
    return sum(
        _attributes(part) != _attributes(parts[0])
        for parts in _instances(outlines)
        for part in parts[1:]
    )


def _instances(outlines: Iterable[Any]) -> list[list[Any]]:
    found: dict[Any, list[Any]] = {}
    for number, outline in enumerate(outlines):
        # Ungrouped outlines stand alone.
        key = (outline.group, outline.label) if outline.group else (0, number)
        found.setdefault(key, []).append(outline)
    return list(found.values())


def _attributes(outline: Any) -> dict[str, Any]:
    return {name: value for name, value in outline.attributes.items() if name != "rotation"}


def _rasterised(polygons: list[list[float]], size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: the union of polygons given as x, y, x, y … in pixels."""
    clipped = [_clipped(polygon, size) for polygon in polygons]
    drawable = [polygon for polygon in clipped if len(polygon) >= 6]
    if not drawable:
        return np.zeros(size, bool)
    encoded = coco_mask.frPyObjects(drawable, *size)
    return coco_mask.decode(coco_mask.merge(encoded)).astype(bool)  # type: ignore[no-any-return]


def _clipped(polygon: list[float], size: tuple[int, int]) -> list[float]:
    """A polygon without its parts far outside the image, x, y, x, y … in pixels.

    The rasteriser walks along every edge, so that distant corners would exhaust the memory.
    """
    corners = list(zip(polygon[::2], polygon[1::2], strict=True))
    for axis, length in ((0, size[1]), (1, size[0])):
        for sign, limit in ((1, length + _FAR_PX), (-1, _FAR_PX)):
            if any(sign * corner[axis] > limit for corner in corners):
                corners = _cut(corners, axis, sign, limit)
    return [value for corner in corners for value in corner]


def _cut(
    corners: list[tuple[float, float]], axis: int, sign: int, limit: float
) -> list[tuple[float, float]]:
    """The corners of what a polygon has on the side where ``sign * coordinate <= limit``."""
    result = []
    for before, after in zip(corners[-1:] + corners[:-1], corners, strict=True):
        start, end = sign * before[axis], sign * after[axis]
        if (start <= limit) != (end <= limit):
            share = (limit - start) / (end - start)
            other = before[1 - axis] + share * (after[1 - axis] - before[1 - axis])
            result.append((sign * limit, other) if axis == 0 else (other, sign * limit))
        if end <= limit:
            result.append(after)
    return result


def _polygon_px(outline: Any) -> list[float]:
    if outline.type is AnnotationType.bbox:
        return _rotated_px(outline.points, rotation_deg(outline))
    if hasattr(outline, "as_polygon"):
        # Flat for an ellipse, corners in pairs for a rotated box.
        polygon = [float(value) for value in np.ravel(outline.as_polygon())]
        if outline.type is _ELLIPSE:
            return _turned_px(polygon, outline.points, rotation_deg(outline))
        return polygon
    return [float(value) for value in outline.points]


def rotation_deg(shape: Any) -> float:
    """CVAT's ``rotation`` of a rectangle or ellipse, clockwise in degrees about its centre."""
    try:
        value = float(shape.attributes.get("rotation") or 0) % 360
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return value if math.isfinite(value) else 0.0


def _rotated_px(points: list[float], degrees: float) -> list[float]:
    x1, y1, x2, y2 = points
    return _turned_px([x1, y1, x2, y1, x2, y2, x1, y2], points, degrees)


def _turned_px(polygon: list[float], within: list[float], degrees: float) -> list[float]:
    """A polygon turned about the centre of the rectangle that it lies in, x1, y1, x2, y2."""
    x1, y1, x2, y2 = within
    centre_x, centre_y = (x1 + x2) / 2, (y1 + y2) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turned = []
    for x, y in zip(polygon[::2], polygon[1::2], strict=True):
        dx, dy = x - centre_x, y - centre_y
        turned += [centre_x + dx * cos - dy * sin, centre_y + dx * sin + dy * cos]
    return turned

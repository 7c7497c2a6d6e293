"""What is to be drawn of one item, as plain values in the pixels of its drawing."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem, Image
from datumaro_openimages_plugin.writing.media import item_size

__all__ = ["Arrow", "Chip", "Dot", "Region", "Scene", "Tagged", "color_of", "readable", "scene_of"]

#: Longest side of a drawing.
SIDE_PX = 640
#: Larger pictures are not decoded for a page of thumbnails.
_MOST_PIXELS = 200_000_000
_LONGEST_TEXT = 600
_TRACE_POINTS = 300  # of one trace
_MARKS = {
    "is_group_of": "group",
    "occluded": "occluded",
    "truncated": "cut",
    "is_depiction": "depiction",
    "is_inside": "inside",
}


@dataclass(frozen=True)
class Tagged:
    """A box: corners in pixels, colour, label, what is true of it."""

    corners: tuple[float, float, float, float]
    color: str
    text: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Region:
    """A mask: its rings, each (n, 2) x, y in pixels; holes are rings too."""

    rings: tuple[np.ndarray, ...]
    color: str
    text: str


@dataclass(frozen=True)
class Dot:
    """A point label: place in pixels, colour, label, and ``yes``, ``no`` or ``unsure``."""

    x: float
    y: float
    color: str
    text: str
    answer: str


@dataclass(frozen=True)
class Arrow:
    """A relationship of two boxes: from, to, its name."""

    start: tuple[float, float]
    end: tuple[float, float]
    text: str


@dataclass(frozen=True)
class Chip:
    """An image label: its text, and ``present``, ``absent`` or ``machine``."""

    text: str
    state: str


@dataclass
class Scene:
    """One item to be drawn.

    ``width``, ``height``: of the drawing; ``picture``: a JPEG of that size, None where there is
    none to show, and then ``problem`` says why; ``traces``: of the mouse during a narrative,
    each (n, 2) x, y in pixels.
    """

    name: str
    subset: str
    width: int
    height: int
    size: tuple[int, int] | None
    picture: bytes | None
    problem: str
    boxes: list[Tagged] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    traces: list[np.ndarray] = field(default_factory=list)
    credit: str = ""
    notes: list[str] = field(default_factory=list)


def color_of(label: int) -> str:
    """A colour for a label, far from those of its neighbours: ``#rrggbb``."""
    hue = (0.08 + label * 0.61803398875) % 1
    light = (0.50, 0.60, 0.42)[label % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, light, 0.78)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def readable(text: Any) -> str:
    """A text of the dataset as it may be shown: one line, of bounded length, nothing invisible.

    Control characters, and those that turn the direction of writing, become spaces or ``�``.
    """
    cut = str(text)[: _LONGEST_TEXT + 1]
    shown = "".join(
        " " if char in "\t\r\n\x0b\x0c\u2028\u2029" else char if char.isprintable() else "\ufffd"
        for char in cut
    ).strip()
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…"


def scene_of(item: DatasetItem, names: Sequence[str], shown: Mapping[str, str]) -> Scene:
    """The scene of an item.

    Args:
        item: The item.
        names: Labels' names for people, by label.
        shown: Attribute id -> its name, for relationships such as ``is``.
    """
    size = item_size(item)
    height, width = _drawing_size(size)
    picture, problem = _picture(item, size, (height, width))
    scene = Scene(readable(item.id), readable(item.subset), width, height, size, picture, problem)
    scale = (width, height) if size is None else (width / size[1], height / size[0])
    by_id: dict[Any, Tagged] = {}
    for annotation in item.annotations:
        _add(scene, annotation, scale, names, by_id)
    _add_relationships(scene, item, by_id, shown)
    origin = getattr(item, "origin", None)
    fields = {} if origin is None else origin.fields
    credit = (fields.get("Title"), fields.get("Author"), fields.get("License"))
    scene.credit = " · ".join(readable(part) for part in credit if part)
    return scene


def _drawing_size(size: tuple[int, int] | None) -> tuple[int, int]:
    if size is None:
        return SIDE_PX * 3 // 4, SIDE_PX
    scale = SIDE_PX / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _picture(
    item: DatasetItem, size: tuple[int, int] | None, drawing: tuple[int, int]
) -> tuple[bytes | None, str]:
    if not isinstance(item.media, Image):
        return None, "no picture in the dataset"
    if size is not None and size[0] * size[1] > _MOST_PIXELS:
        return None, f"the picture is too large to be shown: {size[1]} by {size[0]} pixels"
    try:
        pixels = item.media.data
    except Exception:  # decoders fail in as many ways as pictures are damaged
        pixels = None
    if pixels is None or pixels.ndim not in (2, 3) or not pixels.size:
        return None, "the picture cannot be read"
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3):
        pixels = pixels[..., :3] if pixels.shape[2] > 3 else pixels[..., :1]
    # Small pictures keep their pixels; the page scales them.
    longest = max(pixels.shape[:2])
    if longest > SIDE_PX:
        pixels = cv2.resize(pixels, drawing[::-1], interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return (bytes(data.tobytes()), "") if done else (None, "the picture cannot be shown")


def _add(
    scene: Scene,
    annotation: Any,
    scale: tuple[float, float],
    names: Sequence[str],
    by_id: dict[Any, Tagged],
) -> None:
    label = annotation.label if getattr(annotation, "label", None) is not None else -1
    text = readable(names[label]) if 0 <= label < len(names) else "no label"
    color, kind = color_of(label), annotation.type
    if kind is AnnotationType.bbox:
        x1, y1, x2, y2 = (value * scale[at % 2] for at, value in enumerate(annotation.points))
        if not all(map(math.isfinite, (x1, y1, x2, y2))):
            scene.notes.append(f"a box of {text} has no finite corners")
            return
        marks = tuple(m for name, m in _MARKS.items() if annotation.attributes.get(name) is True)
        box = Tagged((x1, y1, x2, y2), color, text, marks)
        scene.boxes.append(box)
        if annotation.id:
            by_id[annotation.id] = box
    elif kind is AnnotationType.mask:
        _add_mask(scene, annotation, color, text)
    elif kind is AnnotationType.polygon:
        points = np.array(annotation.points, float).reshape(-1, 2) * scale
        if np.isfinite(points).all():
            scene.regions.append(Region((points,), color, text))
    elif kind is AnnotationType.points:
        answer = str(annotation.attributes.get("estimated_yes_no", "yes"))
        for x, y in np.array(annotation.points, float).reshape(-1, 2) * scale:
            if math.isfinite(x) and math.isfinite(y):
                scene.dots.append(Dot(float(x), float(y), color, text, answer))
    elif kind is AnnotationType.label:
        scene.chips.append(Chip(text, _state(annotation)))
    elif kind is AnnotationType.caption:
        scene.captions.append(readable(annotation.caption))
        scene.traces += _traces(annotation, scene)
    else:
        scene.notes.append(f"not drawn: {kind.name} {text}")


def _add_mask(scene: Scene, annotation: Any, color: str, text: str) -> None:
    try:
        mask = np.asarray(annotation.image)
    except Exception as error:
        scene.notes.append(readable(f"a mask of {text} cannot be read: {error}"))
        return
    if mask.ndim != 2 or not mask.size:
        scene.notes.append(f"a mask of {text} is no picture")
        return
    size = (scene.width, scene.height)
    drawn = cv2.resize((mask != 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    scene.regions.append(Region(tuple(_rings(drawn)), color, text))


def _rings(mask: np.ndarray) -> Iterator[np.ndarray]:
    """The outlines of a mask's parts and holes, simplified by less than a pixel."""
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for contour in contours:
        ring = cv2.approxPolyDP(contour, 0.75, True).reshape(-1, 2)
        if len(ring) >= 3:
            yield ring + 0.5  # contours run through the centres of pixels


def _traces(caption: Any, scene: Scene) -> Iterator[np.ndarray]:
    """Where the mouse was, thinned out; what is no list of places in the image is passed over."""
    traces = caption.attributes.get("traces")
    for trace in traces if isinstance(traces, list) else ():
        try:
            places = np.array([(point["x"], point["y"]) for point in trace], float)
        except (TypeError, KeyError, ValueError):
            continue
        if len(places) > 1 and np.isfinite(places).all():
            places = places[:: max(1, len(places) // _TRACE_POINTS)]
            yield np.clip(places, -0.1, 1.1) * (scene.width, scene.height)


def _state(label: Any) -> str:
    score = label.attributes.get("score", 1)
    if label.attributes.get("source") == "machine" or score not in (0, 1):
        return "machine"
    return "present" if score else "absent"


def _add_relationships(
    scene: Scene, item: DatasetItem, by_id: Mapping[Any, Tagged], shown: Mapping[str, str]
) -> None:
    found = item.attributes.get("relationships")
    for entry in found if isinstance(found, list) else ():
        if not isinstance(entry, (list, tuple)) or len(entry) != 3:
            continue
        subject, relation, other = entry
        start, end = _at(by_id, subject), _at(by_id, other)
        if start is None:
            continue
        said = readable(relation).replace("_", " ")
        if end is None:
            name = shown.get(other, other) if isinstance(other, str) else other
            scene.sentences.append(f"{start.text} {said} {readable(name)}")
        else:
            scene.sentences.append(f"{start.text} {said} {end.text}")
            scene.arrows.append(Arrow(_centre(start), _centre(end), said))


def _at(by_id: Mapping[Any, Tagged], key: Any) -> Tagged | None:
    return by_id.get(key) if isinstance(key, (int, str)) else None


def _centre(box: Tagged) -> tuple[float, float]:
    x1, y1, x2, y2 = box.corners
    return (x1 + x2) / 2, (y1 + y2) / 2

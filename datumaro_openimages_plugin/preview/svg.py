"""Scenes and charts as SVG. Every text is escaped here; colours and numbers are our own."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import numpy as np

from datumaro_openimages_plugin.preview.scene import Arrow, Dot, Region, Scene, Tagged

__all__ = ["bars", "columns", "diverging", "drawing", "stacked"]

_TAG_PX = 20  # height of a box's tag at the size of the drawing
_FONT_PX = 14
_LETTER = 0.56  # mean width of a letter, as a share of the font's size


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _n(value: float) -> str:
    """A number for SVG, without needless digits."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


# Scenes


def drawing(scene: Scene) -> str:
    """The picture with everything that is annotated in it; each layer has a class of its own."""
    parts = [
        f'<svg class="scene" viewBox="0 0 {scene.width} {scene.height}" role="img" '
        f'aria-label="{_text(scene.name)}">',
        *_background(scene),
        '<g class="masks">',
        *(_region(region) for region in scene.regions),
        '</g><g class="boxes">',
        # Large boxes first, so that small ones lie on top and can be pointed at.
        *(_box(box) for box in sorted(scene.boxes, key=_area, reverse=True)),
        '</g><g class="names">',
        *_tags(scene),
        '</g><g class="relationships">',
        *(_arrow(arrow) for arrow in scene.arrows),
        '</g><g class="traces">',
        *(_trace(trace) for trace in scene.traces),
        '</g><g class="points">',
        *(_dot(dot) for dot in scene.dots),
        "</g></svg>",
    ]
    return "".join(parts)


def _background(scene: Scene) -> Iterator[str]:
    if scene.picture is not None:
        data = base64.b64encode(scene.picture).decode()
        small = scene.size is not None and max(scene.size) < scene.width / 2
        crisp = ' class="crisp"' if small else ""
        yield (
            f'<image{crisp} width="{scene.width}" height="{scene.height}" '
            f'preserveAspectRatio="none" href="data:image/jpeg;base64,{data}"/>'
        )
        return
    yield f'<rect class="nothing" width="{scene.width}" height="{scene.height}"/>'
    yield (
        f'<text class="problem" x="{scene.width / 2}" y="{scene.height / 2}" '
        f'text-anchor="middle">{_text(scene.problem)}</text>'
    )


def _area(box: Tagged) -> float:
    x1, y1, x2, y2 = box.corners
    return (x2 - x1) * (y2 - y1)


def _box(box: Tagged) -> str:
    x1, y1, x2, y2 = box.corners
    dash = ""
    if "group" in box.marks:
        dash = ' stroke-dasharray="10 5"'
    elif "depiction" in box.marks:
        dash = ' stroke-dasharray="2 4"'
    title = ", ".join([box.text, *box.marks])
    at = f'x="{_n(min(x1, x2))}" y="{_n(min(y1, y2))}" '
    extent = f'width="{_n(abs(x2 - x1))}" height="{_n(abs(y2 - y1))}" rx="2"'
    return (
        f'<g><title>{_text(title)}</title><rect {at}{extent} class="halo"/>'
        f'<rect {at}{extent} class="edge" stroke="{box.color}"{dash}/></g>'
    )


def _tags(scene: Scene) -> Iterator[str]:
    taken: list[tuple[float, float, float]] = []
    for box in sorted(scene.boxes, key=_area, reverse=True):
        marks = "".join(f" · {mark}" for mark in box.marks if mark in ("group", "depiction"))
        text = _shortened(box.text + marks, 28)
        width = len(text) * _FONT_PX * _LETTER + 12
        x = min(max(0.0, min(box.corners[0], box.corners[2])), max(0.0, scene.width - width))
        y = min(max(0.0, min(box.corners[1], box.corners[3])), scene.height - _TAG_PX)
        # Tags of boxes with one corner go below each other.
        while y + 2 * _TAG_PX <= scene.height and any(
            abs(y - other) < _TAG_PX and x < right and left < x + width
            for left, right, other in taken
        ):
            y += _TAG_PX
        taken.append((x, x + width, y))
        yield (
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_TAG_PX}" rx="2" '
            f'fill="{box.color}"/><text x="{_n(x + 6)}" y="{_n(y + 15)}" '
            f'fill="{_ink(box.color)}" textLength="{_n(width - 12)}" '
            f'lengthAdjust="spacingAndGlyphs">{_text(text)}</text>'
        )


def _ink(color: str) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#fff"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _region(region: Region) -> str:
    rings = "".join(
        "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in ring.tolist()) + "Z" for ring in region.rings
    )
    return (
        f'<path d="{rings}" fill="{region.color}" stroke="{region.color}">'
        f"<title>{_text(region.text)}</title></path>"
    )


def _dot(dot: Dot) -> str:
    x, y = _n(dot.x), _n(dot.y)
    title = f"<title>{_text(f'{dot.text}: {dot.answer}')}</title>"
    if dot.answer == "yes":
        return f'<circle cx="{x}" cy="{y}" r="6" fill="{dot.color}">{title}</circle>'
    if dot.answer == "no":
        d = f"M{_n(dot.x - 4)} {_n(dot.y - 4)}l8 8m0 -8l-8 8"
        return (
            f'<g><path class="halo" d="{d}"/><path class="cross" d="{d}" '
            f'stroke="{dot.color}"/>{title}</g>'
        )
    return f'<circle class="unsure" cx="{x}" cy="{y}" r="6" stroke="{dot.color}">{title}</circle>'


def _trace(trace: np.ndarray) -> str:
    d = "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in trace.tolist())
    x, y = trace[0]
    return (
        f'<path class="halo" d="{d}"/><path class="trace" d="{d}"/>'
        f'<circle class="begin" cx="{_n(x)}" cy="{_n(y)}" r="4"/>'
    )


def _arrow(arrow: Arrow) -> str:
    (x1, y1), (x2, y2) = arrow.start, arrow.end
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    bend = min(40.0, length / 4)
    # A bow, so that two relationships of one pair do not lie on each other.
    cx = (x1 + x2) / 2 - (y2 - y1) / length * bend
    cy = (y1 + y2) / 2 + (x2 - x1) / length * bend
    angle = math.atan2(y2 - cy, x2 - cx)
    head = "".join(
        f"L{_n(x2 - 11 * math.cos(angle + turn))} {_n(y2 - 11 * math.sin(angle + turn))}"
        for turn in (0.4, -0.4)
    )
    curve = f"M{_n(x1)} {_n(y1)}Q{_n(cx)} {_n(cy)} {_n(x2)} {_n(y2)}"
    mx, my = (x1 + 2 * cx + x2) / 4, (y1 + 2 * cy + y2) / 4
    text = _shortened(arrow.text, 24)
    width = len(text) * _FONT_PX * _LETTER + 14
    return (
        f'<path class="halo" d="{curve}"/><path class="line" d="{curve}"/>'
        f'<path class="head" d="M{_n(x2)} {_n(y2)}{head}Z"/><circle class="tail" '
        f'cx="{_n(x1)}" cy="{_n(y1)}" r="3.5"/><rect class="pill" x="{_n(mx - width / 2)}" '
        f'y="{_n(my - 10)}" width="{_n(width)}" height="20" rx="10"/>'
        f'<text x="{_n(mx)}" y="{_n(my + 5)}" text-anchor="middle">{_text(text)}</text>'
    )


# Charts

_W = 460
_ROW = 19


def bars(rows: Sequence[tuple[str, int, str]]) -> str:
    """Horizontal bars: (name, value, colour)."""
    most = max((value for _, value, _ in rows), default=1) or 1
    left, right = 150, 52
    parts = []
    for at, (name, value, color) in enumerate(rows):
        y = at * _ROW
        width = max(1.5, value / most * (_W - left - right))
        parts.append(
            f"<g><title>{_text(name)}: {value:,}</title>"
            f'<text class="name" x="{left - 8}" y="{y + 13}" text-anchor="end">'
            f"{_text(_shortened(name, 22))}</text>"
            f'<rect x="{left}" y="{y + 3}" width="{_n(width)}" height="{_ROW - 6}" rx="3" '
            f'fill="{color}"/><text class="value" x="{_n(left + width + 6)}" y="{y + 13}">'
            f"{value:,}</text></g>"
        )
    return _chart(len(rows) * _ROW + 2, parts)


def columns(bins: Sequence[tuple[str, int]], axis: str) -> str:
    """Upright bars: (name of the bin, value), and what the bins are of."""
    most = max((value for _, value in bins), default=1) or 1
    top, base, left = 16, 150, 8
    step = (_W - 2 * left) / max(1, len(bins))
    parts = [f'<line class="axis" x1="{left}" y1="{base}" x2="{_W - left}" y2="{base}"/>']
    for at, (name, value) in enumerate(bins):
        x = left + at * step
        height = value / most * (base - top)
        height = max(height, 1.5) if value else 0
        parts.append(
            f"<g><title>{_text(name)}: {value:,}</title>"
            f'<rect class="bar" x="{_n(x + step * 0.1)}" y="{_n(base - height)}" '
            f'width="{_n(step * 0.8)}" height="{_n(height)}" rx="2"/></g>'
        )
        middle = _n(x + step / 2)
        if value and step > 24:
            parts.append(
                f'<text class="value" x="{middle}" y="{_n(base - height - 4)}" '
                f'text-anchor="middle">{_shortened(f"{value:,}", 9)}</text>'
            )
        if name:
            parts.append(
                f'<text class="name" x="{middle}" y="{base + 15}" text-anchor="middle">'
                f"{_text(name)}</text>"
            )
    parts.append(
        f'<text class="axis" x="{_W / 2}" y="{base + 33}" text-anchor="middle">{_text(axis)}</text>'
    )
    return _chart(base + 38, parts)


def stacked(rows: Sequence[tuple[str, Sequence[int]]]) -> str:
    """Bars of the whole width, shared by yes, no and unknown: (name, counts)."""
    left = 92
    parts = []
    for at, (name, counts) in enumerate(rows):
        y, x = at * 30, float(left)
        total = sum(counts) or 1
        parts.append(
            f'<text class="name" x="{left - 8}" y="{y + 17}" text-anchor="end">{_text(name)}</text>'
        )
        for kind, count in zip(("yes", "no", "unknown"), counts, strict=True):
            width = count / total * (_W - left)
            if not count:
                continue
            parts.append(
                f"<g><title>{_text(name)}, {kind}: {count:,}</title>"
                f'<rect class="{kind}" x="{_n(x)}" y="{y + 3}" width="{_n(max(width, 1))}" '
                'height="20"/></g>'
            )
            label = f"{count:,}"
            if width > len(label) * 7 + 8:
                parts.append(
                    f'<text class="on {kind}" x="{_n(x + width / 2)}" y="{y + 17}" '
                    f'text-anchor="middle">{label}</text>'
                )
            x += width
    return _chart(len(rows) * 30, parts)


def diverging(rows: Sequence[tuple[str, int, int]]) -> str:
    """Bars to both sides: (name, absent, present)."""
    most = max((max(absent, present) for _, absent, present in rows), default=1) or 1
    middle, half = _W / 2, _W / 2 - 128
    parts = []
    for at, (name, absent, present) in enumerate(rows):
        y = at * _ROW
        for side, value, sign in (("absent", absent, -1), ("present", present, 1)):
            width = value / most * half
            edge = middle + sign * 74
            x = edge if sign > 0 else edge - width
            anchor, beyond = ("start", 5) if sign > 0 else ("end", -5)
            if value:
                parts.append(
                    f"<g><title>{_text(name)}, {side}: {value:,}</title>"
                    f'<rect class="{side}" x="{_n(x)}" y="{y + 3}" '
                    f'width="{_n(max(width, 1.5))}" height="{_ROW - 6}" rx="3"/></g>'
                    f'<text class="value" x="{_n(edge + sign * width + beyond)}" y="{y + 13}" '
                    f'text-anchor="{anchor}">{value:,}</text>'
                )
        parts.append(
            f'<text class="name" x="{middle}" y="{y + 13}" text-anchor="middle">'
            f"{_text(_shortened(name, 22))}</text>"
        )
    return _chart(len(rows) * _ROW + 2, parts)


def _chart(height: float, parts: Iterable[str]) -> str:
    return f'<svg class="chart" viewBox="0 0 {_W} {_n(height)}">{"".join(parts)}</svg>'

"""Pictures of simple things, drawn in any size: the same thing as a picture and as a mask."""

from __future__ import annotations

import cv2
import numpy as np

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom

SKIN, DARK, LIGHT, BROWN = (150, 190, 235), (35, 35, 35), (235, 235, 225), (45, 85, 125)
OWN = None  # the colour that the thing is drawn in


def oval(left: float, top: float, right: float, bottom: float) -> list[Point]:
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    x = (left + right) / 2 + (right - left) / 2 * np.cos(turn)
    y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(turn)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def rect(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


#: thing -> its parts, the lowest first: a colour and a polygon in fractions of the thing's box.
SHAPES: dict[str, list[tuple[tuple[int, int, int] | None, list[Point]]]] = {
    "cat": [
        (OWN, [(0.75, 0.7), (0.92, 0.05), (1.0, 0.1), (0.88, 0.8)]),
        (OWN, oval(0.15, 0.45, 0.95, 1.0)),
        (OWN, oval(0.0, 0.2, 0.5, 0.8)),
        (OWN, [(0.02, 0.45), (0.06, 0.0), (0.24, 0.25)]),
        (OWN, [(0.28, 0.25), (0.44, 0.0), (0.48, 0.45)]),
        (DARK, oval(0.1, 0.38, 0.18, 0.5)),
        (DARK, oval(0.3, 0.38, 0.38, 0.5)),
    ],
    "dog": [
        (OWN, rect(0.25, 0.6, 0.36, 1.0)),
        (OWN, rect(0.78, 0.6, 0.89, 1.0)),
        (OWN, [(0.85, 0.5), (0.95, 0.1), (1.0, 0.12), (0.95, 0.6)]),
        (OWN, oval(0.2, 0.35, 0.95, 0.8)),
        (OWN, oval(0.1, 0.0, 0.5, 0.5)),
        (OWN, oval(0.0, 0.2, 0.3, 0.45)),
        (BROWN, oval(0.34, 0.05, 0.48, 0.55)),
        (DARK, oval(0.0, 0.24, 0.07, 0.34)),
        (DARK, oval(0.2, 0.12, 0.26, 0.22)),
    ],
    "person": [
        (DARK, [(0.3, 0.6), (0.5, 0.6), (0.42, 1.0), (0.22, 1.0)]),
        (DARK, [(0.5, 0.6), (0.7, 0.6), (0.78, 1.0), (0.58, 1.0)]),
        (SKIN, [(0.1, 0.28), (0.25, 0.28), (0.12, 0.62), (0.0, 0.6)]),
        (SKIN, [(0.75, 0.28), (0.9, 0.28), (1.0, 0.6), (0.88, 0.62)]),
        (OWN, [(0.15, 0.25), (0.85, 0.25), (0.75, 0.65), (0.25, 0.65)]),
        (SKIN, oval(0.3, 0.0, 0.7, 0.25)),
    ],
    "car": [
        (OWN, [(0.2, 0.45), (0.32, 0.0), (0.7, 0.0), (0.85, 0.45)]),
        (LIGHT, [(0.3, 0.4), (0.37, 0.1), (0.5, 0.1), (0.5, 0.4)]),
        (LIGHT, [(0.55, 0.4), (0.55, 0.1), (0.66, 0.1), (0.75, 0.4)]),
        (OWN, rect(0.0, 0.4, 1.0, 0.82)),
        (DARK, oval(0.12, 0.6, 0.34, 1.0)),
        (DARK, oval(0.66, 0.6, 0.88, 1.0)),
    ],
    "wheel": [(DARK, oval(0, 0, 1, 1)), (LIGHT, oval(0.35, 0.35, 0.65, 0.65))],
    "ball": [(OWN, oval(0, 0, 1, 1)), (LIGHT, oval(0.2, 0.15, 0.45, 0.4))],
    "kite": [
        (OWN, [(0.5, 0.0), (1.0, 0.35), (0.5, 0.8), (0.0, 0.35)]),
        (LIGHT, [(0.5, 0.1), (0.8, 0.35), (0.5, 0.35)]),
        (DARK, [(0.48, 0.8), (0.52, 0.8), (0.42, 1.0), (0.36, 1.0)]),
    ],
    "tree": [
        (BROWN, rect(0.42, 0.5, 0.58, 1.0)),
        (OWN, oval(0.0, 0.0, 1.0, 0.7)),
    ],
}  # fmt: skip


def scenery(size: tuple[int, int]) -> np.ndarray:
    """(h, w, 3) uint8: a sky that grows lighter downwards, and a meadow."""
    height, width = size
    horizon = height * 2 // 3
    rows = np.empty((height, 3), np.uint8)
    rows[:horizon] = [
        (225, 190 + 40 * y // horizon, 150 + 60 * y // horizon) for y in range(horizon)
    ]
    rows[horizon:] = (90, 165, 110)
    return np.repeat(rows[:, None], width, axis=1)


def draw(canvas: np.ndarray, shape: str, box_px: Box, colour: tuple[int, int, int]) -> None:
    """Draws a thing so that it fills its box."""
    for part_colour, polygon in SHAPES[shape]:
        cv2.fillPoly(canvas, [_pixels(polygon, box_px)], part_colour or colour)


def mask_of(size: tuple[int, int], shape: str, box_px: Box, parts: slice) -> np.ndarray:
    """(h, w) uint8, 255 where some parts of the thing are."""
    mask = np.zeros(size, np.uint8)
    for _, polygon in SHAPES[shape][parts]:
        cv2.fillPoly(mask, [_pixels(polygon, box_px)], 255)
    return mask


def _pixels(polygon: list[Point], box_px: Box) -> np.ndarray:
    left, top, right, bottom = box_px
    # A polygon's edges belong to it, so that the box's last pixels are one less.
    scale = np.array([right - left - 1, bottom - top - 1])
    return np.rint(np.array(polygon) * scale + (left, top)).astype(np.int32)

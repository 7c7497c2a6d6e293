"""Which detection found which object: overlaps of whole columns, no loop over images.

Detections meet objects of their own image and class only. Rows are sorted by that pair, the key;
pairs of rows are made some million at a time, and of each detection only its best object stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from datumaro_openimages_plugin.evaluation.rle import Rle
from datumaro_openimages_plugin.evaluation.rules import Rules

__all__ = ["Detections", "Matches", "Objects", "match", "match_masks"]

_PAIRS = 2_000_000  # pairs of rows at a time: some 200 MB


@dataclass
class Objects:
    """Ground truth.

    ``key``: (n,) int64; ``box``: (n, 4) x1, y1, x2, y2 as fractions; ``group``: (n,) bool;
    ``mask``: n masks or None.
    """

    key: np.ndarray
    box: np.ndarray
    group: np.ndarray
    mask: Sequence[Rle | None]


@dataclass
class Detections:
    """Detections sorted by ``key``, then by falling ``score``; columns as those of `Objects`."""

    key: np.ndarray
    box: np.ndarray
    score: np.ndarray
    mask: Sequence[Rle | None]


@dataclass
class Matches:
    """What became of the detections.

    Attributes:
        found: (n,) bool: true positives.
        ignored: (n,) bool: neither true nor false.
        groups: (m,) int64 group-of objects that detections are inside of.
        group_scores: (m,) float64 the highest score inside.
    """

    found: np.ndarray
    ignored: np.ndarray
    groups: np.ndarray
    group_scores: np.ndarray


Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Pairs of (detections, objects) -> their overlaps, (n,) float64."""


def match(detections: Detections, objects: Objects, rules: Rules) -> Matches:
    """Matches boxes: first with ordinary boxes, the rest with group-of boxes."""
    found = np.zeros(len(detections.key), bool)
    iou, ioa = _box_overlaps(detections, objects, rules)
    singles, groups = np.flatnonzero(~objects.group), np.flatnonzero(objects.group)
    found[_find(detections, objects, singles, iou, ~found, rules)] = True
    inside, which = _best(detections, objects, groups, ioa, ~found, rules.iou)
    ignored = np.zeros_like(found)
    ignored[inside] = True
    return Matches(found, ignored, *_best_scores(which, detections.score[inside]))


def match_masks(detections: Detections, objects: Objects, rules: Rules) -> Matches:
    """Matches masks; what then finds a box that has no mask is neither true nor false.

    Most boxes have no mask, so a detection of such an object cannot be judged: the first one to
    find the box, and all inside a group-of box, are left out.
    """
    has_mask = np.array([mask is not None for mask in objects.mask], bool)
    iou, ioa = _mask_overlaps(detections, objects, rules)
    found = np.zeros(len(detections.key), bool)
    masked = np.flatnonzero(~objects.group & has_mask)
    found[_find(detections, objects, masked, iou, ~found, rules)] = True
    groups = np.flatnonzero(objects.group & has_mask)
    inside, which = _best(detections, objects, groups, ioa, ~found, rules.iou)
    ignored = np.zeros_like(found)
    ignored[inside] = True

    iou, ioa = _box_overlaps(detections, objects, rules)
    bare = np.flatnonzero(~objects.group & ~has_mask)
    ignored[_find(detections, objects, bare, iou, ~found & ~ignored, rules)] = True
    groups = np.flatnonzero(objects.group & ~has_mask)
    unjudged, _ = _best(detections, objects, groups, ioa, ~found & ~ignored, rules.iou)
    ignored[unjudged] = True
    return Matches(found, ignored, *_best_scores(which, detections.score[inside]))


def _find(
    detections: Detections,
    objects: Objects,
    among: np.ndarray,
    overlap: Overlap,
    active: np.ndarray,
    rules: Rules,
) -> np.ndarray:
    """The detections that find one of some objects, each object found once, best score first."""
    if rules.matching == "free":
        return _find_free(detections, objects, among, overlap, active, rules)
    rows, best = _best(detections, objects, among, overlap, active, rules.iou)
    return rows[np.unique(best, return_index=True)[1]]


def _find_free(
    detections: Detections,
    objects: Objects,
    among: np.ndarray,
    overlap: Overlap,
    active: np.ndarray,
    rules: Rules,
) -> np.ndarray:
    found: dict[int, int] = {}
    taken: set[int] = set()
    for rows, others in _pairs(detections, objects, among, active):
        values = overlap(rows, others)
        near = np.flatnonzero(values >= rules.iou)
        near = near[np.lexsort((-values[near], rows[near]))]
        for row, other in zip(rows[near].tolist(), others[near].tolist(), strict=True):
            if row not in found and other not in taken:
                found[row] = other
                taken.add(other)
    return np.array(sorted(found), np.int64)


def _best_scores(which: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    groups, at = np.unique(which, return_inverse=True)
    best = np.full(len(groups), -np.inf)
    np.maximum.at(best, at.reshape(-1), scores)
    return groups, best


def _best(
    detections: Detections,
    objects: Objects,
    among: np.ndarray,
    overlap: Overlap,
    active: np.ndarray,
    least: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Of each detection the object that it overlaps best, the first of equals, if by ``least``.

    Returns:
        (m,) detections in their order, (m,) objects.
    """
    parts = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for rows, others in _pairs(detections, objects, among, active):
        values = overlap(rows, others)
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        best = np.maximum.reduceat(values, starts)
        each = np.repeat(best, np.diff(starts, append=len(rows)))
        at = np.flatnonzero((values == each) & (values >= least))
        at = at[np.flatnonzero(np.diff(rows[at], prepend=-1))]
        parts.append((rows[at], others[at]))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]


def _pairs(
    detections: Detections, objects: Objects, among: np.ndarray, active: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of active detections and chosen objects of one key, by detection, then by object."""
    among = among[np.argsort(objects.key[among], kind="stable")]
    keys = objects.key[among]
    rows = np.flatnonzero(active)
    low = np.searchsorted(keys, detections.key[rows])
    counts = np.searchsorted(keys, detections.key[rows], side="right") - low
    rows, low, counts = rows[counts > 0], low[counts > 0], counts[counts > 0]
    ends = np.cumsum(counts)
    start = 0
    while start < len(rows):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _PAIRS, side="right")))
        part = counts[start:stop]
        within = np.arange(int(part.sum())) - np.repeat(np.cumsum(part) - part, part)
        yield np.repeat(rows[start:stop], part), among[np.repeat(low[start:stop], part) + within]
        start = stop


def _box_overlaps(
    detections: Detections, objects: Objects, rules: Rules
) -> tuple[Overlap, Overlap]:
    """The overlap of boxes for ordinary objects and for group-of ones."""
    own, other = _areas(detections.box), _areas(objects.box)

    def shared(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        a, b = detections.box[rows], objects.box[others]
        extent = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
        return np.prod(np.maximum(extent, 0), axis=1)

    def iou(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        common = shared(rows, others)
        return common / (own[rows] + other[others] - common)

    def ioa(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        return shared(rows, others) / own[rows]

    return iou, (ioa if rules.group_overlap == "area" else iou)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)  # type: ignore[no-any-return]


def _mask_overlaps(
    detections: Detections, objects: Objects, rules: Rules
) -> tuple[Overlap, Overlap]:
    """The overlap of masks for ordinary objects and for group-of ones."""

    def overlaps(rows: np.ndarray, others: np.ndarray, over_own: bool) -> np.ndarray:
        result = np.empty(len(rows))
        starts = np.flatnonzero(np.diff(detections.key[rows], prepend=-1))
        for start, stop in zip(starts, np.append(starts[1:], len(rows)), strict=True):
            # The pairs of one key are a whole matrix, detection by detection.
            ours = np.unique(rows[start:stop])
            theirs = others[start : start + (stop - start) // len(ours)]
            matrix = coco_mask.iou(
                [detections.mask[row] for row in ours],
                [objects.mask[other] for other in theirs],
                [int(over_own)] * len(theirs),
            )
            result[start:stop] = matrix.reshape(-1)
        return result

    def iou(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        return overlaps(rows, others, False)

    def ioa(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        return overlaps(rows, others, True)

    return iou, (ioa if rules.group_overlap == "area" else iou)

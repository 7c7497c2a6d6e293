"""Precision, recall and average precision of classes, from detections that were judged."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from datumaro_openimages_plugin.evaluation.matching import Matches
from datumaro_openimages_plugin.evaluation.rules import Rules

__all__ = ["ClassScore", "Scores", "average_precision", "scores_of_classes"]


@dataclass(frozen=True)
class ClassScore:
    """What one class got.

    Attributes:
        label: LabelName.
        name: Its name for people.
        average_precision: NaN where there is nothing to find.
        objects: Objects to find, without group-of boxes.
        groups: Group-of boxes.
        found: Objects found: true positives.
        groups_found: Group-of boxes with a detection inside.
        false: False positives.
    """

    label: str
    name: str
    average_precision: float
    objects: int
    groups: int
    found: int
    groups_found: int
    false: int


@dataclass(frozen=True)
class Scores:
    """What a set of predictions got.

    Attributes:
        mean_average_precision: Over the classes with something to find; NaN where there is none.
        classes: Per class, those with objects or detections, in the order of the categories.
        left_out: What was not counted and why: reason -> how many.
        rules: The rules.
        masks: Whether masks were compared rather than boxes.
    """

    mean_average_precision: float
    classes: tuple[ClassScore, ...]
    left_out: Mapping[str, int]
    rules: Rules
    masks: bool
    metric: str = field(init=False, default="")

    def __post_init__(self) -> None:
        track = "InstanceSegmentation" if self.masks else "Detection"
        name = f"OpenImages{track}Challenge_Precision/mAP@{self.rules.iou:g}IOU"
        object.__setattr__(self, "metric", name)

    def to_json(self) -> str:
        """All of it as JSON, NaN as null."""
        return json.dumps(_without_nan(asdict(self)), ensure_ascii=False, indent=1) + "\n"

    def __str__(self) -> str:
        head = ("AP", "objects", "groups", "found", "in groups", "false", "class")
        rows = [
            (
                _percent(c.average_precision),
                *map(str, (c.objects, c.groups, c.found, c.groups_found, c.false)),
                c.name if c.name == c.label else f"{c.name} ({c.label})",
            )
            for c in sorted(self.classes, key=lambda c: _falling(c.average_precision))
        ]
        widths = [max(len(row[i]) for row in [head, *rows]) for i in range(6)]
        lines = [
            "  ".join([*(row[i].rjust(widths[i]) for i in range(6)), _one_line(row[6])])
            for row in [head, *rows]
        ]
        lines += [f"left out: {count} {reason}" for reason, count in self.left_out.items() if count]
        return "\n".join([*lines, f"{self.metric}: {self.mean_average_precision:.6f}"])


def _falling(value: float) -> float:
    return math.inf if math.isnan(value) else -value


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def average_precision(
    scores: np.ndarray, weights: np.ndarray, total: float, interpolation: str = "area"
) -> float:
    """The average precision of one class.

    Args:
        scores: (n,) of the detections; of equal ones the first come first.
        weights: (n,) what each adds to the true positives; 0 for a false positive.
        total: How much there is to find.
        interpolation: ``area`` or ``11-point``; see `Rules`.

    Returns:
        0 to 1; NaN where there is nothing to find.
    """
    if not total:
        return math.nan
    weights = weights[np.argsort(-scores, kind="stable")]
    found = np.cumsum(weights)
    recall = found / total
    precision = found / (found + np.cumsum(weights <= 0))
    # From right to left, so that precision never rises with recall.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    if interpolation == "11-point":
        at = np.searchsorted(recall, np.arange(11) / 10 - 1e-12)
        return float(np.append(precision, 0)[at].mean())
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def scores_of_classes(
    names: Sequence[tuple[str, str]],
    truth: tuple[np.ndarray, np.ndarray],
    detections: tuple[np.ndarray, np.ndarray],
    matches: Matches,
    rules: Rules,
) -> tuple[ClassScore, ...]:
    """The scores of all classes that have objects or detections.

    Args:
        names: (LabelName, DisplayName) by label code.
        truth: (n,) labels of the objects that count, and (n,) whether they are group-of boxes;
            an object that does not count has the label -1.
        detections: (m,) labels and (m,) scores.
        matches: What became of the detections.
        rules: The rules.
    """
    count = len(names)
    counted = truth[0] >= 0
    objects = np.bincount(truth[0][counted & ~truth[1]], minlength=count)
    groups = np.bincount(truth[0][counted & truth[1]], minlength=count)
    judged = np.flatnonzero(~matches.ignored)
    labels, scores = detections[0][judged], detections[1][judged]
    weights = matches.found[judged].astype(np.float64)
    found = np.bincount(labels[weights > 0], minlength=count)
    false = np.bincount(labels[weights == 0], minlength=count)
    group_labels = truth[0][matches.groups]
    groups_found = np.bincount(group_labels, minlength=count)
    if rules.group_of_weight:
        labels = np.concatenate([labels, group_labels])
        scores = np.concatenate([scores, matches.group_scores])
        weights = np.concatenate([weights, np.full(len(group_labels), rules.group_of_weight)])
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(count + 1))
    result = []
    for code in np.flatnonzero(objects + groups + found + false).tolist():
        rows = order[bounds[code] : bounds[code + 1]]
        total = objects[code] + rules.group_of_weight * groups[code]
        value = average_precision(scores[rows], weights[rows], total, rules.interpolation)
        numbers = (int(n[code]) for n in (objects, groups, found, groups_found, false))
        label, name = names[code]
        result.append(ClassScore(label, name, value, *numbers))
    return tuple(result)

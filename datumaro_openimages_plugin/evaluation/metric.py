"""Truth and predictions -> columns -> expansion -> matching -> scores."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from datumaro_openimages_plugin.classes.hierarchy import Hierarchy
from datumaro_openimages_plugin.evaluation.columns import (
    Known,
    Table,
    Truth,
    predictions_from_dataset,
    truth_from_dataset,
)
from datumaro_openimages_plugin.evaluation.expand_rows import RowExpansion
from datumaro_openimages_plugin.evaluation.matching import (
    Detections,
    Matches,
    Objects,
    match,
    match_masks,
)
from datumaro_openimages_plugin.evaluation.predictions import predictions_from_csv
from datumaro_openimages_plugin.evaluation.rules import Rules
from datumaro_openimages_plugin.evaluation.scores import Scores, scores_of_classes

__all__ = ["evaluate"]


def evaluate(
    truth: Any,
    predictions: Any,
    *,
    masks: bool = False,
    subset: str | None = None,
    hierarchy: Hierarchy | None = None,
    rules: Rules | None = None,
) -> Scores:
    """Scores predictions by the metric of the Open Images challenge.

    Images are matched by id, classes by LabelName. A class counts in an image where the truth has
    it as an image label, present or absent, or as a box; see `Rules` for every choice.

    Args:
        truth: A Datumaro dataset: boxes with ``is_group_of``, image labels with ``score`` 1 or 0,
            masks in the groups of their boxes.
        predictions: A Datumaro dataset whose boxes or masks have a ``score``, or the path of a
            CSV of the challenge (`BOX_FIELDS`, `MASK_FIELDS`).
        masks: Whether masks are compared rather than boxes.
        subset: The only subset to score.
        hierarchy: The tree of classes; None takes the one that the truth was imported with, or
            else the parents of its categories.
        rules: The rules; None takes those of the 2019 challenge.

    Raises:
        FormatError: A file is damaged, or images cannot be told apart.
        AnnotationError: A prediction lacks a class or a score.
    """
    rules = Rules() if rules is None else rules
    known = Known()
    truth_table = truth_from_dataset(truth, masks, subset, known)
    if isinstance(predictions, (str, os.PathLike)):
        found = predictions_from_csv(os.fspath(predictions), masks, known)
    else:
        found = predictions_from_dataset(predictions, masks, subset, known)
    if hierarchy is None:
        hierarchy = truth_table.hierarchy
    found = _without_extent(found, known)
    objects, verified, found = _expanded(truth_table, found, hierarchy, rules, known)
    found = _where_verified(found, objects, verified, rules, known)
    return _scores(objects, found, masks, rules, known)


def _scores(objects: Table, found: Table, masks: bool, rules: Rules, known: Known) -> Scores:
    labels = len(known.labels)
    keys = found.image * labels + found.label
    order = np.lexsort((-found.score, keys))
    found = found.take(order)
    detections = Detections(keys[order], found.box, found.score, found.mask)
    targets = Objects(
        objects.image * labels + objects.label, objects.box, objects.group, objects.mask
    )
    matches: Matches = (match_masks if masks else match)(detections, targets, rules)
    counted = objects.label
    if masks:  # boxes without a mask are nothing to find
        bare = np.array([mask is None for mask in objects.mask], bool)
        counted = np.where(bare, -1, counted)
    classes = scores_of_classes(
        [(name, known.display_names.get(name, name)) for name in known.labels],
        (counted, objects.group),
        (found.label, found.score),
        matches,
        rules,
    )
    values = [c.average_precision for c in classes if not np.isnan(c.average_precision)]
    mean = float(np.mean(values)) if values else float("nan")
    return Scores(mean, classes, dict(known.left_out), rules, masks)


def _without_extent(found: Table, known: Known) -> Table:
    """The predictions less empty masks and boxes whose corners are swapped or equal."""
    good = (found.box[:, 2:] > found.box[:, :2]).all(axis=1)
    known.left_out["predictions without an area"] += int((~good).sum())
    return found if good.all() else found.take(np.flatnonzero(good))


def _expanded(
    truth: Truth, found: Table, hierarchy: Hierarchy | None, rules: Rules, known: Known
) -> tuple[Table, np.ndarray, Table]:
    """Objects, (n, 2) image and label of what was verified, and predictions, expanded."""
    verified = truth.verified
    if rules.expand == "none":
        return truth.objects, verified[:, :2], found
    expansion = RowExpansion(hierarchy, known.labels, rules.repeats == "keep")
    present, absent = verified[verified[:, 2] == 1], verified[verified[:, 2] == 0]
    parts = []
    for part, expand in ((present, expansion.up), (absent, expansion.down)):
        rows, label = expand(part[:, 1])
        parts.append(np.stack([part[rows, 0], label], axis=1))
    rows, label = expansion.up(truth.objects.label)
    objects = truth.objects.take(rows, label)
    if rules.expand == "both":
        rows, label = RowExpansion(hierarchy, known.labels, repeats=False).up(found.label)
        found = found.take(rows, label)
    return objects, np.concatenate(parts), found


def _where_verified(
    found: Table, objects: Table, verified: np.ndarray, rules: Rules, known: Known
) -> Table:
    """The predictions of classes that somebody verified in their image, or all of them."""
    if rules.unverified == "count":
        return found
    labels = len(known.labels)
    keys = np.concatenate(
        [objects.image * labels + objects.label, verified[:, 0] * labels + verified[:, 1]]
    )
    kept = np.isin(found.image * labels + found.label, keys)
    known.left_out["predictions of classes that nobody verified there"] += int((~kept).sum())
    return found.take(np.flatnonzero(kept))

"""Datasets -> the columns that are compared: boxes as fractions, masks as run lengths, codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.annotations.shapes import is_outline, masks_from_outlines
from datumaro_openimages_plugin.classes.hierarchy import Hierarchy
from datumaro_openimages_plugin.errors import AnnotationError, FormatError
from datumaro_openimages_plugin.evaluation.expand_rows import hierarchy_from_parents
from datumaro_openimages_plugin.evaluation.item_values import (
    boxes_of,
    corners_frac,
    is_group,
    is_verified,
    score_of,
    twice,
    uncompared,
)
from datumaro_openimages_plugin.evaluation.rle import Rle, box_frac, resized, rle_from_mask
from datumaro_openimages_plugin.writing.media import item_size

Row = tuple[int, int, Any, float, bool, "Rle | None"]
"""image, label, box, score, group, mask."""

__all__ = ["Known", "Row", "Table", "Truth", "predictions_from_dataset", "truth_from_dataset"]


@dataclass
class Known:
    """What both sides are matched by.

    Attributes:
        images: Image id -> code.
        labels: LabelName -> code; grows.
        display_names: LabelName -> DisplayName.
        sizes: Image code -> (height, width) in pixels that its masks are compared at.
        left_out: Reason -> how many annotations were left out for it.
    """

    images: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    display_names: dict[str, str] = field(default_factory=dict)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def label(self, name: str) -> int:
        """The code of a LabelName."""
        return self.labels.setdefault(name, len(self.labels))

    def at_size(self, mask: Rle, image: int) -> Rle:
        """A mask at the size that masks of its image are compared at, that of the first one."""
        size: tuple[int, int] = tuple(mask["size"])  # type: ignore[assignment]
        return resized(mask, self.sizes.setdefault(image, size))


@dataclass
class Table:
    """Boxes or masks, a row each.

    ``image``, ``label``: (n,) int64; ``box``: (n, 4) float64 x1, y1, x2, y2 as fractions;
    ``score``: (n,) float64; ``group``: (n,) bool; ``mask``: n masks or None.
    """

    image: np.ndarray
    label: np.ndarray
    box: np.ndarray
    score: np.ndarray
    group: np.ndarray
    mask: list[Rle | None]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Table:
        """A table of rows."""
        columns: list[Any] = [list(column) for column in zip(*rows, strict=True)] or [[]] * 6
        image, label, box, score, group, mask = columns
        return cls(
            np.array(image, np.int64),
            np.array(label, np.int64),
            np.array(box, np.float64).reshape(-1, 4),
            np.array(score, np.float64),
            np.array(group, bool),
            mask,
        )

    def take(self, rows: np.ndarray, label: np.ndarray | None = None) -> Table:
        """Some rows, under other labels where they are given."""
        masks = [self.mask[row] for row in rows.tolist()] if any(self.mask) else [None] * len(rows)
        return Table(
            self.image[rows],
            self.label[rows] if label is None else label,
            self.box[rows],
            self.score[rows],
            self.group[rows],
            masks,
        )


@dataclass
class Truth:
    """Ground truth: its objects; image labels as (n, 3) int64 image, label, present; the tree."""

    objects: Table
    verified: np.ndarray
    hierarchy: Hierarchy | None


class _Labels:
    """The codes of a dataset's labels, by LabelName however they are shown."""

    def __init__(self, dataset: Any, known: Known) -> None:
        categories = dataset.categories().get(AnnotationType.label, ())
        names = [label.name for label in categories]
        parents = {label.name: getattr(label, "parent", "") for label in categories}
        self.hierarchy = hierarchy_from_parents(parents)
        imported = _imported_from(dataset)
        if imported is not None:
            label_names = {shown: name for name, shown in imported.shown.items()}
            names = [label_names.get(name, name) for name in names]
            known.display_names.update(imported.classes.display_names)
            self.hierarchy = imported.classes.hierarchy
        self.codes = [known.label(name) for name in names]

    def code(self, annotation: Any, item: DatasetItem) -> int:
        label = annotation.label
        if label is None or not 0 <= label < len(self.codes):
            kind = annotation.type.name
            raise AnnotationError(f"a {kind} has no label", image_id=item.id, value=label)
        return self.codes[label]


def _imported_from(dataset: Any) -> Any:
    """What the first items with an origin were imported from, None where there is none."""
    for number, item in enumerate(dataset):
        origin = getattr(item, "origin", None)
        if origin is not None:
            return origin.dataset
        if number >= 100:
            break
    return None


def truth_from_dataset(dataset: Any, masks: bool, subset: str | None, known: Known) -> Truth:
    """The columns of the ground truth; its images and labels become known.

    Raises:
        FormatError: No image is left, or an id is in two subsets.
        AnnotationError: A box, mask or label has no class, or a flag is none.
    """
    labels = _Labels(dataset, known)
    rows: list[Row] = []
    verified: list[tuple[int, int, int]] = []
    for item in dataset:
        if subset is not None and item.subset != subset:
            continue
        if item.id in known.images:
            raise twice(item, "truth")
        image = known.images[item.id] = len(known.images)
        size = item_size(item)
        if size is not None:
            known.sizes[image] = size
        for annotation in item.annotations:
            if annotation.type is AnnotationType.label:
                present = is_verified(annotation)
                if present is not None:
                    verified.append((image, labels.code(annotation, item), present))
        known.left_out.update(uncompared(item, masks, "truth"))
        rows += _truth_rows(item, image, size, masks, labels, known)
    if not known.images:
        of_subset = "" if subset is None else " of this subset"
        raise FormatError(f"the truth has no images{of_subset}", value=subset)
    table = np.array(verified, np.int64).reshape(-1, 3)
    return Truth(Table.of(rows), table, labels.hierarchy)


def _truth_rows(
    item: DatasetItem,
    image: int,
    size: tuple[int, int] | None,
    masks: bool,
    labels: _Labels,
    known: Known,
) -> Iterator[Row]:
    """The objects of an item: its boxes, or each mask and the boxes that have no mask."""
    boxes = boxes_of(item)
    if masks:
        of_key = {(box.group, box.label): box for box in boxes if box.group}
        masked = set()
        for shape, mask in _masks(item, image, size, known):
            box = of_key.get((shape.group, shape.label))
            masked.add((shape.group, shape.label))
            group = box is not None and is_group(box, item)
            yield image, labels.code(shape, item), box_frac(mask), 1.0, group, mask
        boxes = [box for box in boxes if not box.group or (box.group, box.label) not in masked]
    for box, corners in zip(boxes, corners_frac(boxes, size), strict=True):
        yield image, labels.code(box, item), corners, 1.0, is_group(box, item), None


def predictions_from_dataset(dataset: Any, masks: bool, subset: str | None, known: Known) -> Table:
    """The columns of the predictions, without those of images that the truth does not have.

    Raises:
        FormatError: An id is in two subsets.
        AnnotationError: A prediction has no class or no score.
    """
    labels = _Labels(dataset, known)
    rows: list[Row] = []
    seen: set[str] = set()
    for item in dataset:
        image = known.images.get(item.id)
        if subset is not None and item.subset not in (subset, "default"):
            continue
        if image is None:
            known.left_out["predictions for images that the truth lacks"] += len(item.annotations)
            continue
        if item.id in seen:
            raise twice(item, "predictions")
        seen.add(item.id)
        size = item_size(item)
        if size is None and not hasattr(item, "origin"):
            size = known.sizes.get(image)
        known.left_out.update(uncompared(item, masks, "predictions"))
        rows += _prediction_rows(item, image, size, masks, labels, known)
    return Table.of(rows)


def _prediction_rows(
    item: DatasetItem,
    image: int,
    size: tuple[int, int] | None,
    masks: bool,
    labels: _Labels,
    known: Known,
) -> Iterator[Row]:
    boxes = boxes_of(item)
    if masks:
        of_key = {(box.group, box.label): box for box in boxes if box.group}
        for shape, mask in _masks(item, image, size, known):
            # The tables of masks have no score: it stands with the box.
            score = score_of(item, shape, of_key.get((shape.group, shape.label)))
            yield image, labels.code(shape, item), box_frac(mask), score, False, mask
        return
    for box, corners in zip(boxes, corners_frac(boxes, size), strict=True):
        yield image, labels.code(box, item), corners, score_of(item, box), False, None


def _masks(
    item: DatasetItem, image: int, size: tuple[int, int] | None, known: Known
) -> Iterator[tuple[Any, Rle]]:
    """Each mask and each outline, (annotation, run lengths), at the image's size."""
    shapes = [a for a in item.annotations if a.type is AnnotationType.mask]
    outlines = [a for a in item.annotations if is_outline(a)]
    if outlines and size is None:
        known.left_out["outlines on images of unknown size"] += len(outlines)
    elif outlines and size is not None:
        shapes += masks_from_outlines(outlines, size)
    for shape in shapes:
        yield shape, known.at_size(rle_from_mask(shape.image), image)

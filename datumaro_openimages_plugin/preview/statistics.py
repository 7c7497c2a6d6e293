"""Figures of a whole dataset, and which of its images to show: one pass over the items."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.kinds.boxes import FLAGS
from datumaro_openimages_plugin.writing.media import item_size

__all__ = ["SIDE_BINS", "Figures", "survey"]

#: How many bins the sizes of boxes are sorted into, by the square root of their share of the image.
SIDE_BINS = 20


@dataclass
class Figures:
    """Counts over a dataset.

    Attributes:
        images: How many images there are.
        pictures: How many of them have a picture.
        subsets: Subset -> images.
        annotations: What -> how many: type of annotation, ``relationships``.
        boxes: Label -> boxes.
        masks: Label -> masks.
        present: Label -> images that a person found it in.
        absent: Label -> images that a person found it not to be in.
        machine: Label -> images that a machine says it is in.
        boxes_per_image: Number of boxes -> images.
        sides: (`SIDE_BINS`,) boxes by the square root of their share of the image.
        flags: Flag -> (yes, no, unknown).
    """

    images: int = 0
    pictures: int = 0
    subsets: Counter[str] = field(default_factory=Counter)
    annotations: Counter[str] = field(default_factory=Counter)
    boxes: Counter[int] = field(default_factory=Counter)
    masks: Counter[int] = field(default_factory=Counter)
    present: Counter[int] = field(default_factory=Counter)
    absent: Counter[int] = field(default_factory=Counter)
    machine: Counter[int] = field(default_factory=Counter)
    boxes_per_image: Counter[int] = field(default_factory=Counter)
    sides: list[int] = field(default_factory=lambda: [0] * SIDE_BINS)
    flags: dict[str, list[int]] = field(default_factory=lambda: {name: [0, 0, 0] for name in FLAGS})

    def add(self, item: DatasetItem) -> None:
        """Counts one item."""
        self.images += 1
        self.pictures += item.media is not None
        self.subsets[item.subset] += 1
        boxes = [a for a in item.annotations if a.type is AnnotationType.bbox]
        self.boxes_per_image[len(boxes)] += 1
        self._add_boxes(boxes, item)
        for annotation in item.annotations:
            self.annotations[annotation.type.name] += 1
            if annotation.type is AnnotationType.mask:
                self.masks[_label(annotation)] += 1
            elif annotation.type is AnnotationType.label:
                self._add_label(annotation)
        found = item.attributes.get("relationships")
        if isinstance(found, list) and found:
            self.annotations["relationships"] += len(found)

    def _add_boxes(self, boxes: list[Any], item: DatasetItem) -> None:
        if not boxes:
            return
        height, width = item_size(item) or (1, 1)
        for box in boxes:
            self.boxes[_label(box)] += 1
            x1, y1, x2, y2 = box.points
            share = max(0.0, (x2 - x1) * (y2 - y1) / (height * width))
            if math.isfinite(share):
                self.sides[min(SIDE_BINS - 1, int(math.sqrt(share) * SIDE_BINS))] += 1
            for name, counts in self.flags.items():
                value = box.attributes.get(name)
                counts[2 if value is None else int(not value)] += 1

    def _add_label(self, label: Any) -> None:
        score = label.attributes.get("score", 1)
        if label.attributes.get("source") == "machine" or score not in (0, 1):
            self.machine[_label(label)] += 1
        elif score:
            self.present[_label(label)] += 1
        else:
            self.absent[_label(label)] += 1


def survey(
    items: Iterable[DatasetItem], show: int, *, pick: str = "rich", seed: int = 0
) -> tuple[Figures, list[DatasetItem]]:
    """Counts all items, and keeps some to show.

    Args:
        items: The dataset.
        show: How many to keep.
        pick: ``rich`` prefers images with a picture and many kinds of annotations, ``random`` any
            image with a picture.
        seed: Another one keeps other images; the same one the same, in whatever order they come.
    """
    figures = Figures()
    kept: list[tuple[Any, int, DatasetItem]] = []
    for number, item in enumerate(items):
        figures.add(item)
        if not show:
            continue
        kinds = {a.type for a in item.annotations} if pick == "rich" else set()
        digest = hashlib.sha256(f"{seed}/{item.subset}/{item.id}".encode("utf-8", "replace"))
        entry = ((item.media is not None, len(kinds), digest.digest()), number, item)
        if len(kept) < show:
            heapq.heappush(kept, entry)
        else:
            heapq.heappushpop(kept, entry)
    return figures, [item for _, _, item in sorted(kept, reverse=True, key=lambda entry: entry[:2])]


def _label(annotation: Any) -> int:
    return -1 if annotation.label is None else annotation.label

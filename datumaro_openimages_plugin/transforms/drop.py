"""Transforms that remove annotations by what they say."""

from __future__ import annotations

import argparse
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem, annotations_list
from datumaro_openimages_plugin.errors import OptionError
from datumaro_openimages_plugin.transforms.base import Transform, is_machine

__all__ = ["FLAGS", "OpenImagesDropBoxes", "OpenImagesDropNegatives", "has_flag", "is_negative"]

#: What a box can be known to be, as attributes; `kinds.boxes` has the columns.
FLAGS = ("occluded", "truncated", "is_group_of", "is_depiction", "is_inside")


class OpenImagesDropNegatives(Transform):
    """
    Removes what says that a class is absent: image labels with a score of 0, and point labels
    answered 'no'. Other formats have no place for them and would take them for what is there.|n
    |n
    Examples:|n
    - Keep what is in the images:|n |n
    |s|sdatum transform -t open_images_drop_negatives -o positives my_dataset:open_images|n
    |n
    - Keep what people are sure of:|n |n
    |s|sdatum transform -t open_images_drop_negatives -o positives my_dataset:open_images -- \
--unverified
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_drop_negatives"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--unverified",
            action="store_true",
            help="Remove labels of a classifier and points answered 'unsure', too",
        )
        return parser

    def __init__(self, extractor: Any, unverified: bool = False) -> None:
        super().__init__(extractor)
        self._length = "parent"
        self._unverified = unverified

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item without them."""
        kept = [
            a
            for a in item.annotations
            if not (is_negative(a) or (self._unverified and is_unverified(a)))
        ]
        return self.wrap_item(item, annotations=annotations_list(kept))


def is_negative(annotation: Any) -> bool:
    """Whether an annotation says that its class is absent."""
    if annotation.type is AnnotationType.points:
        return _answer(annotation) == "no"
    if annotation.type is not AnnotationType.label:
        return False
    try:
        return float(annotation.attributes.get("score", 1)) == 0
    except (TypeError, ValueError, OverflowError):
        return False


def is_unverified(annotation: Any) -> bool:
    """Whether an annotation is a guess: a classifier's, or people's who were not sure."""
    if annotation.type is AnnotationType.points:
        return _answer(annotation) == "unsure"
    return annotation.type is AnnotationType.label and is_machine(annotation)


def _answer(point: Any) -> str:
    return str(point.attributes.get("estimated_yes_no")).lower()


class OpenImagesDropBoxes(Transform):
    """
    Removes boxes by what they show, together with the masks of the same group. Boxes of which it
    is not known stay.|n
    |n
    Examples:|n
    - Keep single, real objects:|n |n
    |s|sdatum transform -t open_images_drop_boxes -o single my_dataset:open_images -- \
--group-of --depiction --inside
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_drop_boxes"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        for name, text in (
            ("--group-of", "Boxes around several objects that touch each other"),
            ("--depiction", "Boxes of drawings and other depictions"),
            ("--inside", "Boxes of objects seen from their inside"),
            ("--occluded", "Boxes of objects that others cover in part"),
            ("--truncated", "Boxes of objects that go beyond the image"),
        ):
            parser.add_argument(name, action="store_true", help=text)
        return parser

    def __init__(
        self,
        extractor: Any,
        group_of: bool = False,
        depiction: bool = False,
        inside: bool = False,
        occluded: bool = False,
        truncated: bool = False,
    ) -> None:
        super().__init__(extractor)
        self._length = "parent"
        chosen = (occluded, truncated, group_of, depiction, inside)
        self._flags = [name for name, wanted in zip(FLAGS, chosen, strict=True) if wanted]

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item without the boxes and their masks."""
        if not self._flags:
            raise OptionError("say which boxes to drop, such as --group-of or group_of=True")
        dropped = {id(a) for a in item.annotations if self._is_dropped(a)}
        groups = {a.group for a in item.annotations if id(a) in dropped} - {0}
        kept = [
            a
            for a in item.annotations
            if id(a) not in dropped and not (a.type is AnnotationType.mask and a.group in groups)
        ]
        return self.wrap_item(item, annotations=annotations_list(kept))

    def _is_dropped(self, annotation: Any) -> bool:
        return annotation.type is AnnotationType.bbox and any(
            has_flag(annotation, name) for name in self._flags
        )


def has_flag(annotation: Any, name: str) -> bool:
    """Whether an annotation says that something holds of it, in whatever type it says so."""
    return str(annotation.attributes.get(name)).lower() in ("true", "1", "1.0")

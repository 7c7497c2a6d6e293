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
    Removes the image labels that say that a class is absent (those with a score of 0). Other
    formats have no place for them and would take them for labels that are present.|n
    |n
    Examples:|n
    - Keep what is in the images:|n |n
    |s|sdatum transform -t open_images_drop_negatives -o positives my_dataset:open_images|n
    |n
    - Keep what people saw in the images:|n |n
    |s|sdatum transform -t open_images_drop_negatives -o positives my_dataset:open_images -- \
--machine
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_drop_negatives"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--machine", action="store_true", help="Remove all labels of a classifier, too"
        )
        return parser

    def __init__(self, extractor: Any, machine: bool = False) -> None:
        super().__init__(extractor)
        self._length = "parent"
        self._machine = machine

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item without these labels."""
        kept = [a for a in item.annotations if not self._is_dropped(a)]
        return self.wrap_item(item, annotations=annotations_list(kept))

    def _is_dropped(self, annotation: Any) -> bool:
        if annotation.type is not AnnotationType.label:
            return False
        return is_negative(annotation) or (self._machine and is_machine(annotation))


def is_negative(annotation: Any) -> bool:
    """Whether a label says that its class is absent."""
    try:
        return float(annotation.attributes.get("score", 1)) == 0
    except (TypeError, ValueError):
        return False


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

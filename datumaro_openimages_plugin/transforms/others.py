"""Transforms that put what Open Images knows where other formats look for it."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import (
    AnnotationType,
    DatasetItem,
    Image,
    Mask,
    annotations_list,
    image_from_file,
)
from datumaro_openimages_plugin.transforms.base import Transform, chosen
from datumaro_openimages_plugin.transforms.drop import has_flag

__all__ = ["OpenImagesCrowds", "OpenImagesSizes"]

log = logging.getLogger(__name__)

_BBOX, _MASK = AnnotationType.bbox, AnnotationType.mask

#: What `OpenImagesSizes` can do with images of unknown size.
_UNKNOWN = ("keep", "shapes", "items")

#: Annotations that have no place in the image.
_SIZELESS = frozenset((AnnotationType.label, AnnotationType.caption))


class OpenImagesSizes(Transform):
    """
    Gives images that have no file in the dataset, but a known size, an image of that size without
    pixels. Formats that need sizes, such as COCO and YOLO, then have them; no picture is made.|n
    |n
    Where the size is not known either, boxes are fractions of the image, which other formats do
    not understand. '--unknown shapes' removes them, '--unknown items' the images altogether.|n
    |n
    An export to open_images keeps sizes by itself; 'datum convert' does this with the format
    open_images_readable.|n
    |n
    Examples:|n
    - Convert annotations of images that were not downloaded:|n |n
    |s|sdataset = Dataset.import_from("my_dataset", "open_images")|n
    |s|sdataset.transform("open_images_sizes", unknown="shapes")|n
    |s|sdataset.export("sized", "coco")
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_sizes"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--unknown",
            choices=_UNKNOWN,
            default="keep",
            help="What to do with images of unknown size (default: %(default)s)",
        )
        return parser

    def __init__(self, extractor: Any, unknown: str = "keep") -> None:
        super().__init__(extractor)
        self._length = None if unknown == "items" else "parent"
        self._unknown = unknown
        self._unsized = 0

    def __iter__(self) -> Iterator[DatasetItem]:
        before = self._unsized
        yield from super().__iter__()
        if self._unsized - before > 1 and self._unknown != "keep":
            log.warning("%d images were of unknown size", self._unsized - before)

    def transform_item(self, item: DatasetItem) -> DatasetItem | None:
        """The item with a sized image where it had none."""
        if isinstance(item.media, Image):
            return item
        origin = getattr(item, "origin", None)
        if origin is not None and origin.size is not None:
            # Where a picture would lie; if it comes to be there, it is the picture.
            path = os.path.join(origin.dataset.root, "images", item.subset, item.id + ".jpg")
            return self.wrap_item(item, media=image_from_file(path, origin.size))
        if chosen(_UNKNOWN, self._unknown, "unknown") == "keep":
            return item
        self._unsized += 1
        if self._unsized == 1:
            log.warning(
                "%s without a file and of unknown size are left out, such as %r; "
                "`datum-openimages missing` lists these images",
                "images" if self._unknown == "items" else "boxes and masks of images",
                item.id,
            )
        if self._unknown == "items":
            return None
        kept = [a for a in item.annotations if a.type in _SIZELESS]
        return self.wrap_item(item, annotations=annotations_list(kept))


class OpenImagesCrowds(Transform):
    """
    Tells an export to COCO which objects are crowds: group-of boxes are, and get a mask of their
    whole area, since COCO has crowds only as masks; everything else is not. Without this, Datumaro
    writes every mask as a crowd and no group-of box as one.|n
    |n
    'datum convert' does this with the format open_images_coco.|n
    |n
    Examples:|n
    - Convert to COCO with the right 'iscrowd':|n |n
    |s|sdataset = Dataset.import_from("my_dataset", "open_images")|n
    |s|sdataset.transform("open_images_crowds")|n
    |s|sdataset.export("crowds", "coco", save_media=True)
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_crowds"

    def __init__(self, extractor: Any) -> None:
        super().__init__(extractor)
        self._length = "parent"

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item whose boxes and masks say whether they are crowds."""
        crowds = {id(a) for a in item.annotations if a.type is _BBOX and has_flag(a, "is_group_of")}
        groups = {a.group for a in item.annotations if id(a) in crowds} - {0}
        masked = {a.group for a in item.annotations if a.type is _MASK}
        free = max((a.group for a in item.annotations), default=0) + 1
        size = item.media.size if isinstance(item.media, Image) else None
        annotations: list[Any] = []
        for annotation in item.annotations:
            if annotation.type not in (_BBOX, _MASK):
                annotations.append(annotation)
                continue
            is_crowd = id(annotation) in crowds or annotation.group in groups
            attributes = {**annotation.attributes, "is_crowd": is_crowd}
            group = annotation.group
            if id(annotation) in crowds and not group:
                group, free = free, free + 1
            annotation = annotation.wrap(attributes=attributes, group=group)
            annotations.append(annotation)
            if annotation.type is _BBOX and is_crowd and group not in masked and size is not None:
                annotations.append(_mask_of(annotation, size))
        return self.wrap_item(item, annotations=annotations_list(annotations))


def _mask_of(box: Any, size: tuple[int, int]) -> Any:
    pixels = _Rectangle(tuple(box.points), (int(size[0]), int(size[1])))
    return Mask(pixels, label=box.label, group=box.group, attributes=dict(box.attributes))


class _Rectangle:
    """Makes the pixels of a box when called; small, and can be pickled."""

    def __init__(self, points: tuple[float, ...], size: tuple[int, int]) -> None:
        self._points = points
        self._size = size

    def __call__(self) -> np.ndarray:
        """(height, width) bool: the pixels that the box touches."""
        mask = np.zeros(self._size, bool)
        left, top, right, bottom = self._points
        rows = slice(max(int(np.floor(top)), 0), int(np.ceil(bottom)))
        mask[rows, max(int(np.floor(left)), 0) : int(np.ceil(right))] = True
        return mask

"""All that is taken from CVAT, imported when it is used: the one module that knows CVAT's names.

The names are those of CVAT's ``apps/dataset_manager``: the registry with its two decorators and
``dm_env``; of ``bindings`` the functions ``GetCVATDataExtractor`` and ``import_dm_annotations`` and
the set ``CVAT_INTERNAL_ATTRIBUTES``; the newer releases' transform
``formats.transformations.EllipsesToMasks``; and of the data that formats are given ``META_FIELD``,
``meta``, ``frame_info`` and ``soft_attribute_import``.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Container
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from datumaro_openimages_plugin.cvat.specs import LabelSpec, specs_from_records

__all__ = [
    "Frame",
    "creates_attributes",
    "extractor_of",
    "frames_of",
    "import_annotations",
    "label_specs_of",
    "never_created",
    "own_id",
    "registry",
    "with_ellipses_as_masks",
]

_MANAGER = "cvat.apps.dataset_manager"


class Frame(NamedTuple):
    """A frame of a task.

    Attributes:
        number: Its number in the task.
        name: What CVAT is to be told as the image's id, to find this frame and no other.
        size: Its (height, width) in pixels.
    """

    number: int
    name: str
    size: tuple[int, int]


def registry() -> Any:
    """The module of CVAT's formats: ``dm_env``, the decorators, both dicts."""
    return importlib.import_module(f"{_MANAGER}.formats.registry")


def _bindings() -> Any:
    return importlib.import_module(f"{_MANAGER}.bindings")


def extractor_of(instance_data: Any, save_images: bool) -> AbstractContextManager[Any]:
    """A task, job or project as a dataset, while the context is open."""
    context: AbstractContextManager[Any] = _bindings().GetCVATDataExtractor(
        instance_data, include_images=save_images
    )
    return context


def with_ellipses_as_masks(extractor: Any) -> Any:
    """The dataset with CVAT's ellipses, of which only CVAT knows what their points are, as masks.

    Older releases give masks in the first place and have no such transform.
    """
    transforms = importlib.import_module(f"{_MANAGER}.formats.transformations")
    transform: Any = getattr(transforms, "EllipsesToMasks", None)
    return transform(extractor) if hasattr(transform, "transform_item") else extractor


def import_annotations(dataset: Any, instance_data: Any) -> None:
    """Puts a dataset's annotations into a task, job or project."""
    _bindings().import_dm_annotations(dataset, instance_data)


def label_specs_of(instance_data: Any) -> dict[str, LabelSpec]:
    """The labels of a task, job or project by name."""
    meta = instance_data.meta[instance_data.META_FIELD]
    return specs_from_records([record for _, record in meta.get("labels", ())], file="CVAT")


def frames_of(instance_data: Any) -> dict[str, Frame]:
    """The frames of a task or job, by the id that an export gives to their image.

    See `own_id`; the frames are in their order.
    """
    parts = {
        number: os.path.splitext(info["path"])
        for number, info in sorted(instance_data.frame_info.items())
    }
    # CVAT itself knows the last of several by this name.
    last = {name: number for number, (name, _) in parts.items()}
    frames: dict[str, Frame] = {}
    for number, (name, extension) in parts.items():
        told = name
        # Number 0 is none to CVAT once it has guessed a folder, so that it looks there.
        if last[name] != number or (number == 0 and extension):
            told = own_id(name + extension, f".{number}", last)
        info = instance_data.frame_info[number]
        size = int(info["height"]), int(info["width"])
        frames[own_id(name, extension, frames)] = Frame(number, told, size)
    return frames


def own_id(name: str, extension: str, taken: Container[str]) -> str:
    """The id of a frame's image: its name without the extension, unless another one has that.

    Args:
        name: The name without the extension.
        extension: The extension, which is then part of the id.
        taken: The ids of the frames before it.
    """
    while name in taken:
        name += extension or "_"
    return name


def creates_attributes(instance_data: Any) -> bool:
    """Whether an attribute that a label lacks is created there, as it is in projects."""
    return bool(getattr(instance_data, "soft_attribute_import", False))


def never_created() -> frozenset[str]:
    """The attributes that are created nowhere; in newer releases ``score`` is one of them."""
    return frozenset(getattr(_bindings(), "CVAT_INTERNAL_ATTRIBUTES", ()))

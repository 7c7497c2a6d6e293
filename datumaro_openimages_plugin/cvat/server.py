"""All that is taken from CVAT, imported when it is used: the one module that knows CVAT's names.

The names are those of CVAT's ``apps/dataset_manager``: the registry with its two decorators and
``dm_env``, ``bindings.GetCVATDataExtractor`` and ``bindings.import_dm_annotations``, the newer
releases' transform ``formats.transformations.EllipsesToMasks``, and of the data that formats are
given ``META_FIELD``, ``meta``, ``frame_info`` and ``soft_attribute_import``.
"""

from __future__ import annotations

import importlib
import os
from contextlib import AbstractContextManager
from typing import Any

from datumaro_openimages_plugin.cvat.specs import LabelSpec, specs_from_records

__all__ = [
    "creates_attributes",
    "extractor_of",
    "frame_sizes",
    "import_annotations",
    "label_specs_of",
    "registry",
    "with_ellipses_as_masks",
]

_MANAGER = "cvat.apps.dataset_manager"


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


def frame_sizes(instance_data: Any) -> dict[str, tuple[int, int]]:
    """Name of each frame, as an image id has it -> its (height, width) in pixels."""
    return {
        os.path.splitext(info["path"])[0]: (int(info["height"]), int(info["width"]))
        for info in instance_data.frame_info.values()
    }


def creates_attributes(instance_data: Any) -> bool:
    """Whether an attribute that a label lacks is created there, as it is in projects."""
    return bool(getattr(instance_data, "soft_attribute_import", False))

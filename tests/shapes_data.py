"""One picture with annotations, exported, and what was made of its masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import oi_files
import pytest
from datumaro.components import annotation as ann
from datumaro.components.annotation import Mask
from datumaro.components.dataset import Dataset
from rich_data import read, save

from datumaro_openimages_plugin._host import DatasetItem, Image, image_from_file

SIZE = (40, 60)


def picture_in(folder: Path) -> Image:
    """A picture of `SIZE` that is there."""
    oi_files.picture(folder, "picture.png", SIZE)
    return image_from_file(str(folder / "picture.png"), SIZE)


def dataset_of(*items, labels=("/m/0", "/m/1")) -> Dataset:
    return Dataset.from_iterable(items, categories=list(labels), media_type=Image)


def item_with(picture, *annotations, name="a", **options) -> DatasetItem:
    return DatasetItem(name, subset="train", media=picture, annotations=annotations, **options)


def exported(path: Path, picture, *annotations) -> Path:
    return save(dataset_of(item_with(picture, *annotations)), path)


def masks_of(path: Path, name: str = "a") -> list[Mask]:
    found = read(path).get(name, "train").annotations
    return [a for a in found if a.type is ann.AnnotationType.mask]


def rectangle(columns: slice, lines: slice = slice(5, 20)) -> np.ndarray:
    image = np.zeros(SIZE, bool)
    image[lines, columns] = True
    return image


def kind(name: str):
    """A class of Datumaro, or a skip where this one does not have it."""
    if not hasattr(ann, name):
        pytest.skip(f"this Datumaro has no {name}")
    return getattr(ann, name)

"""Truths and predictions of a few boxes, as datasets."""

from __future__ import annotations

import numpy as np
from datumaro.components.annotation import Bbox, Label, Mask
from datumaro.components.dataset import Dataset

from datumaro_openimages_plugin._host import DatasetItem

LABELS = ["cat", "dog", "tree"]

#: (height, width) of masks.
SIZE = (10, 20)


def box(x1, y1, x2, y2, label="cat", group=False, score=None, tie=0):
    """A box of fractions; images of unknown size have these as their points."""
    attributes = {"is_group_of": True} if group else {}
    if score is not None:
        attributes["score"] = score
    return Bbox(
        x1, y1, x2 - x1, y2 - y1, label=LABELS.index(label), attributes=attributes, group=tie
    )


def strip(start, stop, label="cat", score=None, tie=0):
    """A mask of whole columns."""
    pixels = np.zeros(SIZE, bool)
    pixels[:, start:stop] = True
    attributes = {} if score is None else {"score": score}
    return Mask(image=pixels, label=LABELS.index(label), attributes=attributes, group=tie)


def verified(label, present):
    return Label(LABELS.index(label), attributes={"score": float(present)})


def dataset(images, labels=None, subset="default"):
    """A dataset of id -> annotations."""
    items = [DatasetItem(name, subset=subset, annotations=found) for name, found in images.items()]
    return Dataset.from_iterable(items, categories=labels or LABELS)

"""Holding two datasets to be equal, item by item and in both orders."""

from __future__ import annotations

import numpy as np
from datumaro.components.annotation import AnnotationType, LabelCategories


def assert_same(left, right) -> None:
    """Holds two datasets to be equal, items, annotations and categories, in both orders."""
    assert_same_categories(left.categories(), right.categories())
    assert set(left.subsets()) == set(right.subsets())
    assert _infos(left) == _infos(right)
    assert left.media_type() is right.media_type()
    for name, subset in left.subsets().items():
        ours, theirs = list(subset), list(right.subsets()[name])
        assert [item.id for item in ours] == [item.id for item in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert_same_item(one, other)
    assert len(left) == len(right)


def assert_same_item(one, other) -> None:
    """Holds two items to be equal in both orders."""
    assert (one.id, one.subset, one.attributes) == (other.id, other.subset, other.attributes)
    assert (one.media is None) == (other.media is None), one.id
    if one.media is not None:
        assert one.media.size == other.media.size, one.id
        assert one.media == other.media and other.media == one.media
    assert len(one.annotations) == len(other.annotations), (one.id, one.annotations)
    for mine, yours in zip(one.annotations, other.annotations, strict=True):
        assert mine == yours and yours == mine, (one.id, mine, yours)
        assert_same_fields(mine, yours)
    assert one == other and other == one


def assert_same_fields(mine, yours) -> None:
    """Holds every public field of two annotations to be equal, values and types."""
    assert mine.type is yours.type
    for field in ("id", "group", "label", "z_order", "object_id"):
        if hasattr(yours, field):
            assert getattr(mine, field) == getattr(yours, field), field
    assert mine.attributes == yours.attributes
    types = {name: type(value) for name, value in yours.attributes.items()}
    assert {name: type(value) for name, value in mine.attributes.items()} == types
    if yours.type is AnnotationType.mask:
        assert mine.image.dtype == yours.image.dtype
        assert np.array_equal(mine.image, yours.image)
    if yours.type is AnnotationType.bbox:
        assert [repr(v) for v in mine.points] == [repr(v) for v in yours.points]


def assert_same_categories(ours, theirs) -> None:
    """Holds the label categories to be equal, with parents and attributes."""
    label = AnnotationType.label
    assert set(ours) == set(theirs)
    one: LabelCategories = ours[label]
    other: LabelCategories = theirs[label]
    assert [(c.name, c.parent) for c in one.items] == [(c.name, c.parent) for c in other.items]
    assert [c.attributes for c in one.items] == [c.attributes for c in other.items]
    assert one.attributes == other.attributes
    assert one == other and other == one


def _infos(dataset):
    infos = getattr(dataset, "infos", None)
    return infos() if infos is not None else None

"""Making items without their constructor, whose conversions and validators take most of its time.

A test holds the result against the constructor's.
"""

from __future__ import annotations

from typing import Any

import attr

from datumaro_openimages_plugin._host import DatasetItem, Image
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.origin import ImageOrigin, OriginItem, other_fields
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME

__all__ = ["make_item", "show_columns"]

_SETTERS = {
    field.name: getattr(OriginItem, field.name).__set__ for field in attr.fields(OriginItem)
}
_OTHERS = other_fields(OriginItem, {"id", "subset", "media", "annotations", "attributes", "origin"})
# Assigning would validate again.
_set_id, _set_subset, _set_media, _set_annotations, _set_attributes, _set_origin = (
    _SETTERS[name] for name in ("id", "subset", "media", "annotations", "attributes", "origin")
)
_new = OriginItem.__new__


def make_item(
    image_id: str,
    subset: str,
    media: Image | None,
    annotations: list[Any],
    origin: ImageOrigin,
) -> DatasetItem:
    """An item, made without its validators where its names need none."""
    if not (image_id.isalnum() and subset.isalnum()):
        # The constructor knows what this Datumaro refuses in names.
        return OriginItem(
            image_id, subset=subset, media=media, annotations=annotations, origin=origin
        )
    item: DatasetItem = _new(OriginItem)
    _set_id(item, image_id)
    _set_subset(item, subset)
    _set_media(item, media)
    _set_annotations(item, annotations)
    _set_attributes(item, {})
    _set_origin(item, origin)
    if _OTHERS:
        for set_field, value in _OTHERS:
            set_field(item, value)
    return item


def show_columns(item: Any) -> None:
    """Puts the columns that Datumaro has no place for into attributes."""
    item.attributes.update(extras.shown(item.origin.fields, extras.IMAGE))
    for annotation in item.annotations:
        origin = annotation.origin
        columns = KINDS_BY_NAME[origin.kind].extra
        annotation.attributes.update(extras.shown(origin.fields, columns))

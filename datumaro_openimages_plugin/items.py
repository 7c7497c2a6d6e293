"""Making items, without what their constructor would check again for each."""

from __future__ import annotations

from typing import Any

import attr

from datumaro_openimages_plugin import extras
from datumaro_openimages_plugin._host import DatasetItem, Image
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.origin import ImageOrigin, OriginItem, other_fields

__all__ = ["make_item", "show_columns"]

_SETTERS = {
    field.name: getattr(OriginItem, field.name).__set__ for field in attr.fields(OriginItem)
}
_OTHERS = other_fields(OriginItem, {"id", "subset", "media", "annotations", "attributes", "origin"})


def make_item(
    image_id: str, subset: str, media: Image | None, annotations: list[Any], origin: ImageOrigin
) -> DatasetItem:
    """An item, made without its validators where its names need none."""
    if not (image_id.isalnum() and subset.isalnum()):
        # The constructor knows what this Datumaro refuses in names.
        return OriginItem(
            image_id, subset=subset, media=media, annotations=annotations, origin=origin
        )
    item: DatasetItem = OriginItem.__new__(OriginItem)
    _SETTERS["id"](item, image_id)
    _SETTERS["subset"](item, subset)
    _SETTERS["media"](item, media)
    _SETTERS["annotations"](item, annotations)
    _SETTERS["attributes"](item, {})
    _SETTERS["origin"](item, origin)
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

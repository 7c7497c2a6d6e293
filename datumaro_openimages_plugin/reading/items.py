"""Making items without their constructor, whose conversions and validators take most of its time.

A test holds the result against the constructor's.
"""

from __future__ import annotations

from typing import Any

from datumaro_openimages_plugin._host import ANNOTATIONS_FIELD, DatasetItem, Image
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.objects import OriginItem, other_fields
from datumaro_openimages_plugin.annotations.origin import ImageOrigin, ImageSource
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME

__all__ = ["make_item", "show_columns"]

_OTHERS = other_fields(
    OriginItem, {"id", "subset", "media", ANNOTATIONS_FIELD, "attributes", "origin"}
)
_set_annotations = getattr(OriginItem, ANNOTATIONS_FIELD).__set__


class _Unchecked(OriginItem):
    """An item whose fields are assigned as they are; it becomes an `OriginItem` then.

    Assigning to those would validate again.
    """

    __slots__ = ()
    __init__ = object.__init__
    __setattr__ = object.__setattr__


def make_item(
    image_id: str,
    subset: str,
    media: Image | None,
    annotations: list[Any],
    origin: ImageOrigin | ImageSource,
    row: int = 0,
) -> DatasetItem:
    """An item, made without its validators where its names need none.

    Args:
        image_id: The image's id.
        subset: Its subset.
        media: Its picture.
        annotations: Its annotations, in this Datumaro's container for them.
        origin: Its origin, or what gives it when it is asked for.
        row: The number that it is asked for by then.
    """
    item: Any
    if not (image_id.isalnum() and subset.isalnum()):
        # The constructor knows what this Datumaro refuses in names.
        item = OriginItem(image_id, subset=subset, media=media, annotations=annotations)
        item._source = origin
        item._row = row
        return item  # type: ignore[no-any-return]
    item = _Unchecked()
    item.id = image_id
    item.subset = subset
    item.media = media
    _set_annotations(item, annotations)
    item.attributes = {}
    item._source = origin
    item._row = row
    if _OTHERS:
        for set_field, value in _OTHERS:
            set_field(item, value)
    item.__class__ = OriginItem
    return item  # type: ignore[no-any-return]


def show_columns(item: Any) -> None:
    """Puts the columns that Datumaro has no place for into attributes."""
    item.attributes.update(extras.shown(item.origin.fields, extras.IMAGE))
    for annotation in item.annotations:
        origin = annotation.origin
        columns = KINDS_BY_NAME[origin.kind].extra
        annotation.attributes.update(extras.shown(origin.fields, columns))

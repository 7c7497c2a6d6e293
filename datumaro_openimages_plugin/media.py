"""Pictures of items: their size without decoding them, and their way into an export."""

from __future__ import annotations

import os
import posixpath
from typing import Any

import imagesize

from datumaro_openimages_plugin._host import DatasetItem, Image, encoded_bytes, is_plain_file
from datumaro_openimages_plugin.images import _EXIF_OFF
from datumaro_openimages_plugin.layout import IMAGES_DIR
from datumaro_openimages_plugin.target import Target

__all__ = ["ImageFiles", "item_size"]


def item_size(item: DatasetItem) -> tuple[int, int] | None:
    """(height, width) of an item's image in pixels, None where nothing tells it.

    The picture's own size comes first, from its header where it has not been read; an item
    without a picture has the size it was imported with.
    """
    media = item.media
    if isinstance(media, Image):
        if not media.has_size and is_plain_file(media):
            width, height = imagesize.get(media.path, **_EXIF_OFF)
            if width > 0 and height > 0:
                return int(height), int(width)
        size = media.size
        if size is not None:
            return int(size[0]), int(size[1])
    origin = getattr(item, "origin", None)
    return None if origin is None else origin.size


class ImageFiles:
    """Places the pictures of items; a picture that nobody touched is copied, never re-encoded.

    Args:
        target: Where files go.
        default_ext: Extension of pictures that have none.
        image_ext: Extension to convert all pictures to, None to keep theirs.
        in_place: The folder that is being saved in place, None for another one.
    """

    def __init__(
        self, target: Target, default_ext: str, image_ext: str | None, in_place: str | None
    ) -> None:
        self._target = target
        self._default_ext = default_ext
        self._image_ext = image_ext
        self._in_place = in_place
        self.without_picture = 0

    def add(self, item: DatasetItem) -> None:
        """Places an item's picture, if it has one."""
        media = item.media
        if not isinstance(media, Image) or not media.has_data:
            self.without_picture += 1
            return
        rel = self.name(item)
        ext = os.path.splitext(rel)[1].lower()
        if is_plain_file(media) and os.path.splitext(media.path)[1].lower() == ext:
            self._target.add_file(media.path, rel)
            return
        data = encoded_bytes(media)
        if data is not None and (media.ext or "").lower() == ext:
            with open(self._target.path(rel), "wb") as file:
                file.write(data)
            return
        media.save(self._target.path(rel))

    def name(self, item: DatasetItem) -> str:
        """Where an item's picture goes: where it is, if it is saved in place, else by its id."""
        media: Any = item.media
        if self._in_place is not None and self._image_ext is None and is_plain_file(media):
            path = os.path.realpath(media.path)
            origin = getattr(item, "origin", None)
            inside = path.startswith(self._in_place + os.sep)
            if inside and origin is not None and origin.key == (item.id, item.subset):
                return os.path.relpath(path, self._in_place).replace(os.sep, "/")
        ext = self._image_ext or media.ext or self._default_ext
        if not ext.startswith("."):
            ext = "." + ext
        return posixpath.join(IMAGES_DIR, item.subset, item.id + ext)

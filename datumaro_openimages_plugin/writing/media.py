"""Pictures of items: their size without decoding them, and their way into an export."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Any

import cv2

from datumaro_openimages_plugin._host import DatasetItem, Image, encoded_bytes, is_plain_file
from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.files.media_index import is_archive_folder
from datumaro_openimages_plugin.images.picture_headers import picture_size
from datumaro_openimages_plugin.saving.target import IMAGES_DIR, Target

if TYPE_CHECKING:
    from datumaro_openimages_plugin.files.old_dataset import OldDataset

__all__ = ["ImageFiles", "item_size"]


def item_size(item: DatasetItem) -> tuple[int, int] | None:
    """(height, width) of an item's image in pixels, None where nothing tells it.

    The picture's own size comes first, from its header where it has not been read; an item
    without a picture has the size it was imported with.
    """
    media = item.media
    if isinstance(media, Image):
        if not media.has_size and is_plain_file(media):
            found = picture_size(media.path)
            if found is not None:
                return found
        size = media.size
        # One without pixels has nothing that places could be fractions of.
        if size is not None and size[0] > 0 and size[1] > 0:
            return int(size[0]), int(size[1])
    origin = getattr(item, "origin", None)
    return None if origin is None else origin.size


class ImageFiles:
    """Places the pictures of items; a picture that nobody touched is copied, never re-encoded.

    Args:
        target: Where files go.
        default_ext: Extension of pictures that have none.
        image_ext: Extension to convert all pictures to, None to keep theirs.
        save: Whether pictures are written; else only those that are in the target already follow
            their items.
        old: What is in the target, None where nothing is.
        link: Whether files are linked rather than copied, where that is possible.
    """

    def __init__(
        self,
        target: Target,
        default_ext: str,
        image_ext: str | None,
        save: bool = True,
        old: OldDataset | None = None,
        link: bool = False,
    ) -> None:
        self._target = target
        self._default_ext = default_ext
        self._image_ext = image_ext if save else None
        self._save = save
        self._old = old
        self._link = link
        self.without_picture = 0

    def add(self, item: DatasetItem) -> None:
        """Places an item's picture, if it has one."""
        media = item.media
        placed = None
        if isinstance(media, Image) and media.has_data:
            inside = self._inside(media)
            if self._save or (inside is not None and not self._old_goes_into_zip()):
                placed = self.name(item)
                try:
                    self._place(media, placed)
                except FileNotFoundError:  # its zip is gone
                    placed = None
                    self.without_picture += 1
                if placed and inside not in (None, placed) and self._old is not None:
                    self._old.moved_picture(item, placed)
        elif self._save:
            self.without_picture += 1
        if self._old is not None:
            self._old.written(item, placed)

    def _old_goes_into_zip(self) -> bool:
        return self._old is not None and self._old.into_zip

    def _inside(self, media: Any) -> str | None:
        """The name that an untouched picture has in the target."""
        if self._old is None or not is_plain_file(media):
            return None
        return self._old.inside(media.path)

    def _place(self, media: Any, rel: str) -> None:
        ext = os.path.splitext(rel)[1].lower()
        if is_plain_file(media) and os.path.splitext(media.path)[1].lower() == ext:
            self._target.add_file(media.path, rel, self._link)
            return
        data = encoded_bytes(media)
        if data is not None and (media.ext or "").lower() == ext:
            with open(self._target.path(rel), "wb") as file:
                file.write(data)
            return
        try:
            media.save(self._target.path(rel))
        except cv2.error as error:
            raise SaveError(
                f"the picture of {rel} cannot be written as {ext!r}; give an image_ext that OpenCV"
                f" writes, such as .jpg or .png ({error.err})"
            ) from None

    def name(self, item: DatasetItem) -> str:
        """Where an item's picture goes: where it is, if it is saved in place, else by its id."""
        media: Any = item.media
        ext = self._image_ext or media.ext or self._default_ext
        if not ext.startswith("."):
            ext = "." + ext
        default = posixpath.join(IMAGES_DIR, item.subset, item.id + ext)
        if self._old is None or not self._old.in_place:
            return default
        found = self._old.picture(item.id, item.subset)
        here = self._inside(media)
        if here is None:
            # Other pixels in the place of those that were read.
            same_ext = found is not None and os.path.splitext(found)[1].lower() == ext.lower()
            return found if found is not None and same_ext else default
        origin = getattr(item, "origin", None)
        key = None if origin is None else origin.key
        if os.path.splitext(here)[1].lower() != ext.lower():
            return default
        if here == found and key == (item.id, item.subset):
            return here
        return _moved(here, key, item) or default


def _is_place_of(stem: str, item: DatasetItem) -> bool:
    """Whether an import finds a picture here: ``<subset>/<id>`` or ``<subset>/data/<id>``."""
    if not stem.endswith(f"/{item.id}"):
        return False
    folders = stem[: -len(item.id) - 1].split("/")
    if folders[-1].lower() in ("data", "images"):
        del folders[-1]
    return folders[-1:] == [item.subset]


def _moved(here: str, key: tuple[str, str] | None, item: DatasetItem) -> str | None:
    """The name of a picture whose image got another id or subset, if its own tells a pattern."""
    stem, ext = os.path.splitext(here)
    if _is_place_of(stem, item):
        return here  # moved by an earlier save
    if key is None or not stem.endswith(f"/{key[0]}"):
        return None
    folders = stem[: -len(key[0]) - 1].split("/")
    if key[1] not in folders:
        return None
    at = len(folders) - 1 - folders[::-1].index(key[1])
    folders[at] = item.subset
    if len(folders) == at + 2 and is_archive_folder(folders[-1], key[1]):
        del folders[-1]  # what is there has ids of its own
    return "/".join([*folders, item.id + ext])

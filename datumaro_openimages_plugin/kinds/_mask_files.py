"""Naming and placing the PNGs of masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from datumaro.util.os_util import make_file_name

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.errors import MissingFileError
from datumaro_openimages_plugin.kinds._used_names import UsedNames
from datumaro_openimages_plugin.kinds.masks import encode_mask
from datumaro_openimages_plugin.saving.target import MASKS_DIR, Replaced, Target
from datumaro_openimages_plugin.sources.safe_names import unsafe_id
from datumaro_openimages_plugin.sources.zips import InnerZips

__all__ = ["MaskFiles"]

_LONGEST = 80  # characters of an id or label in a file name


class MaskFiles:
    """The PNGs of one export; no two masks share a file, whatever their ids and labels are.

    Args:
        target: Where files go.
        old: What is in the target, None where nothing is.
    """

    def __init__(self, target: Target, old: Replaced | None = None) -> None:
        self._target = target
        self._old = old
        self._used: defaultdict[str, UsedNames] = defaultdict(UsedNames)  # by subset
        self.missing = 0

    def place(
        self,
        mask: Any,
        item: DatasetItem,
        label: str,
        fields: Mapping[str, str],
        old: Mapping[str, str],
    ) -> str:
        """Writes a mask's PNG and gives its ``MaskPath``.

        Args:
            mask: The mask.
            item: Its item.
            label: Its LabelName.
            fields: Its row so far.
            old: The row that it was read from, if its picture is the one that was read; that is
                then copied. Else empty.
        """
        name = self._name(item, label, fields, old)
        rel = f"{MASKS_DIR}/{item.subset}/{name}"
        if not old:
            self._write(rel, encode_mask(mask.image))
            return name
        reader = mask._image.reader
        path = getattr(reader, "path", None)
        try:
            if path is not None:
                inside = None if self._old is None else self._old.inside(path)
                if inside is not None and self._stays(inside, name, item):
                    rel = inside
                self._target.add_file(path, rel)
                if inside is not None and inside != rel and self._old is not None:
                    self._old.moved_mask(reader, rel)
            else:
                data = mask._image.encoded()
                if not self._stays_in_zip(reader, name, item):
                    self._write(rel, data)
        except (FileNotFoundError, MissingFileError):
            # The row is kept: its picture was never downloaded.
            self.missing += 1
        return name

    def _stays(self, inside: str, name: str, item: DatasetItem) -> bool:
        """Whether a file that is in the target may stay where it is."""
        origin = getattr(item, "origin", None)
        return (
            self._old is not None
            and self._old.in_place
            and inside.rpartition("/")[2] == name
            and origin is not None
            and origin.key[1] == item.subset
        )

    def _stays_in_zip(self, reader: Any, name: str, item: DatasetItem) -> bool:
        """Whether a mask is in a zip in the target, where an import finds it again."""
        if self._old is None or not isinstance(reader, InnerZips):
            return False
        inside = all(self._old.inside(path) is not None for path, _ in reader.places)
        return inside and self._stays(reader.member, name, item)

    def _write(self, rel: str, data: bytes) -> None:
        with open(self._target.path(rel), "wb") as file:
            file.write(data)

    def _name(
        self, item: DatasetItem, label: str, fields: Mapping[str, str], old: Mapping[str, str]
    ) -> str:
        used = self._used[item.subset]
        name = None
        if old:
            same = old["ImageID"] == item.id and old["LabelName"].strip() == label
            name = old["MaskPath"] if same and old.get("BoxID") == fields["BoxID"] else None
            if name is not None and (unsafe_id(name) or "/" in name or "\\" in name):
                name = None
        if name is None or not used.take(name):
            name = self._new_name(item.id, label, fields["BoxID"], used)
        return name

    @staticmethod
    def _new_name(image_id: str, label: str, box_id: str, used: UsedNames) -> str:
        """Takes a name: the published pattern, numbered where another mask has the name already."""
        stem = f"{make_file_name(image_id)[:_LONGEST]}_{make_file_name(label)[:_LONGEST]}_{box_id}"
        name, number = f"{stem}.png", 1
        while not used.take(name):
            name, number = f"{stem}_{number}.png", number + 1
        return name

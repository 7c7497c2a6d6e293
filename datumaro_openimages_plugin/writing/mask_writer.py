"""Writing the rows and PNGs of masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.shapes import is_outline
from datumaro_openimages_plugin.kinds import boxes, masks
from datumaro_openimages_plugin.writing.mask_files import MaskFiles
from datumaro_openimages_plugin.writing.sinks import Sink
from datumaro_openimages_plugin.writing.writing import Writing, write_row

__all__ = ["MaskWriter"]

_WITHOUT_PICTURE = "masks have no picture in the dataset they come from; their rows are kept"


class MaskWriter:
    """Writes masks; a mask's row names the corners of the box that shares its group.

    Args:
        sink: The table.
        writing: What the export's writers share.
    """

    def __init__(self, sink: Sink, writing: Writing) -> None:
        self._sink = sink
        self._writing = writing
        self._files = MaskFiles(writing.target, writing.old)

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Writes the masks of one item."""
        box_corners = _corners_by_group(item, {mask.group for mask in annotations}, size)
        taken = {str(mask.attributes.get("box_id")) for mask in annotations}
        for mask in annotations:
            try:
                self._write(mask, item, box_corners.get(mask.group) if mask.group else None, taken)
            except ValueError as error:
                self._writing.refuse(error, item, mask)

    def _write(
        self, mask: Any, item: DatasetItem, corners: Mapping[str, str] | None, taken: set[str]
    ) -> None:
        name = self._writing.label_name(mask)
        untouched = masks.is_untouched(mask)
        origin = mask.origin if untouched else None
        old = origin.fields if origin is not None else {}
        fields = masks.to_fields(mask, name, item.id, old, corners)
        if not fields["BoxID"] and old.get("BoxID") != "":
            fields["BoxID"] = _free_box_id(taken)
        fields["MaskPath"] = self._files.place(mask, item, name, fields, untouched)
        shown = self._writing.shown_columns(
            "mask annotation", mask.attributes, masks.EXTRA, masks.ATTRIBUTES
        )
        fields |= extras.columns_over(shown, masks.EXTRA, getattr(mask, "origin", None))
        write_row(self._sink, origin, fields)

    def flush(self) -> None:
        """Reports; rows are written as they come."""
        self._writing.notes[_WITHOUT_PICTURE] += self._files.missing
        self._files.missing = 0


def _corners_by_group(
    item: DatasetItem, groups: set[int], size: tuple[int, int] | None
) -> dict[int, Mapping[str, str]]:
    """The corner columns of the first box of each group that has masks."""
    corners: dict[int, Mapping[str, str]] = {}
    for annotation in item.annotations:
        if annotation.type is not AnnotationType.bbox or is_outline(annotation):
            continue
        group = annotation.group
        if not group or group not in groups or group in corners:
            continue
        origin = getattr(annotation, "origin", None)
        old, frac = ({}, ()) if origin is None else (origin.fields, origin.fractions)
        found = boxes.coordinates(annotation.points, size, old, frac)
        if found is not None:
            corners[group] = found
    return corners


def _free_box_id(taken: set[str]) -> str:
    """The first of 00000000, 00000001 … that no mask of the image has."""
    number = 0
    while f"{number:08x}" in taken:
        number += 1
    taken.add(f"{number:08x}")
    return f"{number:08x}"

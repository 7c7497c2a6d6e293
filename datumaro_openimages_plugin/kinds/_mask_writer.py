"""Writing the rows and PNGs of masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.shapes import is_outline
from datumaro_openimages_plugin.kinds import boxes, masks
from datumaro_openimages_plugin.kinds._mask_files import MaskFiles
from datumaro_openimages_plugin.rendering.sinks import Sink
from datumaro_openimages_plugin.rendering.writing import Writing, write_row

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
        boxes_of = _boxes_by_group(item, {mask.group for mask in annotations if mask.group})
        taken = {str(mask.attributes.get("box_id")) for mask in annotations}
        for mask in annotations:
            try:
                self._write(mask, item, size, boxes_of.get(mask.group, ()), taken)
            except ValueError as error:
                self._writing.refuse(error, item, mask)

    def _write(
        self,
        mask: Any,
        item: DatasetItem,
        size: tuple[int, int] | None,
        its_boxes: Sequence[Any],
        taken: set[str],
    ) -> None:
        name = self._writing.label_name(mask)
        origin = getattr(mask, "origin", None)
        old = {} if origin is None else origin.fields
        if not masks.is_untouched(mask, old):
            origin, old = None, {}
        # The first of them that can be written.
        found = (_new_corners(box, size, old) for box in its_boxes)
        corners = next((corners for corners in found if corners is not None), None)
        fields = masks.to_fields(mask, name, item.id, old, corners)
        if not fields["BoxID"] and old.get("BoxID") != "":
            fields["BoxID"] = _free_box_id(taken)
        fields["MaskPath"] = self._files.place(mask, item, name, fields, old)
        shown = self._writing.shown_columns(
            "mask annotation", mask.attributes, masks.EXTRA, masks.ATTRIBUTES
        )
        fields |= extras.columns_over(shown, masks.EXTRA, getattr(mask, "origin", None))
        write_row(self._sink, origin, fields, old)

    def flush(self) -> None:
        """Reports; rows are written as they come."""
        self._writing.notes[_WITHOUT_PICTURE] += self._files.missing
        self._files.missing = 0


def _boxes_by_group(item: DatasetItem, groups: set[int]) -> dict[int, list[Any]]:
    """The boxes of some groups."""
    found: dict[int, list[Any]] = {}
    for annotation in item.annotations if groups else ():
        if annotation.type is not AnnotationType.bbox or annotation.group not in groups:
            continue
        if not is_outline(annotation):
            found.setdefault(annotation.group, []).append(annotation)
    return found


def _new_corners(
    box: Any, size: tuple[int, int] | None, old: Mapping[str, str]
) -> Mapping[str, str] | None:
    """The corner columns of a mask's box, none where the mask's row names that box already.

    None where the box is not written either.
    """
    origin = getattr(box, "origin", None)
    frac = () if origin is None else origin.fractions
    if origin is not None and boxes.is_there(box.points, size, frac):
        if masks.names_box(old, frac):
            return {}
        return boxes.coordinates(box.points, size, origin.fields, frac)
    try:
        corners = boxes.coordinates(box.points, size, {}, ())
    except ValueError:  # it is refused by itself
        return None
    if corners is not None and masks.names_box(old, [float(text) for text in corners.values()]):
        return {}
    return corners


def _free_box_id(taken: set[str]) -> str:
    """The first of 00000000, 00000001 … that no mask of the image has."""
    number = 0
    while f"{number:08x}" in taken:
        number += 1
    taken.add(f"{number:08x}")
    return f"{number:08x}"

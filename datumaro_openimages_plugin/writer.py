"""Writing a dataset: items -> rows of each kind -> tables, masks and images in one target.

Items are written one after another, so a stream needs no more memory than its tables' buffers.
What the format cannot hold is counted, and reported once per kind at the end.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from datumaro_openimages_plugin import extras
from datumaro_openimages_plugin._host import AnnotationType, DatasetItem, LabelCategories
from datumaro_openimages_plugin.classes import (
    ClassList,
    class_list_to_csv,
    hierarchy_to_json,
)
from datumaro_openimages_plugin.errors import AnnotationError
from datumaro_openimages_plugin.images import IMAGE_COLUMNS, image_meta_line, unsafe_id
from datumaro_openimages_plugin.kinds import boxes, labels, masks
from datumaro_openimages_plugin.layout import Layout
from datumaro_openimages_plugin.mask_files import MaskFiles
from datumaro_openimages_plugin.media import ImageFiles, item_size
from datumaro_openimages_plugin.origin import ImportedFrom
from datumaro_openimages_plugin.row_writers import BoxWriter, LabelWriter, missing_label
from datumaro_openimages_plugin.shapes import is_outline, masks_from_outlines
from datumaro_openimages_plugin.sinks import CsvSink, csv_line
from datumaro_openimages_plugin.target import Target

__all__ = ["Writer"]

log = logging.getLogger(__name__)

OnError = Callable[[AnnotationError, DatasetItem], None]

_IMAGE_COLUMNS = list(IMAGE_COLUMNS)
_NO_COLUMNS = [""] * (len(IMAGE_COLUMNS) - 2)
_LABEL, _BBOX = AnnotationType.label, AnnotationType.bbox

_FIELDS = {
    "images": IMAGE_COLUMNS,
    "labels": labels.FIELDS,
    "boxes": boxes.FIELDS,
    "masks": masks.FIELDS,
}


class Writer:
    """Writes the items of one dataset.

    Args:
        target: Where files go.
        layout: What they are called.
        categories: The dataset's labels.
        image_files: Places the pictures; None leaves them out.
        on_error: Gets the error of each annotation that cannot be written; returns to skip it.
        always_meta: Whether ``images.meta`` is written where there are no boxes and masks too.
    """

    def __init__(
        self,
        target: Target,
        layout: Layout,
        categories: LabelCategories,
        image_files: ImageFiles | None,
        on_error: OnError,
        always_meta: bool = False,
    ) -> None:
        self._target = target
        self._layout = layout
        self._categories = categories
        self._label_names = [category.name for category in categories]
        self._image_files = image_files
        self._on_error = on_error
        self._always_meta = always_meta
        self._sinks: dict[tuple[str, str], CsvSink] = {}
        self._row_writers: dict[str, tuple[LabelWriter, BoxWriter]] = {}
        self._mask_files = MaskFiles(target)
        self._imports: list[ImportedFrom] = []
        self._names: dict[str, str] = {}  # shown name -> LabelName
        self._sizes: dict[str, tuple[int, int] | None] = {}
        self.lost: Counter[str] = Counter()

    # One item

    def write(self, item: DatasetItem) -> None:
        """Writes an item: its image's row, its picture, and its annotations.

        Raises:
            AnnotationError: Its id or subset cannot be part of a file name.
        """
        self._check_names(item)
        origin = getattr(item, "origin", None)
        if origin is not None:
            self._remember(origin.dataset)
        self._write_image(item, origin)
        if self._image_files is not None:
            self._image_files.add(item)
        size = item_size(item)
        # One id may stand for images of several subsets; None marks that they differ in size.
        if size is not None and self._sizes.setdefault(item.id, size) != size:
            self._sizes[item.id] = None
        if item.annotations:
            self._write_annotations(item, size)

    def _check_names(self, item: DatasetItem) -> None:
        reason = unsafe_id(item.id)
        what = "id"
        if reason is None:
            reason, what = unsafe_id(item.subset), "subset"
            if reason is None and "/" in item.subset:
                reason = "has a path separator"
        if reason is not None:
            raise AnnotationError(
                f"the item's {what} {reason}; rename it before the export",
                image_id=item.id,
                value=item.subset if what == "subset" else None,
            )

    def _remember(self, imported: ImportedFrom | None) -> None:
        if imported is None or any(known is imported for known in self._imports):
            return
        self._imports.append(imported)
        for name, shown in imported.shown.items():
            self._names.setdefault(shown, name)
        # In place, since the writers of rows have the list.
        self._label_names[:] = [self._names.get(c.name, c.name) for c in self._categories]

    def _write_image(self, item: DatasetItem, origin: Any) -> None:
        sink = self._sink("images", item.subset)
        if origin is None and not item.attributes and sink.columns == _IMAGE_COLUMNS:
            sink.raw(csv_line([item.id, item.subset, *_NO_COLUMNS]).encode("utf-8"))
            return
        shown = self._shown_columns("item", item.attributes, extras.IMAGE, frozenset())
        if origin is None or origin.source is None:
            sink.row({"ImageID": item.id, "Subset": item.subset, **shown})
            return
        raw, header, line_end = origin.raw, origin.source.header(origin.row), origin.line_end
        unchanged = raw is not None and origin.key == (item.id, item.subset)
        if unchanged and shown:
            unchanged = shown.items() <= origin.fields.items()
        if sink.accepts_raw(header, line_end) and unchanged and "Subset" in header:
            sink.raw(raw)
            return
        sink.row({**origin.fields, "ImageID": item.id, "Subset": item.subset, **shown})

    def _shown_columns(
        self,
        kind: str,
        attributes: Mapping[str, Any],
        columns: Mapping[str, str],
        known: frozenset[str],
    ) -> dict[str, str]:
        """Columns that attributes show; the attributes without any are counted."""
        found = {}
        for name, value in attributes.items():
            if name in columns:
                found[columns[name]] = extras.column_text(name, value)
            elif name not in known:
                self.lost[f"{name!r} attributes of {kind}s"] += 1
        return found

    def _write_annotations(self, item: DatasetItem, size: tuple[int, int] | None) -> None:
        label_writer, box_writer = self._writers_of(item.subset)
        annotations = item.annotations
        types = [annotation.type for annotation in annotations]
        found = [a for a, kind in zip(annotations, types, strict=True) if kind is _LABEL]
        if found:
            label_writer.add(found, item, size)
        plain = [
            a
            for a, kind in zip(annotations, types, strict=True)
            if kind is _BBOX and "rotation" not in a.attributes
        ]
        if plain:
            box_writer.add(plain, item, size)
        if len(found) + len(plain) < len(annotations):
            self._write_others(item, size, box_writer)

    def _write_others(
        self, item: DatasetItem, size: tuple[int, int] | None, box_writer: BoxWriter
    ) -> None:
        """Writes masks, outlines and rotated boxes, and counts what has no place."""
        outlines, mask_like = [], []
        for annotation in item.annotations:
            kind = annotation.type
            if kind is _LABEL or (kind is _BBOX and "rotation" not in annotation.attributes):
                continue
            try:
                if kind is AnnotationType.mask:
                    mask_like.append(annotation)
                elif is_outline(annotation):
                    self._label_name(annotation)
                    outlines.append(annotation)
                elif kind is _BBOX:
                    box_writer.add([annotation], item, size)
                else:
                    self.lost[f"{kind.name} annotations"] += 1
            except ValueError as error:
                self._refuse(error, item, annotation)
        if outlines and size is None:
            self.lost["outlines on images of unknown size"] += len(outlines)
        elif outlines and size is not None:
            mask_like += masks_from_outlines(outlines, size)
        if mask_like:
            self._write_masks(item, mask_like, size)

    def _writers_of(self, subset: str) -> tuple[LabelWriter, BoxWriter]:
        writers = self._row_writers.get(subset)
        if writers is None:
            common = self._label_names, self._refuse, self.lost
            writers = self._row_writers[subset] = (
                LabelWriter(self._sink("labels", subset), *common),
                BoxWriter(self._sink("boxes", subset), *common),
            )
        return writers

    def _write_masks(
        self,
        item: DatasetItem,
        mask_like: list[Any],
        size: tuple[int, int] | None,
    ) -> None:
        box_corners = _corners_by_group(item, {mask.group for mask in mask_like}, size)
        taken = {str(mask.attributes.get("box_id")) for mask in mask_like}
        for mask in mask_like:
            try:
                name = self._label_name(mask)
                untouched = masks.is_untouched(mask)
                origin = mask.origin if untouched else None
                old = origin.fields if origin is not None else {}
                corners = box_corners.get(mask.group) if mask.group else None
                fields = masks.to_fields(mask, name, item.id, old, corners)
                if not fields["BoxID"]:
                    fields["BoxID"] = _free_box_id(taken)
                fields["MaskPath"] = self._mask_files.place(mask, item, name, fields, untouched)
                fields |= self._shown_columns(
                    "mask annotation", mask.attributes, extras.MASK, masks.ATTRIBUTES
                )
                self._write_row(self._sink("masks", item.subset), origin, fields)
            except ValueError as error:
                self._refuse(error, item, mask)

    def _write_row(self, sink: CsvSink, origin: Any, fields: Mapping[str, str]) -> None:
        """Writes a row as it stood where nothing of it changed, else its fields."""
        if origin is not None:
            old = origin.fields
            if sink.accepts_raw(list(old), origin.line_end) and old == fields:
                raw = origin.raw
                if raw is not None:
                    sink.raw(raw)
                    return
        sink.row(fields)

    def _label_name(self, annotation: Any) -> str:
        """The LabelName of an annotation.

        Raises:
            ValueError: It has no label, or one that the categories lack.
        """
        label = annotation.label
        if label is None or not 0 <= label < len(self._label_names):
            raise ValueError(missing_label(label, len(self._label_names)))
        return self._label_names[label]

    def _refuse(self, error: ValueError, item: DatasetItem, annotation: Any) -> None:
        if isinstance(error, AnnotationError):
            self._on_error(error, item)
            return
        shown = "a shape"
        for number, known in enumerate(item.annotations):
            if known is annotation:
                shown = f"annotation {number} ({annotation.type.name})"
        self._on_error(
            AnnotationError(f"{shown} {error}", image_id=item.id, file=item.subset), item
        )

    def _sink(self, kind: str, subset: str) -> CsvSink:
        sink = self._sinks.get((kind, subset))
        if sink is None:
            name = self._layout.file(kind, subset)
            sink = self._sinks[kind, subset] = CsvSink(
                lambda: self._target.path(name), _FIELDS[kind], boxes.default
            )
        return sink

    # The end

    def finish(self) -> None:
        """Writes what belongs to the whole dataset: classes, hierarchy, sizes."""
        for writers in self._row_writers.values():
            for writer in writers:
                writer.flush()
        for sink in self._sinks.values():
            sink.close()
        carried = self._carried_classes()
        header = self._layout.has_class_header()
        self._write_bytes(
            "classes",
            class_list_to_csv(self._categories, carried, header=header, label_names=self._names),
        )
        self._write_bytes(
            "hierarchy", hierarchy_to_json(self._categories, carried, label_names=self._names)
        )
        self._write_sizes()
        if self._image_files is not None and self._image_files.without_picture:
            log.warning(
                "%d items have no picture to save; their rows are written",
                self._image_files.without_picture,
            )
        if self._mask_files.missing:
            log.warning(
                "%d masks have no picture in the dataset they come from; their rows are kept",
                self._mask_files.missing,
            )
        for what, count in sorted(self.lost.items()):
            log.warning("open_images cannot hold %s: %d not written", what, count)

    def _write_sizes(self) -> None:
        """Writes ``images.meta``: each size that is known and that its id alone tells."""
        for imported in self._imports:
            for name, size in imported.other_sizes.items():
                self._sizes.setdefault(name, size)
        known = {name: size for name, size in self._sizes.items() if size is not None}
        if len(known) < len(self._sizes):
            log.warning(
                "%d ids stand for images of different sizes in several subsets; images.meta leaves "
                "them out, so their sizes are known only where their pictures are",
                len(self._sizes) - len(known),
            )
        needed = self._always_meta or any(
            kind in ("boxes", "masks") for kind, _ in self._written_kinds()
        )
        if known and needed:
            lines = [image_meta_line(name, size) for name, size in known.items()]
            text = "\n".join(["# <image name> <height> <width>", "", *lines, ""])
            self._write_bytes("images_meta", text.encode("utf-8"))

    def _written_kinds(self) -> set[tuple[str, str]]:
        """(kind, subset) of the tables that have rows."""
        return {key for key, sink in self._sinks.items() if sink.count}

    def _carried_classes(self) -> ClassList | None:
        lists = [imported.classes for imported in self._imports]
        if not lists:
            return None
        display_names = {k: v for part in reversed(lists) for k, v in part.display_names.items()}
        hierarchy = next((part.hierarchy for part in lists if part.hierarchy is not None), None)
        return replace(lists[0], display_names=display_names, hierarchy=hierarchy)

    def _write_bytes(self, kind: str, data: bytes) -> None:
        with open(self._target.path(self._layout.file(kind)), "wb") as file:
            file.write(data)


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

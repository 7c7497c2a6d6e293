"""Writing a dataset: items -> rows of each kind -> tables, masks and images in one target.

Items are written one after another, so a stream needs no more memory than its tables' buffers.
What has no place in the files is counted, and reported at the end, a line each.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem, LabelCategories
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.origin import ImportedFrom
from datumaro_openimages_plugin.annotations.shapes import (
    count_unlike_first,
    is_outline,
    masks_from_outlines,
)
from datumaro_openimages_plugin.classes.carried_classes import (
    merged_classes,
    names_without_category,
)
from datumaro_openimages_plugin.classes.classes import ClassList, class_list_to_csv
from datumaro_openimages_plugin.classes.hierarchy_export import hierarchy_to_json
from datumaro_openimages_plugin.errors import AnnotationError
from datumaro_openimages_plugin.images.image_sizes import image_meta_line
from datumaro_openimages_plugin.images.images import IMAGE_COLUMNS, unsafe_id
from datumaro_openimages_plugin.images.media import ImageFiles, item_size
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.kinds._kind import Kind
from datumaro_openimages_plugin.writing.layout import Layout
from datumaro_openimages_plugin.writing.sinks import CsvSink, Sink, csv_line
from datumaro_openimages_plugin.writing.target import Target
from datumaro_openimages_plugin.writing.writing import KindWriter, Writing

if TYPE_CHECKING:
    from datumaro_openimages_plugin.saving.old_dataset import OldDataset

__all__ = ["Writer"]

log = logging.getLogger(__name__)

_ONE_NAME_OF_SEVERAL = (
    "label names stand for one class in one dataset and for another in the next; all their "
    "annotations are written with the first one's id"
)

OnError = Callable[[AnnotationError, DatasetItem], None]

_IMAGE_COLUMNS = list(IMAGE_COLUMNS)
_NO_COLUMNS = [""] * (len(IMAGE_COLUMNS) - 2)
_BBOX, _MASK = AnnotationType.bbox, AnnotationType.mask


def _by_type() -> dict[AnnotationType, list[Kind]]:
    """Type -> the kinds that take its annotations; those that take only some come first."""
    found: dict[AnnotationType, list[Kind]] = {}
    for kind in sorted(KINDS, key=lambda kind: kind.takes is None):
        if kind.type is not None:
            found.setdefault(kind.type, []).append(kind)
    return found


_KINDS_BY_TYPE = list(_by_type().items())
_TYPES = tuple(type for type, _ in _KINDS_BY_TYPE)  # a tuple, since enums are slow to hash
_BBOX_PLACE = _TYPES.index(_BBOX)
_ITEM_KINDS = [kind for kind in KINDS if kind.item_attribute is not None]
_ITEM_ATTRIBUTES = frozenset(kind.item_attribute or "" for kind in _ITEM_KINDS)


def _held(item: DatasetItem) -> set[int]:
    """Python's ``id()`` of the annotations that are written with an attribute of the item."""
    held: set[int] = set()
    for kind in _ITEM_KINDS:
        if kind.holds is not None and kind.item_attribute in item.attributes:
            held.update(kind.holds(item))
    return held


class Writer:
    """Writes the items of one dataset.

    Args:
        target: Where files go.
        layout: What they are called.
        categories: The dataset's labels.
        image_files: Places the pictures; None leaves them out.
        on_error: Gets the error of each annotation that cannot be written; returns to skip it.
        always_meta: Whether ``images.meta`` is written where there are no boxes and masks too.
        old: What is in the target, None where nothing is.
    """

    def __init__(
        self,
        target: Target,
        layout: Layout,
        categories: LabelCategories,
        image_files: ImageFiles | None,
        on_error: OnError,
        always_meta: bool = False,
        old: OldDataset | None = None,
    ) -> None:
        self._target = target
        self._layout = layout
        self._categories = categories
        self._image_files = image_files
        self._on_error = on_error
        self._always_meta = always_meta
        names = [category.name for category in categories]
        self._writing = Writing(target, names, self._refuse, old=old)
        self._image_lists: dict[str, CsvSink] = {}  # by name: one may be of all subsets
        self._list_of: dict[str, CsvSink] = {}
        self._sinks: dict[tuple[str, str], Sink] = {}
        self._writers: dict[tuple[str, str], KindWriter] = {}
        self._places: dict[type, int] = {}
        self._imports: list[ImportedFrom] = []
        self._names: dict[str, str] = {}  # shown name -> LabelName
        self._sizes: dict[str, tuple[int, int] | None] = {}

    @property
    def label_names(self) -> list[str]:
        """LabelName by label index."""
        return self._writing.label_names

    @property
    def lost(self) -> Counter[str]:
        """What the format cannot hold -> how often it came."""
        return self._writing.lost

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
        if item.attributes:
            for kind in _ITEM_KINDS:
                if kind.item_attribute in item.attributes:
                    self._writer_of(kind, item.subset).add([], item, size)

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
            if self._names.setdefault(shown, name) != name:
                self._writing.notes[_ONE_NAME_OF_SEVERAL] += 1
        # In place, since the writers of rows have the list.
        self._writing.label_names[:] = [self._names.get(c.name, c.name) for c in self._categories]

    def _write_image(self, item: DatasetItem, origin: Any) -> None:
        sink = self._image_list(item.subset)
        if origin is None and not item.attributes and sink.columns == _IMAGE_COLUMNS:
            sink.raw(csv_line([item.id, item.subset, *_NO_COLUMNS]).encode("utf-8"))
            return
        try:
            shown = self._writing.shown_columns(
                "item", item.attributes, extras.IMAGE, _ITEM_ATTRIBUTES
            )
        except ValueError as error:
            message = f"the item {error}; correct it before the export"
            raise AnnotationError(message, image_id=item.id) from None
        if origin is None or origin.source is None:
            sink.row({"ImageID": item.id, "Subset": item.subset, **shown})
            return
        shown = extras.columns_over(shown, extras.IMAGE, origin)
        raw, header, line_end = origin.raw, origin.source.header(origin.row), origin.line_end
        unchanged = raw is not None and origin.key == (item.id, item.subset) and not shown
        if sink.accepts_raw(header, line_end) and unchanged and "Subset" in header:
            sink.raw(raw)
            return
        sink.row({**origin.fields, "ImageID": item.id, "Subset": item.subset, **shown})

    def _write_annotations(self, item: DatasetItem, size: tuple[int, int] | None) -> None:
        grouped = None if item.attributes else self._grouped(item.annotations)
        if grouped is not None:
            for (_, kinds), found in zip(_KINDS_BY_TYPE, grouped, strict=True):
                if found:
                    self._write_kinds(kinds, found, item, size)
            return
        annotations = item.annotations
        types = [annotation.type for annotation in annotations]
        if item.attributes and (held := _held(item)):
            annotations = [a for a in annotations if id(a) not in held]
            types = [annotation.type for annotation in annotations]
        others = [
            a
            for a, kind in zip(annotations, types, strict=True)
            if kind not in _TYPES or (kind is _BBOX and "rotation" in a.attributes)
        ]
        made = self._shapes(others, item, size) if others else {}
        for kind_type, kinds in _KINDS_BY_TYPE:
            if kind_type not in types and kind_type not in made:
                continue
            found = [a for a, kind in zip(annotations, types, strict=True) if kind is kind_type]
            if others and kind_type is _BBOX:
                found = [box for box in found if "rotation" not in box.attributes]
            if kind_type in made:
                found += made[kind_type]
            self._write_kinds(kinds, found, item, size)

    def _grouped(self, annotations: Sequence[Any]) -> list[list[Any]] | None:
        """Annotations by the places of their types in ``_KINDS_BY_TYPE``.

        None where one has no place there or is a box with a rotation.
        """
        found: list[list[Any]] = [[] for _ in _KINDS_BY_TYPE]
        places = self._places
        for annotation in annotations:
            place = places.get(annotation.__class__)
            if place is None:
                place = _TYPES.index(annotation.type) if annotation.type in _TYPES else -1
                places[annotation.__class__] = place
            if place < 0:
                return None
            found[place].append(annotation)
        if any("rotation" in box.attributes for box in found[_BBOX_PLACE]):
            return None
        return found

    def _write_kinds(
        self,
        kinds: Sequence[Kind],
        annotations: list[Any],
        item: DatasetItem,
        size: tuple[int, int] | None,
    ) -> None:
        """Gives annotations of one type to the kinds that take them."""
        for kind in kinds:
            mine = annotations
            if kind.takes is not None:
                mine = [a for a in annotations if kind.takes(a)]
                if mine:
                    annotations = [a for a in annotations if not kind.takes(a)]
            if mine:
                self._writer_of(kind, item.subset).add(mine, item, size)
            if kind.takes is None:
                return
        for annotation in annotations:
            self.lost[f"{annotation.type.name} annotations"] += 1

    def _shapes(
        self, others: list[Any], item: DatasetItem, size: tuple[int, int] | None
    ) -> dict[AnnotationType, list[Any]]:
        """What outlines and boxes with a rotation are written as, by type; counts the rest."""
        outlines, boxes = [], []
        for annotation in others:
            try:
                if is_outline(annotation):
                    self._writing.label_name(annotation)
                    outlines.append(annotation)
                elif annotation.type is _BBOX:
                    boxes.append(annotation)
                else:
                    self.lost[f"{annotation.type.name} annotations"] += 1
            except ValueError as error:
                self._refuse(error, item, annotation)
        if outlines and size is None:
            self.lost["outlines on images of unknown size"] += len(outlines)
        unlike = count_unlike_first(outlines)
        if unlike:
            self.lost["attributes of outlines that are part of another one's mask"] += unlike
        made = masks_from_outlines(outlines, size) if outlines and size is not None else []
        return {kind: found for kind, found in ((_BBOX, boxes), (_MASK, made)) if found}

    def _writer_of(self, kind: Kind, subset: str) -> KindWriter:
        key = kind.name, subset
        writer = self._writers.get(key)
        if writer is None:
            name = self._layout.file(*key)
            sink = self._sinks[key] = kind.sink(
                lambda: self._target.path(name), kind.fields, kind.default
            )
            writer = self._writers[key] = kind.writer(sink, self._writing)
        return writer

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

    def _image_list(self, subset: str) -> CsvSink:
        sink = self._list_of.get(subset)
        if sink is None:
            name = self._layout.file("images", subset)
            if name not in self._image_lists:
                self._image_lists[name] = CsvSink(lambda: self._target.path(name), IMAGE_COLUMNS)
            sink = self._list_of[subset] = self._image_lists[name]
        return sink

    # The end

    def drop(self) -> None:
        """Closes the files of an export that has failed."""
        for sink in (*self._image_lists.values(), *self._sinks.values()):
            sink.drop()

    def finish(self) -> None:
        """Writes what belongs to the whole dataset: classes, hierarchy, sizes."""
        for writer in self._writers.values():
            writer.flush()
        for sink in (*self._image_lists.values(), *self._sinks.values()):
            sink.close()
        carried = merged_classes([imported.classes for imported in self._imports])
        header = self._layout.has_class_header()
        self._write_bytes(
            "classes",
            class_list_to_csv(self._categories, carried, header=header, label_names=self._names),
        )
        if carried is not None:
            self._write_further_classes(carried)
        self._write_bytes(
            "hierarchy", hierarchy_to_json(self._categories, carried, label_names=self._names)
        )
        for kind, data in self._carried_lists().items():
            self._write_bytes(kind, data)
        self._write_sizes()
        if self._image_files is not None and self._image_files.without_picture:
            log.warning(
                "%d items have no picture to save; their rows are written",
                self._image_files.without_picture,
            )
        for what, count in sorted(self._writing.notes.items()):
            if count:
                log.warning("%d %s", count, what)
        for what, count in sorted((+self.lost).items()):
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
            sink.count and KINDS_BY_NAME[kind].needs_sizes
            for (kind, _), sink in self._sinks.items()
        )
        if known and needed:
            lines = [image_meta_line(name, size) for name, size in known.items()]
            text = "\n".join(["# <image name> <height> <width>", "", *lines, ""])
            self._write_bytes("images_meta", text.encode("utf-8"))

    def _write_further_classes(self, carried: ClassList) -> None:
        """Writes the class lists beside the one that gives the order, as they were read."""
        for name, data in carried.others:
            kept = self._layout.further_class_list(name)
            if kept is not None:
                with open(self._target.path(kept), "wb") as file:
                    file.write(data)
            else:
                names = names_without_category(carried, self._writing.label_names)
                self.lost["names of classes beside its labels"] = len(list(names))

    def _carried_lists(self) -> dict[str, bytes]:
        return {k: data for part in reversed(self._imports) for k, data in part.lists.items()}

    def _write_bytes(self, kind: str, data: bytes) -> None:
        with open(self._target.path(self._layout.file(kind)), "wb") as file:
            file.write(data)

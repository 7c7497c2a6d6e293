"""Writing a dataset: items -> rows of each kind -> tables, masks and images in one target.

Items are written one after another, so a stream needs no more memory than its tables' buffers.
What has no place in the files is counted, and reported at the end, a line each.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import compress, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin._host import (
    Bbox,
    Caption,
    DatasetItem,
    Label,
    LabelCategories,
    Points,
    holds_pixels,
)
from datumaro_openimages_plugin.annotations.objects import (
    OriginBbox,
    OriginCaption,
    OriginLabel,
    OriginPoints,
)
from datumaro_openimages_plugin.annotations.origin import ImportedFrom
from datumaro_openimages_plugin.classes.carried_classes import (
    merged_classes,
    names_without_category,
)
from datumaro_openimages_plugin.classes.class_rows import check_label_names
from datumaro_openimages_plugin.classes.classes import ClassList, class_list_to_csv
from datumaro_openimages_plugin.classes.hierarchy_export import hierarchy_to_json
from datumaro_openimages_plugin.errors import AnnotationError
from datumaro_openimages_plugin.files.layout import Layout
from datumaro_openimages_plugin.images.images import IMAGE_COLUMNS
from datumaro_openimages_plugin.kinds._kind import Kind
from datumaro_openimages_plugin.rendering.sinks import CsvSink, Sink
from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing
from datumaro_openimages_plugin.saving.target import Target
from datumaro_openimages_plugin.sources.safe_names import unsafe_id
from datumaro_openimages_plugin.writing.annotation_writer import ITEM_ATTRIBUTES, AnnotationWriter
from datumaro_openimages_plugin.writing.image_rows import ImageRows
from datumaro_openimages_plugin.writing.media import ImageFiles, item_size
from datumaro_openimages_plugin.writing.written_sizes import WrittenSizes, image_meta_lines

if TYPE_CHECKING:
    from datumaro_openimages_plugin.files.old_dataset import OldDataset

__all__ = ["Writer"]

log = logging.getLogger(__name__)

_ONE_NAME_OF_SEVERAL = (
    "label names stand for one class in one dataset and for another in the next; all their "
    "annotations are written with the first one's id"
)

_subset_of = attrgetter("subset")

_WAITING = 256  # items whose rows are written together
_WITH_PIXELS = 32  # of them, that may hold pictures in memory

OnError = Callable[[AnnotationError, DatasetItem], None]

#: Annotations that hold no pictures.
_LIGHT = frozenset(
    (Bbox, Caption, Label, Points, OriginBbox, OriginCaption, OriginLabel, OriginPoints)
)


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
        check_label_names(names)
        self._writing = Writing(target, names, self._refuse, old=old)
        self._image_lists: dict[str, ImageRows] = {}  # by name: one may be of all subsets
        self._rows_of: dict[str, ImageRows] = {}
        self._annotations = AnnotationWriter(self._writing, layout)
        self._waiting: list[DatasetItem] = []
        self._with_pixels = 0  # of the items that wait
        self._imports: list[ImportedFrom] = []
        self._names: dict[str, str] = {}  # shown name -> LabelName
        self._sizes = WrittenSizes()

    @property
    def label_names(self) -> list[str]:
        """LabelName by label index."""
        return self._writing.label_names

    @property
    def lost(self) -> Counter[str]:
        """What the format cannot hold -> how often it came."""
        return self._writing.lost

    # Items

    def write(self, item: DatasetItem) -> None:
        """Takes an item to write: its image's row, its picture, and its annotations.

        Raises:
            AnnotationError: Its id or subset cannot be part of a file name.
        """
        self._check_names(item)
        origin = getattr(item, "origin", None)
        if origin is not None:
            self.remember(origin.dataset)
        if self._image_files is not None:
            self._image_files.add(item)
        self._waiting.append(item)
        if holds_pixels(item.media) or not _LIGHT.issuperset(map(type, item.annotations)):
            self._with_pixels += 1
        if len(self._waiting) >= _WAITING or self._with_pixels >= _WITH_PIXELS:
            self._write_waiting()

    def _write_waiting(self) -> None:
        """Writes the rows of the items that were taken."""
        items, self._waiting = self._waiting, []
        sizes = list(map(item_size, items))
        self._sizes.add_all([item.id for item in items], sizes)
        for subset, run in groupby(items, _subset_of):
            self._image_rows(subset).add_all(list(run))
        subsets = list(map(_subset_of, items))
        for subset in dict.fromkeys(subsets):
            mine = [one == subset for one in subsets]
            self._annotations.write(list(compress(items, mine)), list(compress(sizes, mine)))
        if self._with_pixels:
            # The writers' buffers hold the items, too.
            self._annotations.flush()
            self._with_pixels = 0

    # Rows that are ready

    def flush(self) -> None:
        """Writes what waits, before rows that are ready are written to the sinks."""
        if self._waiting:
            self._write_waiting()
        for rows in self._image_lists.values():
            rows.flush()
        self._annotations.flush()

    def image_sink(self, subset: str) -> CsvSink:
        """The image list of a subset."""
        return self._image_rows(subset).sink

    def writer_of(self, kind: Kind, subset: str) -> KindWriter:
        """The writer of a kind's rows of a subset."""
        return self._annotations.writer_of(kind, subset)

    def add_sizes(self, ids: pa.Array, sizes: np.ndarray) -> None:
        """Takes the sizes of images: (n, 2) height, width in pixels."""
        self._sizes.add_columns(ids, sizes)

    def _check_names(self, item: DatasetItem) -> None:
        reason = unsafe_id(item.id)
        what = "id"
        if reason is None and item.subset not in self._rows_of:
            reason, what = unsafe_id(item.subset), "subset"
            if reason is None and "/" in item.subset:
                reason = "has a path separator"
        if reason is not None:
            raise AnnotationError(
                f"the item's {what} {reason}; rename it before the export",
                image_id=item.id,
                value=item.subset if what == "subset" else None,
            )

    def remember(self, imported: ImportedFrom | None) -> None:
        """Takes note of an import that items come from."""
        if imported is None or any(known is imported for known in self._imports):
            return
        self._imports.append(imported)
        for name, shown in imported.shown.items():
            if self._names.setdefault(shown, name) != name:
                self._writing.notes[_ONE_NAME_OF_SEVERAL] += 1
        # In place, since the writers of rows have the list.
        self._writing.label_names[:] = [self._names.get(c.name, c.name) for c in self._categories]

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

    def _image_rows(self, subset: str) -> ImageRows:
        rows = self._rows_of.get(subset)
        if rows is None:
            name = self._layout.file("images", subset)
            if name not in self._image_lists:
                sink = CsvSink(lambda: self._target.path(name), IMAGE_COLUMNS)
                self._image_lists[name] = ImageRows(sink, self._writing, ITEM_ATTRIBUTES)
            rows = self._rows_of[subset] = self._image_lists[name]
        return rows

    # The end

    def _every_sink(self) -> list[Sink]:
        return [*(rows.sink for rows in self._image_lists.values()), *self._annotations.sinks]

    def drop(self) -> None:
        """Closes the files of an export that has failed."""
        for sink in self._every_sink():
            sink.drop()

    def finish(self) -> None:
        """Writes what belongs to the whole dataset: classes, hierarchy, sizes."""
        self.flush()
        if not self._image_lists:
            # A dataset without images is found again by a list of none.
            self._image_rows("default").sink.open()
        for sink in self._every_sink():
            sink.close()
        carried = merged_classes([imported.classes for imported in self._imports])
        header = self._layout.has_class_header()
        self._write_blocks(
            "classes",
            [class_list_to_csv(self._categories, carried, header=header, label_names=self._names)],
        )
        if carried is not None:
            self._write_further_classes(carried)
        self._write_blocks(
            "hierarchy", [hierarchy_to_json(self._categories, carried, label_names=self._names)]
        )
        lists = {k: data for part in reversed(self._imports) for k, data in part.lists.items()}
        for kind, data in lists.items():
            self._write_blocks(kind, [data])
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
        others: dict[str, tuple[int, int]] = {}
        for imported in self._imports:
            for name, size in imported.other_sizes.items():
                others.setdefault(name, size)
        names, sizes, unlike = self._sizes.known(others)
        if unlike:
            log.warning(
                "%d ids stand for images of different sizes in several subsets; images.meta leaves "
                "them out, so their sizes are known only where their pictures are",
                unlike,
            )
        if len(names) and (self._always_meta or self._annotations.needs_sizes()):
            self._write_blocks("images_meta", image_meta_lines(names, sizes))

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

    def _write_blocks(self, kind: str, data: Iterable[bytes | memoryview]) -> None:
        with open(self._target.path(self._layout.file(kind)), "wb") as file:
            file.writelines(data)

"""Reading a dataset: files -> images -> classes -> one table per kind -> items.

Everything is columns until somebody iterates; then the annotations of some thousand images are
made together, and each item when its turn comes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from datumaro.components.progress_reporting import NullProgressReporter, ProgressReporter

from datumaro_openimages_plugin._host import (
    AnnotationType,
    DatasetItem,
    Image,
    LabelCategories,
    annotations_list,
    image_from_bytes,
    image_from_file,
)
from datumaro_openimages_plugin.annotations import extra_column, extras
from datumaro_openimages_plugin.annotations.origin import ImageOrigin, ImageSource, ImportedFrom
from datumaro_openimages_plugin.classes.classes import categories_from_classes, unique_display_names
from datumaro_openimages_plugin.classes.read_classes import read_classes
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.images.image_sizes import image_meta_from_text
from datumaro_openimages_plugin.images.images import Images
from datumaro_openimages_plugin.images.picture_headers import header_sizes
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, KindTable, Labels
from datumaro_openimages_plugin.progress import Steps
from datumaro_openimages_plugin.reading.choice import Choice
from datumaro_openimages_plugin.reading.choose import choose
from datumaro_openimages_plugin.reading.choose_names import ClassNames
from datumaro_openimages_plugin.reading.first_look import classes_meant, likely_keys, scans_for
from datumaro_openimages_plugin.reading.items import make_item, show_columns
from datumaro_openimages_plugin.reading.one_state import stamp
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.sources.files import DatasetFiles
from datumaro_openimages_plugin.sources.names import LISTS, FoundFile
from datumaro_openimages_plugin.sources.packed import read_unpacked
from datumaro_openimages_plugin.tables.arrays import distinct_codes, to_arrow
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.tables.tables import Column, CsvTable, OnError

__all__ = ["Reader"]

log = logging.getLogger(__name__)

_BATCH = 512  # images whose annotations are made together; their values fit in a core's cache


class Reader:
    """A dataset as columns.

    Args:
        path: A folder, or a zip.
        image_meta: Sizes: a mapping id -> (height, width), the name of a file of such lines in
            the dataset's root, or None for ``images.meta``.
        on_error: Gets each bad row's error.
        display_names: Whether labels are named by DisplayName rather than by LabelName.
        show_columns: Whether columns without a place in Datumaro become attributes.
        keep_attributes: Whether the column ``Extra`` is taken back; see `extra_column`.
        choice: What is read; None for everything that is read unasked.
        reporter: Is told how many bytes of the tables are read.

    Raises:
        FormatError: A file is damaged as a whole, or what ``on_error`` raises.
        UnsafePathError: A name would lead out of the dataset.
    """

    def __init__(
        self,
        path: str,
        image_meta: Mapping[str, tuple[int, int]] | str | None,
        on_error: OnError,
        display_names: bool = False,
        show_columns: bool = False,
        keep_attributes: bool = False,
        choice: Choice | None = None,
        reporter: ProgressReporter | None = None,
    ) -> None:
        self._choice = choice or Choice()
        self.files = DatasetFiles(open_source(path))
        self.stamp = stamp(self.files)
        self._source = self.files.source
        self._report = on_error
        self._refused = 0
        self.classes = read_classes(self.files)
        self.labels = Labels(self.classes.names)
        self._show_columns = show_columns
        self._keep_attributes = keep_attributes
        # Filled when all labels are known; rows need the object before.
        self._shown: dict[str, str] = {}
        other_sizes: dict[str, tuple[int, int]] = {}
        self._shared = ImportedFrom(
            self.classes,
            self._source.root,
            self._shown,
            other_sizes,
            self._lists(),
            show_columns=show_columns,
            keep_attributes=keep_attributes,
        )
        self.images = Images(self._shared)
        self._skipped = self._subsets_to_skip()
        #: Kind -> its rows, empty for kinds that are not read.
        self.tables = {kind.name: KindTable(TableRows(self._shared, kind.name)) for kind in KINDS}
        kinds = self._choice.kinds_read()
        with Steps(reporter or NullProgressReporter(), self._bytes(kinds), "Reading") as steps:
            self._read_image_lists(steps)
            partial = self._read_tables(kinds, steps)
        if partial or self._skips_files():
            self._shared.left_out.append(f"what was not chosen ({self._choice})")
        if display_names:
            every = replace(self.classes, names=tuple(self.labels.names))
            self._shown.update(unique_display_names(every))
        # Shards are joined again; another choice is a smaller dataset, with only what is its own.
        others = not self._shared.left_out or self._choice.is_shard
        other_sizes.update(self.images.set_sizes(self._sizes(image_meta), others=others))
        if self._refused:
            self._shared.left_out.append(f"{self._refused} rows with errors")
        # What the items made so far lack, and how many were made; None when that was reported.
        self._lacking: Counter[str] = Counter()
        self._made_items: int | None = 0
        self._report_files()

    def _on_error(self, error: FormatError) -> None:
        self._refused += 1
        self._report(error)

    # Files and columns

    def _subsets_to_skip(self) -> set[str]:
        """The subsets whose files need not be opened, since each file has its own subset's."""
        if self._choice.subsets is None:
            return set()
        listed = {subset for subset, _ in self.files.by_subset("images") if subset is not None}
        files = [file for kind in KINDS for file in self.files.best(kind.name)]
        if not all(file.subset in listed for file in files):
            return set()
        return listed - set(self._choice.subsets)

    def _skips_files(self) -> bool:
        """Whether any file was not read that is read unasked."""
        unread = [
            kind.name for kind in KINDS if kind.by_default and not self.tables[kind.name].files
        ]
        return bool(self._skipped) or any(self.files.all(name) for name in unread)

    def _subset_names(self) -> set[str]:
        """All subsets that there are, read or not."""
        kinds = ("images", *KINDS_BY_NAME)
        named = {file.subset for name in kinds for file in self.files.all(name)}
        return {name for name in named if name is not None} | set(self.images.subset_names)

    def _bytes(self, kinds: Sequence[Kind]) -> int:
        """How much is to be read."""
        files = [file for _, some in self.files.by_subset("images") for file in some]
        files += [
            file
            for kind in kinds
            for file in self.files.best(kind.name)
            if file.subset not in self._skipped
        ]
        return sum(self._source.size(file.name) for file in files)

    def _read_image_lists(self, steps: Steps) -> None:
        first: list[str] = []
        further: list[str] = []
        for subset, files in self.files.by_subset("images"):
            if subset in self._skipped:
                continue
            for number, file in enumerate(files):
                again = number > 0 or self.images.has_full_list
                self.images.read_list(self._source, file.name, subset, self._on_error, steps.done)
                (further if again else first).append(file.name)
        if further:
            log.info(
                "several lists of images: %s, and what it lacks of %s",
                ", ".join(first),
                ", ".join(further),
            )

    def _lists(self) -> dict[str, bytes]:
        return {
            kind: read_unpacked(self._source, file.name)
            for kind in LISTS
            for file in self.files.best(kind)[:1]
        }

    def _read_tables(self, kinds: Sequence[Kind], steps: Steps) -> bool:
        """Reads the tables of some kinds; whether the choice left anything out of them."""
        columns = {kind.name: kind.columns(self.labels) for kind in KINDS}
        if self._keep_attributes:
            for kind in KINDS:
                if extras.EXTRA_ATTRIBUTE in kind.extra:
                    columns[kind.name] = [*columns[kind.name], extra_column.column()]
        self._shared.kinds.extend(kind.name for kind in kinds)
        # Of rows that are not chosen, only what tells it is read.
        first = {kind.name: self._choice.columns(kind, columns[kind.name]) for kind in kinds}
        opened = self._opened(kinds, steps)
        classes = classes_meant(self._choice, self.classes, self.labels)
        scans = scans_for(classes, [table for _, _, table in opened])
        for number, one in enumerate(opened):
            if number not in scans:
                self._read(*one, first)
        if scans:
            keys = likely_keys(scans, self.tables, self.images, classes)
            for number, scan in scans.items():
                self._read(*opened[number], first, scan.rows_of(keys))
            order = {id(table): number for number, (_, _, table) in enumerate(opened)}
            for kind in kinds:
                self.tables[kind.name].parts.sort(key=lambda part: order[id(part.table)])
        partial = False
        if self._choice.narrows:
            names = ClassNames(self.classes, self.labels.names)
            subsets = self._subset_names()
            partial = choose(self._choice, self.tables, self.images, names, subsets)
            for kind in kinds:
                later = [c for c in columns[kind.name] if c not in first[kind.name]]
                for part in self.tables[kind.name].parts if later else ():
                    part.add_columns(later, self._on_error)
        for name, table in self.tables.items():
            table.finish(columns[name], len(self.images))
            table.rows.label_names = self.labels.names
        for kind in kinds:
            if kind.link is not None:
                kind.link(self.tables, self.labels)
        return partial

    def _opened(self, kinds: Sequence[Kind], steps: Steps) -> list[tuple[Kind, FoundFile, Any]]:
        opened = []
        for kind in kinds:
            self.files.report_choice(kind.name)
            for file in self.files.best(kind.name):
                if file.subset not in self._skipped:
                    table: Any = kind.opened(self._source, file.name)
                    table.moved = steps.done
                    if isinstance(table, CsvTable):
                        table.spell(kind.fields)
                    opened.append((kind, file, table))
        return opened

    def _read(
        self,
        kind: Kind,
        file: FoundFile,
        table: Any,
        columns: Mapping[str, Sequence[Column]],
        rows: np.ndarray | None = None,
    ) -> None:
        subset = self._subset(file)
        mine = columns[kind.name]
        self.tables[kind.name].read(table, mine, self.images, subset, self._on_error, rows)

    def _subset(self, file: FoundFile) -> str:
        if file.subset is not None:
            return file.subset
        names = self.images.subset_names
        return names[0] if len(names) == 1 else "default"

    def _sizes(
        self, image_meta: Mapping[str, tuple[int, int]] | str | None
    ) -> Mapping[str, tuple[int, int]]:
        if isinstance(image_meta, str):
            return image_meta_from_text(self._source.read(image_meta), image_meta)
        found: Mapping[str, tuple[int, int]] = {}
        for file in self.files.best("images_meta")[:1]:
            found = image_meta_from_text(read_unpacked(self._source, file.name), file.name)
        # CVAT gives the sizes that it knows; it looks for the file in one place only.
        return {**found, **image_meta} if image_meta else found

    # What is here

    def categories(self) -> LabelCategories:
        """The labels, those that no class list has last."""
        if self.classes.from_meta:  # as the built-in: such labels show no parents
            names = self.labels.names
            return LabelCategories.from_iterable(self._shown.get(name, name) for name in names)
        every = replace(self.classes, names=tuple(self.labels.names))
        return categories_from_classes(every, shown=self._shown)

    @property
    def subset_names(self) -> list[str]:
        """The subsets that have images, in the order of the lists."""
        names = self.images.subset_names
        return [names[code] for code in distinct_codes(self.images.subset_codes)]

    @property
    def annotation_types(self) -> set[AnnotationType]:
        """The types that there is at least one annotation of."""
        return {
            kind.type for kind in KINDS if kind.type is not None and len(self.tables[kind.name])
        }

    @property
    def other_sizes(self) -> Mapping[str, tuple[int, int]]:
        """(height, width) in pixels of images that only ``images.meta`` names."""
        return self._shared.other_sizes

    def image_numbers(self, subset: str | None = None) -> np.ndarray:
        """(n,) int64 numbers of the images of one subset, or of all, in order."""
        if subset is None:
            return np.arange(len(self.images))
        code = self.images.subset_names.index(subset)
        return np.flatnonzero(self.images.subset_codes == code)

    def find(self, image_id: str, subset: str) -> np.ndarray:
        """(0 or 1,) int64: the number of one image."""
        if subset not in self.images.subset_names:
            return np.empty(0, np.int64)
        return self.images.numbers_of(image_id, subset)

    # Items

    def items(self, numbers: np.ndarray) -> Iterator[DatasetItem]:
        """Makes the items of some images, a batch at a time."""
        for start in range(0, len(numbers), _BATCH):
            yield from self.items_of(numbers[start : start + _BATCH])
        self.count_made(len(numbers))

    def batches(self) -> Iterator[np.ndarray]:
        """The numbers of all images, as many together as there are rows of made together."""
        for start in range(0, len(self.images), _BATCH):
            yield np.arange(start, min(start + _BATCH, len(self.images)))

    @property
    def is_bare(self) -> bool:
        """Whether annotations have no more attributes than they have without being asked."""
        return not (self._show_columns or self._keep_attributes)

    def count_pictures(self, ids: Sequence[str], subset: str) -> None:
        """Takes note of images whose items are not made."""
        if self.files.has_images():
            found = [self.files.image(image_id, subset) for image_id in ids]
            self._lacking["images"] += found.count(None)
        else:
            self._lacking["images"] += len(ids)

    def count_made(self, count: int) -> None:
        """Takes note of items that were made; reports once what all of them lack."""
        if self._made_items is not None:
            self._made_items += count
            if self._made_items >= len(self.images):
                self._made_items = None
                self._report_lacking()

    def _report_lacking(self) -> None:
        """One line for each sort of picture that is missing, when every item was made once."""
        if self._lacking["images"]:
            log.warning(
                "%d of %d images have no file in the dataset; their items have no media",
                self._lacking["images"],
                len(self.images),
            )
        if self._lacking["masks"]:
            log.warning(
                "%d of %d masks have no picture in the dataset; their rows are kept",
                self._lacking["masks"],
                len(self.tables["masks"]),
            )

    def items_of(self, numbers: np.ndarray) -> Iterator[DatasetItem]:
        """Makes the items of one batch; see `items`."""
        debug, lacking = log.isEnabledFor(logging.DEBUG), 0
        ids = self.images.ids.take(to_arrow(numbers)).to_pylist()
        names = self.images.subset_names
        subsets = [names[code] for code in self.images.subset_codes[numbers].tolist()]
        files: list[str | None] = [None] * len(ids)
        if self.files.has_images():
            files = list(map(self.files.image, ids, subsets))
        heights, widths = self.images.known_sizes(numbers)
        unknown = set(np.flatnonzero(heights == 0).tolist())
        batch = self._batch(numbers, files, subsets, heights, widths)
        parts = [(kind, *self._made(kind, batch)) for kind in KINDS if self.has(kind)]
        attached = [part for part in parts if part[0].attach is not None]
        made_alone = [(made, counts) for kind, made, counts in parts if kind.attach is None]
        origin: ImageSource | ImageOrigin = self.images
        for i, (number, image_id, subset, file, size) in enumerate(
            zip(numbers.tolist(), ids, subsets, files, batch.sizes, strict=True)
        ):
            annotations = annotations_list()
            # Made when the item is, so that a stream's objects never outlive their turn.
            for made, counts in made_alone:
                if counts[i]:
                    annotations.extend(islice(made, counts[i]))
            if unknown:
                measured = i in unknown and size is not None
                origin = self.images.origin(number, size) if measured else self.images
            media = None if file is None else self._media(file, size)
            item = make_item(image_id, subset, media, annotations, origin, number)
            for kind, made, counts in attached:
                assert kind.attach is not None
                kind.attach(item, list(islice(made, counts[i])), self.tables[kind.name])
            if self._show_columns:
                show_columns(item)
            if self._keep_attributes:
                extra_column.unpack(item)
            if media is None:
                lacking += 1
                if debug:
                    log.debug("no file of the image %s/%s", subset, image_id)
            yield item
        self._lacking["images"] += lacking

    def _batch(
        self,
        numbers: np.ndarray,
        files: list[str | None],
        subsets: list[str],
        heights: np.ndarray,
        widths: np.ndarray,
    ) -> Batch:
        sizes: list[tuple[int, int] | None] = list(
            zip(heights.tolist(), widths.tolist(), strict=True)
        )
        unknown = np.flatnonzero(heights == 0)
        heights[unknown] = widths[unknown] = 1
        pictures = {at: file for at in unknown.tolist() if (file := files[at]) is not None}
        found = header_sizes(self._source, list(pictures.values()))
        for at in unknown.tolist():
            sizes[at] = None
        for at, size in zip(pictures, found, strict=True):
            sizes[at] = size
            heights[at], widths[at] = size or (1, 1)
        return Batch(numbers, heights, widths, sizes, subsets, self.files, self._lacking)

    def has(self, kind: Kind) -> bool:
        """Whether there is something of a kind to give to items."""
        table = self.tables[kind.name]
        return bool(len(table)) or (kind.attach is not None and table.files > 0)

    def _made(self, kind: Kind, batch: Batch) -> tuple[Iterator[Any], list[int]]:
        """The objects of a batch in order, and how many each image has."""
        table = self.tables[kind.name]
        rows, counts = table.of_images(batch.images)
        if not len(rows):
            return iter(()), counts.tolist()
        return kind.from_rows(table, rows, batch, counts), counts.tolist()

    def _media(self, file: str, size: tuple[int, int] | None) -> Image:
        path = self._source.path(file)
        if path is None:
            return image_from_bytes(self._source.reader(file), file, size)
        return image_from_file(path, size)

    def _report_files(self) -> None:
        unread = [file.name for file in self.files.unread()]
        if unread:
            log.warning("not read by this version: %s", ", ".join(sorted(unread)))
        for kind in KINDS:
            asked = [file.name for file in self.files.all(kind.name)]
            if asked and not kind.by_default and self._choice.kinds is None:
                log.info("read only if kinds names %s: %s", kind.name, ", ".join(sorted(asked)))
        unlisted = len(self.labels.names) - self.labels.listed
        if unlisted and self.labels.listed:
            log.warning(
                "%d labels are in no class list; they are appended to the categories: %s",
                unlisted,
                ", ".join(self.labels.names[self.labels.listed :][:10]),
            )

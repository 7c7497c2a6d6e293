"""Reading a dataset: files -> images -> classes -> one table per kind -> items.

Everything is columns until somebody iterates; then an `ItemMaker` makes the items.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from datumaro.components.progress_reporting import NullProgressReporter, ProgressReporter

from datumaro_openimages_plugin._host import (
    AnnotationType,
    LabelCategories,
)
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.origin import ImportedFrom
from datumaro_openimages_plugin.classes.classes import categories_from_classes, unique_display_names
from datumaro_openimages_plugin.errors import FormatError, MissingFileError
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.files.names import LISTS, FoundFile
from datumaro_openimages_plugin.files.read_classes import read_classes
from datumaro_openimages_plugin.images.image_sizes import (
    image_meta_from_mapping,
    image_meta_from_text,
)
from datumaro_openimages_plugin.images.images import Images
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME, _extra_column
from datumaro_openimages_plugin.kinds._kind import Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.progress import Steps
from datumaro_openimages_plugin.reading.choice import Choice
from datumaro_openimages_plugin.reading.choose import choose
from datumaro_openimages_plugin.reading.choose_names import ClassNames
from datumaro_openimages_plugin.reading.first_look import classes_meant, likely_keys, scans_for
from datumaro_openimages_plugin.reading.item_maker import ItemMaker
from datumaro_openimages_plugin.reading.one_state import stamp
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.sources.packed import read_unpacked
from datumaro_openimages_plugin.tables.arrays import distinct_codes
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.tables.tables import Column, CsvTable, OnError

__all__ = ["Reader"]

log = logging.getLogger(__name__)


class Reader:
    """A dataset as columns.

    Args:
        path: A folder, or a zip.
        image_meta: Sizes: a mapping id -> (height, width), the name of a file of such lines in
            the dataset's root, or None for ``images.meta``.
        on_error: Gets each bad row's error.
        display_names: Whether labels are named by DisplayName rather than by LabelName.
        show_columns: Whether columns without a place in Datumaro become attributes.
        keep_attributes: Whether the column ``Extra`` is taken back; see `_extra_column`.
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
        #: Makes the items.
        self.items = ItemMaker(self.files, self.images, self.tables, show_columns, keep_attributes)
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
        checked = [_extra_column.column()] if self._keep_attributes else []
        for subset, files in self.files.by_subset("images"):
            if subset in self._skipped:
                continue
            for number, file in enumerate(files):
                again = number > 0 or self.images.has_full_list
                self.images.read_list(
                    self._source, file.name, subset, self._on_error, steps.done, checked
                )
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
                    columns[kind.name] = [*columns[kind.name], _extra_column.column()]
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
            try:
                data = self._source.read(image_meta)
            except (FileNotFoundError, IsADirectoryError, KeyError):
                raise MissingFileError(
                    "image_meta names a file that the dataset's folder does not have",
                    file=image_meta,
                ) from None
            return image_meta_from_text(data, image_meta)
        found: Mapping[str, tuple[int, int]] = {}
        for file in self.files.best("images_meta")[:1]:
            found = image_meta_from_text(read_unpacked(self._source, file.name), file.name)
        # CVAT gives the sizes that it knows; it looks for the file in one place only.
        return {**found, **image_meta_from_mapping(image_meta)} if image_meta else found

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

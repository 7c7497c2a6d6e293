"""The dataset that an export replaces: which of its files go, and which stay.

What belongs to it: every table of a known name, the class lists, and the pictures and masks that
its rows name. All else in the folder is somebody else's and stays.

Saved in place, some of what belongs to the dataset stays, too: pictures of images that are still
there, tables of kinds that the import did not read, and other versions of a table as long as the
one that was read stays as it was.
"""

from __future__ import annotations

import filecmp
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin._host import DatasetItem, image_from_file, is_plain_file
from datumaro_openimages_plugin.annotations.origin import ImportedFrom
from datumaro_openimages_plugin.errors import OpenImagesError, SaveError
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.files.names import LISTS, SELECTIONS, UNREAD, FoundFile
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.saving.staging import Staging
from datumaro_openimages_plugin.sources.archive import Folder
from datumaro_openimages_plugin.sources.safe_names import PARTIAL
from datumaro_openimages_plugin.tables.tables import Column, CsvTable, has_columns

__all__ = ["OldDataset"]

log = logging.getLogger(__name__)

#: Files of no kind of annotation that an export writes anew.
_COMMON = ("images", "classes", "hierarchy", *LISTS, "images_meta", "dataset_meta")
_ROWS = 50_000  # written at once
_LOOKED_AT = 10_000  # items that are looked at for one that came from the target


class OldDataset:
    """What is in the target before an export: a dataset, other files, or nothing.

    Args:
        staging: The replacement of the target.
        into_zip: Whether the export goes into a zip in it.

    Attributes:
        files: The files, None where there are none.
        exists: Whether there is a dataset of this format.
        in_place: Whether that is the one being saved.
        has_unread: Whether there are tables of kinds that are read only on request.
        written_ids: The ids of all items that were written, where there are such tables.
    """

    def __init__(self, staging: Staging, into_zip: bool = False) -> None:
        self.root = staging.target
        self.into_zip = into_zip
        self.staging = staging
        self.files: DatasetFiles | None = None
        self.exists = self.in_place = False
        self._of_kind: dict[str, list[FoundFile]] = {}
        if os.path.isdir(self.root) and any(name != PARTIAL for name in os.listdir(self.root)):
            self.files = DatasetFiles(Folder(self.root))
            self.exists = any(self.all_of("images", "classes", *KINDS_BY_NAME))
        self._read_kinds: set[str] | None = None
        self._meta_labels: list[str] | None = None
        self.has_unread = any(self.all_of(*(k.name for k in KINDS if not k.by_default)))
        self.written_ids: set[str] = set()
        self._kept: set[str] = set()
        self._shadows: set[str] = set()
        self._moved: list[tuple[DatasetItem, str]] = []
        self._moved_masks: list[tuple[Any, str]] = []

    def all_of(self, *kinds: str) -> Iterator[FoundFile]:
        """The dataset's files of some kinds."""
        for kind in kinds if self.files is not None else ():
            yield from self.of_kind(kind)

    def of_kind(self, kind: str) -> list[FoundFile]:
        """The dataset's files of a kind, as `DatasetFiles.all` has them."""
        if kind not in self._of_kind:
            every = [] if self.files is None else self.files.all(kind)
            self._of_kind[kind] = [file for file in every if self._is_ours(file)]
        return self._of_kind[kind]

    def _is_ours(self, file: FoundFile) -> bool:
        """False for a readable table of a name like ours with other columns: somebody else's."""
        assert self.files is not None
        if file.kind in ("images", *KINDS_BY_NAME):
            opened = _opener(file.kind)
            other = has_columns(self.files.source, file.name, (), opened)
            return not other or has_columns(self.files.source, file.name, ("ImageID",), opened)
        return True

    def name_of(self, kind: str) -> str | None:
        """The name of the file of a kind such as ``images_meta``, None where there is none."""
        return next((file.name for file in self.all_of(kind)), None)

    def only_subset(self) -> str | None:
        """The one subset that the images are of, None where there are several or none."""
        # Counting costs reading; it matters only where a table is of no subset by its name.
        if all(file.subset is not None for file in self.all_of(*KINDS_BY_NAME)):
            return None
        subsets = {subset for subset, ids in self.images() if len(ids)}
        return subsets.pop() if len(subsets) == 1 else None

    # Whose dataset it is

    def is_source_of(self, extractor: Iterable[DatasetItem]) -> bool:
        """Whether a dataset came from here: paths are compared by what they lead to."""
        if self._is_here(getattr(extractor, "data_path", None)):
            return True
        for item in islice(extractor, _LOOKED_AT):
            origin = getattr(item, "origin", None)
            if origin is not None:
                return self._is_here(origin.dataset.root)
        return False

    def _is_here(self, path: str | None) -> bool:
        return bool(path) and os.path.realpath(str(path)) == self.root

    def check_whole(self, imported: ImportedFrom) -> None:
        """Takes note of an import that items came from.

        Raises:
            SaveError: It has only a part of what is here, and saving would delete the rest.
        """
        root = os.path.realpath(imported.root)
        if root != self.root and os.path.dirname(root) != self.root:
            return
        if imported.partial is not None:
            raise SaveError(
                "only a part of this dataset was imported, and saving that here would delete the "
                f"rest; save it to another folder, or import everything (left out: "
                f"{imported.partial})",
                file=self.root,
            )
        self._read_kinds = (self._read_kinds or set()) | set(imported.kinds)
        if imported.classes.from_meta:
            self._meta_labels = list(imported.classes.names)

    def meta_labels(self) -> list[str] | None:
        """The labels that the import took from ``dataset_meta.json``, None where it did not."""
        return self._meta_labels

    # Pictures and masks on their way

    def inside(self, path: str | None) -> str | None:
        """The name that a path has in the target, None where it is outside."""
        return self.staging.name_in_target(path) if path else None

    def picture(self, image_id: str, subset: str) -> str | None:
        """The picture that an import finds for an image, None where there is none."""
        return None if self.files is None else self.files.image(image_id, subset)

    def written(self, item: DatasetItem, placed: str | None) -> None:
        """Takes note of an item's picture, which is ``placed`` or None where it is left alone."""
        if self.has_unread:
            self.written_ids.add(item.id)
        found = self.picture(item.id, item.subset)
        if placed is None:
            if is_plain_file(item.media):
                found = self.inside(item.media.path) or (found if self.in_place else None)
            elif not self.in_place:
                found = None
            if found is not None:
                self._kept.add(found)
        elif found is not None and found != placed and _stem(found) == _stem(placed):
            # Of `1.jpg` and `1.png` an import would take one.
            self._shadows.add(found)

    def moved_picture(self, item: DatasetItem, rel: str) -> None:
        """Takes note that an item's picture, which is in the target, will be at ``rel``."""
        self._moved.append((item, rel))

    def moved_mask(self, reader: Any, rel: str) -> None:
        """Takes note that the file of a mask's reader, which is in the target, will be ``rel``."""
        self._moved_masks.append((reader, rel))

    def follow_moves(self) -> None:
        """Points what was saved to where its files are now; else it would find others' there."""
        for item, rel in self._moved:
            size = item.media.size if item.media.has_size else None
            item.media = image_from_file(os.path.join(self.root, rel), size)
        for reader, rel in self._moved_masks:
            reader.path = os.path.join(self.root, rel)

    # What goes

    def keep(self, names: Iterable[str]) -> None:
        """Takes note of files that stay whatever becomes of the rest."""
        self._kept.update(names)

    def goes(self) -> Callable[[str], bool]:
        """Tells of the old files, by name, which must not stay; asked when all is staged."""
        if not self.exists:
            return self._shadows.__contains__
        gone = {file.name for file in self._replaced_tables()}
        if not self.in_place and self.files is not None:
            gone.update(self.files.mask_zips())
        gone |= self._masks_named_in(gone)
        gone |= self._pictures_named()
        gone -= self._kept
        return (gone | self._shadows).__contains__

    def _replaced_tables(self) -> Iterator[FoundFile]:
        if not self.in_place:
            yield from self.all_of(*_COMMON, *KINDS_BY_NAME, *UNREAD, *SELECTIONS)
            return
        for kind in (*_COMMON, *self.kinds_read()):
            files = list(self.all_of(kind))
            # Other versions of a table are as good as before if the one that is read is.
            same = {file.subset for file in files if self._is_unchanged(file)}
            if kind != "images" or None not in same:
                yield from (file for file in files if file.subset not in same)

    def kinds_read(self) -> set[str]:
        """Names of the kinds that the import read."""
        if self._read_kinds is not None:
            return self._read_kinds
        return {kind.name for kind in KINDS if kind.by_default}

    def _is_unchanged(self, file: FoundFile) -> bool:
        staged = os.path.join(self.staging.root, file.name)
        return os.path.isfile(staged) and filecmp.cmp(
            staged, os.path.join(self.root, file.name), shallow=False
        )

    def _masks_named_in(self, gone: set[str]) -> set[str]:
        """Mask files that the rows of tables name which go or are written anew."""
        assert self.files is not None
        bases = pa.array(sorted({name.rpartition("/")[2] for name in self.files.media_names()[1]}))
        found = set()
        for file in self.all_of("masks") if len(bases) else ():
            if file.name in gone or self.staging.is_staged(file.name):
                paths = self.texts(file, "MaskPath")
                for path in paths.filter(pc.is_in(paths, value_set=bases)).to_pylist():
                    found.add(self.files.mask(path, file.subset or "") or "")
        return found

    def _pictures_named(self) -> set[str]:
        """Picture files that the old rows name."""
        assert self.files is not None
        names = self.files.media_names()[0]
        stems = pa.array(sorted({_stem(name).rpartition("/")[2] for name in names}))
        found = set()
        for subset, ids in self.images() if names else ():
            last = pc.replace_substring_regex(ids, "(?s)^.*/", "")
            for image_id in ids.filter(pc.is_in(last, value_set=stems)).to_pylist():
                found.add(self.files.image(image_id, subset) or "")
        return found

    def images(self) -> Iterator[tuple[str, pa.Array]]:
        """Subsets and the distinct ids that the dataset's tables have in them; lists first."""
        listed = pa.array([], pa.string())
        for file in self.all_of("images"):
            ids, subsets = (self.texts(file, name) for name in ("ImageID", "Subset"))
            subsets = subsets if len(subsets) else pa.array([""] * len(ids), pa.string())
            for subset in pc.unique(subsets).to_pylist():
                yield subset or file.subset or "default", ids.filter(pc.equal(subsets, subset))
            listed = pc.unique(pa.concat_arrays([listed, ids]))
        kinds = self.kinds_read() if self.in_place else KINDS_BY_NAME
        for file in self.all_of(*kinds):
            ids = pc.unique(self.texts(file, "ImageID"))
            yield file.subset or "default", ids.filter(pc.invert(pc.is_in(ids, value_set=listed)))

    def texts(self, file: FoundFile, column: str) -> pa.Array:
        """(n,) texts of a column; none where the file lacks it or is unreadable."""
        assert self.files is not None
        try:
            table = _opener(file.kind)(self.files.source, file.name)
            if table.actual(column) is None:
                return pa.array([], pa.string())
            rows = table.read([Column(column)], lambda error: None)
        except OpenImagesError:
            return pa.array([], pa.string())
        return pa.concat_arrays([pa.array([], pa.string()), *rows.text[column].chunks])


def _opener(kind: str) -> Callable[..., Any]:
    return KINDS_BY_NAME[kind].opened if kind in KINDS_BY_NAME else CsvTable


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]

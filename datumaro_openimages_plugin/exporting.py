"""Saving a dataset: one target, staged whole, in the place of whatever was there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from datumaro_openimages_plugin._host import DatasetItem, LabelCategories
from datumaro_openimages_plugin.archive import Folder
from datumaro_openimages_plugin.errors import AnnotationError, OpenImagesError
from datumaro_openimages_plugin.files import DatasetFiles
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.layout import Layout
from datumaro_openimages_plugin.media import ImageFiles
from datumaro_openimages_plugin.names import LISTS
from datumaro_openimages_plugin.staging import Staging
from datumaro_openimages_plugin.tables import Column, CsvTable
from datumaro_openimages_plugin.target import Target, ZipTarget
from datumaro_openimages_plugin.writer import Writer

__all__ = ["ExportOptions", "export"]


@dataclass(frozen=True)
class ExportOptions:
    """How to save.

    Args:
        names: One of `layout.NAMES`.
        save_media: Whether pictures are written.
        image_ext: Extension to convert pictures to, None to keep theirs.
        default_ext: Extension of pictures that have none.
        zip: Whether all goes into one zip inside the folder.
        dataset_meta: Writes Datumaro's ``dataset_meta.json`` to the path it is given, or None.
        always_meta: Whether ``images.meta`` is written in any case.
    """

    names: str
    save_media: bool
    image_ext: str | None
    default_ext: str
    zip: bool
    dataset_meta: Callable[[str], None] | None
    always_meta: bool


def export(
    items: Iterable[DatasetItem],
    categories: LabelCategories,
    save_dir: str,
    options: ExportOptions,
    on_error: Callable[[AnnotationError, DatasetItem], None],
    in_place: bool = False,
) -> None:
    """Saves a dataset; the target is the complete old one or the complete new one.

    Args:
        items: The items, in the order to write them.
        categories: The labels.
        save_dir: The target folder.
        options: How to save.
        on_error: Gets the error of each annotation that cannot be written.
        in_place: Whether the items came from the target; found out where it is not known.

    Raises:
        SaveError: The target cannot be written.
        AnnotationError: Something of the dataset cannot be written in this format.
    """
    with Staging(save_dir) as staging:
        old = _OldDataset(staging.target)
        in_place = not options.zip and old.exists and (in_place or old.is_source_of(items))
        if options.zip:
            _export_zip(items, categories, staging, options, on_error)
        else:
            writer = _writer(categories, staging, options, on_error, old if in_place else None)
            written = old.images_to_watch()
            for item in items:
                writer.write(item)
                if written is not None:
                    written.add((item.subset, item.id))
            writer.finish()
            if options.dataset_meta is not None or (in_place and old.has_meta):
                write_meta = options.dataset_meta
                if write_meta is not None:
                    write_meta(staging.path("dataset_meta.json"))
            staging.keep_rest(old.replaced_by(written or set(), in_place))
            return
        staging.keep_rest(old.replaced_by(set(), False))


def _writer(
    categories: LabelCategories,
    target: Target,
    options: ExportOptions,
    on_error: Callable[[AnnotationError, DatasetItem], None],
    old: _OldDataset | None,
) -> Writer:
    image_files = None
    if options.save_media:
        image_files = ImageFiles(
            target, options.default_ext, options.image_ext, None if old is None else old.root
        )
    layout = Layout(options.names, None if old is None else old.files)
    return Writer(target, layout, categories, image_files, on_error, options.always_meta)


def _export_zip(
    items: Iterable[DatasetItem],
    categories: LabelCategories,
    staging: Staging,
    options: ExportOptions,
    on_error: Callable[[AnnotationError, DatasetItem], None],
) -> None:
    """Packs everything into ``<save_dir>/<name of save_dir>.zip``."""
    scratch = os.path.join(staging.root, ".unpacked")
    os.makedirs(scratch)
    target = ZipTarget(staging.path(os.path.basename(staging.target) + ".zip"), scratch)
    writer = _writer(categories, target, options, on_error, None)
    for item in items:
        writer.write(item)
    writer.finish()
    if options.dataset_meta is not None:
        options.dataset_meta(target.path("dataset_meta.json"))
    target.close()
    shutil.rmtree(scratch)


class _OldDataset:
    """What is in the target before the export: a dataset, other files, or nothing."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.files: DatasetFiles | None = None
        if os.path.isdir(root) and os.listdir(root):
            files = DatasetFiles(Folder(root))
            kinds = ("images", "classes", *KINDS_BY_NAME)
            self.files = files if any(files.all(kind) for kind in kinds) else None

    @property
    def exists(self) -> bool:
        """Whether there is a dataset of this format."""
        return self.files is not None

    @property
    def has_meta(self) -> bool:
        """Whether Datumaro's own list of labels is there."""
        return self.files is not None and bool(self.files.all("dataset_meta"))

    def is_source_of(self, items: Iterable[DatasetItem]) -> bool:
        """Whether the items came from here: paths are compared by what they lead to."""
        for item in items:
            origin = getattr(item, "origin", None)
            return origin is not None and os.path.realpath(origin.dataset.root) == self.root
        return False

    def images_to_watch(self) -> set[tuple[str, str]] | None:
        """A set for the (subset, id) of written items, None where no old picture depends on it."""
        return set() if self.files is not None and self.files.has_images() else None

    def replaced_by(self, written: set[tuple[str, str]], in_place: bool) -> Callable[[str], bool]:
        """Tells which of the old files belong to the old dataset and so must not stay."""
        if self.files is None:
            return lambda name: False
        # What is read only on request stays where a dataset is saved in place without it.
        kinds = [kind.name for kind in KINDS if kind.by_default or not in_place]
        ours = {f.name for kind in (*_REWRITTEN, *kinds) for f in self.files.all(kind)}
        masks, images = self._named_by_rows()
        ours.update(masks)
        for key, name in images.items():
            if not in_place or key not in written:
                ours.add(name)
        return ours.__contains__

    def _named_by_rows(self) -> tuple[set[str], dict[tuple[str, str], str]]:
        """Mask files, and picture files by (subset, id), that the old rows name."""
        assert self.files is not None
        masks: set[str] = set()
        images: dict[tuple[str, str], str] = {}
        for kind in ("images", *KINDS_BY_NAME):
            for file in self.files.all(kind):
                subset = file.subset or ""
                for values in self._columns(file.name, kind):
                    if kind == "masks":
                        name = self.files.mask(values[1], subset)
                        if name is not None:
                            masks.add(name)
                    key = (values[2] or subset, values[0])
                    if key not in images:
                        found = self.files.image(values[0], key[0])
                        if found is not None:
                            images[key] = found
        return masks, images

    def _columns(self, name: str, kind: str) -> list[tuple[str, str, str]]:
        """(ImageID, MaskPath, Subset) of the rows; nothing where the old file is unreadable."""
        assert self.files is not None
        try:
            opened = KINDS_BY_NAME[kind].opened if kind in KINDS_BY_NAME else CsvTable
            table = opened(self.files.source, name)
            wanted = [Column(c, required=False) for c in ("ImageID", "MaskPath", "Subset")]
            rows = table.read(wanted, lambda error: None)
        except OpenImagesError:
            return []
        blank = [""] * rows.count
        columns: list[Any] = [
            rows.text[c.name].to_pylist() if c.name in rows.text else blank for c in wanted
        ]
        return list(zip(*columns, strict=True))


#: Files of no kind of annotation that an export writes anew.
_REWRITTEN = ("images", "classes", "hierarchy", *LISTS, "images_meta", "dataset_meta")

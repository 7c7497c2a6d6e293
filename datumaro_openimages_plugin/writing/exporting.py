"""Saving a dataset: one target, staged whole, in the place of whatever was there."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from datumaro_openimages_plugin._host import DatasetItem, LabelCategories
from datumaro_openimages_plugin.errors import AnnotationError, SaveError
from datumaro_openimages_plugin.files.kept_tables import KeptTables
from datumaro_openimages_plugin.files.layout import Layout
from datumaro_openimages_plugin.files.old_dataset import OldDataset
from datumaro_openimages_plugin.saving.staging import Staging
from datumaro_openimages_plugin.saving.target import Target, ZipTarget
from datumaro_openimages_plugin.writing.media import ImageFiles
from datumaro_openimages_plugin.writing.straight import goes_straight, write_straight
from datumaro_openimages_plugin.writing.writer import Writer

if TYPE_CHECKING:
    from datumaro_openimages_plugin.reading.reader import Reader

__all__ = ["ExportOptions", "Untouched", "export"]

log = logging.getLogger(__name__)

_META = "dataset_meta.json"


@dataclass(frozen=True)
class ExportOptions:
    """How to save.

    Args:
        names: One of `layout.NAMES`.
        save_media: Whether pictures are written.
        image_ext: Extension to convert pictures to, None to keep theirs.
        default_ext: Extension of pictures that have none.
        zip: Whether all goes into one zip inside the folder.
        dataset_meta: Whether Datumaro's ``dataset_meta.json`` is written where there was none.
        write_meta: Writes it: gets the path and the labels' names.
        always_meta: Whether ``images.meta`` is written in any case.
        overwrite: Whether another dataset of this format is replaced, or refused.
        link_media: Whether untouched pictures are linked rather than copied.
    """

    names: str
    save_media: bool
    image_ext: str | None
    default_ext: str
    zip: bool
    dataset_meta: bool
    write_meta: Callable[[str, Sequence[str]], None]
    always_meta: bool
    overwrite: bool = True
    link_media: bool = False


class Untouched(Protocol):
    """What the items of an export are read from, when nobody has them yet."""

    def reader(self) -> Reader:
        """The columns."""

    def __iter__(self) -> Iterator[DatasetItem]:
        """The items, which nobody keeps."""


def export(
    items: Iterable[DatasetItem],
    categories: LabelCategories,
    save_dir: str,
    options: ExportOptions,
    on_error: Callable[[AnnotationError, DatasetItem], None],
    in_place: bool = False,
    progress: Callable[[Iterable[DatasetItem]], Iterable[DatasetItem]] = iter,
    untouched: Untouched | None = None,
) -> None:
    """Saves a dataset; the target is the complete old one or the complete new one.

    Args:
        items: The items, in the order to write them.
        categories: The labels.
        save_dir: The target folder.
        options: How to save.
        on_error: Gets the error of each annotation that cannot be written.
        in_place: Whether the items came from the target; found out where it is not known.
        progress: Gives the items on, and tells somebody how far the export is.
        untouched: What the items are read from, if nobody has them yet.

    Raises:
        SaveError: The target cannot be written.
        AnnotationError: Something of the dataset cannot be written in this format.
    """
    job = _Export(items, categories, options, on_error, progress, untouched)
    with Staging(save_dir) as staging:
        old = OldDataset(staging, options.zip)
        if old.exists and (in_place or old.is_source_of(items)):
            old.in_place = not options.zip
        elif not options.overwrite and (old.exists or _has_zip(staging, options)):
            raise SaveError(
                "has an Open Images dataset already, and overwriting is switched off; choose "
                "another folder",
                file=staging.target,
            )
        if options.zip:
            job.to_zip(staging, old)
        else:
            job.to_folder(staging, old)
        staging.keep_rest(old.goes())
    if not options.zip:
        old.follow_moves()


def _has_zip(staging: Staging, options: ExportOptions) -> bool:
    return options.zip and os.path.lexists(os.path.join(staging.target, _zip_name(staging)))


def _zip_name(staging: Staging) -> str:
    return os.path.basename(staging.target) + ".zip"


@dataclass(frozen=True)
class _Export:
    """What is saved, and how; the arguments of `export`."""

    items: Iterable[DatasetItem]
    categories: LabelCategories
    options: ExportOptions
    on_error: Callable[[AnnotationError, DatasetItem], None]
    progress: Callable[[Iterable[Any]], Iterable[Any]]
    untouched: Untouched | None

    def to_folder(self, staging: Staging, old: OldDataset) -> None:
        """Writes everything as files."""
        if old.in_place:
            layout = Layout(self.options.names, old.of_kind, old.only_subset())
        else:
            layout = Layout(self.options.names)
        writer = self._written(staging, layout, old)
        if old.in_place:
            kept = KeptTables(old)
            kept.pack_again(layout.packed)
            kept.keep_shards(layout)
            kept.drop_rows_of_removed_images()
        meta = old.name_of("dataset_meta") if old.in_place else None
        if meta is not None and writer.label_names == old.meta_labels():
            staging.keep(meta)
        elif self.options.dataset_meta or meta is not None:
            self.options.write_meta(staging.path(meta or _META), writer.label_names)
        elif not old.exists and old.name_of("dataset_meta") is not None:
            log.warning(
                "%s has the labels of another dataset in %s; an import takes them for those of "
                "this one, too: move it away or save with --save-dataset-meta",
                staging.target,
                old.name_of("dataset_meta"),
            )

    def to_zip(self, staging: Staging, old: OldDataset) -> None:
        """Packs everything into ``<save_dir>/<name of save_dir>.zip``."""
        scratch = os.path.join(staging.root, ".unpacked")
        os.makedirs(scratch)
        target = ZipTarget(staging.path(_zip_name(staging)), scratch)
        try:
            writer = self._written(target, Layout(self.options.names), old)
            if self.options.dataset_meta:
                self.options.write_meta(target.path(_META), writer.label_names)
            target.close()
        except BaseException:
            target.discard()
            raise
        shutil.rmtree(scratch)

    def _written(self, target: Target, layout: Layout, old: OldDataset) -> Writer:
        """Writes the items; gives the writer that did."""
        options = self.options
        here = None if old.files is None else old
        image_files = None
        if options.save_media or here is not None:
            image_files = ImageFiles(
                target,
                options.default_ext,
                options.image_ext,
                options.save_media,
                here,
                options.link_media,
            )
        always_meta = options.always_meta or (
            old.in_place and old.name_of("images_meta") is not None
        )
        writer = Writer(
            target, layout, self.categories, image_files, self.on_error, always_meta, here
        )
        try:
            # Where files of the target move, items that somebody holds have to follow.
            source = self.untouched if here is None else None
            reader = None if source is None else source.reader()
            if reader is not None and image_files is None and goes_straight(reader):
                for _ in self.progress(write_straight(reader, writer)):
                    pass
            else:
                self._write_items(self.items if source is None else source, writer, old)
            writer.finish()
        except BaseException:
            writer.drop()
            raise
        return writer

    def _write_items(self, items: Iterable[DatasetItem], writer: Writer, old: OldDataset) -> None:
        imported = None
        for item in self.progress(items):
            origin = getattr(item, "origin", None)
            if origin is not None and origin.dataset is not imported:
                imported = origin.dataset
                old.check_whole(imported)
            writer.write(item)

"""The three classes that Datumaro sees: importer, extractor and exporter of ``open_images``.

Datumaro imports this module whenever it lists its formats, so what reads and writes is imported
only where it is used.
"""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from datumaro.components.errors import DatasetNotFoundError, MediaTypeError
from datumaro.components.format_detection import (
    FormatDetectionConfidence,
    FormatDetectionContext,
)
from datumaro.util.meta_file_util import save_meta_file

from datumaro_openimages_plugin._host import (
    AnnotationType,
    DatasetBase,
    DatasetItem,
    Exporter,
    FailingExportErrorPolicy,
    FailingImportErrorPolicy,
    Image,
    ImportContext,
    Importer,
    LabelCategories,
    untouched_source,
)
from datumaro_openimages_plugin.errors import (
    AnnotationError,
    DatasetMissingError,
    FormatError,
    OptionError,
    SaveError,
)
from datumaro_openimages_plugin.files.layout import NAMES, OpenImagesPath
from datumaro_openimages_plugin.sources.archive import is_zip, open_source

if TYPE_CHECKING:
    from datumaro_openimages_plugin.reading.reader import Reader

__all__ = [
    "OpenImagesBase",
    "OpenImagesConverter",
    "OpenImagesExporter",
    "OpenImagesExtractor",
    "OpenImagesImporter",
    "OpenImagesPath",
]

NAME = "open_images"

#: What labels can be named by.
LABEL_NAMES = ("id", "display")


class OpenImagesExtractor(DatasetBase):  # type: ignore[misc]
    """Reads Open Images: a folder or zip as columns, its items made one after another.

    Args:
        path: A folder in the published layout or in CVAT's, or a zip of one.
        image_meta: Sizes of images: a mapping id -> (height, width) in pixels, or the name of a
            file of such lines in the dataset's root; None reads ``images.meta`` where it is.
        label_names: ``id`` names labels by LabelName, ``display`` by DisplayName, with the
            LabelName in brackets where several classes share one; an export takes them back.
        show_columns: Whether columns without a place in Datumaro (sources, clicks, licences,
            authors, …) become attributes; they are kept either way.
        keep_attributes: Whether attributes and groups come back that an export with this option
            wrote because they have no column of their own.
        stream: Whether a ``StreamDataset`` asks; items are made the same way.
        ctx: Datumaro's error policy and progress reporter.
        merge_policy: Datumaro passes it on; there is nothing to merge.
        choice: What to import, by the arguments of `choice.Choice`: ``kinds``, ``subsets``,
            ``classes``, ``descendants``, ``only_matching``, ``image_ids``, ``negatives``,
            ``max_images``, ``seed``, ``shard``.

    Raises:
        NotADirectoryError: ``path`` is neither a folder nor a zip.
        FormatError: A file is damaged as a whole.
        OptionError: An option has a value that it cannot have.
    """

    NAME = NAME

    def __init__(
        self,
        path: str,
        *,
        image_meta: Mapping[str, tuple[int, int]] | str | None = None,
        label_names: str = "id",
        show_columns: bool = False,
        keep_attributes: bool = False,
        stream: bool = False,
        ctx: ImportContext | None = None,
        merge_policy: str | None = None,
        **choice: Any,
    ) -> None:
        if label_names not in LABEL_NAMES:
            raise OptionError("label_names must be 'id' or 'display'", value=label_names)
        if not os.path.isdir(path) and not is_zip(path):
            raise NotADirectoryError(errno.ENOTDIR, "Can't find dataset directory", path)
        if not (image_meta is None or isinstance(image_meta, (Mapping, str))):
            raise OptionError(
                "image_meta must be None, a mapping id -> (height, width), or a file's name",
                value=image_meta,
            )
        self._stream = stream
        self._policy = None if ctx is None else ctx.error_policy
        self._error: FormatError | None = None
        from datumaro_openimages_plugin.progress import reporter_of
        from datumaro_openimages_plugin.reading.choice import choice_of
        from datumaro_openimages_plugin.reading.one_state import read_in_one_state
        from datumaro_openimages_plugin.reading.reader import Reader

        others = ("image_meta", "label_names", "show_columns", "keep_attributes")
        chosen = choice_of(choice, others)
        self._arguments = (
            path,
            {
                "image_meta": image_meta,
                "label_names": label_names,
                "show_columns": show_columns,
                "keep_attributes": keep_attributes,
                "stream": stream,
                **vars(chosen),
            },
        )

        def read() -> Reader:
            self._error = None
            return Reader(
                path,
                image_meta,
                self._on_error,
                label_names == "display",
                show_columns,
                keep_attributes,
                chosen,
                reporter_of(ctx, "B"),
            )

        self._reader = read_in_one_state(path, read)
        super().__init__(subsets=self._reader.subset_names, ctx=ctx)
        self._length = len(self._reader.images)
        self._ann_types = self._reader.annotation_types
        self._categories = {AnnotationType.label: self._reader.categories()}

    def _on_error(self, error: FormatError) -> None:
        if self._policy is not None and type(self._policy) is not FailingImportErrorPolicy:
            self._policy.report_annotation_error(error, item_id=(error.image_id, None))
        elif self._error is None:
            # Raised while iterating: there it reaches the caller as it is, and `datum` prints it
            # as one line, where Datumaro hides the text of what its constructors raise.
            self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def __iter__(self) -> Iterator[DatasetItem]:
        self._raise_error()
        return self._reader.items.make(self._reader.image_numbers())

    def __len__(self) -> int:
        self._raise_error()
        return self._length

    def categories(self) -> dict[AnnotationType, LabelCategories]:
        """The labels, named by ``LabelName``, with the parents that the hierarchy gives."""
        return self._categories

    def get_subset(self, name: str) -> DatasetBase:
        """One subset; iterating it reads nothing again."""
        if name not in self._subsets:
            raise KeyError(f"Unknown subset {name!r}, available subsets: {list(self._subsets)}")
        return self if len(self._subsets) == 1 else _Subset(self, name)

    def get(self, id: str, subset: str | None = None) -> DatasetItem | None:
        """One item, or None where there is no such image."""
        self._raise_error()
        return next(self._reader.items.make(self._reader.find(str(id), subset or "default")), None)

    def reader(self) -> Reader:
        """The columns.

        Raises:
            FormatError: A row is damaged, which is told when somebody asks for what was read.
        """
        self._raise_error()
        return self._reader

    @property
    def numbers_before(self) -> np.ndarray:
        """(n,) int64: which number each image has among those that there are without a choice."""
        before = self._reader.images.numbers_before
        return np.arange(self._length) if before is None else before

    @property
    def is_stream(self) -> bool:
        """Whether items are made anew by each iteration."""
        return self._stream

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, self._arguments

    def __deepcopy__(self, memo: dict[int, Any]) -> OpenImagesExtractor:
        return self


def _reopened(path: str, options: dict[str, Any]) -> OpenImagesExtractor:
    return OpenImagesExtractor(path, **options)


class _Subset(DatasetBase):  # type: ignore[misc]
    """One subset of an extractor."""

    def __init__(self, parent: OpenImagesExtractor, name: str) -> None:
        super().__init__(subsets=[name])
        self._parent = parent
        self._name = name
        self._numbers: np.ndarray = parent._reader.image_numbers(name)
        self._length = len(self._numbers)

    def __iter__(self) -> Iterator[DatasetItem]:
        self._parent._raise_error()
        return self._parent._reader.items.make(self._numbers)

    def categories(self) -> dict[AnnotationType, LabelCategories]:
        return self._parent.categories()

    @property
    def is_stream(self) -> bool:
        return self._parent.is_stream


class OpenImagesImporter(Importer):  # type: ignore[misc]
    """Finds Open Images datasets: folders in any published layout or in CVAT's, and zips."""

    NAME = NAME

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers where it imports into a project."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--image-meta", help="File in the dataset's folder with image names, heights, widths"
        )
        parser.add_argument(
            "--label-names",
            choices=LABEL_NAMES,
            default="id",
            help="Name labels by their ids or by their display names (default: %(default)s)",
        )
        parser.add_argument(
            "--show-columns",
            action="store_true",
            help="Show sources, clicks, licences and other columns as attributes",
        )
        parser.add_argument(
            "--keep-attributes",
            action="store_true",
            help="Take back attributes and groups without a column of their own",
        )
        from datumaro_openimages_plugin.reading.choice import add_arguments

        add_arguments(parser)
        return parser

    @classmethod
    def detect(cls, context: FormatDetectionContext) -> FormatDetectionConfidence:
        """Claims folders in which a file has both a known name and its kind's columns."""
        from datumaro_openimages_plugin.files.files import DatasetFiles

        if DatasetFiles(open_source(context.root_path)).has_telling_table():
            return FormatDetectionConfidence.MEDIUM
        context.fail("no file has the name and the columns of an Open Images table")

    @classmethod
    def find_sources(cls, path: str) -> list[dict[str, Any]]:
        """The dataset at ``path``, or nothing where no file has a known name."""
        if not os.path.isdir(path) and not is_zip(path):
            return []
        from datumaro_openimages_plugin.files.files import DatasetFiles

        found = DatasetFiles(open_source(path)).has_table()
        return [{"url": path, "format": NAME}] if found else []

    def __call__(self, path: str, **options: Any) -> Any:
        """The dataset at ``path`` with the options of its import, as Datumaro asks for it.

        Raises:
            DatasetMissingError: There is none. `datum` prints this as one line, where it has a
                traceback for its own error.
        """
        try:
            return super().__call__(path, **options)
        except DatasetNotFoundError:
            reason = "there is no such folder or zip"
        if os.path.isdir(path) or (os.path.exists(path) and is_zip(path)):
            reason = "no file here has a name that Open Images uses; give the folder that holds "
            reason += "the annotations"
        elif os.path.exists(path):
            reason = "is neither a folder nor a zip"
        raise DatasetMissingError(reason, file=path)

    @classmethod
    def get_file_extensions(cls) -> list[str]:
        """Extensions of the files that detection goes by."""
        return [".csv", ".CSV", ".jsonl"]

    @classmethod
    def get_plugin_cls(cls) -> type[OpenImagesImporter]:
        """This class, where it is registered itself rather than as a lazy plugin.

        Datumaro 1.x asks every importer for its class when it detects formats, as CVAT has it do
        with this one alone.
        """
        return cls

    @property
    def can_stream(self) -> bool:
        """Items are made one after another, never all at once."""
        return True


class OpenImagesExporter(Exporter):  # type: ignore[misc]
    """Writes Open Images in the layout of CVAT's page, or under the names of `layout.NAMES`.

    Args:
        extractor: The dataset.
        save_dir: The target folder.
        save_media: Whether pictures are written; ``save_images`` is the old name.
        names: Which file names to use: ``cvat``, ``datumaro`` or ``published``.
        zip: Whether everything goes into one zip, ``<save_dir>/<name of save_dir>.zip``.
        save_image_meta: Whether ``images.meta`` is written even without boxes and masks.
        link_media: Whether untouched pictures become hard links rather than copies.
        keep_attributes: Whether attributes of items, labels, boxes, masks and points that have no
            column of their own, and groups, go to a column ``Extra``; an import takes them back.
        overwrite: Whether another Open Images dataset in ``save_dir`` is replaced; else the export
            refuses. Saving a dataset where it came from is no overwriting.
        options: What every exporter of Datumaro takes.
    """

    NAME = NAME
    DEFAULT_IMAGE_EXT = ".jpg"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--names",
            choices=NAMES,
            default="cvat",
            help="Which file names to use: those of CVAT, of Datumaro's built-in format, or of "
            "the published dataset (default: %(default)s)",
        )
        parser.add_argument(
            "--zip",
            action="store_true",
            help="Pack everything into one zip; it lies in the output folder and is called like "
            "it: -o task gives task/task.zip",
        )
        parser.add_argument(
            "--save-image-meta",
            action="store_true",
            help="Write images.meta even where the dataset has neither boxes nor masks",
        )
        parser.add_argument(
            "--link-media",
            action="store_true",
            help="With --save-media: give untouched pictures a second name instead of copying "
            "them, where the file system can; changed later, they change in both places",
        )
        parser.add_argument(
            "--keep-attributes",
            action="store_true",
            help="Write attributes and groups that have no column of their own to a column Extra",
        )
        parser.add_argument(
            "--no-overwrite",
            dest="overwrite",
            action="store_false",
            help="Refuse to replace another Open Images dataset in the output folder",
        )
        return parser

    def __init__(
        self,
        extractor: Any,
        save_dir: str,
        *,
        save_media: bool | None = None,
        save_images: bool | None = None,
        names: str = "cvat",
        zip: bool = False,
        save_image_meta: bool = False,
        link_media: bool = False,
        keep_attributes: bool = False,
        overwrite: bool = True,
        **options: Any,
    ) -> None:
        if save_images is not None:
            if save_media is not None:
                raise SaveError("save_images is the old name of save_media; give only one of them")
            save_media = save_images
        if names not in NAMES:
            raise SaveError(f"names must be one of {', '.join(NAMES)}", value=names)
        super().__init__(extractor, save_dir, save_media=bool(save_media), **options)
        self._names = names
        self._zip = zip
        self._save_image_meta = save_image_meta
        self._link_media = link_media
        self._keep_attributes = keep_attributes
        self._overwrite = overwrite
        self._in_place = False

    @property
    def can_stream(self) -> bool:
        """Items are written one after another."""
        return True

    @classmethod
    def patch(cls, dataset: Any, patch: Any, save_dir: str, **options: Any) -> None:
        """Saves a dataset in the place it came from; its files keep their names."""
        exporter = cls(dataset, save_dir, **options)
        exporter._in_place = True
        exporter.apply()

    def apply(self) -> None:
        """Writes the dataset.

        Raises:
            MediaTypeError: Its media are no images.
            SaveError: The target cannot be written; what was there is unchanged.
            AnnotationError: Something cannot be written in this format.
        """
        from datumaro_openimages_plugin.writing.exporting import ExportOptions, export

        media_type = self._extractor.media_type()
        if media_type and not issubclass(media_type, Image):
            raise MediaTypeError("Media type is not an image")
        options = ExportOptions(
            names=self._names,
            save_media=bool(self._save_media),
            image_ext=self._image_ext,
            default_ext=self._default_image_ext,
            zip=self._zip,
            dataset_meta=self._save_dataset_meta,
            write_meta=self._write_meta,
            always_meta=self._save_image_meta,
            link_media=self._link_media,
            overwrite=self._overwrite,
        )
        categories = self._extractor.categories().get(AnnotationType.label, LabelCategories())
        items = self._extractor
        if self._keep_attributes:
            from datumaro_openimages_plugin.kinds._extra_column import packed_items

            items = packed_items(items)
        export(
            items,
            categories,
            self._save_dir,
            options,
            self._on_error,
            self._in_place,
            self._told,
            _untouched(items),
        )

    def _told(self, items: Iterable[DatasetItem]) -> Iterable[DatasetItem]:
        """The items; the progress reporter is told of each."""
        from datumaro_openimages_plugin.progress import is_told, reporter_of, tracked

        reporter = reporter_of(self._ctx)
        # Nobody counts the items for nothing: some datasets make them all to do that.
        if not is_told(reporter):
            return items
        return tracked(items, len(self._extractor), reporter, "Exporting")

    def _write_meta(self, path: str, names: Sequence[str]) -> None:
        """Writes ``dataset_meta.json`` with the labels as the tables name them."""
        labels = LabelCategories.from_iterable(names)
        save_meta_file(path, {**self._extractor.categories(), AnnotationType.label: labels})

    def _on_error(self, error: AnnotationError, item: DatasetItem) -> None:
        policy = self._ctx.error_policy
        if type(policy) is FailingExportErrorPolicy:
            raise error
        policy.report_annotation_error(error, item_id=(item.id, item.subset))


def _untouched(items: Any) -> OpenImagesExtractor | None:
    """What items are read from, if nobody has them yet; a ``Dataset`` would keep every item."""
    source = untouched_source(items)
    source = items if source is None else source
    # One that gives other items than it has read is asked for them.
    gives = getattr(type(source), "__iter__", None)
    return source if gives is OpenImagesExtractor.__iter__ else None


OpenImagesBase = OpenImagesExtractor
OpenImagesConverter = OpenImagesExporter

"""Making items: the annotations of some hundred images together, each item when its turn comes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import (
    DatasetItem,
    Image,
    annotations_list,
    image_from_bytes,
    image_from_file,
)
from datumaro_openimages_plugin.annotations.origin import ImageOrigin, ImageSource
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.images.images import Images
from datumaro_openimages_plugin.images.picture_headers import header_sizes
from datumaro_openimages_plugin.kinds import KINDS, _extra_column
from datumaro_openimages_plugin.kinds._kind import Batch, Kind
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.reading.items import make_item, show_columns
from datumaro_openimages_plugin.tables.arrays import to_arrow

__all__ = ["ItemMaker"]

log = logging.getLogger(__name__)

_BATCH = 512  # images whose annotations are made together; their values fit in a core's cache


class ItemMaker:
    """Makes the items of a dataset that was read.

    Args:
        files: The dataset's files.
        images: Its images.
        tables: Kind -> its rows.
        show_columns: Whether columns without a place in Datumaro become attributes.
        keep_attributes: Whether the column ``Extra`` is taken back; see `_extra_column`.
    """

    def __init__(
        self,
        files: DatasetFiles,
        images: Images,
        tables: Mapping[str, KindTable],
        show_columns: bool,
        keep_attributes: bool,
    ) -> None:
        self._files = files
        self._images = images
        self._tables = tables
        self._show_columns = show_columns
        self._keep_attributes = keep_attributes
        # What the items made so far lack, and how many were made; None when that was reported.
        self._lacking: Counter[str] = Counter()
        self._made_items: int | None = 0

    def make(self, numbers: np.ndarray) -> Iterator[DatasetItem]:
        """Makes the items of some images, a batch at a time."""
        for start in range(0, len(numbers), _BATCH):
            yield from self.make_batch(numbers[start : start + _BATCH])
        self.count_made(len(numbers))

    def batches(self) -> Iterator[np.ndarray]:
        """The numbers of all images, as many together as `make_batch` makes at once."""
        for start in range(0, len(self._images), _BATCH):
            yield np.arange(start, min(start + _BATCH, len(self._images)))

    @property
    def is_bare(self) -> bool:
        """Whether annotations have no more attributes than they have without being asked."""
        return not (self._show_columns or self._keep_attributes)

    def count_pictures(self, ids: Sequence[str], subset: str) -> None:
        """Takes note of images whose items are not made."""
        if self._files.has_images():
            found = [self._files.image(image_id, subset) for image_id in ids]
            self._lacking["images"] += found.count(None)
        else:
            self._lacking["images"] += len(ids)

    def count_made(self, count: int) -> None:
        """Takes note of items that were made; reports once what all of them lack."""
        if self._made_items is not None:
            self._made_items += count
            if self._made_items >= len(self._images):
                self._made_items = None
                self._report_lacking()

    def _report_lacking(self) -> None:
        """One line for each sort of picture that is missing, when every item was made once."""
        if self._lacking["images"]:
            log.warning(
                "%d of %d images have no file in the dataset; their items have no media",
                self._lacking["images"],
                len(self._images),
            )
        if self._lacking["masks"]:
            log.warning(
                "%d of %d masks have no picture in the dataset; their rows are kept",
                self._lacking["masks"],
                len(self._tables["masks"]),
            )
        doubled = self._files.doubled_images(self._images.subset_names)
        for name, taken in islice(doubled, 1):
            log.warning(
                "%d pictures are left aside for another one of their image, such as %s for %s",
                1 + sum(1 for _ in doubled),  # of which there may be millions
                name,
                taken,
            )

    def make_batch(self, numbers: np.ndarray) -> Iterator[DatasetItem]:
        """Makes the items of one batch; see `make`."""
        debug, lacking = log.isEnabledFor(logging.DEBUG), 0
        ids = self._images.ids.take(to_arrow(numbers)).to_pylist()
        names = self._images.subset_names
        subsets = [names[code] for code in self._images.subset_codes[numbers].tolist()]
        files: list[str | None] = [None] * len(ids)
        if self._files.has_images():
            files = list(map(self._files.image, ids, subsets))
        heights, widths = self._images.known_sizes(numbers)
        unknown = set(np.flatnonzero(heights == 0).tolist())
        batch = self._batch(numbers, files, subsets, heights, widths)
        parts = [(kind, *self._made(kind, batch)) for kind in KINDS if self.has(kind)]
        attached = [part for part in parts if part[0].attach is not None]
        made_alone = [(made, counts) for kind, made, counts in parts if kind.attach is None]
        origin: ImageSource | ImageOrigin = self._images
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
                origin = self._images.origin(number, size) if measured else self._images
            media = None if file is None else self._media(file, size)
            item = make_item(image_id, subset, media, annotations, origin, number)
            for kind, made, counts in attached:
                assert kind.attach is not None
                kind.attach(item, list(islice(made, counts[i])), self._tables[kind.name])
            if self._show_columns:
                show_columns(item)
            if self._keep_attributes:
                _extra_column.unpack(item)
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
        found = header_sizes(self._files.source, list(pictures.values()))
        for at in unknown.tolist():
            sizes[at] = None
        for at, size in zip(pictures, found, strict=True):
            sizes[at] = size
            heights[at], widths[at] = size or (1, 1)
        return Batch(
            numbers, heights, widths, sizes, subsets, self._files.mask_reader, self._lacking
        )

    def has(self, kind: Kind) -> bool:
        """Whether there is something of a kind to give to items."""
        table = self._tables[kind.name]
        return bool(len(table)) or (kind.attach is not None and table.files > 0)

    def _made(self, kind: Kind, batch: Batch) -> tuple[Iterator[Any], list[int]]:
        """The objects of a batch in order, and how many each image has."""
        table = self._tables[kind.name]
        rows, counts = table.of_images(batch.images)
        if not len(rows):
            return iter(()), counts.tolist()
        return kind.from_rows(table, rows, batch, counts), counts.tolist()

    def _media(self, file: str, size: tuple[int, int] | None) -> Image:
        path = self._files.source.path(file)
        if path is None:
            return image_from_bytes(self._files.source.reader(file), file, size)
        return image_from_file(path, size)

"""Images: their ids, subsets, rows and sizes; no other module decides a size.

Sizes come from what the caller gives, else from ``images.meta``, else from the picture's header
(see `image_sizes`); a picture is never decoded for its size.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.annotations.origin import ImageOrigin, ImportedFrom
from datumaro_openimages_plugin.errors import FormatError, UnsafePathError
from datumaro_openimages_plugin.images.id_index import IdIndex, hex_keys
from datumaro_openimages_plugin.images.image_sizes import SizeTable
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.sources.safe_names import PLAIN_ID, unsafe_id
from datumaro_openimages_plugin.tables.arrays import (
    bools_to_arrow,
    distinct_codes,
    texts_to_arrow,
    to_arrow,
    to_numpy,
)
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.tables.tables import Column, CsvTable, OnError, Runs

__all__ = ["IMAGE_COLUMNS", "Images"]

log = logging.getLogger(__name__)

#: Columns of the published image lists, in their order.
IMAGE_COLUMNS = (
    "ImageID",
    "Subset",
    "OriginalURL",
    "OriginalLandingURL",
    "License",
    "AuthorProfileURL",
    "Author",
    "Title",
    "OriginalSize",
    "OriginalMD5",
    "Thumbnail300KURL",
    "Rotation",
)


class Images:
    """All images of a dataset in the order of its lists, then as the annotations name them.

    Args:
        dataset: What all rows of one import share.
    """

    def __init__(self, dataset: ImportedFrom) -> None:
        self.rows = TableRows(dataset, "images")
        self.subset_names: list[str] = []
        self._ids: list[pa.Array] = []
        self._subsets: list[np.ndarray] = []
        self._by_subset: dict[int, tuple[IdIndex, np.ndarray]] = {}
        self._meta: tuple[np.ndarray, np.ndarray] | None = None
        self._row_of: np.ndarray = np.empty(0, np.int64)
        self._full: pa.Array | None = None  # ids of the first list, if it covers all subsets
        #: (n,) int64 of each image among all that were read, None while nothing is left out.
        self.numbers_before: np.ndarray | None = None
        self._left_out: pa.Array | None = None  # ids of images that were not chosen

    # Reading the lists

    def read_list(
        self,
        source: Source,
        name: str,
        subset: str | None,
        on_error: OnError,
        moved: Callable[[int], None] = lambda size: None,
        checked: Sequence[Column] = (),
    ) -> None:
        """Reads an image list; images that it repeats are reported.

        Lists read before come first: an image that they have is not doubled, it only gets the row
        that has more columns. A first list of all subsets says which subset its images are in.

        Args:
            source: The dataset's files.
            name: The list's name among them.
            subset: The subset that it covers, None for all.
            on_error: Gets each bad row's error.
            moved: Is told how many bytes were read.
            checked: Columns that are read to see that they are good.

        Raises:
            FormatError: The list is damaged.
            UnsafePathError: A subset's name cannot be a folder name.
        """
        table = CsvTable(source, name)
        table.moved = moved
        columns = [Column("ImageID"), Column("Subset", "code", required=False), *checked]
        rows = table.read(columns, on_error)
        ids = _one_array(rows.text["ImageID"])
        keep = np.ones(rows.count, bool) if rows.valid is None else rows.valid
        keep &= self._check_ids(ids, table, on_error)
        names = [subset or "default"]
        codes = np.zeros(rows.count, np.int32)
        if "Subset" in rows.code:
            codes, named = rows.code["Subset"]
            names = [value or names[0] for value in named]
        for value in names:
            self._check_subset(value, name)
        codes = np.array([self._subset_code(value) for value in names] or [0], np.int32)[codes]
        row_of = np.arange(self.rows.count, self.rows.count + rows.count)
        known = self._listed_before(ids, codes)
        self.rows.add(table, rows.count)
        again = np.flatnonzero((known >= 0) & keep)
        if len(again):
            self._take_more_columns(known[again], row_of[again], table)
        keep &= known < 0
        if not keep.all():
            ids, codes, row_of = ids.filter(bools_to_arrow(keep)), codes[keep], row_of[keep]
        self._add(ids, codes, row_of)
        self._report_repeats(table, on_error)
        if subset is None and self._full is None:
            self._full = self.ids
        pa.default_memory_pool().release_unused()

    @property
    def has_full_list(self) -> bool:
        """Whether a list of all subsets was read."""
        return self._full is not None

    def _listed_before(self, ids: pa.Array, codes: np.ndarray) -> np.ndarray:
        """(n,) int64 numbers of the images that were listed before, -1 for the others."""
        known = np.full(len(ids), -1, np.int64)
        if self._full is not None:
            known[:] = IdIndex(self._full).look_up(ids)
        for code in distinct_codes(codes) if len(self) else ():
            at = np.flatnonzero((codes == code) & (known < 0))
            index, positions = self._index(code)
            found = index.look_up(ids.take(to_arrow(at)))
            known[at[found >= 0]] = positions[found[found >= 0]]
        return known

    def _take_more_columns(self, numbers: np.ndarray, rows: np.ndarray, table: CsvTable) -> None:
        """Gives images their rows of a further list where these have more columns."""
        headers, which = self.rows.headers(self._row_of[numbers])
        aside: set[str] = set()
        for at in distinct_codes(which):
            more = set(table.header) - set(headers[at])
            fewer = set(headers[at]) - set(table.header)
            if len(more) > len(fewer):
                chosen = which == at
                self._row_of[numbers[chosen]] = rows[chosen]
            aside |= fewer if len(more) > len(fewer) else more
        if aside:
            log.warning(
                "images: %s and other lists each have columns that the other lacks; left aside: %s",
                table.name,
                ", ".join(sorted(aside)),
            )

    def _check_ids(self, ids: pa.Array, table: CsvTable, on_error: OnError) -> np.ndarray:
        if hex_keys(ids) is not None:
            return np.ones(len(ids), bool)
        plain = to_numpy(pc.match_substring_regex(ids, PLAIN_ID))
        for row in np.flatnonzero(~plain).tolist():
            reason = unsafe_id(ids[row].as_py())
            if reason is None:
                plain[row] = True
            else:
                on_error(_bad_id(reason, ids[row].as_py(), table.name, row + 1))
        return plain

    @staticmethod
    def _check_subset(name: str, file: str) -> None:
        reason = unsafe_id(name)
        if reason is None and ("/" in name or "\\" in name):
            reason = "has a path separator"
        if reason is not None:
            raise UnsafePathError(
                f"the subset name {reason}; rename the subset",
                file=file,
                column="Subset",
                value=name,
            )

    def _report_repeats(self, table: CsvTable, on_error: OnError) -> None:
        for code in range(len(self.subset_names)):
            index, positions = self._index(code)
            again = index.repeated()
            for at in again.tolist():
                on_error(
                    FormatError(
                        "the image is listed twice in one subset; remove one of the rows",
                        file=table.name,
                        row=self.rows.locate(int(self._row_of[positions[at]]))[1] + 1,
                        column="ImageID",
                        image_id=index.ids[at].as_py(),
                    )
                )
            if len(again):
                self._drop(positions[again])

    def _drop(self, positions: np.ndarray) -> None:
        keep = np.ones(len(self), bool)
        keep[positions] = False
        ids, subsets = self.ids.filter(bools_to_arrow(keep)), self.subset_codes[keep]
        row_of = self._row_of[keep]
        self._ids, self._subsets, self._row_of = [], [], np.empty(0, np.int64)
        self._add(ids, subsets, row_of)

    def keep(self, chosen: np.ndarray) -> np.ndarray:
        """Leaves out the images that are not chosen: (n,) bool.

        Returns:
            (n,) int32: the new number of each image, -1 for those that are gone.
        """
        numbers = np.where(chosen, np.cumsum(chosen) - 1, -1).astype(np.int32)
        self.numbers_before = np.flatnonzero(chosen)
        self._left_out = self.ids.filter(bools_to_arrow(~chosen))
        self._drop(np.flatnonzero(~chosen))
        self._full = None
        return numbers

    def _subset_code(self, name: str) -> int:
        if name not in self.subset_names:
            self.subset_names.append(name)
        return self.subset_names.index(name)

    def _add(self, ids: pa.Array, subsets: np.ndarray, row_of: np.ndarray) -> None:
        self._ids.append(ids)
        self._subsets.append(subsets)
        self._row_of = np.concatenate([self._row_of, row_of])
        self._by_subset.clear()

    # Columns

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def ids(self) -> pa.Array:
        """(n,) Arrow strings."""
        if len(self._ids) != 1:
            self._ids = [pa.concat_arrays([*self._ids, pa.nulls(0, pa.string())])]
        return self._ids[0]

    @property
    def subset_codes(self) -> np.ndarray:
        """(n,) int32 positions in `subset_names`."""
        if len(self._subsets) != 1:
            self._subsets = [np.concatenate([*self._subsets, np.empty(0, np.int32)])]
            self._subsets = [self._subsets[0].astype(np.int32, copy=False)]
        return self._subsets[0]

    def origin(self, number: int, size: tuple[int, int] | None = None) -> ImageOrigin:
        """What an image was read from.

        Args:
            number: The image.
            size: (height, width) in pixels, if something else tells it than `set_sizes`.
        """
        if size is None and self._meta is not None and self._meta[0][number]:
            size = int(self._meta[0][number]), int(self._meta[1][number])
        row = int(self._row_of[number])
        subset = self.subset_names[self.subset_codes[number]]
        key = self.ids.slice(number, 1).to_pylist()[0], subset
        return ImageOrigin(None if row < 0 else self.rows, row, size, key, self.rows.dataset)

    def list_rows(self, numbers: np.ndarray) -> list[int]:
        """The images' rows in `rows`, -1 where only annotations name an image."""
        return self._row_of[numbers].tolist()  # type: ignore[no-any-return]

    # Looking images up

    def find(self, ids: Runs, subset: str, file: str, on_error: OnError) -> np.ndarray:
        """(n,) int32 image numbers of ids named by a file of ``subset``; -1 for refused ids.

        The file's own subset comes first, then the others; an image that no list has is added to
        the file's subset, as the built-in reader does.
        """
        self._check_subset(subset, file)
        order = list(range(len(self.subset_names)))
        if subset in self.subset_names:
            order.sort(key=lambda code: self.subset_names[code] != subset)
        found = np.full(len(ids.texts), -1, np.int32)
        missing = np.arange(len(found))
        for code in order:
            if not len(missing):
                break
            left = ids.texts if len(missing) == len(found) else ids.texts.take(to_arrow(missing))
            index, positions = self._index(code)
            at = index.look_up(left)
            here = at >= 0
            found[missing[here]] = positions[at[here]]
            missing = missing[~here]
        if len(missing):
            self._add_unlisted(ids, missing, found, subset, file, on_error)
        return np.repeat(found, ids.lengths)

    def numbers_of(self, image_id: str, subset: str) -> np.ndarray:
        """(0 or 1,) int64: the number of the image of this id in a subset."""
        index, positions = self._index(self.subset_names.index(subset))
        at = index.look_up(texts_to_arrow([image_id]))
        return positions[at[at >= 0]].astype(np.int64)

    def _index(self, code: int) -> tuple[IdIndex, np.ndarray]:
        """The ids of one subset and their image numbers."""
        if code not in self._by_subset:
            positions = np.flatnonzero(self.subset_codes == code).astype(np.int32)
            whole = len(positions) == len(self)
            ids = self.ids if whole else self.ids.take(to_arrow(positions))
            self._by_subset[code] = IdIndex(ids), positions
        return self._by_subset[code]

    def _add_unlisted(
        self,
        ids: Runs,
        missing: np.ndarray,
        found: np.ndarray,
        subset: str,
        file: str,
        on_error: OnError,
    ) -> None:
        left = ids.texts.take(to_arrow(missing))
        new = _one_array(pa.chunked_array([pc.unique(left)], pa.string()))
        refused = [unsafe_id(value) for value in new.to_pylist()]
        for at, reason in enumerate(refused):
            if reason is not None:
                row = int(ids.starts()[missing[pc.index(left, new[at]).as_py()]]) + 1
                on_error(_bad_id(reason, new[at].as_py(), file, row))
        keep = np.array([reason is None for reason in refused], bool)
        numbers = np.full(len(new), -1, np.int32)
        numbers[keep] = np.arange(len(self), len(self) + int(keep.sum()))
        found[missing] = numbers[IdIndex(new).look_up(left)]
        added = new.filter(bools_to_arrow(keep))
        code = self._subset_code(subset)
        self._add(added, np.full(len(added), code, np.int32), np.full(len(added), -1))

    # Sizes

    def set_sizes(
        self, meta: Mapping[str, tuple[int, int]], others: bool = True
    ) -> dict[str, tuple[int, int]]:
        """Takes the sizes that are known beforehand: id -> (height, width).

        Args:
            meta: The sizes.
            others: Whether those of images that are not here are asked for.

        Returns:
            Those of images that are not here, and were not left out.
        """
        known = SizeTable.of(meta)
        at = IdIndex(known.names).look_up(self.ids)
        heights = np.append(known.heights, 0).astype(np.int32)
        widths = np.append(known.widths, 0).astype(np.int32)
        self._meta = heights[at], widths[at]
        if not others:
            return {}
        absent = IdIndex(self.ids).look_up(known.names) < 0
        if self._left_out is not None:
            absent &= IdIndex(self._left_out).look_up(known.names) < 0
        names = known.names.filter(bools_to_arrow(absent)).to_pylist()
        sizes = known.heights[absent].tolist(), known.widths[absent].tolist()
        return dict(zip(names, zip(*sizes, strict=True), strict=True))

    def known_sizes(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int32 heights and widths of some images, 0 where nothing told them yet."""
        if self._meta is None:
            return np.zeros(len(numbers), np.int32), np.zeros(len(numbers), np.int32)
        return self._meta[0][numbers], self._meta[1][numbers]


def _bad_id(reason: str, value: str, file: str, row: int) -> FormatError:
    message = f"the image id {reason}; rename the image"
    return FormatError(message, file=file, row=row, column="ImageID", value=value)


def _one_array(values: pa.ChunkedArray) -> pa.Array:
    if values.num_chunks == 1:
        return values.chunk(0)
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0, pa.string())

"""Tables that stay as they are when a dataset is saved in place."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.files.layout import Layout
from datumaro_openimages_plugin.files.names import FoundFile
from datumaro_openimages_plugin.files.old_dataset import OldDataset
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.rendering.sinks import csv_line
from datumaro_openimages_plugin.saving.repack import pack, plain_name, same_content
from datumaro_openimages_plugin.sources.archive import Folder
from datumaro_openimages_plugin.sources.packed import open_unpacked
from datumaro_openimages_plugin.tables.tables import CsvTable

__all__ = ["KeptTables"]

log = logging.getLogger(__name__)

_ROWS = 50_000  # written at once


class KeptTables:
    """Sees to the tables of a dataset that is saved in place, when the new ones are written.

    Args:
        old: The dataset.
    """

    def __init__(self, old: OldDataset) -> None:
        self._old = old
        self._source = Folder(old.root)

    def pack_again(self, packed: Mapping[str, str]) -> None:
        """Packs tables that were packed before: staged name -> packed name."""
        for plain, name in packed.items():
            if not self._old.staging.is_staged(plain):
                continue
            staged = os.path.join(self._old.staging.root, plain)
            with open(staged, "rb") as new, open_unpacked(self._source, name) as old:
                old.seek(0)
                same = same_content(new, old)
            if same:
                self._old.staging.keep(name)
            else:
                pack(staged, self._old.staging.path(name))
            self._old.staging.discard(plain)

    def keep_shards(self, layout: Layout) -> None:
        """Keeps a list in several files as it is if what would be written holds the same."""
        for kind in KINDS_BY_NAME:
            shards: dict[str | None, list[FoundFile]] = {}
            for file in self._old.all_of(kind):
                if file.series is not None:
                    shards.setdefault(file.subset, []).append(file)
            for subset, files in shards.items():
                name = layout.file(kind, subset)
                if self._old.staging.is_staged(name) and self._is_joined(name, files):
                    self._old.staging.discard(name)
                    self._old.keep(file.name for file in files)

    def _is_joined(self, name: str, files: list[FoundFile]) -> bool:
        with open(os.path.join(self._old.staging.root, name), "rb") as joined:
            for file in sorted(files, key=lambda file: file.name):
                with open_unpacked(self._source, file.name) as shard:
                    shard.seek(0)
                    while block := shard.read(1 << 20):
                        if joined.read(len(block)) != block:
                            return False
            return not joined.read(1)

    def drop_rows_of_removed_images(self) -> None:
        """Takes the rows of images that are gone out of tables that the import did not read."""
        if not self._old.in_place or not self._old.has_unread:
            return
        known = pa.concat_arrays(
            [pa.array([], pa.string()), *(ids for _, ids in self._old.images())]
        )
        written = pa.array(sorted(self._old.written_ids), pa.string())
        removed = pc.unique(known.filter(pc.invert(pc.is_in(known, value_set=written))))
        for file in self._unread() if len(removed) else ():
            gone = pc.is_in(self._old.texts(file, "ImageID"), value_set=removed)
            dropped = pc.sum(gone).as_py()
            if dropped:
                log.warning("%s: %d rows of removed images go", file.name, dropped)
                self._write_rows(file, gone.to_numpy(zero_copy_only=False))

    def _unread(self) -> Iterator[FoundFile]:
        """Tables of kinds that the import did not read."""
        read = self._old.kinds_read()
        yield from self._old.all_of(*(name for name in KINDS_BY_NAME if name not in read))

    def _write_rows(self, file: FoundFile, gone: np.ndarray) -> None:
        table = CsvTable(self._source, file.name)
        plain = plain_name(file.name)
        with open(self._old.staging.path(plain), "wb") as out:
            end = table.line_end.encode()
            out.write(csv_line(table.header).encode() + end)
            for rows in np.array_split(np.flatnonzero(~gone), len(gone) // _ROWS + 1):
                out.writelines(row + end for row in table.raws(rows))
        if plain != file.name:
            self.pack_again({plain: file.name})

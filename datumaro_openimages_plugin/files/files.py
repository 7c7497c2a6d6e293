"""Which files a dataset has: its tables by name, its pictures and masks by place."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from datumaro_openimages_plugin.files.media_index import MediaIndex
from datumaro_openimages_plugin.files.names import (
    PATTERNS,
    SELECTIONS,
    SPLITS,
    UNREAD,
    FoundFile,
    is_mask_place,
    recognise,
)
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.tables.tables import CsvTable, has_columns

__all__ = ["DatasetFiles"]

log = logging.getLogger(__name__)

#: Kind of file -> columns that tell it from files of the same name, and what opens it.
_TELLING = {
    "images": (("ImageID", "Subset"), CsvTable),
    **{kind.name: (kind.telling, kind.opened) for kind in KINDS},
}

_READ_UNASKED = frozenset(PATTERNS) - {kind.name for kind in KINDS if not kind.by_default}
_MEDIA_FOLDERS = frozenset(("images", "data"))


class DatasetFiles:
    """The files of one dataset, found by one scan of its folders.

    Folders of pictures are looked into only when a picture is asked for.

    Args:
        source: Where the files are.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._index: MediaIndex | None = None
        self._media_folders: list[str] = []
        self._names = list(source.walk(self._enter))
        self._found = self._recognised(self._names)
        if not self._found and self._media_folders:
            # `data` may be what the whole dataset is kept in.
            self._names += self._media_names()
            self._media_folders = []
            self._found = self._recognised(self._names)

    def _recognised(self, names: list[str]) -> dict[tuple[str, str | None], list[FoundFile]]:
        found: dict[tuple[str, str | None], list[FoundFile]] = {}
        root = posixpath.basename(self.source.root.replace("\\", "/")).lower()
        for name in names:
            file = recognise(name)
            if file is None:
                continue
            if file.by_folder and file.subset is None and root in SPLITS:
                file = replace(file, subset=root)  # the path leads to one split of a dataset
            found.setdefault((file.kind, file.subset), []).append(file)
        return {key: sorted(files, key=_order) for key, files in found.items()}

    def _enter(self, folder: str) -> bool:
        last = folder.rpartition("/")[2]
        if last.lower() in _MEDIA_FOLDERS or is_mask_place(last):
            self._media_folders.append(folder)
            return False
        return True

    def all(self, kind: str) -> list[FoundFile]:
        """Every file of a kind, the ones left aside included, best first per subset."""
        return [file for (key, _), files in self._found.items() if key == kind for file in files]

    def by_subset(self, kind: str) -> list[tuple[str | None, list[FoundFile]]]:
        """(subset, its files of a kind, the best first), in the order of the subsets' names."""
        pairs = [(subset, files) for (key, subset), files in self._found.items() if key == kind]
        return sorted(pairs, key=lambda pair: pair[0] or "")

    def best(self, kind: str) -> list[FoundFile]:
        """One list of a kind per subset, in one file or all its shards."""
        return [file for _, files in self.by_subset(kind) for file in _read_together(files)]

    def report_choice(self, kind: str) -> None:
        """Logs once which lists of a kind are read and which are left aside."""
        read = {file.name for file in self.best(kind)}
        aside = [file for file in self.all(kind) if file.name not in read]
        subsets = {file.subset for file in aside}
        if aside:
            log.warning(
                "several versions of %s: reading %s, leaving aside %s",
                kind,
                ", ".join(file.name for file in self.best(kind) if file.subset in subsets),
                ", ".join(file.name for file in aside),
            )

    def is_empty(self) -> bool:
        """Whether no file here has a name that the format knows."""
        return not self._found

    def known(self) -> list[tuple[FoundFile, bool]]:
        """Every recognised file, and whether an import reads it; by name."""
        found = []
        for (kind, _), files in self._found.items():
            # Display names come from all lists, images too.
            read = files if kind in ("classes", "images") else _read_together(files)
            found += [(f, kind in _READ_UNASKED and f in read) for f in files]
        return sorted(found, key=lambda pair: pair[0].name)

    def has_table(self) -> bool:
        """Whether any file has the name of an image list or of a kind of annotation."""
        return any(self.all(kind) for kind in _TELLING)

    def has_telling_table(self) -> bool:
        """Whether any of them has the columns too; other formats use some of the names."""
        return any(
            has_columns(self.source, file.name, columns, opened)
            for kind, (columns, opened) in _TELLING.items()
            for file in self.all(kind)
        )

    def unread(self) -> Iterator[FoundFile]:
        """Files of kinds that the format knows and this version does not read."""
        for kind in (*UNREAD, *SELECTIONS):
            yield from self.all(kind)

    # Pictures and masks

    def image(self, image_id: str, subset: str) -> str | None:
        """The picture's file name, or None where there is none; see `MediaIndex.image`."""
        return self._media.image(image_id, subset)

    def mask(self, mask_path: str, subset: str) -> str | None:
        """The mask's file name for a ``MaskPath``, or None where no such file lies unpacked."""
        return self._media.mask(mask_path, subset)

    def mask_reader(self, mask_path: str, subset: str) -> Callable[..., bytes] | None:
        """A picklable callable that gives a mask's bytes, None where there is no such mask."""
        return self._media.mask_reader(mask_path, subset)

    def has_images(self) -> bool:
        """Whether there is any picture at all."""
        return bool(self._media.images)

    def doubled_images(self, subsets: Collection[str]) -> Iterator[tuple[str, str]]:
        """Pictures that are left aside for another of their image; see `MediaIndex.doubled`."""
        return self._media.doubled(subsets)

    def media_names(self) -> tuple[list[str], list[str]]:
        """All pictures' and all masks' file names."""
        masks = [name for names in self._media.masks.values() for name in names]
        return sorted(self._media.images.values()), sorted(masks)

    def mask_zips(self) -> list[str]:
        """Names of the zips that hold masks."""
        return self._media.mask_zips

    @property
    def _media(self) -> MediaIndex:
        if self._index is None:
            self._index = MediaIndex(self.source, [*self._names, *self._media_names()])
        return self._index

    def _media_names(self) -> Iterator[str]:
        for folder in self._media_folders:
            yield from self.source.walk(lambda _: True, folder)


def _read_together(files: list[FoundFile]) -> list[FoundFile]:
    """The best of some files of one kind and subset, with the other shards of the same list."""
    if files[0].series is None:
        return files[:1]
    return [file for file in files if file.series == files[0].series]


def _order(file: FoundFile) -> tuple[tuple[int, ...], str]:
    return file.rank, file.name

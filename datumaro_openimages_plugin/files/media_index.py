"""Where pictures and masks are: every place that the published dataset and its tools use.

Pictures: ``images/<subset>/``, ``<subset>/``, ``data/``, ``<subset>/data/``, and in each of them
the folders that the published archives unpack to: ``train_0/``, ``train/train_0/`` …
Masks: ``masks/<subset>/``, ``masks/``, ``masks/<hex digit>/``, ``masks/train-masks-0/``, and the
published ``train-masks-0.zip`` itself, which is read without unpacking it.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from datumaro_openimages_plugin.files.names import is_mask_place, recognise
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.sources.zips import InnerZips

__all__ = ["IMAGE_EXTENSIONS", "MediaIndex", "is_archive_folder"]

# fmt: off
IMAGE_EXTENSIONS = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".bmp", ".dib", ".tif", ".tiff", ".tga", ".webp",
    ".pfm", ".sr", ".ras", ".exr", ".hdr", ".pic", ".pbm", ".pgm", ".ppm", ".pxm", ".pnm",
))
# fmt: on
_EXTENSIONS = frozenset(ext[1:] for ext in IMAGE_EXTENSIONS)
_MOST_FOLDERS = 1000
_DIGITS = frozenset("0123456789abcdef")
#: The published zips of masks are named by split and first hex digit of the image ids in them.
_MASK_ZIP = re.compile(r"(?P<subset>.+)-masks-(?P<digit>[0-9a-f])\.zip", re.IGNORECASE)
#: So are the archives of pictures, and the folders that they unpack to: `train_0/ID`, by itself or
#: in a folder of the split, `train/train_0/ID`.
_SHARD = re.compile(
    r"(?P<folder>(?:(?P<split>[^/]+)/(?P=split)|(?P<alone>[^/]+))_(?P<digit>[0-9a-f]))/",
    re.IGNORECASE,
)


class MediaIndex:
    """Pictures and masks of one dataset by their places.

    Args:
        source: Where the files are.
        names: Names of all its files.
    """

    def __init__(self, source: Source, names: Iterable[str]) -> None:
        self._source = source
        self.images: dict[str, str] = {}
        self.masks: dict[str, list[str]] = {}
        self._zips: list[str] = []
        self._starts: set[str] = set()
        self._strays = False  # whether pictures are in the folders of other archives
        for folder, inside in itertools.groupby(names, lambda name: name.rpartition("/")[0]):
            self._add(folder, inside)
        shards = {match["folder"] for match in map(_SHARD.match, self._starts) if match}
        self._nested = sorted(folder for folder in shards if "/" in folder)
        tops = {start.split("/", 1)[0] for start in self._starts if start}
        self._folders = [*sorted(tops), *self._nested]  # of whole subsets, as far as names tell
        # Folders by what they are called, in lower case: (folder, digit of an archive's or "").
        self._named: dict[str, list[tuple[str, str]]] = {}
        for folder in self._folders:
            name = folder.rpartition("/")[2].lower()
            self._named.setdefault(name, []).append((folder, ""))
            if name[-2:-1] == "_" and name[-1] in _DIGITS:
                self._named.setdefault(name[:-2], []).append((folder, name[-1]))
        self._related: dict[str, list[tuple[str, str]]] = {}
        self._ranked: dict[str, dict[str, list[str]]] = {}
        self._by_depth: dict[int, list[str]] | None = None
        self._by_tail: dict[int, dict[str, list[str]]] = {}

    def _add(self, folder: str, names: Iterable[str]) -> None:
        """Takes files of one folder; what their place says is found out once."""
        of_masks = any(is_mask_place(part) for part in folder.split("/"))
        start = _image_key_start(folder)
        shard = _SHARD.fullmatch(start)
        skipped = len(folder) + 1 if folder else 0
        for name in names:
            base = name[skipped:]
            stem, _, ext = base.rpartition(".")
            ext = ext.lower()
            if ext == "zip" and is_mask_place(base) and recognise(name) is None:
                self._zips.append(name)
            if ext not in _EXTENSIONS or not stem.strip("."):
                continue
            if of_masks:
                self.masks.setdefault(base, []).append(name)
                continue
            key = start + stem
            if self.images.setdefault(key, name) > name:
                self.images[key] = name
            self._starts.add(start)
            if shard is not None and stem[0].lower() != shard["digit"].lower():
                self._strays = True

    @property
    def mask_zips(self) -> list[str]:
        """Names of the zips that hold masks."""
        return self._zips

    # Pictures

    def image(self, image_id: str, subset: str) -> str | None:
        """The picture's file name, or None where there is none.

        Looked for in the subset's own folders first, in folders of no subset, in those of the
        archives, below other folders and then, as the built-in format does, in the folders of the
        other subsets.
        """
        found = self.images.get(f"{subset}/{image_id}") or self.images.get(image_id)
        if found is not None:
            return found
        for folder in self._folders_of(subset, image_id[:1].lower()):
            found = self.images.get(f"{folder}/{image_id}")
            if found is not None:
                return found
        found = self._below_other_folders(image_id, subset)
        if found is not None:
            return found
        for folder in self._folders[:_MOST_FOLDERS]:
            found = self.images.get(f"{folder}/{image_id}")
            if found is not None:
                return found
        return None

    def _folders_of(self, subset: str, digit: str) -> list[str]:
        """Folders of a subset under other names: ``TRAIN``, ``val``, ``train_0``.

        Those of archives come last, and of them first the one that is for ids with this first
        character, if it is a digit.
        """
        if subset not in self._ranked:
            lower = subset.lower()
            other = {"validation": "val", "val": "validation"}.get(lower, lower)
            related = {place for name in (lower, other) for place in self._named.get(name, ())}
            self._related[subset] = sorted(related, key=lambda p: ("/" in p[0], p))
            self._ranked[subset] = {}
        ranked = self._ranked[subset]
        digit = digit if digit in _DIGITS else ""
        if digit not in ranked:
            of_digit = sorted(self._related[subset], key=lambda p: (bool(p[1]), p[1] != digit))
            ranked[digit] = [folder for folder, _ in of_digit]
        return ranked[digit]

    def _below_other_folders(self, image_id: str, subset: str) -> str | None:
        """A picture that lies deeper: ``downloads/train/<id>.jpg``, ``downloads/train_0/…``."""
        found, parts = None, image_id.count("/") + 1
        for key in self._deeper(image_id, parts):
            folder = key.rsplit("/", parts)[0].lower()
            if folder.endswith(f"/{subset}".lower()):
                return self.images[key]
            if folder[-1:] in _DIGITS and folder[:-1].endswith(f"/{subset}_".lower()):
                found = found or self.images[key]
        return found

    def _deeper(self, image_id: str, parts: int) -> Sequence[str]:
        """Keys below several folders that end in an id, whose folders may have another case.

        All parts of the id are looked up: frames of many videos may have the same last one.
        """
        if self._by_depth is None:
            self._by_depth = {}
            archives = set(self._nested)  # of whose many pictures none is looked for here
            for key in self.images:
                folder = key.rpartition("/")[0]
                if "/" in folder and folder not in archives:
                    self._by_depth.setdefault(key.count("/"), []).append(key)
        if not self._by_depth:
            return ()
        if parts not in self._by_tail:
            tails = self._by_tail[parts] = {}
            for depth in sorted(self._by_depth):
                for key in self._by_depth[depth] if depth > parts else ():
                    tails.setdefault(_tail(key, parts), []).append(key)
        return self._by_tail[parts].get(_tail(image_id, parts), ())

    def doubled(self, subsets: Collection[str]) -> Iterator[tuple[str, str]]:
        """Pictures in folders of archives that are left aside, and those that are taken instead.

        Args:
            subsets: Names of all subsets; the folder of one of them is none of an archive.
        """
        subset_of = {subset.lower(): subset for subset in subsets}
        for key, name in self.images.items() if self._strays or self._has_rivals() else ():
            shard = _SHARD.match(key)
            if shard is None or shard["folder"].rpartition("/")[2].lower() in subset_of:
                continue
            subset = subset_of.get((shard["split"] or shard["alone"]).lower())
            taken = None if subset is None else self.image(key[shard.end() :], subset)
            if taken is not None and taken != name:
                yield name, taken

    def _has_rivals(self) -> bool:
        """Whether ids that begin alike have several folders, of which one is of an archive."""
        shards = list(filter(None, map(_SHARD.fullmatch, self._starts)))
        splits = [(shard["split"] or shard["alone"]).lower() for shard in shards]
        digits = set(zip(splits, [shard["digit"].lower() for shard in shards], strict=True))
        plain = {start.rstrip("/").lower() for start in self._starts} if shards else set()
        return len(digits) < len(shards) or not plain.isdisjoint(["", *splits])

    # Masks

    def mask(self, mask_path: str, subset: str) -> str | None:
        """The mask's file name for a ``MaskPath``, or None where no such file lies unpacked."""
        candidates = self.masks.get(mask_path)
        if not candidates:
            return None
        if len(candidates) == 1:
            return candidates[0]
        return min(candidates, key=lambda name: (not _of_subset(name, subset), name))

    def mask_reader(self, mask_path: str, subset: str) -> Callable[..., bytes] | None:
        """A picklable callable that gives a mask's bytes, None where there is no such mask.

        A mask in a zip is looked for when it is asked for; a file that lies unpacked comes first.
        """
        name = self.mask(mask_path, subset)
        if name is not None:
            return self._source.reader(name)
        zips = self._zips_for(mask_path, subset)
        if not zips:
            return None
        return InnerZips(tuple(self._source.place(name) for name in zips), mask_path)

    def _zips_for(self, mask_path: str, subset: str) -> list[str]:
        """The zips that may hold a mask, the likeliest first."""
        fitting = []
        for name in self._zips:
            match = _MASK_ZIP.fullmatch(posixpath.basename(name))
            if match is None or match["digit"].lower() == mask_path[:1].lower():
                fitting.append(name)
        return sorted(fitting or self._zips, key=lambda name: (not _of_subset(name, subset), name))


def is_archive_folder(name: str, subset: str) -> bool:
    """Whether a published archive of a subset's pictures unpacks to a folder of this name."""
    return re.fullmatch(rf"{re.escape(subset)}_[0-9a-f]", name, re.IGNORECASE) is not None


def _tail(key: str, parts: int) -> str:
    """The last parts of a key, folders in lower case."""
    *folders, base = key.rsplit("/", parts)[-parts:]
    return "/".join([*folders, ""]).lower() + base


def _of_subset(name: str, subset: str) -> bool:
    """Whether a part of a mask's path names the subset: ``train``, ``train-masks-0``."""
    subset = subset.lower()
    for part in name.lower().split("/"):
        if part == subset or part.startswith((f"{subset}-masks", f"challenge-2019-{subset}-masks")):
            return True
    return False


def _image_key_start(folder: str) -> str:
    """What stands before the id in the keys of a folder's pictures: ``<subset>/``.

    Nothing where no folder names a subset.
    """
    parts = folder.split("/") if folder else []
    lowered = [part.lower() for part in parts]
    for known in ("images", "data"):
        if known in lowered:
            at = lowered.index(known)
            after = parts[at + 1 :]
            # `train/data/x.jpg` and `train/images/x.jpg`, but `downloads/images/train/x.jpg`.
            before = parts[at - 1 : at] if at and (known == "data" or not after) else []
            parts = before + after
            break
    return "".join(f"{part}/" for part in parts)

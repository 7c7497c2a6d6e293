"""Which files a dataset has, by the patterns of their names.

The published dataset mixes versions (boxes of V6 beside masks of V5 beside labels of V7), and
tools rename its files; all known names are in `PATTERNS`. Names are compared in lower case, the
prefixes ``oidv6-`` and ``challenge-2019-`` and the suffixes ``.gz`` and ``.zip`` do not count.
"""

from __future__ import annotations

import logging
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from datumaro_openimages_plugin.archive import Source
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.tables import CsvTable, has_columns

__all__ = ["IMAGE_EXTENSIONS", "DatasetFiles", "FoundFile", "recognise"]

log = logging.getLogger(__name__)

#: kind -> patterns of names, the most complete list of a kind first.
PATTERNS: dict[str, tuple[str, ...]] = {
    "images": (
        "image_ids_and_rotation.csv",
        "{subset}-image_ids_and_rotation.csv",
        "{subset}-images-with-labels-with-rotation.csv",
        "{subset}-images-with-rotation.csv",
        "{subset}-images-boxable-with-rotation.csv",
        "{subset}-images-boxable.csv",
        "{subset}-images.csv",
        "images.csv",
        "image_ids.csv",
    ),
    **{kind.name: kind.patterns for kind in KINDS},
    "classes": (
        "class-descriptions.csv",
        "class-descriptions-boxable.csv",
        "class-descriptions-500.csv",
        "classes.csv",
    ),
    "hierarchy": (
        "bbox_labels_600_hierarchy.json",
        "label500-hierarchy.json",
        "label300-segmentable-hierarchy.json",
        "hierarchy.json",
    ),
    "images_meta": ("images.meta",),
    "dataset_meta": ("dataset_meta.json",),
}

#: Kinds that this format knows and this version leaves alone; their files are reported.
UNREAD: dict[str, tuple[str, ...]] = {
    "relationships": ("{subset}-annotations-vrd.csv", "{subset}-vrd.csv", "relationships.csv"),
    "point labels": ("{subset}-annotations-point-labels.csv", "points.csv"),
    "narratives": ("{subset}_localized_narratives.jsonl", "{subset}_captions.jsonl"),
}

IMAGE_EXTENSIONS = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jp2", ".png", ".bmp", ".dib", ".tif", ".tiff", ".tga", ".webp",
    ".pfm", ".sr", ".ras", ".exr", ".hdr", ".pic", ".pbm", ".pgm", ".ppm", ".pxm", ".pnm",
))  # fmt: skip
_PREFIX = re.compile(r"(?:oidv(?P<oid>\d+)-)?(?:challenge-(?P<year>\d{4})-)?", re.IGNORECASE)
_ANNOTATION_FOLDERS = frozenset(("annotations", "labels", "metadata"))
_MEDIA_FOLDERS = frozenset(("images", "data"))


#: What may stand in a pattern's places (see `kinds._kind.Kind`).
_PLACES = {"subset": ".+?", "val": ".+?", "shard": r"\d+-of-\d+"}


def _compiled(pattern: str) -> re.Pattern[str]:
    expression = re.escape(pattern)
    for place, meaning in _PLACES.items():
        expression = expression.replace(re.escape(f"{{{place}}}"), f"(?P<{place}>{meaning})")
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


_COMPILED = [
    (kind, rank, _compiled(pattern))
    for table in (PATTERNS, UNREAD)
    for kind, patterns in table.items()
    for rank, pattern in enumerate(patterns)
]


@dataclass(frozen=True)
class FoundFile:
    """A recognised file: its name in the source, what it is, and how complete its kind is.

    ``subset`` is None where the file covers all subsets; ``rank`` orders files of one kind and
    subset, the best first: highest published version, then the most complete list. ``series`` is
    what the names of the shards of one list have in common.
    """

    name: str
    kind: str
    subset: str | None
    rank: tuple[int, int, str]
    series: str | None = None


def recognise(name: str) -> FoundFile | None:
    """What a file is by its name (``/``-separated, relative to the dataset), None if unknown."""
    folder, base = posixpath.split(name)
    for suffix in (".gz", ".zip"):
        if base.lower().endswith(suffix):
            base = base[: -len(suffix)]
    prefix = _PREFIX.match(base)
    assert prefix is not None  # the pattern matches the empty text
    version = int(prefix["oid"] or 0)
    for kind, rank, pattern in _COMPILED:
        match = pattern.fullmatch(base[prefix.end() :])
        if match is None:
            continue
        places = match.groupdict()
        subset = places.get("val") or places.get("subset")
        if subset is None:
            subset = _subset_of_folder(folder) if kind in _PER_FOLDER else None
        elif (version or "val" in places) and subset.lower() == "val":
            # Published V7 files say `val` where all others say `validation`.
            subset = "validation"
        shard = places.get("shard")
        series = None if shard is None else name.replace(shard, "")
        return FoundFile(name, kind, subset, (-version, rank, name), series)
    return None


#: Kinds whose file names may leave the subset to the folder (`<subset>/labels/detections.csv`).
_PER_FOLDER = frozenset(("images", *(kind.name for kind in KINDS)))


def _subset_of_folder(folder: str) -> str | None:
    parts = [part for part in folder.split("/") if part.lower() not in _ANNOTATION_FOLDERS]
    return parts[-1] if parts and parts[-1] else None


#: Kind of file -> columns that tell it from files of the same name, and what opens it.
_TELLING = {
    "images": (("ImageID", "Subset"), CsvTable),
    **{kind.name: (kind.telling, kind.opened) for kind in KINDS},
}

_READ_UNASKED = frozenset(PATTERNS) - {kind.name for kind in KINDS if not kind.by_default}


class DatasetFiles:
    """The files of one dataset, found by one scan of its folders.

    Folders of pictures are looked into only when a picture is asked for.

    Args:
        source: Where the files are.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._media: tuple[dict[str, str], dict[str, list[str]]] | None = None
        self._names: list[str] = []
        self._media_folders: list[str] = []
        found: dict[tuple[str, str | None], list[FoundFile]] = {}
        for name in source.walk(self._enter):
            self._names.append(name)
            file = recognise(name)
            if file is not None:
                found.setdefault((file.kind, file.subset), []).append(file)
        self._found = {key: sorted(files, key=lambda f: f.rank) for key, files in found.items()}

    def _enter(self, folder: str) -> bool:
        last = folder.rpartition("/")[2].lower()
        if last in _MEDIA_FOLDERS or last.startswith("masks") or last.endswith("-masks"):
            self._media_folders.append(folder)
            return False
        return True

    def all(self, kind: str) -> list[FoundFile]:
        """Every file of a kind, the ones left aside included, best first per subset."""
        return [file for (key, _), files in self._found.items() if key == kind for file in files]

    def best(self, kind: str) -> list[FoundFile]:
        """One list of a kind per subset, in one file or all its shards.

        A choice between versions is logged.
        """
        chosen = []
        for (key, subset), files in sorted(self._found.items(), key=lambda pair: str(pair[0])):
            if key != kind:
                continue
            read = _read_together(files)
            chosen += read
            if len(files) > len(read) and kind != "classes":
                log.info(
                    "%s%s: reading %s, leaving aside %s",
                    kind,
                    "" if subset is None else f" of {subset}",
                    ", ".join(file.name for file in read),
                    ", ".join(file.name for file in files if file not in read),
                )
        return chosen

    def is_empty(self) -> bool:
        """Whether no file here has a name that the format knows."""
        return not self._found

    def known(self) -> list[tuple[FoundFile, bool]]:
        """Every recognised file, and whether an import reads it; by name."""
        found = []
        for (kind, _), files in self._found.items():
            # Display names come from all lists.
            read = files if kind == "classes" else _read_together(files)
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
        for kind in UNREAD:
            yield from self.all(kind)

    def image(self, image_id: str, subset: str) -> str | None:
        """The picture's file name, or None where there is none.

        Looked for in ``images/<subset>/``, ``<subset>/``, ``<subset>/data/``, ``data/`` and, as
        the built-in does, in the folders of the other subsets.
        """
        images = self._scan_media()[0]
        found = images.get(f"{subset}/{image_id}") or images.get(image_id)
        if found is None:
            for top in self._tops:
                found = images.get(f"{top}/{image_id}")
                if found is not None:
                    break
        return found

    def mask(self, mask_path: str, subset: str) -> str | None:
        """The mask's file name for a ``MaskPath``, or None where there is none."""
        candidates = self._scan_media()[1].get(mask_path)
        if not candidates:
            return None
        folder = f"/{subset}/"
        return next((name for name in candidates if folder in f"/{name}"), candidates[0])

    def has_images(self) -> bool:
        """Whether there is any picture at all."""
        return bool(self._scan_media()[0])

    def media_names(self) -> tuple[list[str], list[str]]:
        """All pictures' and all masks' file names."""
        images, masks = self._scan_media()
        return sorted(images.values()), sorted(name for names in masks.values() for name in names)

    def _scan_media(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        if self._media is None:
            images: dict[str, str] = {}
            masks: dict[str, list[str]] = {}
            names = list(self._names)
            for folder in self._media_folders:
                names.extend(self.source.walk(lambda _: True, folder))
            for name in names:
                stem, ext = os.path.splitext(name)
                if ext.lower() not in IMAGE_EXTENSIONS:
                    continue
                base = name.rpartition("/")[2]
                if _is_mask(name):
                    masks.setdefault(base, []).append(name)
                else:
                    key = _image_key(stem)
                    if key not in images or name < images[key]:
                        images[key] = name
            self._tops = sorted({key.split("/", 1)[0] for key in images if "/" in key})[:1000]
            self._media = images, masks
        return self._media


def _read_together(files: list[FoundFile]) -> list[FoundFile]:
    """The best of some files of one kind and subset, with the other shards of the same list."""
    if files[0].series is None:
        return files[:1]
    return [file for file in files if file.series == files[0].series]


def _is_mask(name: str) -> bool:
    return any(
        part.startswith("masks") or part.endswith("-masks") or "-masks-" in part
        for part in name.lower().split("/")[:-1]
    )


def _image_key(stem: str) -> str:
    """``<subset>/<id>`` of a picture by its place, or ``<id>`` where no folder names a subset."""
    parts = stem.split("/")
    lowered = [part.lower() for part in parts[:-1]]
    for folder in ("images", "data"):
        if folder in lowered:
            at = lowered.index(folder)
            before = parts[at - 1 : at] if folder == "data" and at else []
            return "/".join(before + parts[at + 1 :])
    return stem

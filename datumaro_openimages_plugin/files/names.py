"""What a file of a dataset is by its name: one table of names for reader, writer and detector.

The published dataset mixes versions (boxes of V6 beside masks of V5 beside labels of V7), and
tools rename its files; all known names are in `PATTERNS`. Case does not count, nor do the prefixes
``oidv6-`` and ``challenge-2019-`` and the suffixes ``.gz`` and ``.zip``.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from datumaro_openimages_plugin.kinds import KINDS

__all__ = [
    "LISTS",
    "PATTERNS",
    "SELECTIONS",
    "SPLITS",
    "UNREAD",
    "FoundFile",
    "is_mask_place",
    "recognise",
]

#: Names of the published subsets.
SPLITS = ("train", "validation", "test")

#: kind -> patterns of names, the most complete list of a kind first.
PATTERNS: dict[str, tuple[str, ...]] = {
    "images": (
        "image_ids_and_rotation.csv",
        "{subset}-image_ids_and_rotation.csv",
        "{subset}-images-with-labels-with-rotation.csv",
        "{subset}-images-with-rotation.csv",
        "{subset}-images-boxable-with-rotation.csv",
        "{subset}-images-with-labels.csv",
        "{subset}-images-boxable.csv",
        "{subset}-images.csv",
        "images.csv",
        "image_ids.csv",
        "image-ids-{subset}set-{track}.csv",
    ),
    "classes": (
        "class-descriptions-boxable.csv",
        "class-descriptions.csv",
        "class-descriptions-500.csv",
        "classes-description-500.csv",
        "classes-description-segmentable.csv",
        "classes-vrd.csv",
        "classes.csv",
        "oidv6-classes.txt",
        "oidv7-classes.txt",
    ),
    "hierarchy": (
        "bbox_labels_600_hierarchy.json",
        "label500-hierarchy.json",
        "label300-segmentable-hierarchy.json",
        "hierarchy.json",
    ),
    "attribute_list": ("attributes-description.csv", "attributes.csv"),
    "relationship_list": ("relationships-description.csv",),
    "triplet_list": ("relationship-triplets.csv",),
    "images_meta": ("images.meta",),
    "dataset_meta": ("dataset_meta.json",),
    # Last, since `classes-vrd.csv` looks like relationships of a subset called `classes`.
    **{kind.name: kind.patterns for kind in KINDS},
}

#: Lists that go with the annotations; they come back as they were read.
LISTS = ("attribute_list", "relationship_list", "triplet_list")

#: Kinds that this format knows and this version leaves alone; their files are reported.
UNREAD: dict[str, tuple[str, ...]] = {
    # What speech recognition heard; the captions are made of it.
    "speech": ("open_images_{subset}_v6_asr.jsonl", "open_images_{subset}_asr.jsonl"),
}

#: Lists of classes and of images that say what these were chosen for; none is read.
SELECTIONS: dict[str, tuple[str, ...]] = {
    "selections of classes": (
        "classes-trainable.txt",
        "classes-segmentation.txt",
        "class-ids-human-body-parts-and-mammal.txt",
        "segmentation_classes.csv",
    ),
    "selections of images": (
        "train-image-ids-with-human-parts-and-mammal-boxes.txt",
        "open_images_extended_miap_images_{val}.lst",
    ),
}

_PREFIX = re.compile(r"(?:oidv(?P<oid>\d+)-)?(?P<challenge>challenge-\d{4}-)?", re.IGNORECASE)
_SUFFIX = re.compile(r"\.(?:gz|zip)$", re.IGNORECASE)
_MASKS = re.compile(r"(?:^|[-_])masks(?:$|[-_.])", re.IGNORECASE)
#: Folders of one version, and the version.
_VERSION_FOLDER = re.compile(r"v(?P<v>[1-9])|20\d\d_\d\d|challenge_?20\d\d", re.IGNORECASE)
_VERSION_OF_DATE = {"2016_08": 1, "2017_07": 2, "2017_11": 3, "2018_04": 4}
_UNNAMED_VERSION = 5  # the last one whose names tell no version
#: Folders between a subset's folder and its tables.
_TABLE_FOLDERS = frozenset(("annotations", "labels", "metadata"))


#: What may stand in a pattern's places (see `kinds._kind.Kind`).
_PLACES = {"subset": ".+?", "val": ".+?", "shard": r"\d+-of-\d+", "track": r"\w+"}
_FULL_LIST = "image_ids_and_rotation.csv"
#: Kinds whose names may leave the subset to the folder: `<subset>/labels/detections.csv`.
_BY_FOLDER = {"images", *(kind.name for kind in KINDS), *UNREAD}


def _compiled(pattern: str) -> re.Pattern[str]:
    expression = re.escape(pattern)
    for place, meaning in _PLACES.items():
        expression = expression.replace(re.escape(f"{{{place}}}"), f"(?P<{place}>{meaning})")
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


def _is_by_folder(kind: str, pattern: str) -> bool:
    return kind in _BY_FOLDER and "{" not in pattern and pattern != _FULL_LIST


_COMPILED = [
    (kind, number, _is_by_folder(kind, pattern), _compiled(pattern))
    for table in (PATTERNS, UNREAD, SELECTIONS)
    for kind, patterns in table.items()
    for number, pattern in enumerate(patterns)
]


@dataclass(frozen=True)
class FoundFile:
    """A recognised file: its name in the source, what it is, and how complete its kind is.

    ``subset`` is None where the file covers all subsets, or where neither its name nor its folder
    says which one it covers (``by_folder``). ``rank`` orders files of one kind and subset, the
    best first: highest published version, then the most complete list. ``series`` is what the
    names of the shards of one list have in common.
    """

    name: str
    kind: str
    subset: str | None
    rank: tuple[int, ...]
    by_folder: bool = False
    series: str | None = None


def recognise(name: str) -> FoundFile | None:
    """What a file is by its name (``/``-separated, relative to the dataset), None if unknown."""
    folder, base = posixpath.split(name)
    base = _unpacked(base)
    prefix = _PREFIX.match(base)
    assert prefix is not None  # the pattern matches the empty text
    rest = base[prefix.end() :]
    for kind, number, by_folder, pattern in _COMPILED:
        # Only the prefix makes `classes.txt` a published file.
        match = pattern.fullmatch(rest) or (kind == "classes" and pattern.fullmatch(base))
        if not match:
            continue
        places = match.groupdict()
        subset = places.get("val") or places.get("subset")
        if by_folder:
            subset = _subset_of_folder(folder)
        elif subset is not None:
            published = bool(prefix["oid"] or prefix["challenge"] or "val" in places)
            subset = _subset_name(subset, rest, published)
        version = int(prefix["oid"] or 0) or _version_of_folder(folder)
        rank: tuple[int, ...] = (-version, int(bool(prefix["challenge"])), number, name.count("/"))
        if kind == "classes":
            # As the built-in format: the full list of V6 and later, the boxable one, other ones.
            full = bool(prefix["oid"]) and rest.lower() == "class-descriptions.csv"
            rank = (-1 if full else number, *rank)
        shard = places.get("shard")
        series = None if shard is None else name.replace(shard, "")
        return FoundFile(name, kind, subset, rank, by_folder, series)
    return None


def is_mask_place(name: str) -> bool:
    """Whether a folder or zip of this name holds masks: ``masks``, ``train-masks-0.zip``."""
    return _MASKS.search(name) is not None


def _unpacked(base: str) -> str:
    """The name without ``.gz`` and ``.zip``; a packed table may have lost its ``.csv``."""
    plain = _SUFFIX.sub("", base)
    if plain != base and "." not in plain and not is_mask_place(plain):
        plain += ".csv"
    return plain


def _subset_name(subset: str, rest: str, published: bool) -> str:
    if rest.isupper():
        # The file system wrote the name so, not who named the subset.
        subset = subset.lower()
    if published and subset.lower() == "val":
        # Files of V7 and of the challenges say `val` where all others say `validation`.
        return "validation"
    return subset


def _subset_of_folder(folder: str) -> str | None:
    parts = [part for part in folder.split("/") if part.lower() not in _TABLE_FOLDERS]
    last = parts[-1] if parts else ""
    return None if not last or _VERSION_FOLDER.fullmatch(last) else last


def _version_of_folder(folder: str) -> int:
    for part in reversed(folder.split("/")):
        match = _VERSION_FOLDER.fullmatch(part)
        if match is not None:
            return int(match["v"] or _VERSION_OF_DATE.get(part, _UNNAMED_VERSION))
    return _UNNAMED_VERSION

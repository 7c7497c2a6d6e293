"""The published files, as facts: ``published.csv`` says what is where, how large, and its checksum.

Columns: kind; subset, empty for files of all subsets; versions of the dataset that the file is part
of, a digit each; size in bytes and checksum, empty where none is published; path on the servers.
"""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import resources
from urllib.parse import urlsplit

from datumaro_openimages_plugin.errors import OptionError

__all__ = [
    "ANNOTATIONS_URL",
    "IMAGES_URL",
    "KINDS",
    "SUBSETS",
    "VERSIONS",
    "Published",
    "check_mirror",
    "chosen",
    "image_url",
    "published_files",
]

#: Where the dataset's own buckets of annotations are.
ANNOTATIONS_URL = "https://storage.googleapis.com"

#: Where its pictures are; a mirror has them below this bucket's name.
IMAGES_URL = "https://open-images-dataset.s3.amazonaws.com"
_IMAGES_BUCKET = "open-images-dataset"

SUBSETS = ("train", "validation", "test")
VERSIONS = ("5", "6", "7")

#: Kinds that can be asked for. People's boxes have attributes of persons, so are no default.
KINDS = (
    "labels",
    "machine_labels",
    "boxes",
    "masks",
    "relationships",
    "narratives",
    "points",
    "people",
)

#: Kinds whose images are more than those with boxes.
_WIDER = frozenset(("labels", "machine_labels", "narratives", "points"))


@dataclass(frozen=True)
class Published:
    """One published file.

    Attributes:
        kind: One of `KINDS`, or ``images``, ``more_images``, ``classes``, ``hierarchy``,
            ``mask_archives``.
        subset: None for files of all subsets.
        versions: Digits of the versions of the dataset that it is part of.
        size: In bytes, None where it is not known.
        checksum: ``md5:…`` or ``sha256:…`` in hexadecimal digits, "" where none is published.
        path: Below the servers' address.
    """

    kind: str
    subset: str | None
    versions: str
    size: int | None
    checksum: str
    path: str

    @property
    def target(self) -> str:
        """Where the file belongs in a dataset's folder."""
        folder = "masks" if self.kind == "mask_archives" else "annotations"
        return f"{folder}/{posixpath.basename(self.path)}"


def published_files() -> tuple[Published, ...]:
    """All published files that are known, in the order of the table."""
    return tuple(
        Published(
            kind=row["kind"],
            subset=row["subset"] or None,
            versions=row["versions"],
            size=int(row["bytes"]) if row["bytes"] else None,
            checksum=row["checksum"],
            path=row["path"],
        )
        for row in csv.DictReader(_table().splitlines())
    )


def _table() -> str:
    return resources.files(__package__).joinpath("published.csv").read_text("utf-8")


def chosen(kinds: Collection[str], subsets: Collection[str], version: str = "7") -> list[Published]:
    """The tables that some kinds and subsets need, mask archives not among them.

    With them come the lists of images and of classes, and the hierarchy.

    Raises:
        OptionError: There is no such kind, subset or version, or a kind is not in that version.
    """
    _check(kinds, KINDS, "kinds")
    _check(subsets, SUBSETS, "subsets")
    _check([version], VERSIONS, "versions")
    of_version = [file for file in published_files() if version in file.versions]
    for kind in kinds:
        if not any(file.kind == kind for file in of_version):
            raise OptionError(f"version {version} has no {kind}; choose another --version")
    return list(_needed(of_version, kinds, subsets))


def _needed(
    files: Collection[Published], kinds: Collection[str], subsets: Collection[str]
) -> Iterator[Published]:
    wanted = {"classes", "hierarchy", "images", *kinds}
    if _WIDER.intersection(kinds):
        wanted.add("more_images")
    for file in files:
        if file.kind in wanted and (file.subset is None or file.subset in subsets):
            yield file


def _check(names: Collection[str], known: Collection[str], what: str) -> None:
    if not names:
        raise OptionError(f"name at least one of the {what}: {', '.join(known)}")
    for name in names:
        if name not in known:
            raise OptionError(f"{what} are {', '.join(known)}", value=name)


def check_mirror(base_url: str | None) -> None:
    """Sees that files can be below the address of a mirror; None is the dataset's own.

    Raises:
        OptionError: It is no address of a server.
    """
    if base_url is None:
        return
    try:
        parts = urlsplit(base_url)
        host = parts.hostname and parts.port != 0  # asking for a port that is none raises
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise OptionError(
            "the base URL is no address of a server; give one such as http://mirror.example/oi",
            value=base_url,
        )


def image_url(image_id: str, subset: str, base_url: str | None) -> str:
    """The address of a picture; below its bucket's name where ``base_url`` is a mirror's."""
    base = IMAGES_URL if base_url is None else f"{base_url.rstrip('/')}/{_IMAGES_BUCKET}"
    return f"{base}/{subset}/{image_id}.jpg"

"""The download from top to bottom: tables, the images they tell, mask archives, pictures."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from datumaro_openimages_plugin.download.fetching import Fetcher, Wanted
from datumaro_openimages_plugin.download.many import Fetched, fetch_all
from datumaro_openimages_plugin.download.published import (
    ANNOTATIONS_URL,
    Published,
    check_mirror,
    chosen,
    image_url,
    published_files,
)
from datumaro_openimages_plugin.errors import DownloadError

__all__ = ["Choice", "Downloaded", "download", "planned"]

_JPEG_START = b"\xff\xd8\xff"
_LARGEST_PICTURE = 1 << 26


@dataclass(frozen=True)
class Choice:
    """What to download.

    Attributes:
        kinds: Kinds of annotations, see `published.KINDS`.
        subsets: Subsets.
        version: Version of the dataset, ``5``, ``6`` or ``7``.
        images: Whether pictures are fetched.
        classes: The only classes whose images, and archives with masks of these, are fetched, by
            LabelName or DisplayName; None for all.
        ids: The only images, None for all; together with ``classes`` both narrow the choice.
        most_images: How many images at most, the first of the lists.
    """

    kinds: tuple[str, ...]
    subsets: tuple[str, ...]
    version: str = "7"
    images: bool = False
    classes: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    most_images: int | None = None

    @property
    def narrows(self) -> bool:
        """Whether not all images are wanted."""
        return self.classes is not None or self.ids is not None or self.most_images is not None


@dataclass
class Downloaded:
    """What a download brought.

    Attributes:
        parts: ``tables``, ``mask archives``, ``pictures`` -> what became of them.
        unknown_ids: Ids that were asked for and are in no image list.
    """

    parts: dict[str, Fetched] = field(default_factory=dict)
    unknown_ids: tuple[str, ...] = ()

    @property
    def failed(self) -> list[tuple[Wanted, DownloadError]]:
        """Everything that could not be had."""
        return [failure for part in self.parts.values() for failure in part.failed]


def planned(choice: Choice, folder: str, base_url: str | None = None) -> list[Wanted]:
    """The files that a choice needs for sure: its tables, and its archives if all are wanted.

    Raises:
        OptionError: There is no such kind, subset or version, or ``base_url`` is no address.
    """
    check_mirror(base_url)
    files = chosen(choice.kinds, choice.subsets, choice.version)
    if not choice.narrows:
        files += _archives(choice)
    return [_wanted(file, folder, base_url) for file in files]


def download(
    choice: Choice,
    folder: str,
    *,
    base_url: str | None = None,
    retries: int = 5,
    timeout_s: float = 30.0,
    jobs: int = 8,
    quiet: bool = True,
    pause_s: float = 0.5,
) -> Downloaded:
    """Downloads a choice of the dataset into a folder that Datumaro can import.

    What is there already is left; what was begun is gone on with.

    Args:
        choice: What to download.
        folder: Where to.
        base_url: Address of a mirror that has the buckets as folders, None for the dataset's own.
        retries: How often an attempt that brought nothing is repeated.
        timeout_s: How long a server may be silent.
        jobs: How many connections there are at most.
        quiet: Whether there is no progress bar.
        pause_s: The first pause between attempts.

    Raises:
        OptionError: There is no such kind, subset, version, class or id, or ``base_url`` is no
            address.
        OSError: Something cannot be written.
    """
    from datumaro_openimages_plugin.download.selection import safe_ids

    check_mirror(base_url)
    if choice.ids is not None:
        safe_ids(choice.ids)
    result = Downloaded()
    tables = chosen(choice.kinds, choice.subsets, choice.version)

    def fetched(what: str, files: Sequence[Wanted]) -> None:
        lock = threading.Lock()
        with _bar(what, files, quiet) as bar:

            def came(count: int) -> None:
                with lock:
                    bar.update(count)

            fetcher = Fetcher(retries=retries, timeout_s=timeout_s, pause_s=pause_s, on_bytes=came)
            result.parts[what] = fetch_all(files, fetcher, jobs=jobs)

    fetched("tables", [_wanted(file, folder, base_url) for file in tables])
    if result.failed and choice.narrows:
        # Without all tables nobody can say which images were meant.
        return result
    images: list[tuple[str, str]] = []
    if choice.narrows or choice.images:
        images, result.unknown_ids = _images(choice, folder, tables)
    if "masks" in choice.kinds:
        archives = _archives_of(choice, folder, tables, images)
        fetched("mask archives", [_wanted(file, folder, base_url) for file in archives])
    if choice.images:
        fetched("pictures", list(_pictures(images, folder, base_url)))
    return result


def _bar(what: str, files: Sequence[Wanted], quiet: bool) -> Any:
    from tqdm import tqdm

    sizes = [0 if os.path.exists(file.path) else file.size for file in files]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    disable = True if quiet else None  # None: only where the error output is a terminal
    return tqdm(desc=what, total=total, unit="B", unit_scale=True, disable=disable, leave=False)


def _images(
    choice: Choice, folder: str, tables: Iterable[Published]
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """(id, subset) of the images that are wanted, and wanted ids that no list has."""
    from datumaro_openimages_plugin.download import selection

    ids: set[str] | None = None if choice.ids is None else set(choice.ids)
    if choice.classes is not None:
        names = selection.label_names(folder, choice.classes)
        annotated = [file for file in tables if file.kind in choice.kinds]
        of_classes = set(selection.images_of_classes(folder, annotated, names))
        ids = of_classes if ids is None else ids & of_classes
    lists = [file for file in tables if file.kind in ("images", "more_images")]
    images = selection.ids_in_lists(folder, lists, ids)
    known = {image_id for image_id, _ in images}
    unknown = () if choice.ids is None or choice.classes else tuple(sorted({*choice.ids} - known))
    selection.safe_ids(known)  # they come from files and become addresses and names
    return images[: choice.most_images], unknown


def _archives(choice: Choice) -> list[Published]:
    if "masks" not in choice.kinds:
        return []
    return [
        file
        for file in published_files()
        if file.kind == "mask_archives"
        and choice.version in file.versions
        and file.subset in choice.subsets
    ]


def _archives_of(
    choice: Choice,
    folder: str,
    tables: Iterable[Published],
    images: Collection[tuple[str, str]],
) -> list[Published]:
    from datumaro_openimages_plugin.download.selection import archives_with

    wanted = {image_id for image_id, _ in images} if choice.narrows else None
    masks = [file for file in tables if file.kind == "masks" and file.subset is not None]
    return list(archives_with(folder, _archives(choice), masks, wanted))


def _pictures(
    images: Iterable[tuple[str, str]], folder: str, base_url: str | None
) -> Iterator[Wanted]:
    for image_id, subset in images:
        path = os.path.join(folder, "images", subset, f"{image_id}.jpg")
        url = image_url(image_id, subset, base_url)
        yield Wanted(url, path, start=_JPEG_START, largest=_LARGEST_PICTURE)


def _wanted(file: Published, folder: str, base_url: str | None) -> Wanted:
    base = (ANNOTATIONS_URL if base_url is None else base_url).rstrip("/")
    path = os.path.join(folder, *file.target.split("/"))
    return Wanted(f"{base}/{file.path}", path, file.size, file.checksum)

"""Making ``images.meta``: the sizes of all pictures, from their headers."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.images.image_sizes import image_meta_line
from datumaro_openimages_plugin.images.picture_headers import header_sizes
from datumaro_openimages_plugin.reading.reader import Reader
from datumaro_openimages_plugin.sources.archive import Source

__all__ = ["Sizes", "meta_path", "sizes_of", "write_sizes"]

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass
class Sizes:
    """What is known of the sizes of a dataset's images.

    Args:
        known: Image id -> (height, width) in pixels.
        measured: How many of them a picture told.
        unreadable: Pictures whose headers tell no size.
        differing: Ids that stand for images of different sizes in several subsets.
        without: How many images have neither a picture nor a size.
    """

    known: dict[str, tuple[int, int]] = field(default_factory=dict)
    measured: int = 0
    unreadable: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    without: int = 0


def sizes_of(reader: Reader, progress: Progress = iter) -> Sizes:
    """The size of every image: its picture's, or else what ``images.meta`` had."""
    found = Sizes()
    differing: dict[str, None] = {}
    images = list(_images(reader))
    names = [name for _, name, _ in images if name is not None]
    measured = _measured(reader.files.source, names)
    for image_id, name, old in progress(images):
        size = old
        if name is not None:
            size = next(measured)
            if size is None:
                found.unreadable.append(name)
            else:
                found.measured += 1
        if size is None:
            found.without += name is None
        elif found.known.setdefault(image_id, size) != size:
            differing[image_id] = None
    for image_id in differing:
        del found.known[image_id]
    found.differing = list(differing)
    # Sizes of images that only images.meta knows stay.
    for image_id, size in reader.other_sizes.items():
        found.known.setdefault(image_id, size)
    return found


def _measured(source: Source, names: list[str]) -> Iterator[tuple[int, int] | None]:
    """The sizes of pictures, some together."""
    for start in range(0, len(names), _TOGETHER):
        yield from header_sizes(source, names[start : start + _TOGETHER])


_TOGETHER = 1024


def _images(reader: Reader) -> Iterator[tuple[str, str | None, tuple[int, int] | None]]:
    """Id, picture and size in ``images.meta`` of every image."""
    images = reader.images
    names = images.subset_names
    codes = images.subset_codes.tolist()
    heights, widths = images.known_sizes(np.arange(len(images)))
    for image_id, code, height, width in zip(
        images.ids.to_pylist(), codes, heights, widths, strict=True
    ):
        size = (height, width) if height else None
        yield image_id, reader.files.image(image_id, names[code]), size


def meta_path(reader: Reader) -> str:
    """Where ``images.meta`` is, or belongs: beside the image lists.

    Raises:
        SaveError: The dataset is in a zip.
    """
    source = reader.files.source
    old = [f.name for f in reader.files.all("images_meta") if f.name.lower().endswith(".meta")]
    lists = [file.name for file in reader.files.all("images")]
    if old:
        name = old[0]
    else:
        name = posixpath.join(posixpath.dirname(lists[0]) if lists else "", "images.meta")
    path = source.path(name)
    if path is None:
        raise SaveError("a zip is not changed; say where the file is to be", file=source.root)
    return path


def write_sizes(path: str, sizes: dict[str, tuple[int, int]]) -> None:
    """Writes ``images.meta``; a file that is there is replaced in one step.

    Raises:
        SaveError: The file cannot be written.
    """
    lines = [image_meta_line(name, size) for name, size in sizes.items()]
    text = "\n".join(["# <image name> <height> <width>", "", *lines, ""])
    part = f"{path}.part"
    try:
        with open(part, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        raise SaveError(f"cannot be written: {error.strerror}", file=path) from None

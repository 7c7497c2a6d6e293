"""Sizes of pictures from their headers: from memory and from the disk, with threads and without.

    python benchmarks/headers.py

Pictures are of 42 kB with 2 kB of metadata before the size, each a file of its own. For the disk
they are dropped from memory before each run (Linux); what finds the files stays in memory.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagesize
import numpy as np

from datumaro_openimages_plugin.images import picture_headers
from datumaro_openimages_plugin.sources.archive import Folder

SIZE = (768, 1024)


def make_pictures(folder: str, count: int) -> list[str]:
    """Writes pictures; gives their names in an order that is not that of the disk."""
    picture = cv2.imencode(".jpg", np.zeros((*SIZE, 3), np.uint8))[1].tobytes()
    names = [f"{number:08x}.jpg" for number in range(count)]
    for name in names:
        metadata = struct.pack(">HH", 0xFFE1, 2002) + os.urandom(2000)
        data = picture[:2] + metadata + picture[2:] + os.urandom(40_000 - len(picture))
        Path(folder, name).write_bytes(data)
    os.sync()
    random.Random(1).shuffle(names)
    return names


def drop(folder: str) -> None:
    """Has the system forget what is in the files."""
    for entry in os.scandir(folder):
        file = os.open(entry.path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def by_library(source: Folder, names: list[str]) -> list[Any]:
    """By the library for such headers."""
    found = [imagesize.get(source.path(name)) for name in names]
    return [(height, width) for width, height in found]


def always(slow: bool) -> Callable[[Folder, list[str]], list[Any]]:
    """By this plugin, as if all disks were slow, or none."""

    def sizes(source: Folder, names: list[str]) -> list[Any]:
        before = picture_headers._SLOW_S
        picture_headers._SLOW_S = -1 if slow else math.inf
        try:
            return picture_headers.header_sizes(source, names)
        finally:
            picture_headers._SLOW_S = before

    return sizes


WAYS: dict[str, Callable[[Folder, list[str]], list[Any]]] = {
    "library": by_library,
    "one after another": always(False),
    "by threads": always(True),
    "as it is": picture_headers.header_sizes,
}


def main(count: int, repeats: int) -> None:
    """Prints a table."""
    print(
        "| µs of time (of CPU) per picture |",
        " | ".join(WAYS),
        "|\n|---" + "|---" * len(WAYS) + "|",
    )
    with tempfile.TemporaryDirectory(dir=".") as folder:
        names = make_pictures(folder, count)
        for place in ("memory", "disk") if hasattr(os, "posix_fadvise") else ("memory",):
            cells = []
            for way in WAYS.values():
                times = []
                for _ in range(repeats):
                    if place == "disk":
                        drop(folder)
                    started, started_cpu = time.perf_counter(), time.process_time()
                    sizes = way(Folder(folder), names)
                    took = time.perf_counter() - started, time.process_time() - started_cpu
                    times.append(tuple(1e6 * value / count for value in took))
                    assert sizes == [SIZE] * count, "a size is wrong"
                cells.append("{:.1f} ({:.1f})".format(*min(times)))
            print(f"| {place} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.pictures, arguments.repeats)

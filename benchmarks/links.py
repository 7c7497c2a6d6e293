"""What it costs to find each mask's box, and how that grows with the masks of one image.

    python benchmarks/links.py
    python benchmarks/links.py --built-in 300

As many boxes as masks, all of one image and one class, which is the hardest case; coordinates have
six decimals in one table and more in the other. First nothing but the matching is timed. Then what
matching adds to opening a dataset, with this plugin and with the built-in format: opened with the
boxes of the masks as they are and with these four columns empty, which leaves nothing to find.
"""

from __future__ import annotations

import argparse
import csv
import logging
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from compare import SIDES, class_of
from data import Options, make_dataset
from scenarios import ONE_IMAGE, visit

from datumaro_openimages_plugin.annotations.links import match_boxes


def milliseconds(count: int, repeats: int) -> float:
    """The least CPU time of some runs."""
    dice = np.random.default_rng(count)
    boxes = dice.random((count, 4))
    order = dice.permutation(count)
    masks = boxes[order].round(6)
    keys = np.zeros(count, np.int64)
    times = []
    for _ in range(repeats):
        started = time.process_time()
        found = match_boxes(keys, masks, keys, boxes)
        times.append(1000 * (time.process_time() - started))
        assert (found == order).all(), "a mask has another box"
    return min(times)


def main(counts: list[int], repeats: int) -> None:
    """Prints a table; the last column stays level where time grows as n log n."""
    print("| masks | ms | µs per mask | ns per mask and log₂ n |\n|---|---|---|---|")
    milliseconds(100, 1)  # the first call is not to be timed
    for count in counts:
        took = milliseconds(count, repeats)
        each = took / count * 1000
        print(f"| {count:,} | {took:.2f} | {each:.2f} | {1000 * each / math.log2(count):.0f} |")


def make_pair(folder: Path, count: int) -> tuple[Path, Path]:
    """A dataset of one image, and the same without the boxes of its masks."""
    boxed, bare = folder / "boxed", folder / "bare"
    make_dataset(boxed, Options(**ONE_IMAGE, boxes_per_image=float(count)))
    shutil.copytree(boxed, bare)
    (table,) = bare.rglob("*object-segmentation.csv")
    with table.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), list(reader.fieldnames or ())
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        empty = dict.fromkeys(("BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax"), "")
        writer.writerows({**row, **empty} for row in rows)
    return boxed, bare


def added(side: str, boxed: str, bare: str, repeats: int) -> float:
    """Milliseconds that matching adds to opening: the median of the differences of pairs."""
    logging.disable(logging.CRITICAL)
    cls = class_of(side)
    differences = []
    for repeat in range(repeats + 1):
        times, groups = [], []
        for path in (boxed, bare):
            started = time.process_time()
            found = visit(cls(path))
            times.append(1000 * (time.process_time() - started))
            groups.append(found["groups, sum"])
        assert groups[0] > groups[1], f"{side}: no mask has found its box"
        if repeat:  # the first is a warm-up
            differences.append(times[0] - times[1])
    return statistics.median(differences)


def against_built_in(count: int) -> None:
    """Prints what matching adds, on both sides, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        paths = list(map(str, make_pair(Path(folder), count)))
        times = []
        for side in SIDES:
            repeats = "50" if side == "ours" else "5"
            command = [sys.executable, __file__, "--worker", side, *paths, repeats]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            times.append(float(done.stdout.splitlines()[-1]))
    ours, built_in = times
    print(f"{count:,} boxes and masks: matching adds {ours:.2f} ms, with the built-in format "
          f"{built_in:.0f} ms: {built_in / ours:.0f} times as fast")  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(added(*sys.argv[2:5], int(sys.argv[5])))
        sys.exit()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--masks", type=int, nargs="+", default=[300, 1000, 3000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--built-in", type=int, nargs="+", default=[300, 1000])
    arguments = parser.parse_args()
    main(arguments.masks, arguments.repeats)
    for number in arguments.built_in:
        against_built_in(number)

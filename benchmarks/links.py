"""How the time to find each mask's box grows with the masks of one image.

    python benchmarks/links.py

Nothing but the matching is timed: as many boxes as masks, all of one image and one class, which is
the hardest case; coordinates have six decimals in one table and more in the other.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--masks", type=int, nargs="+", default=[300, 1000, 3000, 10_000, 100_000])
    parser.add_argument("--repeats", type=int, default=9)
    arguments = parser.parse_args()
    main(arguments.masks, arguments.repeats)

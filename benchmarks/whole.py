"""The whole train split, and the list of nine million images alone: seconds and peak memory.

    python benchmarks/whole.py --data FOLDER

The first has 1.74 million images, 14.6 million boxes with clicks and 8.7 million labels, some 4 GB
of tables.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile

from compare import dataset_of_images, run

TRAIN, LISTED = 1_743_042, 9_000_000


def main(folder: str, scale: float) -> None:
    train = dataset_of_images(round(TRAIN * scale), folder)
    for scenario in ("open", "stream"):
        result = run("ours", scenario, train)
        count = result["found"].get("annotations", 0)
        each = f", {result['wall'] / count * 1e6:.2f} µs per annotation" if count else ""
        print(f"train, {scenario}: {result['wall']:.1f} s, CPU {result['cpu']:.1f} s{each}, "
              f"{result['peak']:.0f} MB, {result['found']}", flush=True)  # fmt: skip
    listed = dataset_of_images(
        round(LISTED * scale), folder, boxes_per_image=0.0, labels_per_image=0.0, meta=False
    )
    result = run("ours", "open", listed)
    print(f"image list, open: {result['wall']:.1f} s, {result['peak']:.0f} MB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="a folder where datasets are kept for the next time")
    parser.add_argument("--scale", type=float, default=1, help="share of the images")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        main(arguments.data or stack.enter_context(tempfile.TemporaryDirectory()), arguments.scale)

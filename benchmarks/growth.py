"""How seconds and peak memory grow with the number of rows: a plot, and its figures.

    python benchmarks/growth.py --most 1e7

Each point is one run in a process of its own: a stream is gone through, each annotation looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import Any

from compare import SIDES, dataset_of_images, run

ROWS_PER_IMAGE = 8.4 + 5.0
PICTURE = Path(__file__).parent / "growth.png"


def points(most: float, most_built_in: float, folder: str) -> dict[str, list[tuple[int, Any]]]:
    """(rows, run) by side, for 10,000 rows and powers of ten above."""
    found: dict[str, list[tuple[int, Any]]] = {side: [] for side in SIDES}
    rows = 10_000
    while rows <= most:
        path = dataset_of_images(round(rows / ROWS_PER_IMAGE), folder)
        results = []
        for side in SIDES:
            if side == "ours" or rows <= most_built_in:
                result = run(side, "stream", path)
                results.append(result["found"])
                found[side].append((result["found"]["annotations"], result))
                line = f"{result['wall']:.2f} s, {result['peak']:.0f} MB"
                print(f"{rows:>12,} rows, {side}: {line}", flush=True)
        assert all(result == results[0] for result in results), results
        rows *= 10
    return found


def plot(found: dict[str, list[tuple[int, Any]]], picture: Path) -> None:
    """Draws both figures over the rows, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6))
    for axis, key, title in zip(
        axes, ("wall", "peak"), ("seconds", "peak memory, MB"), strict=True
    ):
        for side, runs in found.items():
            values = [result[key] for _, result in runs]
            axis.loglog([rows for rows, _ in runs], values, marker="o", label=side)
        axis.set_xlabel("annotations")
        axis.set_title(title)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--most", type=float, default=1e7, help="rows of the largest dataset")
    parser.add_argument(
        "--most-built-in", type=float, default=1e7, help="the same for the built-in"
    )
    parser.add_argument("--data", help="a folder where datasets are kept for the next time")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        data = arguments.data or stack.enter_context(tempfile.TemporaryDirectory())
        plot(points(arguments.most, arguments.most_built_in, data), arguments.picture)

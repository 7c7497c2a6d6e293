"""Measures the memory that machine labels take, of which a whole split has 160 million.

    python benchmarks/machine_labels.py --rows 5000000

Writes so many rows, opens them, and prints bytes a row: of the columns that stay, and of the
process at its peak; and what a whole split would come to.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from data import LABELS, Maker, Options, fields, write_rows

SPLIT = 160_000_000  # rows of the train split's machine labels


def make(root: Path, rows: int) -> None:
    """Writes machine labels, about 18 of each image as in the published train split."""
    maker = Maker(root, Options(images=max(rows // 18, 1), boxes_per_image=0, labels_per_image=0))
    maker.annotations.mkdir(parents=True)
    maker.classes()
    maker.image_list()
    images = maker.some_images(rows / len(maker.ids))
    count = len(images)
    confidences = [f"0.{digit}" for digit in range(5, 10)]
    columns = fields(
        maker.ids[images],
        maker.one_of(count, ["machine"]),
        maker.one_of(count, maker.class_names),
        maker.one_of(count, confidences),
    )
    name = "oidv7-train-annotations-machine-imagelabels.csv"
    write_rows(maker.annotations / name, LABELS, count, columns)


def peak_bytes() -> int:
    """The most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def measure(root: Path) -> None:
    """Opens the dataset and prints what it takes."""
    import datumaro_openimages_plugin.reading.reader
    import datumaro_openimages_plugin.saving.staging  # noqa: F401  not to be measured
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    before = peak_bytes()
    started = time.perf_counter()
    extractor = OpenImagesExtractor(str(root))
    seconds = time.perf_counter() - started
    table = extractor._reader.tables["machine_labels"]
    rows = len(table)
    columns = [table.image, *table.code.values(), *table.number.values()]
    size = sum(column.nbytes for column in columns)
    if table._order is not None:
        size += table._order.nbytes
    peak = peak_bytes() - before
    print(f"{rows:,} rows of {len(extractor):,} images opened in {seconds:.2f} s")
    for what, taken in (("columns", size), ("peak, with the images and classes", peak)):
        each = taken / rows
        print(f"{what}: {each:.1f} bytes a row; {each * SPLIT / 1e9:.2f} GB for {SPLIT:,} rows")


def run(*arguments: str) -> None:
    """Runs a part in a process of its own; this one stays small, for a child inherits its peak."""
    subprocess.run([sys.executable, __file__, *arguments], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--rows", type=int, default=5_000_000)
        rows = parser.parse_args().rows
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "dataset")
            run("--make", path, str(rows))
            run("--measure", path)

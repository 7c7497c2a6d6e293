"""Measures what the columns that Datumaro has no place for cost in memory: clicks and sources.

    python benchmarks/clicks.py --boxes 1000000

Writes the same boxes with and without extreme clicks, opens both, walks over all items and saves
them elsewhere; prints bytes a box, of the columns that stay and of the process at its peak.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from data import Options, make_dataset

SPLIT = 14_610_229  # boxes of the train split


def peak_bytes() -> int:
    """The most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def column_bytes(table: Any) -> int:
    """Bytes of the typed columns of a kind, and of where each row begins once that is known."""
    columns = [table.image, *table.code.values(), *table.number.values(), *table.extra.values()]
    columns += [table._order, *(t._text._offsets for t in table.rows._tables)]
    return sum(column.nbytes for column in columns if column is not None)


def measure(root: Path) -> None:
    """Opens a dataset, walks over it and saves it, and prints what each step takes."""
    import datumaro_openimages_plugin.reading.reader
    import datumaro_openimages_plugin.writing.exporting
    import datumaro_openimages_plugin.writing.writer  # noqa: F401  not to be measured
    from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor

    before = peak_bytes()
    started = time.process_time()

    def report(step: str) -> None:
        boxes = extractor._reader.tables["boxes"]
        kept, peak = column_bytes(boxes) / len(boxes), (peak_bytes() - before) / len(boxes)
        seconds = time.process_time() - started
        split = f"{kept * SPLIT / 1e9:4.2f} GB for {SPLIT:,}"
        print(
            f"  {step:8} {seconds:6.2f} s  columns {kept:5.1f} B a box, {split}; peak {peak:6.1f}"
        )

    extractor = OpenImagesExtractor(str(root))
    print(f"{len(extractor._reader.tables['boxes']):,} boxes of {len(extractor):,} images")
    report("opened")
    for _ in extractor:
        pass
    report("walked")
    OpenImagesExporter.convert(extractor, str(root.with_name("out")))
    report("saved")


def main(boxes: int) -> None:
    """Measures both datasets, each in a process of its own: a child inherits its parent's peak."""
    for clicks in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "dataset")
            print("with clicks:" if clicks else "without clicks:", flush=True)
            for arguments in (["--make", path, str(boxes), str(int(clicks))], ["--measure", path]):
                subprocess.run([sys.executable, __file__, *arguments], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        images = max(int(sys.argv[3]) * 10 // 84, 1)
        options = Options(images=images, labels_per_image=0, clicks=bool(int(sys.argv[4])))
        make_dataset(Path(sys.argv[2]), options)
    elif sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--boxes", type=int, default=1_000_000)
        main(parser.parse_args().boxes)

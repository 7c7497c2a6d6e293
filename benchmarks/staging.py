"""What all-or-nothing costs: exports that are staged against the same writer writing directly.

    python benchmarks/staging.py --images 20000 --pairs 5

Jobs: rows to a new folder; rows and pictures to a new folder; both over another dataset of the
same size, which a direct writer deletes first. Run in pairs, in turn, in processes of their own;
the ratios are medians of the pairs'. What a disk takes to write 20,000 files differs more between
two runs than the two ways do: judge by the CPU's, or work in memory (``TMPDIR=/dev/shm``). Last,
saving in place with pictures: its seconds, and how many
bytes of pictures it copied.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from data import Options, make_dataset
from datumaro.components.dataset import Dataset

from datumaro_openimages_plugin.saving.staged import StagedFiles
from datumaro_openimages_plugin.writing import exporting

JOBS = ("rows", "pictures", "over another")


class Direct(StagedFiles):
    """Does what `Staging` does for a writer, without staging."""

    def __enter__(self) -> Direct:
        shutil.rmtree(self.target)
        os.makedirs(self.target)
        self.root = self.target
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def keep_rest(self, is_ours: Callable[[str], bool]) -> None:
        """Has nothing to keep."""


def inodes(folder: Path) -> dict[int, int]:
    """The size of each picture by its inode."""
    found = (os.stat(path) for path in folder.rglob("*.jpg"))
    return {status.st_ino: status.st_size for status in found}


def work(job: str, way: str, source: str, target: str) -> None:
    """Does a job once and prints its seconds and the bytes of pictures that are new."""
    dataset = Dataset.import_from(source, "open_images")
    dataset.init_cache()
    before = inodes(Path(target))
    if way == "direct":
        exporting.Staging = Direct  # type: ignore[assignment, misc]
    start, start_cpu = time.perf_counter(), time.process_time()
    dataset.export(target, "open_images", save_media=job != "rows")
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    copied = sum(size for inode, size in inodes(Path(target)).items() if inode not in before)
    print(json.dumps({"seconds": seconds, "cpu": cpu, "copied": copied}))


def run(job: str, way: str, first: Path, folder: Path) -> dict[str, float]:
    """Prepares and does a job in a process of its own."""
    source, target = folder / "source", folder / "target"
    for path in (source, target):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(first, source, copy_function=os.link)
    if job == "over another":
        shutil.copytree(first, target, copy_function=os.link)
    if job == "in place":
        target = source
    os.sync()  # each run waits for its own bytes only
    command = [sys.executable, __file__, "--work", job, way, str(source), str(target)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def table_row(direct: list[dict[str, float]], staged: list[dict[str, float]]) -> str:
    """The cells of a job: medians."""
    pairs = list(zip(direct, staged, strict=True))
    ratios = sorted(s["seconds"] / d["seconds"] for d, s in pairs)
    cells = [
        *(f"{statistics.median(r['seconds'] for r in runs):.2f} s" for runs in (direct, staged)),
        f"{statistics.median(ratios):.3f}",
        f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
        f"{statistics.median(s['cpu'] / d['cpu'] for d, s in pairs):.3f}",
    ]
    return " | ".join(cells)


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work)
        return
    print("| job | directly | staged | ratio | of the pairs | CPU ratio |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_dataset(folder / "first", Options(arguments.images, jpegs=True))
        for job in JOBS:
            runs: dict[str, list[dict[str, float]]] = {"direct": [], "staged": []}
            for pair in range(arguments.pairs):
                for way in sorted(runs, reverse=bool(pair % 2)):
                    runs[way].append(run(job, way, folder / "first", folder))
            print(f"| {job} | {table_row(runs['direct'], runs['staged'])} |", flush=True)
        saved = [run("in place", "staged", folder / "first", folder) for _ in range(3)]
    middle = statistics.median(result["seconds"] for result in saved)
    copied = max(result["copied"] for result in saved)
    print(f"| in place | | {middle:.2f} s | {copied:,} bytes of pictures copied | | |")


if __name__ == "__main__":
    main()

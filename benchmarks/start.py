"""What it costs other programs that the package is installed.

    python benchmarks/start.py

Run it with an interpreter that has Datumaro and not this package: the package is added with and
without its .pth file, in turn, to Python's start, to ``import datumaro`` and to ``datum --help``.
Times are of the CPU.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PTH = "datumaro_openimages_plugin.pth"
SITE = "import site; site.addsitedir({!r}); "
PROGRAMS = {
    "Python's start": "",
    "import datumaro": "import datumaro",
    "datum --help": "import sys; sys.argv = ['datum', '--help']; "
    "from datumaro.cli.__main__ import main; main()",
}


def site_folder(folder: str, with_pth: bool) -> str:
    """A folder like site-packages with the package in it."""
    place = Path(folder, f"site-{with_pth}")
    place.mkdir()
    (place / "datumaro_openimages_plugin").symlink_to(ROOT / "datumaro_openimages_plugin")
    if with_pth:
        (place / PTH).write_bytes((ROOT / PTH).read_bytes())
    return str(place)


def seconds(place: str, program: str) -> float:
    """CPU seconds of a program, from its start to its end."""
    command = [sys.executable, "-I", "-c", SITE.format(place) + program]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: int) -> None:
    """Prints a table."""
    print("| | without, ms | with, ms | difference, ms | % |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        without, with_pth = site_folder(folder, False), site_folder(folder, True)
        for name, program in PROGRAMS.items():
            pairs = []
            for number in range(runs + 1):
                order = (without, with_pth) if number % 2 else (with_pth, without)
                times = {place: seconds(place, program) * 1000 for place in order}
                pairs.append((times[without], times[with_pth]))
            pairs = pairs[1:]  # the first one compiles
            # What else the machine does only adds; the quickest quarter has least of it.
            least = [sorted(column)[: max(1, runs // 4)] for column in zip(*pairs, strict=True)]
            old, new = (statistics.median(column) for column in least)
            row = (f"{old:.1f}", f"{new:.1f}", f"{new - old:+.2f}", f"{(new / old - 1) * 100:+.1f}")
            print("|", " | ".join((name, *row)), "|", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main(parser.parse_args().runs)

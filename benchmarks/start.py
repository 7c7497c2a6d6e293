"""What it costs other programs that the package is installed.

    python benchmarks/start.py

Run it with an interpreter that has Datumaro. Two folders are made of what is in its site-packages,
one with this package as an installer leaves it there (its .pth file and its entry points), the
other without. Python's start, ``import datumaro`` and ``datum --help`` run with the one and the
other in turn, so that what else the machine does meets both alike. Times are of the CPU.
"""

from __future__ import annotations

import argparse
import configparser
import os
import resource
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "datumaro_openimages_plugin"
SITE = "import site; site.addsitedir({!r}); "
PROGRAMS = {
    "Python's start": "",
    "import datumaro": "import datumaro",
    "datum --help": "import sys; sys.argv = ['datum', '--help']; "
    "from datumaro.cli.__main__ import main; main()",
}
HEAD = """\
| | without, ms: median (least) | with, ms | difference, ms: of the pairs | of the least | % |
|---|---|---|---|---|---|"""


def site_folder(place: Path, with_package: bool) -> str:
    """A folder like site-packages, with or without this package in it."""
    place.mkdir()
    for path in dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")):
        for entry in Path(path).iterdir():
            if not entry.name.startswith(PACKAGE):
                (place / entry.name).symlink_to(entry)
    if with_package:
        (place / PACKAGE).symlink_to(ROOT / PACKAGE)
        (place / f"{PACKAGE}.pth").write_bytes((ROOT / f"{PACKAGE}.pth").read_bytes())
        metadata = place / f"{PACKAGE}-0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 0\n")
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        groups = setup["options.entry_points"].items()
        text = "".join(f"[{group}]{entries}\n" for group, entries in groups)
        (metadata / "entry_points.txt").write_text(text)
    return str(place)


def milliseconds(place: str, program: str) -> float:
    """CPU time of a program, from its start to its end."""
    # Without what `site` would add by itself, which may have this package already.
    command = [sys.executable, "-I", "-S", "-c", SITE.format(place) + program]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def table_row(name: str, pairs: list[tuple[float, float]]) -> str:
    """A line of a Markdown table: (without, with) of each pair."""
    old, new = zip(*pairs, strict=True)
    difference = statistics.median(two - one for one, two in pairs)
    # What else a machine does only adds, so the least is what a program itself takes; the mean
    # of a few, since single ones are chance.
    few = max(1, len(pairs) // 10)
    least_old, least_new = (statistics.mean(sorted(side)[:few]) for side in (old, new))
    cells = [
        name,
        *(
            f"{statistics.median(side):.1f} ({least:.1f})"
            for side, least in ((old, least_old), (new, least_new))
        ),
        f"{difference:+.2f}",
        f"{least_new - least_old:+.2f}",
        f"{100 * difference / statistics.median(old):+.1f}; "
        f"{100 * (least_new / least_old - 1):+.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main(runs: int, programs: list[str]) -> None:
    """Prints a table."""
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        without = site_folder(Path(folder, "without"), False)
        with_package = site_folder(Path(folder, "with"), True)
        for name in programs:
            pairs = []
            for number in range(runs + 1):
                order = (without, with_package) if number % 2 else (with_package, without)
                times = {place: milliseconds(place, PROGRAMS[name]) for place in order}
                pairs.append((times[without], times[with_package]))
            print(table_row(name, pairs[1:]), flush=True)  # the first one compiles


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40, help="pairs (default: %(default)s)")
    parser.add_argument("--program", action="append", choices=PROGRAMS, help="all if absent")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.pop("DATUMARO_OPENIMAGES_AUTOLOAD", None)
    arguments = parser.parse_args()
    main(arguments.runs, arguments.program or list(PROGRAMS))

"""Kills processes while they replace a folder, and looks at what they leave.

Run by hand: ``python benchmarks/kills.py [kills per scenario, 50] [files, 300]``. Each scenario
(a new folder, another one's place, the same files saved in place) is run both ways (exchange,
journal). Every other kill comes at a random moment of the whole, the rest in the step that puts
the new folder in place, at one of its calls. Then the folder must be the complete old one or the
complete new one, and the next export must leave nothing else. Ends with 1 where that fails.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from datumaro_openimages_plugin.journal import PARTIAL
from datumaro_openimages_plugin.staging import Staging, recover

Files = dict[str, bytes]
_CALLS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "open")


def put(folder: Path, files: Files) -> None:
    """Writes files."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def content(folder: Path) -> Files:
    """What a reader finds: everything but a workspace."""
    found = {}
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != PARTIAL]
        for name in names:
            path = Path(above, name)
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return found


class Scenario:
    """What is there, what is to be, and how.

    Args:
        name: ``new``, ``over`` or ``in place``.
        exchange: Whether by exchange, else by journal.
        count: Number of images.
    """

    def __init__(self, name: str, exchange: bool, count: int) -> None:
        self.name = f"{name}, {'exchange' if exchange else 'journal'}"
        self.exchange = exchange
        self.in_place = name == "in place"
        shared = {f"images/train/{n:05}.jpg": b"image %d" % n for n in range(count)}
        others = {f"images/test/{n:05}.jpg": b"other %d" % n for n in range(count)}
        tables = [f"{subset}-boxes.csv" for subset in ("train", "test")]
        foreign = {} if name == "new" else {"notes/mine.txt": b"mine"}
        old = {**(shared if self.in_place else others), **dict.fromkeys(tables, b"old" * 9999)}
        self.old = {} if name == "new" else {**old, **foreign, "masks/train/1.png": b"stale"}
        self.new = {**shared, **dict.fromkeys(tables, b"new" * 9999), **foreign}

    def save(self, target: Path, before_commit: Callable[[], None] = lambda: None) -> None:
        """Does it."""
        with Staging(str(target), exchange=self.exchange) as staging:
            for name, data in self.new.items():
                if self.in_place and name.startswith("images"):
                    staging.add_file(str(target / name), name)
                elif not name.startswith("notes"):
                    Path(staging.path(name)).write_bytes(data)
            staging.keep_rest(lambda rel: not rel.startswith("notes"))
            before_commit()

    def state(self, target: Path) -> str:
        """``old``, ``new`` or ``MIXTURE``."""
        found = content(target)
        return "old" if found == self.old else "new" if found == self.new else "MIXTURE"


def die_at_call(number: int) -> None:
    """Has this process kill itself right before its ``number``-th call from now on."""
    calls = itertools.count(1)

    def hook(event: str, arguments: tuple) -> None:
        if event in _CALLS and next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def was_killed(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kill_once(scenario: Scenario, target: Path, call: int, delay_s: float) -> bool:
    """Forks a process that saves, and kills it; False where it was faster."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            scenario.save(target, (lambda: die_at_call(call)) if call else lambda: None)
            code = 0
        finally:
            os._exit(code)
    if not call:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)
    return was_killed(child)


def run(scenario: Scenario, folder: Path, kills: int) -> Counter[str]:
    """Kills until there are enough; gives the number of kills, states and leftovers."""
    counts: Counter[str] = Counter()
    target = folder / "data"
    duration_s = 0.0
    for attempt in itertools.count():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        put(target, scenario.old)
        if not attempt:
            start = time.perf_counter()
            scenario.save(target)
            duration_s = time.perf_counter() - start
            continue
        call = random.randint(1, 60) if attempt % 2 else 0
        if not kill_once(scenario, target, call, random.uniform(0, duration_s * 1.1)):
            counts["too fast"] += 1
            continue
        counts["kills"] += 1
        counts["left over"] += os.listdir(folder) != ["data"] or (target / PARTIAL).exists()
        counts["unfinished"] += (target / PARTIAL / "journal").exists()
        if not scenario.exchange:
            recover(str(target))
        state = scenario.state(target)
        counts[state] += 1
        with Staging(str(target), exchange=scenario.exchange) as staging:
            staging.keep_rest(lambda rel: False)
        clean = os.listdir(folder) == ["data"] and not (target / PARTIAL).exists()
        counts["STILL THERE"] += not clean or scenario.state(target) != state
        if counts["kills"] == kills:
            return counts
    raise AssertionError


def main() -> int:
    """Runs all scenarios and prints a line for each."""
    arguments = [int(value) for value in sys.argv[1:]]
    kills, count = [*arguments, *(50, 300)[len(arguments) :]]
    total: Counter[str] = Counter()
    columns = ("kills", "old", "new", "MIXTURE", "unfinished", "left over", "STILL THERE")
    print(f"{'':22}" + "".join(f"{name:>13}" for name in columns))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("new", "over", "in place"):
            for exchange in (True, False):
                scenario = Scenario(name, exchange, count)
                counts = run(scenario, Path(folder, "parent"), kills)
                total += counts
                print(f"{scenario.name:22}" + "".join(f"{counts[c]:13}" for c in columns))
    print(f"{'all':22}" + "".join(f"{total[c]:13}" for c in columns))
    return 1 if total["MIXTURE"] or total["STILL THERE"] else 0


if __name__ == "__main__":
    sys.exit(main())

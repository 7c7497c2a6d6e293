"""Kills processes while they save a dataset, and looks at what they leave.

    python benchmarks/kills.py --kills 50 --images 200

Four jobs (an export to a new folder, one over another dataset, one to a zip over an older zip,
saving in place), each both ways (exchange, journal). Every other kill comes at a random moment of
the job, the rest while the new folder is put in place, right before one of its calls to the
system. Then the folder must be the complete old one or the complete new one, byte by byte, and the
next export must leave nothing else. Ends with 1 where that fails.

Writing through to the disk is switched off: a kill leaves the system's buffers, and only a power
failure would not.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from data import Options, make_dataset
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment

# What a job needs is imported once, here; its process is a fork.
from datumaro_openimages_plugin.reading import reader  # noqa: F401
from datumaro_openimages_plugin.saving import _system
from datumaro_openimages_plugin.saving.staging import Staging, recover
from datumaro_openimages_plugin.sources.safe_names import PARTIAL
from datumaro_openimages_plugin.writing import exporting  # noqa: F401

JOBS = ("new", "over", "zip", "in place")
COLUMNS = ("kills", "old", "new", "MIXTURE", "unfinished", "left over", "STILL THERE")
_CALLS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "open")
_NEVER = 10**9  # a number of calls that none makes

Files = dict[str, str]


def content(folder: Path) -> Files:
    """What a reader finds, by name: digests of all files but a workspace's."""
    found = {}
    for above, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != PARTIAL]
        for name in names:
            path = Path(above, name)
            digest = hashlib.sha1(path.read_bytes()).hexdigest()
            found[path.relative_to(folder).as_posix()] = digest
    return found


def save(job: str, source: Path, target: Path) -> None:
    """Does a job with Datumaro's own calls."""
    dataset = Dataset.import_from(str(source), "open_images")
    if job == "in place":
        for number, item in enumerate(list(dataset)):
            if number % 10 == 0:
                dataset.remove(item.id, item.subset)
            if number % 10 == 1:
                dataset.put(item.wrap(id=item.id + "x"))
        dataset.save(save_media=True)
    else:
        dataset.export(str(target), "open_images", save_media=True, zip=job == "zip")


class Scenario:
    """What is there, what is to be, and how.

    Args:
        job: One of `JOBS`.
        way: ``exchange`` or ``journal``.
        folder: Has the datasets ``first`` and ``second``.
    """

    def __init__(self, job: str, way: str, folder: Path) -> None:
        self.job, self.way, self.folder = job, way, folder
        self.name = f"{job}, {way}"
        self.parent = folder / "parent"
        self.target = self.parent / "data"
        self.prepare()
        self.old = content(self.target)
        self.duration_s = self.run(call=_NEVER)
        self.calls = int((folder / "calls").read_text())
        self.new = content(self.target)
        assert self.old != self.new

    def prepare(self) -> None:
        """Makes what is there before."""
        shutil.rmtree(self.parent, ignore_errors=True)
        self.parent.mkdir()
        if self.job == "zip":
            self.target.mkdir()
            (self.target / "data.zip").write_bytes(b"an older zip")
        elif self.job != "new":
            # What is replaced is never written into, so links do.
            shutil.copytree(self.folder / "second", self.target, copy_function=os.link)
        if self.job != "new":
            (self.target / "notes").mkdir()
            (self.target / "notes/mine.txt").write_text("mine")

    def run(self, kill: Callable[[int], None] = lambda child: None, call: int = 0) -> float:
        """Forks a process that does the job; gives its seconds, 0 where it was killed."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(Exception):
                os.environ["DATUMARO_OPENIMAGES_EXCHANGE"] = str(int(self.way == "exchange"))
                _system.flush = lambda path: None
                with self._told(writing, call):
                    source = self.target if self.job == "in place" else self.folder / "first"
                    save(self.job, source, self.target)
                code = 0
            os._exit(code)
        os.close(writing)
        os.read(reading, 1)  # the child begins to write
        os.close(reading)
        start = time.perf_counter()
        kill(child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL), f"{self.name}: the job failed"
        return time.perf_counter() - start if status == 0 else 0.0

    @contextlib.contextmanager
    def _told(self, writing: int, call: int) -> Iterator[None]:
        """Tells the parent when staging begins, and dies at a call of putting things in place."""
        enter, commit = Staging.__enter__, Staging.commit
        calls = [0]

        def entered(staging: Staging) -> Staging:
            os.write(writing, b".")
            return enter(staging)

        def committed(staging: Staging) -> None:
            if call:
                sys.addaudithook(hook)
            commit(staging)

        def hook(event: str, arguments: tuple) -> None:
            if event in _CALLS:
                calls[0] += 1
                if calls[0] == call:
                    os.kill(os.getpid(), signal.SIGKILL)

        Staging.__enter__, Staging.commit = entered, committed  # type: ignore[method-assign]
        yield
        (self.folder / "calls").write_text(str(calls[0]))

    def state(self) -> str:
        """``old``, ``new`` or ``MIXTURE``."""
        found = content(self.target)
        return "old" if found == self.old else "new" if found == self.new else "MIXTURE"


def kill_after(delay_s: float) -> Callable[[int], None]:
    """Kills a process after a time."""

    def kill(child: int) -> None:
        time.sleep(delay_s)
        os.kill(child, signal.SIGKILL)

    return kill


def run(scenario: Scenario, kills: int) -> Counter[str]:
    """Kills until there are enough; gives the number of kills, states and leftovers."""
    counts: Counter[str] = Counter()
    folder, target = scenario.parent, scenario.target
    for attempt in itertools.count():
        scenario.prepare()
        if attempt % 2:
            took_s = scenario.run(call=random.randint(1, scenario.calls))
        else:
            took_s = scenario.run(kill_after(random.uniform(0, scenario.duration_s * 1.1)))
        if took_s:
            counts["too fast"] += 1
            continue
        counts["kills"] += 1
        counts["left over"] += os.listdir(folder) != ["data"] or (target / PARTIAL).exists()
        counts["unfinished"] += (target / PARTIAL / "journal").exists()
        recover(str(target))  # as every import does
        target.mkdir(exist_ok=True)  # a new one may not be there yet
        state = scenario.state()
        counts[state] += 1
        with Staging(str(target), exchange=scenario.way == "exchange") as staging:
            staging.keep_rest(lambda rel: False)
        clean = os.listdir(folder) == ["data"] and not (target / PARTIAL).exists()
        counts["STILL THERE"] += not clean or scenario.state() != state
        if counts["kills"] == kills:
            return counts
    raise AssertionError


def main() -> int:
    """Runs all scenarios and prints a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="of each job each way")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, help="of the random moments")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    _system.flush = lambda path: None
    Environment().extractors.get("open_images")
    total: Counter[str] = Counter()
    print(f"{'':20}" + "".join(f"{name:>13}" for name in COLUMNS))
    with tempfile.TemporaryDirectory() as folder:
        for seed, name in enumerate(("first", "second")):
            options = Options(arguments.images, classes=700, masks=True, jpegs=True, seed=seed)
            make_dataset(Path(folder, name), options)
        for job in JOBS:
            for way in ("exchange", "journal"):
                scenario = Scenario(job, way, Path(folder))
                counts = run(scenario, arguments.kills)
                total += counts
                print(f"{scenario.name:20}" + "".join(f"{counts[c]:13}" for c in COLUMNS))
    print(f"{'all':20}" + "".join(f"{total[c]:13}" for c in COLUMNS))
    return 1 if total["MIXTURE"] or total["STILL THERE"] else 0


if __name__ == "__main__":
    sys.exit(main())

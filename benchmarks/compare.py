"""Times this plugin against the format that is built into Datumaro.

    python benchmarks/compare.py
    python benchmarks/compare.py --scenario stream --scale 0.1 --pairs 3

Both work on the same generated dataset in turn (ours, built-in, ours, …), each time in a process of
its own, and must find the same. Importing modules is not timed. Ratios are medians of the ratios of
the pairs, since what else the machine does then meets both alike.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import json
import logging
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from data import Options, make_dataset
from scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parents[1]
SIDES = ("ours", "built-in")
OURS = "datumaro_openimages_plugin.plugin"
#: What is imported when it is first used.
TIMED = (
    "reading.reader",
    "reading.choose",
    "saving.staging",
    "writing.exporting",
    "kinds._mask_writer",
    "kinds._row_writers",
)
#: Modules of Datumaro 1.x and of the 0.3 line, and what the class is called there.
BUILT_IN = {
    "datumaro.plugins.data_formats.open_images": "OpenImagesBase",
    "datumaro.plugins.open_images_format": "OpenImagesExtractor",
}


# A process that runs one of them


def class_of(side: str) -> Any:
    """The class that reads, registered as ``open_images``.

    Raises:
        AssertionError: It is not the one of that side.
    """
    import datumaro.components.dataset  # noqa: F401  not to be timed
    from datumaro.components.environment import Environment

    if side == "ours":
        import datumaro_openimages_plugin

        for module in TIMED:
            importlib.import_module(f"datumaro_openimages_plugin.{module}")  # not to be timed
        datumaro_openimages_plugin.register()
        module, name = OURS, "OpenImagesExtractor"
    else:
        module = next(name for name in BUILT_IN if _exists(name))
        name = BUILT_IN[module]
    cls = getattr(importlib.import_module(module), name)
    assert cls.__module__ == module, f"{side}: {cls} is not of {module}"
    package = "datumaro_openimages_plugin" if side == "ours" else "datumaro"
    folder = Path(sys.modules[package].__file__ or "").resolve().parent
    file = Path(sys.modules[cls.__module__].__file__ or "").resolve()
    assert folder in file.parents, f"{side}: {file} is not in {folder}"
    # What `Dataset.import_from` takes by its name must be the same class.
    registered = Environment().extractors["open_images"]
    registered = getattr(registered, "get_plugin_cls", lambda: registered)()
    assert registered is cls, f"{side}: open_images is {registered}"
    return cls


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def work(side: str, scenario: str, path: str) -> None:
    """Runs a scenario once and prints seconds, peak memory and findings as JSON."""
    logging.disable(logging.CRITICAL)  # one line per image without a picture
    chosen = SCENARIOS[scenario]
    run = (chosen.ours if side == "ours" else chosen.built_in)(class_of(side), path)
    gc.collect()
    started, started_cpu = time.perf_counter(), time.process_time()
    found = run()
    wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if callable(found):  # a look at what was written, which is not part of writing it
        found = found()
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak * unit / 1e6, "found": found}))


def run(side: str, scenario: str, path: str) -> dict[str, Any]:
    """Runs a scenario in a new process."""
    environment = {**os.environ, "DATUMARO_OPENIMAGES_AUTOLOAD": "0"}
    if importlib.util.find_spec("datumaro_openimages_plugin") is None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, __file__, "--worker", side, scenario, path]
    os.sync()  # each run waits for its own bytes only
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# The comparison


def compare(scenario: str, path: str, pairs: int) -> dict[str, list[dict[str, Any]]]:
    """Runs of both sides, in turn."""
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    found: list[Any] = []
    for _ in range(pairs):
        for side in SIDES:
            runs[side].append(run(side, scenario, path))
            found.append(runs[side][-1]["found"])
            assert found[-1] == found[0], f"{scenario}, {side}: {found[-1]} is not {found[0]}"
    return runs


def table_row(scenario: str, runs: dict[str, list[dict[str, Any]]]) -> str:
    """A line of a Markdown table."""
    ours, built_in = (runs[side] for side in SIDES)
    ratios = sorted(b["wall"] / o["wall"] for o, b in zip(ours, built_in, strict=True))
    cpu = statistics.median(b["cpu"] / o["cpu"] for o, b in zip(ours, built_in, strict=True))
    cells = [
        scenario,
        *(seconds(statistics.median(run["wall"] for run in side)) for side in (ours, built_in)),
        f"**{statistics.median(ratios):.1f}**",
        f"{ratios[0]:.1f} to {ratios[-1]:.1f}",
        f"{cpu:.1f}",
        *(f"{statistics.median(run['peak'] for run in side):.0f}" for side in (ours, built_in)),
    ]
    return "| " + " | ".join(cells) + " |"


def seconds(value: float) -> str:
    """Seconds with three digits."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


HEAD = """\
| scenario | ours, s | built-in, s | ratio | of the pairs | CPU ratio | ours, MB | built-in, MB |
|---|---|---|---|---|---|---|---|"""


def dataset_of(scenario: str, scale: float, folder: str) -> str:
    """The path of a scenario's dataset, made if it is not there."""
    data = dict(SCENARIOS[scenario].data)
    if "program" in data:
        return os.path.join(folder, f"program-{round(data['program'] * scale)}")
    images = data.pop("images")
    return dataset_of_images(round(images * scale) if images > 1 else 1, folder, **data)


def dataset_of_images(images: int, folder: str, **data: Any) -> str:
    """The path of a dataset with so many images, made if it is not there."""
    data["images"] = images
    name = "-".join(f"{key}_{value}" for key, value in sorted(data.items()))
    path = Path(folder, name)
    if not path.exists():
        partial = Path(folder, f"{name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        make_dataset(partial, Options(**data))
        partial.rename(path)
    for name in path.rglob("*.csv"):
        # The first run is not to be the one that waits for the disk. Piece by piece, since what
        # this process once held counts as held by those that it starts.
        with name.open("rb") as file:
            while file.read(1 << 20):
                pass
    return str(path)


def main(arguments: argparse.Namespace) -> None:
    """Prints the table."""
    with contextlib.ExitStack() as stack:
        folder = arguments.data or stack.enter_context(tempfile.TemporaryDirectory())
        # What the runs write goes last: for minutes after files are deleted, ext4 looks at the
        # place of each of them again whenever a file is made.
        os.environ["TMPDIR"] = stack.enter_context(tempfile.TemporaryDirectory())
        print(HEAD, flush=True)
        for scenario in arguments.scenario or SCENARIOS:
            path = dataset_of(scenario, arguments.scale, folder)
            print(table_row(scenario, compare(scenario, path, arguments.pairs)), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(*sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="all if absent")
        parser.add_argument("--scale", type=float, default=1, help="share of each dataset's images")
        parser.add_argument("--pairs", type=int, default=5)
        parser.add_argument("--data", help="a folder where datasets are kept for the next time")
        main(parser.parse_args())

"""Times this plugin against the format that is built into Datumaro.

    python benchmarks/compare.py --images 20000

Both read the same generated dataset in turn (ours, built-in, ours, …), each time in a process of
its own, and must find the same. Importing modules is not timed.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data import make_dataset, options_from, options_parser

ROOT = Path(__file__).resolve().parents[1]
SIDES = ("ours", "built-in")
OURS = "datumaro_openimages_plugin.plugin"
#: Modules of Datumaro 1.x and of the 0.3 line, and what the class is called there.
BUILT_IN = {
    "datumaro.plugins.data_formats.open_images": "OpenImagesBase",
    "datumaro.plugins.open_images_format": "OpenImagesExtractor",
}


# What is timed: a function of the class and the dataset's path that tells what it found


def open_(cls: Any, path: str) -> dict[str, int]:
    """Until subsets and categories are known."""
    extractor = cls(path)
    labels = next(iter(extractor.categories().values()))
    return {"subsets": len(extractor.subsets()), "labels": len(labels)}


def stream(cls: Any, path: str) -> dict[str, int]:
    """Each annotation is looked at, items are dropped."""
    return visit(cls(path))


def cached(cls: Any, path: str) -> dict[str, int]:
    """Through ``Dataset.import_from``, which keeps every item; then each annotation."""
    from datumaro.components.dataset import Dataset

    dataset = Dataset.import_from(path, "open_images")
    dataset.init_cache()
    return visit(dataset)


def visit(items: Any) -> dict[str, int]:
    """Counts of what is there, and sums that show that it was looked at."""
    from datumaro.components.annotation import AnnotationType

    bbox = AnnotationType.bbox
    images = annotations = boxes = label_sum = group_sum = attributes = 0
    point_sum = 0.0
    # Plain sums, so that what is timed is the reading and not the adding up.
    for item in items:
        images += 1
        for annotation in item.annotations:
            annotations += 1
            label_sum += annotation.label
            group_sum += annotation.group
            attributes += len(annotation.attributes)
            if annotation.type is bbox:
                boxes += 1
                point_sum += annotation.points[2]
    return {
        "images": images,
        "annotations": annotations,
        "boxes": boxes,
        "labels, sum": label_sum,
        "groups, sum": group_sum,
        "attributes": attributes,
        "points, sum": round(point_sum),
    }


def choose(cls: Any, path: str) -> dict[str, int]:
    """A thousand images of one class: chosen at import, or loaded with all others and filtered."""
    boxes = next(Path(path).rglob("*-annotations-bbox.csv"))
    with open(boxes) as file:
        name = [next(file) for _ in range(2)][1].split(",")[2]
    if cls.__module__ == OURS:
        chosen = list(cls(path, classes=[name], max_images=1000))
        label = chosen[0].annotations[0].origin.source.label_names.index(name)
    else:
        extractor = cls(path)
        label = next(iter(extractor.categories().values())).find(name)[0]
        chosen = []
        for item in extractor:
            if any(a.label == label and a.attributes["score"] for a in item.annotations):
                chosen.append(item)
                if len(chosen) == 1000:
                    break
    of_class = sum(any(a.label == label for a in item.annotations) for item in chosen)
    return {"images": len(chosen), "of the class": of_class}


SCENARIOS: dict[str, Callable[[Any, str], dict[str, int]]] = {
    "open": open_,
    "stream": stream,
    "cached": cached,
    "choose": choose,
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
        import datumaro_openimages_plugin.reader
        import datumaro_openimages_plugin.staging  # not to be timed

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
    cls = class_of(side)
    gc.collect()
    started, started_cpu = time.perf_counter(), time.process_time()
    found = SCENARIOS[scenario](cls, path)
    wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak * unit / 1e6, "found": found}))


def run(side: str, scenario: str, path: str) -> dict[str, Any]:
    """Runs a scenario in a new process."""
    environment = {**os.environ, "DATUMARO_OPENIMAGES_AUTOLOAD": "0"}
    if importlib.util.find_spec("datumaro_openimages_plugin") is None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    command = [sys.executable, __file__, "--worker", side, scenario, path]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


# The comparison


def compare(scenario: str, path: str, pairs: int) -> dict[str, list[dict[str, Any]]]:
    """Runs of both sides, in turn."""
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(pairs):
        for side in SIDES:
            runs[side].append(run(side, scenario, path))
    ours, built_in = (runs[side][0]["found"] for side in SIDES)
    assert ours == built_in, f"{scenario}: {ours} is not {built_in}"
    return runs


def table_rows(scenario: str, runs: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Lines of a Markdown table."""
    keys = ("wall", "cpu", "peak")
    medians = {
        side: {key: statistics.median(run[key] for run in runs[side]) for key in keys}
        for side in SIDES
    }
    rows = []
    for side in SIDES:
        walls = [run["wall"] for run in runs[side]]
        median = medians[side]
        cells = [
            scenario,
            side,
            f"{median['wall']:.3f}",
            f"{min(walls):.3f}-{max(walls):.3f}",
            f"{median['cpu']:.3f}",
            f"{median['peak']:.0f}",
        ]
        if side == "ours":
            ratios = [medians["built-in"][key] / median[key] for key in keys]
            cells.append(" / ".join(f"{ratio:.1f}" for ratio in ratios))
        else:
            cells.append("")
        rows.append("| " + " | ".join(cells) + " |")
    return rows


HEAD = """\
| scenario | side | median s | min-max s | CPU s | peak MB | built-in / ours: s, CPU, MB |
|---|---|---|---|---|---|---|"""


def main(arguments: argparse.Namespace) -> None:
    """Makes a dataset where none is given, and prints the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.dataset
        if path is None:
            path = os.path.join(folder, "dataset")
            make_dataset(Path(path), options_from(arguments))
        for file in Path(path).rglob("*.csv"):
            file.read_bytes()  # the first run is not to be the one that waits for the disk
        print(HEAD, flush=True)
        for scenario in arguments.scenario or SCENARIOS:
            runs = compare(scenario, path, arguments.pairs)
            print(*table_rows(scenario, runs), sep="\n", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(*sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(description=__doc__, parents=[options_parser()])
        parser.add_argument("--dataset", help="a dataset to read instead of a generated one")
        parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="all if absent")
        parser.add_argument("--pairs", type=int, default=5)
        main(parser.parse_args())

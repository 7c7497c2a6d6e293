"""The same dataset gives the same bytes, whatever the hash seed and the order of folders are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from layouts import LAYOUTS, snapshot

PROGRAM = """
import hashlib, json, sys
from pathlib import Path
from datumaro.components.dataset import Dataset
from layouts import LAYOUTS, snapshot

folder = Path(sys.argv[1])
found = {}
for name in ("v7", "rich"):
    data = folder / name
    dataset = Dataset.import_from(str(data), "open_images")
    dataset.transform("random_split", splits=[("a", 0.5), ("b", 0.5)], seed=3)
    for options in ({"names": "published"}, {"zip": True, "save_dataset_meta": True}):
        out = folder / f"out-{sys.argv[2]}-{name}-{len(options)}"
        dataset.export(str(out), "open_images", save_media=True, **options)
        files = snapshot(out).items()
        found[f"{name} {list(options)}"] = [
            (file.replace(out.name, "out"), hashlib.sha1(data).hexdigest()) for file, data in files
        ]
print(json.dumps(found))
"""


def run(folder: Path, seed: str) -> dict[str, list]:
    here = os.path.dirname(__file__)
    paths = [here, *(path for path in sys.path if path)]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-c", PROGRAM, str(folder), seed]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_hash_seeds(tmp_path):
    for name in ("v7", "rich"):
        LAYOUTS[name](tmp_path / name)
    first, other = [run(tmp_path, seed) for seed in ("0", "4711")]
    assert len(first) == 4 and all(len(files) > 0 for files in first.values())
    assert other == first


@pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_order_of_folders(make, tmp_path, monkeypatch):
    """File systems list names in any order; here in the reverse of two different ones."""
    from datumaro.components.dataset import Dataset

    data = make(tmp_path / "data")
    found = []
    for reverse in (False, True):
        scandir, listdir = os.scandir, os.listdir

        class Listed(list):
            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

        def scan(path=".", reverse=reverse, scandir=scandir, listed=Listed):
            with scandir(path) as entries:
                return listed(sorted(entries, key=lambda e: e.name, reverse=reverse))

        def names(path=".", reverse=reverse, listdir=listdir):
            return sorted(listdir(path), reverse=reverse)

        out = tmp_path / f"out{reverse}"
        with monkeypatch.context() as patch:
            patch.setattr(os, "scandir", scan)
            patch.setattr(os, "listdir", names)
            Dataset.import_from(str(data), "open_images").export(
                str(out), "open_images", save_media=True
            )
        found.append(snapshot(out))
    assert found[0] == found[1] and len(found[0]) > 3

"""The same dataset gives the same bytes, whatever the hash seed and the order of folders are."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import oi_files
import pytest
from datumaro.components.annotation import AnnotationType, Bbox
from datumaro.components.dataset import Dataset
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


# The order of rows


BOXES = "annotations/train-annotations-bbox.csv"


def shuffled(root: Path) -> str:
    """A dataset whose rows lie in no order of images; gives the box table."""
    oi_files.base(root)
    ids = "bacabbcab"
    rows = [
        f"{name},xclick,/m/1,1,0.01,0.{number}5,0,1,0,0,0,0,0" for number, name in enumerate(ids)
    ]
    oi_files.write(root, {BOXES: oi_files.BOX_HEADER + "\n".join(rows) + "\n"})
    labels = "".join(
        f"{name},verification,/m/{number % 4},1\n" for number, name in enumerate("baab")
    )
    name = "annotations/train-annotations-human-imagelabels.csv"
    oi_files.write(root, {name: oi_files.LABEL_HEADER + labels})
    return (root / BOXES).read_text()


def test_rows_keep_their_order(tmp_path):
    shuffled(tmp_path / "data")
    before = snapshot(tmp_path / "data")
    dataset = Dataset.import_from(str(tmp_path / "data"), "open_images")
    out = tmp_path / "out"
    dataset.export(str(out), "open_images", save_media=True, names="datumaro")
    train = [line for line in before[BOXES].decode().splitlines() if not line.startswith("c")]
    assert (out / BOXES).read_text().splitlines() == train
    dataset.save()
    name = "annotations/train-annotations-human-imagelabels.csv"
    assert snapshot(out)[name] == before[name]


def test_new_and_changed_rows_stay_with_those_before_them(tmp_path):
    before = shuffled(tmp_path / "data").splitlines()
    dataset = Dataset.import_from(str(tmp_path / "data"), "open_images")
    item = dataset.get("b", "train")
    boxes = [a for a in item.annotations if a.type is AnnotationType.bbox]
    others = [a for a in item.annotations if a.type is not AnnotationType.bbox]
    boxes[1].attributes["occluded"] = True
    boxes.insert(3, Bbox(0, 0, 1, 1, label=2))
    dataset.put(item.wrap(annotations=others + boxes[1:]))
    dataset.remove("c", "test")
    dataset.save()
    after = (tmp_path / "data" / BOXES).read_text().splitlines()
    ids = [line.partition(",")[0] for line in after[1:]]
    # Without the first of b; a new one after its third.
    assert ids == ["a", "a", "b", "b", "b", "a", "b"]
    assert after[1] == before[2] and after[2] == before[4]
    assert after[3].endswith(",1,0,0,0,0") and after[5].startswith("b,,/m/2,1,0")


@pytest.mark.parametrize("kind", ["pickled", "merged"])
def test_rows_without_a_table_follow_their_items(kind, tmp_path):
    shuffled(tmp_path / "data")
    dataset = Dataset.import_from(str(tmp_path / "data"), "open_images")
    if kind == "pickled":
        items = pickle.loads(pickle.dumps(list(dataset)))
        dataset = Dataset.from_iterable(items, categories=dataset.categories())
    else:
        dataset.init_cache()
        other = Dataset.import_from(str(tmp_path / "data"), "open_images")
        other.transform("rename", regex="|^(.*)$|x\\1|")
        dataset.update(other)
    out = tmp_path / "out"
    dataset.export(str(out), "open_images")
    ids = [line.partition(",")[0] for line in (out / BOXES).read_text().splitlines()[1:]]
    if kind == "pickled":
        assert ids == sorted(ids, key=list(dict.fromkeys(i.id for i in dataset)).index)
    else:
        assert ids == [*"baabbab", *(f"x{name}" for name in "baabbab")]
    back = Dataset.import_from(str(out), "open_images")
    assert sum(len(item.annotations) for item in back) == sum(
        len(item.annotations) for item in dataset
    )

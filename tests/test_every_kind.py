"""Every kind through Datumaro's transforms: what nobody changed comes back as it was written."""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, save

from datumaro_openimages_plugin._host import CAN_STREAM
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor
from datumaro_openimages_plugin.sources.archive import open_source

SAMPLE = Path(__file__).parents[1] / "assets/open_images_v7"
NAMES = [kind.name for kind in KINDS]
Row = tuple[tuple[str, str], ...]


def read(root: Path) -> Dataset:
    return Dataset.from_extractors(OpenImagesExtractor(str(root), kinds=NAMES))


def rows(root: Path, change: Callable[[dict[str, str]], None] = lambda row: None) -> dict[str, Any]:
    """Kind -> its rows in one order; values as texts, of JSON as they are written there."""
    files = DatasetFiles(open_source(str(root)))
    found: dict[str, list[Row]] = {name: [] for name in NAMES}
    for name in NAMES:
        for file in files.best(name):
            with open(root / file.name, encoding="utf-8", newline="") as lines:
                if file.name.endswith(".jsonl"):
                    made = [json.loads(line, parse_float=str, parse_int=str) for line in lines]
                else:
                    made = list(csv.DictReader(lines))
            for row in made:
                row.pop("MaskPath", None)  # tells of image and label
                if "image_id" in row:
                    row["ImageID"] = row.pop("image_id")
                if "ImageId" in row:
                    row["ImageID"] = row.pop("ImageId")
                change(row)
                found[name].append(tuple(sorted((k, repr(v)) for k, v in row.items())))
        found[name].sort()
    return found


def drop_clicks(row: dict[str, str]) -> None:
    """Leaves out what boxes of the other subsets' files do not have."""
    for column in list(row):
        if column.startswith("XClick"):
            del row[column]


@pytest.fixture(scope="module")
def everything() -> dict[str, Any]:
    found = rows(SAMPLE)
    assert all(found.values())
    return found


def test_renamed(tmp_path):
    dataset = read(SAMPLE).transform("rename", regex=r"|^(.*)$|new_\1|")

    def renamed(row):
        row["ImageID"] = "new_" + row["ImageID"]

    assert rows(save(dataset, tmp_path / "out")) == rows(SAMPLE, renamed)


def test_remapped(tmp_path):
    dataset = read(SAMPLE).transform("remap_labels", mapping={"/m/0zz02": "/m/new"}, default="keep")
    columns = ("LabelName", "LabelName1", "LabelName2", "Label")

    def remapped(row):
        row.update({c: "/m/new" for c in columns if row.get(c) == "/m/0zz02"})

    expected = rows(SAMPLE, remapped)
    changed = {name for name, found in expected.items() if found != rows(SAMPLE)[name]}
    assert {"labels", "machine_labels", "boxes", "masks", "relationships"} <= changed
    assert rows(save(dataset, tmp_path / "out")) == expected


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("random_split", {"splits": [("one", 0.5), ("two", 0.5)], "seed": 1}),
        ("map_subsets", {"mapping": {"train": "test", "test": "validation", "validation": "x"}}),
        ("sort", {}),
    ],
)
def test_in_other_subsets_and_orders(name, options, tmp_path):
    dataset = read(SAMPLE)
    if name not in dataset.env.transforms:
        pytest.skip("this Datumaro does not have it")
    out = save(dataset.transform(name, **options), tmp_path / "out")
    assert rows(out, drop_clicks) == rows(SAMPLE, drop_clicks)


def test_filtered_by_image(everything, tmp_path):
    wanted = "0a1b2c3d4e5f6071"
    dataset = read(SAMPLE).filter(f'/item[id="{wanted}"]')
    expected = {
        name: [row for row in found if ("ImageID", repr(wanted)) in row]
        for name, found in everything.items()
    }
    assert sum(map(bool, expected.values())) == len(NAMES)
    assert rows(save(dataset, tmp_path / "out")) == expected


def test_pickled(everything, tmp_path):
    dataset = read(SAMPLE)
    items = pickle.loads(pickle.dumps(list(dataset)))
    again = Dataset.from_iterable(items, categories=dataset.categories())
    assert rows(save(again, tmp_path / "out")) == everything


def test_merged(everything, tmp_path):
    one, two = (read(SAMPLE).filter(f'/item[subset{sign}"train"]') for sign in ("=", "!="))
    merged = Dataset.from_extractors(one, two)
    assert rows(save(merged, tmp_path / "out")) == everything


def test_updated(everything, tmp_path):
    updated = Dataset.from_iterable([], categories=read(SAMPLE).categories())
    updated.update(read(SAMPLE))
    assert rows(save(updated, tmp_path / "out")) == everything


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
def test_streamed(everything, tmp_path):
    from datumaro.components.dataset import StreamDataset

    stream = StreamDataset.from_extractors(
        OpenImagesExtractor(str(SAMPLE), kinds=NAMES, stream=True)
    )
    stream.export(str(tmp_path / "out"), OpenImagesExporter, save_media=True)
    assert rows(tmp_path / "out") == everything


def test_in_a_zip(everything, tmp_path):
    packed = save(read(SAMPLE), tmp_path / "out", zip=True, names="published") / "out.zip"
    found = bytes_below(save(read(packed), tmp_path / "again", names="published"), ".")
    files = DatasetFiles(open_source(str(SAMPLE)))
    for name in NAMES:
        for file in files.best(name):
            assert found[file.name] == (SAMPLE / file.name).read_bytes(), file.name
    assert rows(tmp_path / "again") == everything


def test_in_fiftyone_s_folders(everything, tmp_path):
    """Official files renamed, each in the folder of its subset."""
    short = {
        "labels": "classifications",
        "boxes": "detections",
        "masks": "segmentations",
        "points": "points",
        "relationships": "relationships",
    }
    files = DatasetFiles(open_source(str(SAMPLE)))
    classes = files.best("classes")[0]
    for name, base in short.items():
        for file in files.best(name):
            path = tmp_path / "in" / str(file.subset) / "labels" / f"{base}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((SAMPLE / file.name).read_bytes())
    for file in files.best("images"):
        path = tmp_path / "in" / str(file.subset) / "metadata"
        path.mkdir(parents=True, exist_ok=True)
        (path / "image_ids.csv").write_bytes((SAMPLE / file.name).read_bytes())
        (path / "classes.csv").write_bytes((SAMPLE / classes.name).read_bytes())
    expected = {name: everything[name] if name in short else [] for name in NAMES}
    assert rows(tmp_path / "in") == expected
    assert rows(save(read(tmp_path / "in"), tmp_path / "out")) == expected


@pytest.mark.parametrize("image", ["0a1b2c3d4e5f6071", "2468ace013579bdf"])
def test_resized(image, tmp_path):
    dataset = read(SAMPLE).filter(f'/item[id="{image}"]').transform("resize", width=60, height=50)
    # Of what lies in an image, only what Datumaro knows was resized with it.
    found = rows(save(dataset, tmp_path / "out"), drop_clicks)
    resized = rows(SAMPLE, drop_clicks)
    for name in NAMES:
        expected = [row for row in resized[name] if ("ImageID", repr(image)) in row]
        if name == "masks":  # their pictures are made anew
            assert len(found[name]) == len(expected)
        else:
            assert found[name] == expected, name

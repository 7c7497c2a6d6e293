"""Columns without a place in Datumaro: hidden by default, shown on request, then written back."""

from __future__ import annotations

import csv
import logging
import pickle
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import rich_data
from datumaro.components.annotation import AnnotationType, Bbox, Label, Mask, Points
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, contents, read, rows, save
from shapes_data import dataset_of, item_with, picture_in

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.annotations import imported
from datumaro_openimages_plugin.errors import AnnotationError
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor

IMAGE = {
    "original_url": "https://x/a.jpg",
    "original_landing_url": "https://x/a",
    "license": "https://c/by",
    "author_profile_url": "https://x/u",
    "author": "Last, First",
    "title": 'A "title"',
    "original_size": "12345",
    "original_md5": "md5==",
    "thumbnail_300k_url": "https://x/t.jpg",
    "rotation": "90.0",
}
BUILT_IN = {
    "score", "occluded", "truncated", "is_group_of", "is_depiction", "is_inside", "box_id",
    "predicted_iou",
}  # fmt: skip


@pytest.fixture
def rich(tmp_path) -> Path:
    return rich_data.make(tmp_path / "in")


def shown(root: Path) -> Dataset:
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root), show_columns=True))
    dataset.init_cache()
    return dataset


def of_type(item, kind: str) -> list:
    return [a for a in item.annotations if a.type is AnnotationType[kind]]


def test_nothing_shows_by_default(rich):
    for item in read(rich):
        assert item.attributes == {}
        for annotation in item.annotations:
            assert set(annotation.attributes) <= BUILT_IN


def test_columns_that_are_shown(rich):
    item = shown(rich).get("a1", "train")
    assert item.attributes == IMAGE
    assert [a.attributes["source"] for a in of_type(item, "label")] == [
        "verification",
        "crowdsource-verification",
    ]
    box = of_type(item, "bbox")[0].attributes
    assert box["source"] == "xclick"
    clicks = {name: text for name, text in box.items() if name.startswith("xclick")}
    assert clicks == {
        "xclick1x": "0.1234567891", "xclick2x": "0.2", "xclick3x": "0.3", "xclick4x": "0.4",
        "xclick1y": "0.5", "xclick2y": "0.6", "xclick3y": "0.7", "xclick4y": "0.8",
    }  # fmt: skip
    assert of_type(item, "mask")[0].attributes["clicks"] == "0.1 0.2 0;0.3 0.4 1;"
    # Empty columns are left out.
    assert shown(rich).get("b/2", "train").attributes == {}
    assert "clicks" not in of_type(item, "mask")[1].attributes


def test_what_is_shown_comes_back_as_it_was(rich, tmp_path, caplog):
    out = save(shown(rich), tmp_path / "out")
    found = bytes_below(out, "annotations")
    for name, data in bytes_below(rich, "annotations").items():
        assert found[name] == data, name
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_attributes_that_are_changed_added_and_taken_away(rich, tmp_path):
    dataset = shown(rich)
    item, other = dataset.get("a1", "train"), dataset.get("b/2", "train")
    item.attributes["author"] = "Somebody else"
    del item.attributes["license"]
    other.attributes.update(license="https://c/0", rotation=180)
    of_type(item, "label")[0].attributes["source"] = "me"
    del of_type(item, "label")[1].attributes["source"]
    box = of_type(item, "bbox")[0].attributes
    del box["source"], box["xclick1x"]
    del of_type(item, "mask")[0].attributes["clicks"]
    out = save(dataset, tmp_path / "out")
    images = {row["ImageID"]: row for row in rows(out, "image")}
    before = {row["ImageID"]: row for row in rows(rich, "image")}
    assert images["a1"] == {**before["a1"], "Author": "Somebody else", "License": ""}
    assert images["b/2"] == {**before["b/2"], "License": "https://c/0", "Rotation": "180"}
    assert images["c 3"] == before["c 3"]
    assert [row["Source"] for row in rows(out, "human-imagelabels")][1:3] == ["me", ""]
    assert [row["Source"] for row in rows(out, "bbox")] == ["", "activemil", "xclick"]
    assert [row["XClick1X"] for row in rows(out, "bbox")] == ["-1", "-1", "0.1234567891"]
    assert [row["Clicks"] for row in rows(out, "object-segmentation")] == ["", "", "0.5 0.5 1;"]


def test_attributes_of_a_dataset_from_elsewhere(tmp_path):
    picture = picture_in(tmp_path)
    clicks = {f"xclick{i}{axis}": f"0.{i}" for axis in "xy" for i in range(1, 5)}
    item = item_with(
        picture,
        Label(0, attributes={"source": "me"}),
        Label(1),
        Bbox(1, 2, 3, 4, label=0, attributes={"source": "xclick", **clicks}),
        Bbox(1, 2, 3, 5, label=0),
        Mask(np.eye(*picture.size, dtype=bool), label=0, attributes={"clicks": "0.1 0.2 1"}),
        attributes={**IMAGE, "title": 'with "quotes", a comma', "rotation": 90, "license": None},
    )
    out = save(dataset_of(item), tmp_path / "out")
    again = shown(out).get("a", "train")
    expected = {**IMAGE, "title": 'with "quotes", a comma', "rotation": "90"}
    del expected["license"]
    assert again.attributes == expected
    assert [a.attributes.get("source") for a in of_type(again, "label")] == ["me", None]
    boxes = [a.attributes for a in of_type(again, "bbox")]
    assert boxes[0] | {"source": "xclick", **clicks} == boxes[0]
    assert "source" not in boxes[1] and boxes[1]["xclick1x"] == "-1"
    assert of_type(again, "mask")[0].attributes["clicks"] == "0.1 0.2 1"
    with open(out / "annotations/train-annotations-bbox.csv", newline="") as file:
        assert next(csv.reader(file)) == rich_data.BOX_HEADER.strip().split(",")


@pytest.mark.parametrize("text", ["\0", "\ud800"], ids=["NUL", "surrogate"])
@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("source", Label(0)),
        ("text_label", Points([1, 2], label=0, attributes={"estimated_yes_no": "yes"})),
        ("age_presentation", Bbox(1, 1, 2, 2, label=0)),
    ],
)
def test_texts_that_no_table_can_hold(name, annotation, text, tmp_path):
    annotation = annotation.wrap(attributes={**annotation.attributes, name: text})
    with pytest.raises(AnnotationError, match=f"{name} with a NUL or a lone surrogate"):
        save(dataset_of(item_with(picture_in(tmp_path), annotation)), tmp_path / "out")


@pytest.mark.parametrize("name", ["\0", "\ud800"], ids=["NUL", "surrogate"])
def test_names_of_labels_that_no_table_can_hold(name, tmp_path):
    item = item_with(picture_in(tmp_path), Label(0))
    with pytest.raises(AnnotationError, match="name must be text without NUL"):
        save(Dataset.from_iterable([item], categories=[name]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Pickles


def test_objects_that_are_pickled_one_by_one_share_their_import_again(rich, tmp_path):
    """Else each would bring a list of classes of its own into the export."""
    items = [pickle.dumps(item) for item in read(rich)]
    restored = [pickle.loads(data) for data in items]
    assert len({id(item.origin.dataset) for item in restored}) == 1
    dataset = Dataset.from_iterable(restored, categories=read(rich).categories())
    dataset.export(str(tmp_path / "out"), OpenImagesExporter, save_media=True)
    for kind in rich_data.KINDS:
        assert contents(tmp_path / "out", kind) == contents(rich, kind)


def test_pickles_that_come_to_another_process(rich, tmp_path, monkeypatch):
    """Where nothing is known of the import, and its files are gone."""
    kept = rich_data.make(tmp_path / "kept")
    before = read(rich)
    data = [pickle.dumps(item) for item in before]
    shutil.rmtree(rich / "annotations")
    monkeypatch.setattr(imported, "_imports", weakref.WeakValueDictionary())
    imported._last.clear()
    items = [pickle.loads(one) for one in data]
    (shared,) = {id(item.origin.dataset): item.origin.dataset for item in items}.values()
    original = next(iter(before)).origin.dataset
    assert shared is not original and shared == original and shared.token == original.token
    dataset = Dataset.from_iterable(items, categories=before.categories())
    out = save(dataset, tmp_path / "out")
    for name, expected in bytes_below(kept, ".").items():
        assert (out / name).read_bytes() == expected, name


def test_a_new_item_has_no_columns(tmp_path):
    dataset = Dataset.from_iterable([DatasetItem("a", subset="train")], categories=["x"])
    (row,) = rows(save(dataset, tmp_path / "out"), "image")
    assert set(row.values()) == {"a", "train", ""}

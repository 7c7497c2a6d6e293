"""Ids: what may stand in them, and one id in several subsets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import oi_files
import pytest
from datumaro.components.annotation import AnnotationType, Bbox, Label, Mask
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, read, rows, save
from shapes_data import dataset_of, item_with, picture_in

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.errors import AnnotationError, FormatError
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

GOOD = [
    "plain", "with space", " leading", "com,ma", 'quo"te', "it's", "a/b/c", "日本/語", "é", "#hash",
    "-dash", "a.b.c", "0001", "1e5", "nan", "A", "a;b", "100%", "{x}", "$HOME", "~", "(x)", "[x]",
    "=cmd", "x" * 200,
]  # fmt: skip
BAD = ["a\nb", "a\rb", "a\0b", "a\tb", "a\x7fb", "\ud800", "a/../b", "../a", "..", "/a", "C:/a"]


def dataset_with(name: str, tmp_path: Path, subset: str = "train") -> Dataset:
    picture = picture_in(tmp_path)
    mask = np.zeros(picture.size, bool)
    mask[1:4, 2:9] = True
    item = item_with(
        picture,
        Label(0),
        Bbox(1, 2, 3, 4, label=1, group=1),
        Mask(mask, label=1, group=1),
        name=name,
    )
    if subset != "train":
        item = item.wrap(subset=subset)
    return dataset_of(item)


@pytest.mark.parametrize("name", GOOD)
def test_ids_there_and_back(name, tmp_path):
    out = save(dataset_with(name, tmp_path), tmp_path / "out")
    for kind in ("image", "human-imagelabels", "bbox", "object-segmentation"):
        assert [row["ImageID"] for row in rows(out, kind)] == [name]
    dataset = read(out)
    (item,) = dataset
    assert (item.id, item.subset) == (name, "train")
    assert item.media.size == picture_in(tmp_path).size
    assert [a.type.name for a in item.annotations] == ["label", "bbox", "mask"]
    assert item.annotations[1].group == item.annotations[2].group == 1
    assert item.annotations[2].image.sum() == 21
    again = save(dataset, tmp_path / "again")
    assert bytes_below(again, ".") == bytes_below(out, ".")


@pytest.mark.parametrize("name", ["my set", "日本", "a-b", "val", "com,ma", 'q"', "Train"])
def test_subsets_there_and_back(name, tmp_path):
    out = save(dataset_with("a", tmp_path, subset=name), tmp_path / "out")
    (item,) = read(out)
    assert (item.id, item.subset, len(item.annotations)) == ("a", name, 3)
    assert f"/{name}/" in item.media.path


@pytest.mark.parametrize("where", ["id", "subset"])
@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_what_no_file_name_can_hold_is_refused_before_anything_is_written(name, where, tmp_path):
    good = DatasetItem("good", subset="train")
    bad = DatasetItem("x", subset="train")
    # Datumaro itself refuses some of them; an item may be made without asking it.
    object.__setattr__(bad, where, name)
    out = tmp_path / "out"
    dataset = Dataset.from_iterable([good], categories=["x"])
    dataset.put(good)
    before = save(dataset, out)
    expected = bytes_below(before, ".")
    with pytest.raises(AnnotationError, match=f"the item's {where}"):
        save(dataset_of(good, bad), out)
    assert bytes_below(out, ".") == expected
    fresh = tmp_path / "fresh"
    with pytest.raises(AnnotationError, match="rename it"):
        save(dataset_of(good, bad), fresh)
    assert not fresh.exists() or os.listdir(fresh) == []


@pytest.mark.parametrize("name", ["a\nb", "a/../b", "../a", "/a", "a\tb", ""], ids=ascii)
@pytest.mark.parametrize("kind", ["images", "boxes"])
def test_such_ids_in_files_are_refused_with_file_and_row(kind, name, tmp_path):
    quoted = '"{}"'.format(name.replace('"', '""'))
    table = "annotations/train-annotations-bbox.csv"
    files = {table: oi_files.BOX_HEADER + f"ok,,/m/0,1,0,1,0,1,0,0,0,0,0\n{quoted}"}
    files[table] += ",,/m/0,1,0,1,0,1,0,0,0,0,0\n"
    if kind == "images":
        table = "annotations/train-images-with-rotation.csv"
        files = {table: oi_files.image_list(("ok", "train"), (quoted, "train"))}
    oi_files.write(tmp_path, files)
    with pytest.raises(FormatError, match="row 2") as caught:
        list(OpenImagesExtractor(str(tmp_path)))
    assert caught.value.file == table and caught.value.column == "ImageID"


# One id in several subsets


@pytest.fixture
def twice(tmp_path) -> Path:
    """`a` in train and in test, each with annotations, a picture and a mask of its own."""
    files = oi_files.base_files()
    files["annotations/test-images-with-rotation.csv"] = (
        oi_files.IMAGE_HEADER + "c,test,,,,,,,,,,\na,test,,,,,Somebody,,,,,180.0\n"
    )
    files["annotations/test-annotations-bbox.csv"] = (
        oi_files.BOX_HEADER + "a,activemil,/m/3,1,0.25,0.75,0.25,0.75,0,0,0,0,0\n"
    )
    files["annotations/test-annotations-human-imagelabels.csv"] = (
        oi_files.LABEL_HEADER + "a,verification,/m/2,0\n"
    )
    files["annotations/test-annotations-object-segmentation.csv"] = (
        oi_files.MASK_HEADER + "a_m1_0.png,a,/m/3,cafe,0.25,0.75,0.25,0.75,,\n"
    )
    oi_files.write(tmp_path / "in", files)
    oi_files.base_media(tmp_path / "in")
    oi_files.picture(tmp_path / "in", "images/test/a.jpg", (30, 50))
    oi_files.mask_png(tmp_path / "in", "masks/test/a_m1_0.png", (30, 50), slice(20, 30))
    return tmp_path / "in"


def described(dataset: Dataset) -> dict[str, tuple]:
    found = {}
    for subset in ("train", "test"):
        item = dataset.get("a", subset)
        kinds = [a.type.name for a in item.annotations]
        masks = [a for a in item.annotations if a.type is AnnotationType.mask]
        found[subset] = item.media.size, kinds, [int(mask.image.sum()) for mask in masks]
    return found


EXPECTED = {
    "train": ((20, 40), ["label", "label", "bbox", "bbox", "mask"], [12]),
    "test": ((30, 50), ["label", "bbox", "mask"], [40]),
}


def test_one_id_in_two_subsets_stays_two_items(twice):
    dataset = read(twice)
    assert len(dataset) == 4
    assert described(dataset) == EXPECTED


@pytest.mark.parametrize("names", ["cvat", "published"])
@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
def test_one_id_in_two_subsets_there_and_back(zipped, names, twice, tmp_path):
    out = save(read(twice), tmp_path / "out", names=names, zip=zipped)
    assert described(read(out / "out.zip" if zipped else out)) == EXPECTED
    if not zipped:
        for kind in ("image", "human-imagelabels", "bbox", "object-segmentation"):
            key = sorted(map(str, rows(out, kind)))
            assert key == sorted(map(str, rows(twice, kind)))


def test_one_id_in_two_subsets_in_place(twice):
    save(read(twice), twice)
    assert described(read(twice)) == EXPECTED


def test_subsets_that_change_places(twice, tmp_path):
    dataset = read(twice).transform("map_subsets", mapping={"train": "test", "test": "train"})
    out = save(dataset, tmp_path / "out")
    assert described(read(out)) == {"test": EXPECTED["train"], "train": EXPECTED["test"]}
    rotations = {(r["ImageID"], r["Subset"]): r["Rotation"] for r in rows(out, "image")}
    assert rotations["a", "train"] == "180.0" and rotations["a", "test"] == ""


@pytest.mark.parametrize("other", ["val", "validation"])
def test_val_beside_validation(other, twice, tmp_path):
    """V7's names say val for validation; who has both, or one called val, gets them back."""
    mapping = {"train": "validation" if other == "val" else "val", "test": other}
    dataset = read(twice).transform("map_subsets", mapping=mapping)
    out = save(dataset, tmp_path / "out", names="published")
    back = {
        item.subset: [a.type.name for a in item.annotations] for item in read(out) if item.id == "a"
    }
    assert back == {mapping["train"]: EXPECTED["train"][1], other: EXPECTED["test"][1]}

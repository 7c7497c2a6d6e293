"""CVAT's layout, file by file: as a folder and as a zip, out and in."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import oi_files
import pytest
from compare import assert_same
from datumaro.cli.__main__ import main as datum
from datumaro.components.annotation import AnnotationType, Bbox, Label, LabelCategories, Mask
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, read, rows, save

from datumaro_openimages_plugin._host import DatasetItem, Image, image_from_file
from datumaro_openimages_plugin.errors import SaveError

SIZE = (20, 30)
TABLES = {
    f"annotations/{subset}-{table}.csv"
    for subset in ("train", "validation")
    for table in (
        *("image_ids_and_rotation", "annotations-bbox"),
        *("annotations-human-imagelabels", "annotations-object-segmentation"),
    )
}
#: What CVAT's page lists for a task of two subsets.
PAGE = {
    *TABLES,
    "annotations/class-descriptions.csv",
    "annotations/bbox_labels_600_hierarchy.json",
    "annotations/images.meta",
    "images/train/a.jpg",
    "images/validation/folder/b.jpg",
    "masks/train/a_cat_1.png",
    "masks/validation/folderb_dog_1.png",
}


def names_below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def task(folder: Path) -> Dataset:
    """What CVAT hands over: every kind of annotation in both subsets, and a tree of labels."""
    items = []
    for name, subset, label in (("a", "train", 1), ("folder/b", "validation", 2)):
        oi_files.picture(folder, f"source/{name}.jpg", SIZE)
        image = image_from_file(str(folder / f"source/{name}.jpg"), SIZE)
        mask = np.zeros(SIZE, bool)
        mask[2:11, 4:15] = True
        annotations = [
            Label(label),
            Bbox(4, 2, 11, 9, label=label, group=1),
            Mask(mask, label=label, group=1, attributes={"box_id": "1"}),
        ]
        items.append(DatasetItem(name, subset=subset, media=image, annotations=annotations))
    labels = LabelCategories()
    labels.add("animal")
    labels.add("cat", parent="animal")
    labels.add("dog", parent="animal")
    categories = {AnnotationType.label: labels}
    return Dataset.from_iterable(items, categories=categories, media_type=Image)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A task in CVAT's layout."""
    return save(task(tmp_path), tmp_path / "task")


def packed(folder: Path, path: Path, top: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(names_below(folder)):
            archive.write(folder / name, top + name)
    return path


# Out


def test_a_folder_has_the_files_of_the_page(folder):
    assert names_below(folder) == PAGE


def test_masks_can_be_seen(folder):
    for name in (name for name in PAGE if name.startswith("masks/")):
        pixels = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        assert pixels.shape == SIZE
        assert set(np.unique(pixels)) == {0, 255}
    paths = [row["MaskPath"] for row in rows(folder, "object-segmentation")]
    assert paths == ["a_cat_1.png", "folderb_dog_1.png"]


def test_without_pictures(tmp_path, registered):
    out = save(task(tmp_path), tmp_path / "out")
    task(tmp_path).export(str(tmp_path / "tables"), "open_images", save_media=False)
    assert names_below(tmp_path / "tables") == {n for n in names_below(out) if "images/" not in n}


def test_a_zip_has_the_same_files(tmp_path, folder):
    out = save(task(tmp_path), tmp_path / "packed", zip=True)
    assert names_below(out) == {"packed.zip"}
    with zipfile.ZipFile(out / "packed.zip") as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == bytes_below(folder, ".")


def test_the_help_of_the_option_says_where_the_zip_lies(capsys, registered):
    with pytest.raises(SystemExit):
        datum(["convert", "-i", ".", "-f", "open_images", "--", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "it lies in the output folder and is called like it: -o task gives task/task.zip" in printed
    )


def test_names_of_the_built_in(tmp_path):
    out = save(task(tmp_path), tmp_path / "out", names="datumaro")
    lists = {name.replace("image_ids_and_rotation", "images-with-rotation") for name in PAGE}
    assert names_below(out) == lists


# In


@pytest.mark.parametrize("top", ["", "my task/"], ids=["flat", "one top folder"])
def test_a_zip_is_read_as_its_folder(top, folder, tmp_path, registered):
    path = packed(folder, tmp_path / "task.zip", top)
    dataset = Dataset.import_from(str(path), "open_images")
    assert_same(dataset, read(folder))
    pictures = {item.id: item.media.data for item in dataset}
    for item in read(folder):
        assert np.array_equal(pictures[item.id], item.media.data)


def test_datum_converts_a_zip(folder, tmp_path, registered):
    path = packed(folder, tmp_path / "task.zip", "task/")
    out = tmp_path / "out"
    command = ["convert", "-i", str(path), "-if", "open_images", "-f", "coco", "-o", str(out)]
    assert datum([*command, "--", "--save-media"]) == 0
    assert names_below(out / "images") == {"train/a.jpg", "validation/folder/b.jpg"}
    dataset = Dataset.import_from(str(out), "coco")
    assert sorted(item.id for item in dataset if item.annotations) == ["a", "folder/b"]


def test_annotations_at_the_root(folder):
    expected = read(folder)
    expected.init_cache()
    for path in (folder / "annotations").iterdir():
        shutil.move(path, folder / path.name)
    (folder / "annotations").rmdir()
    assert_same(read(folder), expected)


def test_sizes_from_the_pictures_headers_none_decoded(folder, monkeypatch):
    expected = read(folder)
    expected.init_cache()
    (folder / "annotations/images.meta").unlink()

    def decoded(*_):
        raise AssertionError("a picture was decoded")

    for name in ("imread", "imdecode"):
        monkeypatch.setattr(cv2, name, decoded)
    dataset = read(folder)
    for item in dataset:
        assert item.media.size == SIZE
        (box,) = (a for a in item.annotations if a.type is AnnotationType.bbox)
        assert box.get_bbox() == [4, 2, 11, 9]
    monkeypatch.undo()
    assert_same(dataset, expected)


@pytest.mark.parametrize("way", ["images.meta", "mapping", "file"])
def test_without_pictures_sizes_come_from_elsewhere(way, folder, registered):
    shutil.rmtree(folder / "images")
    meta = folder / "annotations/images.meta"
    given: dict = {}
    if way != "images.meta":
        given["image_meta"] = {"a": SIZE, "folder/b": SIZE} if way == "mapping" else "sizes.txt"
        meta.rename(folder / "sizes.txt")
    dataset = Dataset.import_from(str(folder), "open_images", **given)
    for item in dataset:
        assert item.media is None
        kinds = {a.type: a for a in item.annotations}
        assert kinds[AnnotationType.bbox].get_bbox() == [4, 2, 11, 9]
        assert kinds[AnnotationType.mask].image.shape == SIZE


# In and out


def test_there_and_back(folder, tmp_path):
    again = save(read(folder), tmp_path / "again")
    assert bytes_below(again, ".") == bytes_below(folder, ".")


def test_a_zip_is_not_saved_over(folder, tmp_path, registered):
    path = packed(folder, tmp_path / "task.zip")
    before = path.read_bytes()
    dataset = Dataset.import_from(str(path), "open_images")
    dataset.remove("a", "train")
    with pytest.raises(SaveError, match=r"task\.zip.*another place: give a folder"):
        dataset.save(save_media=True)
    with pytest.raises(SaveError, match="another place"):
        dataset.export(str(path), "open_images", save_media=True)
    assert path.read_bytes() == before
    out = save(dataset, tmp_path / "elsewhere")
    assert [item.id for item in read(out)] == ["folder/b"]

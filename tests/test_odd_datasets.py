"""Datasets that nobody expects: written right, or refused before anything is replaced."""

from __future__ import annotations

import numpy as np
import pytest
from datumaro.components.annotation import AnnotationType, Bbox, Label, Mask, Points
from datumaro.components.dataset import Dataset
from oi_files import picture
from rich_data import make, read, save

from datumaro_openimages_plugin._host import DatasetItem, image_from_file
from datumaro_openimages_plugin.errors import AnnotationError
from datumaro_openimages_plugin.plugin import OpenImagesExporter

SIZE = (20, 30)


@pytest.fixture
def media(tmp_path):
    picture(tmp_path, "x.png", SIZE)
    return image_from_file(str(tmp_path / "x.png"), None)


def dataset_of(*annotations, media=None, categories=("a",)) -> Dataset:
    item = DatasetItem("x", subset="train", annotations=list(annotations), media=media)
    return Dataset.from_iterable([item], categories=list(categories))


def boxed(x1, y1, x2, y2) -> Bbox:
    return Bbox(x1, y1, x2 - x1, y2 - y1, label=0)


REFUSED = {
    "a label of no categories": (Label(0), (), "label 0, and there are 0 labels"),
    "no label": (Bbox(1, 1, 2, 2), ("a",), "has no label"),
    "label -1": (boxed(1, 1, 2, 2).wrap(label=-1), ("a",), "has label -1"),
    "a label too high": (Label(1), ("a",), "has label 1, and there are 1 labels"),
    "a box of NaN": (boxed(float("nan"), 1, 2, 2), ("a",), "which are no box"),
    "a box of negative size": (boxed(5, 5, 2, 9), ("a",), "which are no box"),
    "a box far out": (boxed(500, 5, 505, 9), ("a",), "by more than the image's size"),
    "a point far out": (Points([500, 5], label=0), ("a",), "by more than the image's size"),
    "a mask without pixels": (Mask(np.zeros((0, 0), bool), label=0), ("a",), "shape (0, 0)"),
    "a mask of colours": (Mask(np.ones((*SIZE, 3), bool), label=0), ("a",), "shape (20, 30, 3)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_item_and_annotation(name, media, tmp_path):
    annotation, categories, reason = REFUSED[name]
    old = save(dataset_of(Label(0), media=media), tmp_path / "out")
    before = sorted(path.name for path in old.rglob("*"))
    dataset = dataset_of(annotation, media=media, categories=categories)
    with pytest.raises(AnnotationError) as caught:
        dataset.export(str(old), OpenImagesExporter, save_media=True)
    assert "train, image 'x': annotation 0 (" in str(caught.value)
    assert reason in str(caught.value)
    assert sorted(path.name for path in old.rglob("*")) == before
    assert len(read(old).get("x", "train").annotations) == 1


def test_nothing_at_all(tmp_path):
    for number, categories in enumerate(([], ["a"])):
        out = save(Dataset.from_iterable([], categories=categories), tmp_path / str(number))
        back = read(out)
        assert len(back) == 0
        (labels,) = back.categories().values()
        assert [label.name for label in labels] == categories


def test_an_item_without_anything(tmp_path):
    (item,) = read(save(dataset_of(), tmp_path / "out"))
    assert (item.id, item.subset, item.annotations) == ("x", "train", [])


def test_boxes_of_no_extent_and_out_of_the_image(media, tmp_path):
    boxes = [boxed(5, 5, 5, 5), boxed(-10, -5, 40, 25)]
    (item,) = read(save(dataset_of(*boxes, media=media), tmp_path / "out"))
    assert [box.points for box in item.annotations] == [box.points for box in boxes]


def test_masks_that_are_empty_or_of_another_size(media, tmp_path):
    masks = [Mask(np.zeros(SIZE, bool), label=0), Mask(np.ones((7, 9), bool), label=0)]
    (item,) = read(save(dataset_of(*masks, media=media), tmp_path / "out"))
    empty, full = item.annotations
    assert empty.image.shape == full.image.shape == SIZE
    assert not empty.image.any() and full.image.all()


def test_masks_without_a_size_keep_their_own(tmp_path):
    mask = Mask(np.eye(7, 9, dtype=bool), label=0)
    (item,) = read(save(dataset_of(mask), tmp_path / "out"))
    assert np.array_equal(item.annotations[0].image, mask.image)


def test_boxes_without_a_size_are_counted(tmp_path, caplog):
    (item,) = read(save(dataset_of(boxed(1, 2, 3, 4)), tmp_path / "out"))
    assert item.annotations == []
    assert "boxes on images of unknown size: 1 not written" in caplog.text


def test_a_subset_that_is_no_folder_name(tmp_path):
    dataset = Dataset.from_iterable([DatasetItem("x", subset="a/b")], categories=["a"])
    with pytest.raises(AnnotationError, match="the item's subset has a path separator; rename it"):
        save(dataset, tmp_path / "out")


@pytest.mark.parametrize("names", ["cvat", "datumaro", "published"])
def test_a_dataset_without_images_comes_back(names, tmp_path):
    save(Dataset.from_iterable([], categories=["a", "b"]), tmp_path / "out", names=names)
    back = Dataset.import_from(str(tmp_path / "out"), "open_images")
    assert len(back) == 0
    assert [label.name for label in back.categories()[AnnotationType.label]] == ["a", "b"]


def test_a_dataset_whose_images_were_all_removed_comes_back(tmp_path):
    dataset = Dataset.import_from(str(make(tmp_path / "in")), "open_images")
    for item in list(dataset):
        dataset.remove(item.id, item.subset)
    dataset.save(save_media=True)
    back = Dataset.import_from(str(tmp_path / "in"), "open_images")
    assert len(back) == 0 and back.categories() == dataset.categories()

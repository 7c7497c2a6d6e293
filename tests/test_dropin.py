"""Ours beside Datumaro's built-in Open Images format, on the same folders."""

from __future__ import annotations

from pathlib import Path

import dropin_data as data
import oi_files
import pytest
from compare import assert_same, assert_same_item
from datumaro.components.annotation import AnnotationType, Bbox
from datumaro.components.dataset import Dataset

from datumaro_openimages_plugin.plugin import (
    OpenImagesExporter,
    OpenImagesExtractor,
    OpenImagesImporter,
)

try:
    from datumaro.plugins.data_formats.open_images import OpenImagesBase as BuiltIn
    from datumaro.plugins.data_formats.open_images import OpenImagesExporter as BuiltInExporter
    from datumaro.plugins.data_formats.open_images import OpenImagesImporter as BuiltInImporter
except ImportError:  # the 0.3 line
    from datumaro.plugins.open_images_format import OpenImagesConverter as BuiltInExporter
    from datumaro.plugins.open_images_format import OpenImagesExtractor as BuiltIn
    from datumaro.plugins.open_images_format import OpenImagesImporter as BuiltInImporter

FOLDERS = pytest.mark.parametrize("make", data.FOLDERS.values(), ids=data.FOLDERS.keys())


def read(reader, path: Path, **options) -> Dataset:
    return Dataset.from_extractors(reader(str(path), **options))


def bboxes(dataset) -> list[Bbox]:
    return [a for item in dataset for a in item.annotations if a.type is AnnotationType.bbox]


def in_one_order(dataset: Dataset) -> Dataset:
    for item in dataset:
        item.annotations.sort(key=lambda a: (a.type.value, str(a.attributes.get("box_id"))))
    return dataset


def test_the_classes_compared_with_are_datumaros_own():
    for theirs in (BuiltIn, BuiltInExporter, BuiltInImporter):
        assert theirs.__module__.startswith("datumaro.")
    for ours in (OpenImagesExtractor, OpenImagesExporter, OpenImagesImporter):
        assert ours.__module__.startswith("datumaro_openimages_plugin.")


@FOLDERS
def test_reads_what_the_built_in_reads(make, tmp_path):
    make(tmp_path)
    ours, theirs = OpenImagesExtractor(str(tmp_path)), BuiltIn(str(tmp_path))
    assert_same(ours, theirs)


@FOLDERS
def test_a_dataset_of_ours_equals_one_of_theirs(make, tmp_path):
    make(tmp_path)
    assert_same(read(OpenImagesExtractor, tmp_path), read(BuiltIn, tmp_path))


@FOLDERS
def test_finds_the_sources_that_the_built_in_finds(make, tmp_path):
    make(tmp_path)
    expected = BuiltInImporter.find_sources(str(tmp_path))
    assert OpenImagesImporter.find_sources(str(tmp_path)) == expected
    assert len(expected) == 1


@FOLDERS
def test_the_built_in_reads_what_ours_writes(make, tmp_path):
    make(tmp_path / "in")
    read(OpenImagesExtractor, tmp_path / "in").export(
        str(tmp_path / "out"),
        OpenImagesExporter,
        save_media=True,
        names="datumaro",
        save_dataset_meta=make is data.dataset_meta,
    )
    theirs, expected = read(BuiltIn, tmp_path / "out"), read(BuiltIn, tmp_path / "in")
    assert_same(theirs, expected)


@FOLDERS
def test_ours_reads_what_the_built_in_writes(make, tmp_path):
    make(tmp_path / "in")
    if make is data.missing_images:
        # The built-in writes a mask without its image's size, and then does not read it back.
        oi_files.write(tmp_path / "in", {"annotations/images.meta": ""})
    read(BuiltIn, tmp_path / "in").export(str(tmp_path / "out"), BuiltInExporter, save_media=True)
    assert_same(read(OpenImagesExtractor, tmp_path / "out"), read(BuiltIn, tmp_path / "out"))


@FOLDERS
def test_ours_writes_a_dataset_of_the_built_in(make, tmp_path):
    make(tmp_path / "in")
    dataset = read(BuiltIn, tmp_path / "in")
    dataset.export(str(tmp_path / "out"), OpenImagesExporter, save_media=True, names="datumaro")
    dataset.export(str(tmp_path / "their"), BuiltInExporter, save_media=True)
    ours, theirs = read(BuiltIn, tmp_path / "out"), read(BuiltIn, tmp_path / "their")
    # The built-in sorts the annotations of an item by group; ours keeps their order.
    assert_same(in_one_order(ours), in_one_order(theirs))


def test_the_folders_show_what_they_are_for(tmp_path):
    """The comparison would also hold between two readers that drop everything."""
    seen = {}
    for name, make in data.FOLDERS.items():
        make(tmp_path / name)
        seen[name] = read(OpenImagesExtractor, tmp_path / name)
    boxes = {name: len(bboxes(dataset)) for name, dataset in seen.items()}
    assert boxes["base"] == 3 and boxes["v6_names"] == 4 and boxes["missing_images"] == 4
    assert seen["v6_names"].get("z", "train") is not None
    assert seen["unlisted_images"].get("new2", "test") is not None
    assert seen["full_list"].get("a", "validation") is not None
    assert seen["missing_images"].get("gone", "train").media is None
    groups = [a.group for a in seen["many_masks"].get("a", "train").annotations]
    assert groups == [0, 0, 1, 2, 3, 4, 3, 3, 2, 2, 0, 0, 0]
    assert seen["sizes_file"].get("a", "train").media.size == (200, 400)
    labels = seen["hierarchy"].categories()[AnnotationType.label]
    assert [c.parent for c in labels.items] == ["", "/m/3", "/m/0", "", ""]


@pytest.mark.parametrize("form", ["none", "dict", "file"])
def test_image_meta_in_its_three_forms(form, tmp_path):
    data.missing_images(tmp_path)
    (tmp_path / "sizes.txt").write_text("gone 11 22\na 99 88\n", encoding="utf-8")
    given = {"none": None, "dict": {"gone": (11, 22), "a": (99, 88)}, "file": "sizes.txt"}[form]
    ours = OpenImagesExtractor(str(tmp_path), image_meta=given)
    assert_same(ours, BuiltIn(str(tmp_path), image_meta=given))
    box = bboxes([ours.get("gone", "train")])[0]
    width = 60 if form == "none" else 22
    assert box.points[0] == pytest.approx(0.1 * width, abs=0.005)


# The deliberate differences, all of them.


def test_reads_file_names_that_the_built_in_ignores(tmp_path):
    files = oi_files.base_files()
    lists = files.pop("annotations/train-images-with-rotation.csv")
    files["annotations/train-images-boxable-with-rotation.csv"] = lists.replace(
        "b,train", "q,train"
    )
    del files["annotations/train-annotations-human-imagelabels.csv"]
    oi_files.write(tmp_path, files)
    oi_files.base_media(tmp_path)
    ours, theirs = read(OpenImagesExtractor, tmp_path), read(BuiltIn, tmp_path)
    assert ours.get("q", "train") is not None and theirs.get("q", "train") is None
    assert_same_item(ours.get("a", "train"), theirs.get("a", "train"))


def test_keeps_boxes_and_masks_of_unknown_size(tmp_path):
    data.missing_images(tmp_path)
    (tmp_path / "annotations/images.meta").unlink()
    ours, theirs = read(OpenImagesExtractor, tmp_path), read(BuiltIn, tmp_path)
    kinds = [a.type.name for a in ours.get("gone", "train").annotations]
    assert kinds == ["label", "bbox", "mask"]
    assert [a.type.name for a in theirs.get("gone", "train").annotations] == ["label"]
    assert ours.get("gone", "train").media is None
    assert_same_item(ours.get("a", "train"), theirs.get("a", "train"))


def test_keeps_masks_of_images_without_boxes(tmp_path):
    oi_files.base(tmp_path)
    (tmp_path / "annotations/train-annotations-bbox.csv").unlink()
    ours, theirs = read(OpenImagesExtractor, tmp_path), read(BuiltIn, tmp_path)
    kinds = [a.type.name for a in ours.get("a", "train").annotations]
    assert kinds == ["label", "label", "mask"]
    assert [a.type.name for a in theirs.get("a", "train").annotations] == ["label", "label"]


def test_exported_image_lists_carry_cvats_name_unless_told(tmp_path):
    oi_files.base(tmp_path / "in")
    dataset = read(OpenImagesExtractor, tmp_path / "in")
    dataset.export(str(tmp_path / "cvat"), OpenImagesExporter)
    dataset.export(str(tmp_path / "datumaro"), OpenImagesExporter, names="datumaro")
    dataset.export(str(tmp_path / "theirs"), BuiltInExporter)
    names = {
        folder: {path.name for path in (tmp_path / folder / "annotations").iterdir()}
        for folder in ("cvat", "datumaro", "theirs")
    }
    assert names["datumaro"] == names["theirs"]
    assert names["cvat"] - names["theirs"] == {
        "train-image_ids_and_rotation.csv",
        "test-image_ids_and_rotation.csv",
    }
    assert names["theirs"] - names["cvat"] == {
        "train-images-with-rotation.csv",
        "test-images-with-rotation.csv",
    }


def test_exif_never_turns_sizes(tmp_path):
    from PIL import Image as Picture

    oi_files.base(tmp_path)
    exif = Picture.Exif()
    exif[0x0112] = 6
    path = tmp_path / "images/train/a.jpg"
    Picture.new("RGB", (40, 20)).save(path, exif=exif)
    item = read(OpenImagesExtractor, tmp_path).get("a", "train")
    assert item.media.size == (20, 40)
    assert bboxes([item])[1].points == [0, 0, 40, 20]
    theirs = read(BuiltIn, tmp_path).get("a", "train")
    assert item.media.data.shape[:2] == theirs.media.data.shape[:2]

"""Nothing is lost without a word: what used to vanish is written, what cannot be is counted."""

from __future__ import annotations

import logging

import numpy as np
import oi_files
import pytest
from datumaro.components import annotation as ann
from datumaro.components.annotation import Bbox, Label, Mask, Polygon
from datumaro.components.dataset import Dataset
from rich_data import read, rows, save
from shapes_data import SIZE, dataset_of, exported, item_with, kind, masks_of, picture_in, rectangle

from datumaro_openimages_plugin._host import DatasetItem, image_from_file
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor

FORMAT_HOLDS = "open_images cannot hold"


@pytest.fixture
def picture(tmp_path):
    return picture_in(tmp_path)


def warnings_of(caplog) -> list[str]:
    messages = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    return sorted(message for message in messages if FORMAT_HOLDS in message)


# Without pictures, without boxes


def test_boxes_without_picture_are_written(tmp_path):
    oi_files.write(
        tmp_path / "in",
        {
            "annotations/class-descriptions.csv": "/m/0,Zero\n",
            "annotations/images.meta": "a 30 60\n",
            "annotations/train-annotations-bbox.csv": oi_files.BOX_HEADER
            + "a,xclick,/m/0,1,0.1,0.2,0.3,0.4,1,1,1,1,1\n",
        },
    )
    dataset = read(tmp_path / "in")
    assert dataset.get("a", "train").media is None
    out = save(dataset, tmp_path / "out")
    assert list(rows(out, "bbox")) == list(rows(tmp_path / "in", "bbox"))
    assert "a 30 60" in (out / "annotations/images.meta").read_text().splitlines()
    moved = read(out)
    moved.init_cache()
    moved.get("a", "train").annotations[0].points[0] = 9.0
    assert next(rows(save(moved, tmp_path / "moved"), "bbox"))["XMin"] == "0.15"


def test_boxes_of_unknown_size_are_written_as_they_stood(tmp_path, caplog):
    oi_files.write(
        tmp_path / "in",
        {
            "annotations/class-descriptions.csv": "/m/0,Zero\n",
            "annotations/train-annotations-bbox.csv": oi_files.BOX_HEADER
            + "a,xclick,/m/0,1,0.1,0.2,0.3,0.4,1,1,1,1,1\n",
        },
    )
    out = save(read(tmp_path / "in"), tmp_path / "out")
    assert list(rows(out, "bbox")) == list(rows(tmp_path / "in", "bbox"))
    assert warnings_of(caplog) == []


def test_new_boxes_of_unknown_size_are_counted(tmp_path, caplog):
    boxes = [Bbox(1, 2, 3, 4, label=0), Bbox(1, 2, 3, 4, label=1)]
    out = exported(tmp_path / "out", None, *boxes, Label(0))
    assert list(rows(out, "bbox")) == [] and len(list(rows(out, "human-imagelabels"))) == 1
    assert warnings_of(caplog) == [
        "open_images cannot hold boxes on images of unknown size: 2 not written"
    ]


def test_masks_of_images_without_boxes_are_read_and_written(tmp_path):
    files = oi_files.base_files()
    del files["annotations/train-annotations-bbox.csv"]
    oi_files.write(tmp_path / "in", files)
    oi_files.base_media(tmp_path / "in")
    assert len(masks_of(tmp_path / "in")) == 1
    out = save(read(tmp_path / "in"), tmp_path / "out")
    kind = "object-segmentation"
    assert list(rows(out, kind)) == list(rows(tmp_path / "in", kind))
    assert len(masks_of(out)) == 1


def test_sizes_that_only_images_meta_tells_survive(tmp_path):
    files = oi_files.base_files()
    files["annotations/images.meta"] = "a 20 40\nb 7 13\nc 1234 5678\n"
    oi_files.write(tmp_path / "in", files)
    out = save(read(tmp_path / "in"), tmp_path / "out")
    lines = (out / "annotations/images.meta").read_text().splitlines()
    assert sorted(lines[-3:]) == ["a 20 40", "b 7 13", "c 1234 5678"]
    assert len(list(rows(out, "bbox"))) == 3
    assert read(out).get("c", "test").media is None


def test_sizes_of_images_that_nothing_else_names_survive(tmp_path):
    files = oi_files.base_files()
    files["annotations/images.meta"] = "a 20 40\nb 7 13\nonly-here 12 34\n"
    oi_files.write(tmp_path / "in", files)
    out = save(read(tmp_path / "in"), tmp_path / "out")
    assert "only-here 12 34" in (out / "annotations/images.meta").read_text().splitlines()


# Names of mask files


@pytest.mark.parametrize(
    "ids", [("A", "a"), ("x/1", "x1"), ("日本", "語"), ("a b", "a_b"), ("é", "e")], ids=str
)
def test_ids_with_equal_slugs(ids, picture, tmp_path):
    expected = {name: rectangle(slice(i, 9 + i)) for i, name in enumerate(ids)}
    items = [
        item_with(picture, Mask(mask, label=0, attributes={"box_id": "b"}), name=name)
        for name, mask in expected.items()
    ]
    out = save(dataset_of(*items), tmp_path / "out")
    paths = [row["MaskPath"].casefold() for row in rows(out, "object-segmentation")]
    assert len(set(paths)) == 2
    for name, mask in expected.items():
        (found,) = masks_of(out, name)
        assert np.array_equal(found.image, mask), name
        assert found.attributes == {"box_id": "b"}


@pytest.mark.parametrize(
    "labels", [("Cat", "cat"), ("/m/0x", "/m/0/x"), ("猫", "犬"), ("same", "same")], ids=str
)
def test_labels_with_equal_slugs_and_one_box_id(labels, picture, tmp_path):
    names = list(dict.fromkeys(labels))
    expected = [rectangle(slice(3 * i, 9 + 3 * i)) for i in range(2)]
    annotations = [
        Mask(mask, label=names.index(label), attributes={"box_id": "b"})
        for mask, label in zip(expected, labels, strict=True)
    ]
    out = save(dataset_of(item_with(picture, *annotations), labels=names), tmp_path / "out")
    found = masks_of(out)
    assert [(a.label, a.attributes) for a in found] == [
        (names.index(label), {"box_id": "b"}) for label in labels
    ]
    for mask, back in zip(expected, found, strict=True):
        assert np.array_equal(back.image, mask)


def test_mask_names_that_were_read_stay_apart_from_one_another_and_from_new_ones(tmp_path):
    """Names that differ in case only are one file on some systems."""
    files = oi_files.base_files()
    name = "annotations/train-annotations-object-segmentation.csv"
    files[name] = oi_files.MASK_HEADER + "a_m1_0.png,a,/m/1,0,,,,,,\nA_M1_0.png,a,/m/1,1,,,,,,\n"
    oi_files.write(tmp_path / "in", files)
    oi_files.base_media(tmp_path / "in")
    oi_files.mask_png(tmp_path / "in", "masks/train/A_M1_0.png", (20, 40), slice(9, 19))
    dataset = read(tmp_path / "in")
    item = dataset.get("a", "train")
    for i, box_id in enumerate(("0", "x", "X")):
        image = np.arange(800).reshape(20, 40) % 3 == i
        item.annotations.append(Mask(image, label=1, attributes={"box_id": box_id}))
    dataset.put(item)
    out = save(dataset, tmp_path / "out")
    paths = [row["MaskPath"] for row in rows(out, "object-segmentation")]
    assert paths[0] == "a_m1_0.png" and len({path.casefold() for path in paths}) == 5
    expected = [a.image for a in item.annotations if a.type is ann.AnnotationType.mask]
    for mask, back in zip(expected, masks_of(out), strict=True):
        assert np.array_equal(mask, back.image)


# One id in two subsets


def in_two_subsets(pictures, annotations) -> Dataset:
    return dataset_of(
        *(
            DatasetItem("a", subset=subset, media=picture, annotations=[annotation])
            for subset, picture, annotation in zip(
                ("train", "test"), pictures, annotations, strict=True
            )
        )
    )


def test_one_id_in_two_subsets(picture, tmp_path):
    expected = {"train": rectangle(slice(0, 9)), "test": rectangle(slice(20, 30))}
    masks = [Mask(mask, label=0, attributes={"box_id": "b"}) for mask in expected.values()]
    back = read(save(in_two_subsets((picture, picture), masks), tmp_path / "out"))
    for subset, mask in expected.items():
        (found,) = back.get("a", subset).annotations
        assert np.array_equal(found.image, mask)
        assert f"/{subset}/" in back.get("a", subset).media.path


def test_one_id_with_two_sizes(picture, tmp_path):
    oi_files.picture(tmp_path, "small.png", (10, 10))
    small = image_from_file(str(tmp_path / "small.png"), (10, 10))
    boxes = [Bbox(1, 2, 3, 4, label=0), Bbox(1, 2, 3, 4, label=0)]
    back = read(save(in_two_subsets((picture, small), boxes), tmp_path / "out"))
    assert [back.get("a", subset).media.size for subset in ("train", "test")] == [SIZE, (10, 10)]
    for subset in ("train", "test"):
        assert back.get("a", subset).annotations[0].points == [1, 2, 4, 6]


# What cannot be held is counted


def points(**options):
    return ann.Points([1, 2, 3, 4], label=0, **options)


COUNTED = {
    "points": lambda: points(),
    "polyline": lambda: ann.PolyLine([1, 2, 3, 4], label=0),
    "cuboid_3d": lambda: kind("Cuboid3d")([1, 2, 3], label=0),
    "cuboid_2d": lambda: kind("Cuboid2D")([(i, i) for i in range(8)], label=0),
}


@pytest.mark.parametrize("name", COUNTED)
def test_other_kinds_are_counted(name, picture, tmp_path, caplog):
    annotations = [COUNTED[name]() for _ in range(3)]
    out = exported(tmp_path / "out", picture, *annotations, Label(0))
    assert warnings_of(caplog) == [f"{FORMAT_HOLDS} {name} annotations: 3 not written"]
    assert [a.type.name for a in read(out).get("a", "train").annotations] == ["label"]


def test_one_warning_a_kind_over_all_items(picture, tmp_path, caplog):
    items = [item_with(picture, points(), COUNTED["polyline"](), name=str(i)) for i in range(5)]
    save(dataset_of(*items), tmp_path / "out")
    assert warnings_of(caplog) == [
        f"{FORMAT_HOLDS} points annotations: 5 not written",
        f"{FORMAT_HOLDS} polyline annotations: 5 not written",
    ]


def test_boxes_of_tracks_are_written_and_their_track_ids_counted(picture, tmp_path, caplog):
    tracks = [
        Bbox(1, 2, 3, 4, label=0, attributes={"track_id": i, "keyframe": True}) for i in range(2)
    ]
    out = exported(tmp_path / "out", picture, *tracks)
    assert len(list(rows(out, "bbox"))) == 2
    found = warnings_of(caplog)
    assert [message for message in found if "track_id" in message] == [
        f"{FORMAT_HOLDS} 'track_id' attributes of box annotations: 2 not written"
    ]


def test_outlines_of_unknown_size_are_counted(tmp_path, caplog):
    polygons = [Polygon([1, 2, 3, 4, 5, 9], label=0) for _ in range(3)]
    out = exported(tmp_path / "out", None, *polygons)
    assert list(rows(out, "object-segmentation")) == []
    assert warnings_of(caplog) == [
        f"{FORMAT_HOLDS} outlines on images of unknown size: 3 not written"
    ]


def test_attributes_of_items_are_counted(picture, tmp_path, caplog):
    items = [item_with(picture, name=str(i), attributes={"frame": i}) for i in range(4)]
    save(dataset_of(*items), tmp_path / "out")
    assert warnings_of(caplog) == [f"{FORMAT_HOLDS} 'frame' attributes of items: 4 not written"]


def test_nothing_is_reported_where_nothing_is_lost(tmp_path, caplog):
    oi_files.base(tmp_path / "in")
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(tmp_path / "in")))
    dataset.export(str(tmp_path / "out"), OpenImagesExporter, save_media=True)
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_attributes_of_outlines_that_share_a_mask_are_counted(picture, tmp_path, caplog):
    first, second, third = (
        Polygon([x, 1, x + 9, 1, x + 9, 9], label=0, group=3, attributes={"predicted_iou": iou})
        for x, iou in ((1, 0.5), (12, 0.5), (23, 0.25))
    )
    exported(tmp_path / "out", picture, first, second, third)
    (message,) = warnings_of(caplog)
    assert "part of another one's mask: 1 not written" in message


def test_a_flood_of_missing_pictures_is_one_line_and_details_for_those_who_ask(tmp_path, caplog):
    images = [(f"{number:04}", "train") for number in range(2500)]
    made = {"annotations/train-images-with-rotation.csv": oi_files.image_list(*images)}
    oi_files.write(tmp_path, {**made, "annotations/class-descriptions.csv": "/m/0,Zero\n"})
    caplog.set_level("DEBUG")
    assert len(list(read(tmp_path))) == 2500
    plugin = [r for r in caplog.records if r.name.startswith("datumaro_openimages_plugin")]
    loud = [r.getMessage() for r in plugin if r.levelname != "DEBUG"]
    assert loud == ["2500 of 2500 images have no file in the dataset; their items have no media"]
    assert "no file of the image train/0042" in [r.getMessage() for r in plugin]

"""Boxes of people: read on request only, and kept apart from the ordinary boxes."""

from __future__ import annotations

import logging

import pytest
from datumaro.components.annotation import Bbox
from datumaro.components.dataset import Dataset
from oi_files import BOX_HEADER, image_list, picture, write
from rich_data import save

from datumaro_openimages_plugin._host import DatasetItem, image_from_file
from datumaro_openimages_plugin.errors import AnnotationError, FormatError
from datumaro_openimages_plugin.kinds.people import FIELDS
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

FILE = "annotations/open_images_extended_miap_boxes_train.csv"
BOXES = "annotations/train-annotations-bbox.csv"
HEADER = ",".join(FIELDS) + "\n"
ROWS = (
    "a,/m/0,1,0.100000,0.3,0.2,0.9,1,0,0,0,-1,Predominantly Feminine,Young\n"
    "a,/m/0,1,0.4,0.912345678,0.5,0.95,0,0,1,1,0,Unknown,Unknown\n"
    "a,/m/0,1,0.5,0.75,0.5,0.75,0,0,0,0,0,,\n"
)
BOX_ROWS = "a,xclick,/m/0,1,0.1,0.3,0.2,0.9,0,0,0,0,0\n"


def files(rows: str = ROWS, name: str = FILE) -> dict[str, str]:
    return {
        "annotations/class-descriptions.csv": "/m/0,Person\n",
        "annotations/train-image_ids_and_rotation.csv": image_list(("a", "train")),
        BOXES: BOX_HEADER + BOX_ROWS,
        name: HEADER + rows,
        "annotations/images.meta": "a 100 200\n",
    }


def read(root, kinds=("boxes", "people")) -> Dataset:
    return Dataset.from_extractors(OpenImagesExtractor(str(root), kinds=kinds))


def boxes(dataset):
    (item,) = dataset
    return item.annotations


def test_nobody_gets_them_unasked(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    root = write(tmp_path, files())
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root)))
    assert [box.attributes.get("gender_presentation") for box in boxes(dataset)] == [None]
    assert FILE in caplog.text and "people" in caplog.text


def test_boxes_with_what_is_perceived(tmp_path):
    _, one, two, three = boxes(read(write(tmp_path, files())))
    flags = {"occluded": True, "truncated": False, "is_group_of": False, "is_depiction": False}
    assert one == Bbox(
        20,
        20,
        40,
        70,
        label=0,
        attributes={
            "score": 1.0,
            **flags,
            "gender_presentation": "Predominantly Feminine",
            "age_presentation": "Young",
        },
    )
    assert two.attributes["is_depiction"] is True
    assert two.attributes["age_presentation"] == "Unknown"
    assert "age_presentation" not in three.attributes


@pytest.mark.parametrize(("token", "subset"), [("val", "validation"), ("test", "test")])
def test_every_published_name_is_read(token, subset, tmp_path):
    name = f"open_images_extended_miap/open_images_extended_miap_boxes_{token}.csv"
    root = write(tmp_path, {name: HEADER + ROWS})
    (item,) = read(root, ["people"])
    assert (item.subset, len(item.annotations)) == (subset, 3)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_there_and_back(line_end, tmp_path):
    source = write(tmp_path / "in", files(ROWS.replace("\n", line_end)))
    (source / FILE).write_bytes((HEADER + ROWS).replace("\n", line_end).encode())
    out = save(read(source), tmp_path / "out")
    assert (out / FILE).read_bytes() == (source / FILE).read_bytes()
    assert (out / BOXES).read_bytes() == (source / BOXES).read_bytes()


def test_changed_ones_keep_what_still_holds(tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    (item,) = dataset
    item.annotations[1].attributes["age_presentation"] = "Older"
    item.annotations[2] = item.annotations[2].wrap(x=20, y=10, w=20, h=10)
    dataset.put(item)
    found = (save(dataset, tmp_path / "out") / FILE).read_text().splitlines()[1:]
    assert found == [
        "a,/m/0,1,0.100000,0.3,0.2,0.9,1,0,0,0,-1,Predominantly Feminine,Older",
        "a,/m/0,1,0.1,0.2,0.1,0.2,0,0,1,1,0,Unknown,Unknown",
        "a,/m/0,1,0.5,0.75,0.5,0.75,0,0,0,0,0,,",
    ]


def test_new_ones(tmp_path, caplog):
    picture(tmp_path, "x.jpg", (100, 200))
    item = DatasetItem(
        "x",
        subset="validation",
        media=image_from_file(str(tmp_path / "x.jpg"), None),
        annotations=[
            Bbox(20, 20, 40, 70, label=0, attributes={"age_presentation": "Middle", "hat": "red"}),
            Bbox(20, 20, 40, 70, label=0),
        ],
    )
    out = save(Dataset.from_iterable([item], categories=["/m/0"]), tmp_path / "out")
    name = "annotations/open_images_extended_miap_boxes_val.csv"
    assert (out / name).read_text() == HEADER + "x,/m/0,1,0.1,0.3,0.2,0.9,-1,-1,-1,-1,-1,,Middle\n"
    rows = (out / "annotations/validation-annotations-bbox.csv").read_text().splitlines()
    assert rows[1:] == ["x,,/m/0,1,0.1,0.3,0.2,0.9,-1,-1,-1,-1,-1"]
    assert "'hat' attributes of person annotations: 1 not written" in caplog.text


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("a,/m/0,1,0.1,,0.2,0.9,1,0,0,0,0,Unknown,Young\n", "XMax"),
        ("a,/m/0,1,0.1,0.3,0.2,0.9,1,0,0,2,0,Unknown,Young\n", "IsDepictionOf"),
        ("a,,1,0.1,0.3,0.2,0.9,1,0,0,0,0,Unknown,Young\n", "LabelName"),
    ],
)
def test_a_malformed_row_is_named(row, column, tmp_path):
    with pytest.raises(FormatError, match=f"{FILE}, row 4, column {column}, image 'a'"):
        list(read(write(tmp_path, files(ROWS + row))))


def test_values_without_a_text_are_refused(tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    (item,) = dataset
    item.annotations[1].attributes["is_inside"] = "perhaps"
    dataset.put(item)
    with pytest.raises(AnnotationError, match="is_inside"):
        save(dataset, tmp_path / "out")

"""From Open Images through other formats of Datumaro and back; what survives is what they hold.

The table of losses in the README says the same.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import rich_data
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from rich_data import read, rows, save

from datumaro_openimages_plugin._host import CAN_STREAM
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

FLAGS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")

#: format -> what comes back: label rows with their confidence, boxes, masks, flags and so on.
#: ``boxes`` and ``masks`` are numbers of rows; COCO joins a box with the masks of its group.
KEPT = {
    "coco": {
        "labels": set(),
        "boxes": 4 if CAN_STREAM else 2,
        "masks": 2,
        "flags": True,
        "scores": True,
        "parents": True,
    },
    "voc": {
        "labels": {"1"},
        "boxes": 3,
        "masks": 3,
        "flags": True,
        "scores": True,
        "parents": False,
    },
    "yolo": {
        "labels": set(),
        "boxes": 3,
        "masks": 0,
        "flags": False,
        "scores": False,
        "parents": False,
    },
    "cvat": {
        "labels": {"1"},
        "boxes": 3,
        "masks": 3 if CAN_STREAM else 0,
        "flags": False,
        "scores": False,
        "parents": False,
    },
    "datumaro": {
        "labels": {"1", "0", "0.5"},
        "boxes": 3,
        "masks": 3,
        "flags": True,
        "scores": True,
        "parents": True,
    },
}
FORMATS = pytest.mark.parametrize("name", KEPT)


@pytest.fixture
def plain(tmp_path) -> Path:
    """The dataset with label names that may be part of a file name, as VOC needs them."""
    root = rich_data.make(tmp_path / "in")
    for path in (root / "annotations").iterdir():
        path.write_text(path.read_text().replace("/m/", "m"))
    return root


def through(name: str, source: Path, tmp_path: Path) -> Path:
    read(source).export(str(tmp_path / name), name, save_media=True)
    return save(Dataset.import_from(str(tmp_path / name), name), tmp_path / f"from_{name}")


@FORMATS
def test_there_and_back(name, plain, tmp_path):
    out, kept = through(name, plain, tmp_path), KEPT[name]
    dataset = read(out)
    expected = {("a1", "train", (33, 57)), ("b/2", "train", (101, 77)), ("c 3", "test", (48, 64))}
    assert {(item.id, item.subset, item.media.size) for item in dataset} == expected
    assert {row["Confidence"] for row in rows(out, "human-imagelabels")} == kept["labels"]
    boxes, masks = list(rows(out, "bbox")), list(rows(out, "object-segmentation"))
    assert (len(boxes), len(masks)) == (kept["boxes"], kept["masks"])
    assert ("0.25" in {row["Confidence"] for row in boxes}) is kept["scores"]
    assert any(row["IsGroupOf"] == "1" for row in boxes) is kept["flags"]
    labels = dataset.categories()[AnnotationType.label]
    assert {"m0", "m1", "m2", "munused"} <= {label.name for label in labels.items}
    assert (labels[labels.find("m1")[0]].parent == "m0") is kept["parents"]
    for row in masks:
        assert (out / "masks" / "train" / row["MaskPath"]).is_file()


@FORMATS
def test_boxes_stay_in_place(name, plain, tmp_path):
    found = [_corners(row) for row in rows(through(name, plain, tmp_path), "bbox")]
    expected = [_corners(row) for row in rows(plain, "bbox")]
    if name == "coco":
        # A box of a group with masks may come back as the masks' own extent.
        expected = expected[1:2]
    for image, corners in expected:
        near = [pytest.approx(corners, abs=2e-4) == other for key, other in found if key == image]
        assert any(near), (image, corners, found)


@pytest.mark.parametrize("name", [name for name in KEPT if name != "voc"])
def test_label_names_with_slashes(name, tmp_path):
    out = through(name, rich_data.make(tmp_path / "in"), tmp_path)
    assert {row["LabelName"] for row in rows(out, "bbox")} == {"/m/0", "/m/1"}


def test_what_datumaro_has_no_place_for_is_gone(plain, tmp_path):
    """What Datumaro's model has no place for: source, clicks, image columns, display names."""
    out = through("datumaro", plain, tmp_path)
    assert {row["Source"] for row in rows(out, "bbox")} == {""}
    assert {row["Clicks"] for row in rows(out, "object-segmentation")} == {""}
    assert {row["License"] for row in rows(out, "image")} == {""}
    assert (out / "annotations/class-descriptions.csv").read_text().startswith("m0,m0\n")


def _corners(row: dict[str, str]) -> tuple[str, list[float]]:
    return row["ImageID"], [float(row[name]) for name in ("XMin", "XMax", "YMin", "YMax")]


# The kinds that came later; rows of the sample's pictures in, rows out

SAMPLE = Path(__file__).parents[1] / "assets/open_images_v7"
ALL_KINDS = [kind.name for kind in KINDS]
#: format -> kind -> how many come back and, after a slash, how many still have what only this
#: kind has: a source, answers, traces, what is perceived of people.
OTHER_KINDS = {
    "datumaro": {
        "machine": "6/6", "points": "6/6", "captions": "3/3", "related": "8/8", "people": "2/2",
    },
    "coco": {
        "machine": "0/0", "points": "0/0", "captions": "3/3", "related": "0/0", "people": "2/2",
    },
    "coco_captions": {
        "machine": "0/0", "points": "0/0", "captions": "3/3", "related": "0/0", "people": "0/0",
    },
    "coco_person_keypoints": {
        "machine": "0/0", "points": "6/6", "captions": "0/0", "related": "0/0", "people": "0/0",
    },
    "voc": {
        "machine": "0/0", "points": "0/0", "captions": "0/0", "related": "0/0", "people": "2/2",
    },
    "cvat": {
        "machine": "0/0", "points": "6/0", "captions": "0/0", "related": "0/0", "people": "0/0",
    },
    "yolo": {
        "machine": "0/0", "points": "0/0", "captions": "0/0", "related": "0/0", "people": "0/0",
    },
}  # fmt: skip


def of_other_kinds(dataset) -> dict[str, str]:
    found = {name: [] for name in ("machine", "points", "captions", "related", "people")}
    for item in dataset:
        found["related"] += [True] * len(item.attributes.get("relationships", ()))
        for annotation in item.annotations:
            attributes = annotation.attributes
            if annotation.type.name == "label" and attributes.get("source"):
                found["machine"].append(attributes["source"] == "machine")
            elif annotation.type.name == "points":
                found["points"].append("estimated_yes_no" in attributes)
            elif annotation.type.name == "caption":
                found["captions"].append("traces" in attributes)
            elif "age_presentation" in attributes:
                found["people"].append("gender_presentation" in attributes)
    return {name: f"{len(made)}/{sum(made)}" for name, made in found.items()}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_other_kinds_there_and_back(name, tmp_path):
    source = tmp_path / "in"
    shutil.copytree(SAMPLE, source)
    for path in (source / "annotations").iterdir():
        path.write_bytes(path.read_bytes().replace(b"/m/", b"m"))
    # Some formats cannot do without a picture's size.
    pictures = [path.stem for path in (source / "images").rglob("*.jpg")]
    extractor = OpenImagesExtractor(str(source), kinds=ALL_KINDS, image_ids=pictures)
    dataset = Dataset.from_extractors(extractor)
    assert of_other_kinds(dataset) == OTHER_KINDS["datumaro"]
    dataset.export(str(tmp_path / name), name, save_media=True)
    back = Dataset.import_from(str(tmp_path / name), name)
    out = save(back, tmp_path / "out")
    extractor = OpenImagesExtractor(str(out), kinds=ALL_KINDS)
    assert of_other_kinds(extractor) == OTHER_KINDS[name]

"""Open Images converted to other formats by `datum convert`, and read back by their own means.

Classes have names, absent labels are not present, group-of boxes are crowds where there are any,
and images that are not here have their size.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml
from datumaro.cli.__main__ import main
from datumaro.components.annotation import AnnotationType, Bbox, Mask
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment
from pycocotools.coco import COCO

from datumaro_openimages_plugin._host import CAN_STREAM, DatasetItem
from datumaro_openimages_plugin.classes.classes import ClassList
from datumaro_openimages_plugin.transforms.names import file_names

pytestmark = pytest.mark.usefixtures("registered")

V7 = Path(__file__).parents[1] / "assets" / "open_images_v7"
ABSENT = "1f2e3d4c5b6a7988"
ABSENT_SIZE = (45, 90)
FORMATS = {
    "coco": "open_images_coco",
    "voc": "open_images_readable",
    "cvat": "open_images_readable",
    "imagenet": "open_images_readable",
    "yolo": "open_images_yolo",
    **({"yolo_ultralytics": "open_images_yolo"} if CAN_STREAM else {}),
}


def rows(pattern: str) -> list[dict[str, str]]:
    found = []
    for path in sorted((V7 / "annotations").glob(pattern)):
        with open(path, encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    return found


def names() -> dict[str, str]:
    """LabelName -> the name that other formats are to have, written out."""
    found = {row["LabelName"]: row["DisplayName"] for row in rows("oidv7-class-desc*.csv")}
    return {**found, "/m/0zz07": "Ball (m0zz07)", "/m/0zz08": "Ball (m0zz08)"}


NAMES = names()
PRESENT = {
    (row["ImageID"], NAMES[row["LabelName"]])
    for row in rows("*human-imagelabels.csv")
    if row["Confidence"] == "1"
}
SIDES = ("XMin", "XMax", "YMin", "YMax")


def box_rows() -> list[dict[str, str]]:
    """The rows of the box files, and the boxes that only relationships have."""
    found = rows("*bbox.csv")
    known = [[row["ImageID"], row["LabelName"], *(float(row[s]) for s in SIDES)] for row in found]
    for row in rows("*vrd.csv"):
        for end in "12" if row["RelationshipLabel"] != "is" else "1":
            sides = [float(row[side + end]) for side in SIDES]
            key = [row["ImageID"], row[f"LabelName{end}"], *sides]
            if not any(one[:2] == key[:2] and one[2:] == pytest.approx(sides, abs=1e-5)
                       for one in known):  # fmt: skip
                known.append(key)
                extra = {side: row[side + end] for side in SIDES}
                found.append({"ImageID": key[0], "LabelName": key[1], "IsGroupOf": "-1", **extra})
    return found


BOXES = sorted((row["ImageID"], NAMES[row["LabelName"]]) for row in box_rows())


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The sample with the size of the image that is not in it."""
    root = tmp_path_factory.mktemp("source") / "set"
    shutil.copytree(V7, root)
    height, width = ABSENT_SIZE
    (root / "annotations/images.meta").write_text(f"{ABSENT} {height} {width}\n")
    return root


@pytest.fixture(scope="module")
def converted(source, tmp_path_factory):
    """Converts by the command line, once for each format."""
    done: dict[str, Path] = {}

    def convert(name: str) -> Path:
        if name not in done:
            out = done[name] = tmp_path_factory.mktemp("out") / name
            options = ["-i", str(source), "-if", FORMATS[name], "-f", name, "-o", str(out)]
            assert main(["convert", *options, "--", "--save-media"]) == 0
        return done[name]

    return convert


def corners(row: dict[str, str], size: tuple[int, int]) -> list[float]:
    height, width = size
    sides = (("XMin", width), ("YMin", height), ("XMax", width), ("YMax", height))
    return [float(row[name]) * side for name, side in sides]


def sizes() -> dict[str, tuple[int, int]]:
    found = {path.stem: cv2.imread(str(path)).shape[:2] for path in (V7 / "images").rglob("*.jpg")}
    return {**found, ABSENT: ABSENT_SIZE}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_coco_as_pycocotools_reads_it(converted, capsys):
    known, found = sizes(), []
    for subset in ("train", "validation", "test"):
        coco = COCO(str(converted("coco") / f"annotations/instances_{subset}.json"))
        for image in coco.loadImgs(coco.getImgIds()):
            image_id = Path(image["file_name"]).stem
            assert (image["height"], image["width"]) == known[image_id]
            for box in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
                name = coco.cats[box["category_id"]]["name"]
                found.append((image_id, name, box["iscrowd"], box["bbox"]))
                if box["segmentation"]:
                    assert coco.annToMask(box).any()
    expected = []
    for row in box_rows():
        crowd = int(row["IsGroupOf"] == "1")
        x1, y1, x2, y2 = corners(row, known[row["ImageID"]])
        # The 0.3 line takes a crowd's box from its mask, which is made of whole pixels.
        near = 1.01 if crowd and not CAN_STREAM else 0.02
        box = [pytest.approx(value, abs=near) for value in (x1, y1, x2 - x1, y2 - y1)]
        expected.append((row["ImageID"], NAMES[row["LabelName"]], crowd, box))
    assert len(found) == len(expected) and {crowd for _, _, crowd, _ in found} == {0, 1}
    for one in expected:
        assert one in found


def test_coco_has_masks_as_polygons(converted):
    """Datumaro writes every mask as a crowd otherwise."""
    masks = 0
    for path in (converted("coco") / "annotations").glob("instances_*.json"):
        for annotation in json.loads(path.read_text())["annotations"]:
            if not annotation["iscrowd"] and annotation["segmentation"]:
                assert isinstance(annotation["segmentation"], list)
                masks += 1
    assert masks == len(rows("*segmentation.csv"))


def test_coco_labels_are_present_ones(converted):
    found = set()
    for path in (converted("coco") / "annotations").glob("labels_*.json"):
        data = json.loads(path.read_text())
        images = {image["id"]: Path(image["file_name"]).stem for image in data["images"]}
        classes = {category["id"]: category["name"] for category in data["categories"]}
        found |= {(images[a["image_id"]], classes[a["category_id"]]) for a in data["annotations"]}
    assert found == PRESENT


def test_voc(converted):
    out, found, known = converted("voc"), [], sizes()
    for path in (out / "Annotations").glob("*.xml"):
        root = ElementTree.parse(path).getroot()
        height, width = (int(root.findtext(f"size/{name}", "0")) for name in ("height", "width"))
        assert (height, width) == known[path.stem]
        found += [(path.stem, part.findtext("name")) for part in root.iter("object")]
    assert sorted(found) == BOXES
    present = set()
    for path in (out / "ImageSets/Main").glob("*_*.txt"):
        name = path.stem.rpartition("_")[0]
        for line in path.read_text(encoding="utf-8").splitlines():
            image_id, _, value = line.rpartition(" ")
            if value.strip() == "1":
                present.add((image_id.strip(), name))
    assert present >= PRESENT
    assert present - PRESENT <= set(BOXES)
    assert "Café" in (out / "labelmap.txt").read_text(encoding="utf-8")


def test_cvat(converted):
    labels, boxes, groups = set(), [], 0
    for path in converted("cvat").glob("*.xml"):
        for image in ElementTree.parse(path).getroot().iter("image"):
            image_id = Path(image.get("name")).stem
            labels |= {(image_id, tag.get("label")) for tag in image.iter("tag")}
            for box in image.iter("box"):
                boxes.append((image_id, box.get("label")))
                attributes = {a.get("name"): a.text for a in box.iter("attribute")}
                groups += str(attributes.get("is_group_of")).lower() == "true"
    assert labels == PRESENT
    assert sorted(boxes) == BOXES
    assert groups == [row["IsGroupOf"] for row in rows("*bbox.csv")].count("1") > 0


def test_imagenet(converted):
    found = {(p.stem, p.parent.name) for p in converted("imagenet").rglob("*.jpg")}
    here = {path.stem for path in (V7 / "images").rglob("*.jpg")}
    assert {pair for pair in found if pair[1] != "no_label"} == {
        pair for pair in PRESENT if pair[0] in here
    }


def yolo_boxes(folder: Path, classes: list[str]) -> list[tuple[str, str, list[float]]]:
    found = []
    for path in sorted(folder.rglob("*.txt")):
        for line in path.read_text().splitlines():
            number, *box = line.split()
            found.append((path.stem, classes[int(number)], [float(value) for value in box]))
    return found


def assert_yolo(found) -> None:
    assert sorted(pair[:2] for pair in found) == BOXES
    for row in box_rows():
        x1, y1, x2, y2 = corners(row, (1, 1))
        box = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
        wanted = row["ImageID"], NAMES[row["LabelName"]], pytest.approx(box, abs=2e-4)
        assert wanted in found


def test_yolo(converted):
    out = converted("yolo")
    classes = (out / "obj.names").read_text(encoding="utf-8").splitlines()
    assert_yolo([box for path in out.glob("obj_*_data") for box in yolo_boxes(path, classes)])
    assert (out / "val.txt").is_file()


@pytest.mark.skipif("yolo_ultralytics" not in FORMATS, reason="this Datumaro has no such format")
def test_yolo_ultralytics(converted):
    out = converted("yolo_ultralytics")
    data = yaml.safe_load((out / "data.yaml").read_text(encoding="utf-8"))
    assert list(data["names"].values()) == list(NAMES.values())
    assert {"train", "val", "test"} <= set(data)
    assert_yolo(yolo_boxes(out / "labels", list(data["names"].values())))
    pictures = {path.stem for path in (out / "images/val").glob("*.jpg")}
    assert pictures == {path.stem for path in (V7 / "images/validation").glob("*.jpg")}


# The formats themselves


def test_unknown_sizes(caplog):
    for name, kept in (("open_images_readable", True), ("open_images_yolo", False)):
        caplog.clear()
        items = {item.id: item for item in Dataset.import_from(str(V7), name)}
        assert (ABSENT in items) is kept
        if kept:
            assert {a.type for a in items[ABSENT].annotations} == {AnnotationType.label}
        assert "of unknown size" in caplog.text


def test_detection_still_finds_open_images():
    found = Dataset.import_from(str(V7))
    assert found.format == "open_images"


@pytest.mark.parametrize("name", sorted(set(FORMATS.values())))
def test_subsets_and_items_agree(name, source):
    dataset = Environment().make_extractor(name, str(source))
    together = [(item.subset, item.id) for item in dataset]
    by_subset = [(item.subset, item.id) for s in dataset.subsets().values() for item in s]
    assert sorted(together) == sorted(by_subset)
    assert len(dataset) == len(together)
    assert ("val" in dataset.subsets()) is (name == "open_images_yolo")


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
def test_streams(source, converted, tmp_path):
    from datumaro.components.dataset import StreamDataset

    dataset = StreamDataset.import_from(str(source), "open_images_coco")
    assert dataset.is_stream
    dataset.export(str(tmp_path / "out"), "coco")
    for path in (tmp_path / "out/annotations").glob("instances_*.json"):
        one, other = (
            json.loads((root / "annotations" / path.name).read_text())
            for root in (tmp_path / "out", converted("coco"))
        )
        assert one["images"] == other["images"]
        assert len(one["annotations"]) == len(other["annotations"])


def test_back_to_open_images_by_id(source, tmp_path):
    """Whatever the labels are called, an export to Open Images writes ids."""
    dataset = Dataset.import_from(str(source), "open_images_readable")
    dataset.export(str(tmp_path / "out"), "open_images")
    with open(tmp_path / "out/annotations/train-annotations-bbox.csv", encoding="utf-8") as file:
        found = [(row["ImageID"], row["LabelName"]) for row in csv.DictReader(file)]
    original = rows("oidv6-train-annotations-bbox.csv")
    assert found == [(row["ImageID"], row["LabelName"]) for row in original]


def test_names_that_can_be_file_names():
    classes = ClassList(
        ("/m/a", "/m/b", "/m/c", "/m/d", "/m/e", "/m/f", "/m/g"),
        {"/m/a": "Cat/Dog", "/m/b": "cat:dog", "/m/c": "..", "/m/d": "Hat", "/m/e": "A\nb",
         "/m/g": "Cat_Dog (ma)"},
    )  # fmt: skip
    found = file_names(classes)
    assert len({name.casefold() for name in found.values()}) == 7
    assert found["/m/d"] == "Hat" and found["/m/e"] == "A_b" and found["/m/f"] == "m_f"
    assert found["/m/b"] == "cat_dog (mb)"
    for name in found.values():
        assert not set(name) & set("/\\:\n") and name.strip(". ") == name


def test_crowds_without_group_or_size():
    boxes = [
        Bbox(1, 2, 3, 4, label=0, attributes={"is_group_of": True}),
        Bbox(1, 2, 3, 4, label=0, group=5, attributes={"is_group_of": True}),
        Mask(np.ones((9, 9), bool), label=0, group=5),
        Bbox(0, 0, 1, 1, label=0, group=6),
    ]
    item = DatasetItem("a", annotations=boxes)
    dataset = Dataset.from_iterable([item], categories=["x"]).transform("open_images_crowds")
    found = next(iter(dataset)).annotations
    assert [a.attributes["is_crowd"] for a in found] == [True, True, True, False]
    assert [a.group for a in found] == [7, 5, 5, 6]

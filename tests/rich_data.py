"""A dataset in which every field that the format has holds something, and what became of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from datumaro.components.dataset import Dataset
from oi_files import IMAGE_HEADER, LABEL_HEADER, MASK_HEADER, mask_png, picture, write

from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor

CLASSES = '/m/0,Zero\n/m/1,"One, first"\n/m/2,Two\n/m/unused,Of no annotation\n'
HIERARCHY = json.dumps(
    {
        "LabelName": "/m/0entity",
        "Subcategory": [
            {"LabelName": "/m/0", "Subcategory": [{"LabelName": "/m/1"}], "Part": []},
            {"LabelName": "/m/2", "Part": [{"LabelName": "/m/1"}]},
        ],
    },
    indent=1,
)
CLICKS = ",".join(f"XClick{i}{axis}" for axis in "XY" for i in range(1, 5))
BOX_HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    f"IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside,{CLICKS}\n"
)
SIZES = {"a1": (33, 57), "b/2": (101, 77), "c 3": (48, 64)}


def files() -> dict[str, str]:
    clicks = "0.1234567891,0.2,0.3,0.4,0.5,0.6,0.7,0.8"
    none = ",".join(["-1"] * 8)
    return {
        "annotations/class-descriptions.csv": CLASSES,
        "annotations/bbox_labels_600_hierarchy.json": HIERARCHY,
        "annotations/train-image_ids_and_rotation.csv": IMAGE_HEADER
        + "a1,train,https://x/a.jpg,https://x/a,https://c/by,https://x/u,"
        + '"Last, First","A ""title""",12345,md5==,https://x/t.jpg,90.0\n'
        + "b/2,train,,,,,,,,,,\n",
        "annotations/test-image_ids_and_rotation.csv": IMAGE_HEADER + "c 3,test,,,,,Me,,,,,0\n",
        "annotations/train-annotations-human-imagelabels.csv": LABEL_HEADER
        + "a1,verification,/m/0,1\na1,crowdsource-verification,/m/2,0\nb/2,,/m/1,1.0\n",
        "annotations/test-annotations-human-imagelabels.csv": LABEL_HEADER
        + "c 3,verification,/m/0,0.50\n",
        "annotations/train-annotations-bbox.csv": BOX_HEADER
        + f"a1,xclick,/m/1,1,0.0123456789,0.3333333333,0.1999999,0.9,1,0,-1,0,1,{clicks}\n"
        + f"a1,activemil,/m/0,1,0.5,0.500001,0.000000,1.000000,-1,-1,-1,-1,-1,{none}\n"
        + f"b/2,xclick,/m/1,0.25,0.0,0.999999999,0.3,0.30001,0,0,1,0,0,{clicks}\n",
        "annotations/train-annotations-object-segmentation.csv": MASK_HEADER
        + "a1_m1_aa.png,a1,/m/1,aa,0.012346,0.333333,0.200000,0.900000,0.87654,"
        + "0.1 0.2 0;0.3 0.4 1;\n"
        + "a1_m1_bb.png,a1,/m/1,bb,0.012346,0.333333,0.200000,0.900000,0.0,\n"
        + "b2_m1_cc.png,b/2,/m/1,cc,,,,,,0.5 0.5 1;\n",
    }


def make(root: Path) -> Path:
    """Writes the dataset; the masks have a size and an encoding of their own."""
    write(root, files())
    picture(root, "images/train/a1.jpg", SIZES["a1"])
    picture(root, "images/train/b/2.png", SIZES["b/2"])
    picture(root, "images/test/c 3.jpg", SIZES["c 3"])
    mask_png(root, "masks/train/a1_m1_aa.png", (66, 114), slice(5, 40))
    mask_png(root, "masks/train/a1_m1_bb.png", SIZES["a1"], slice(0, 4))
    mask_png(root, "masks/train/b2_m1_cc.png", SIZES["b/2"], slice(3, 9))
    return root


def rows(root: Path, kind: str) -> Iterator[dict[str, str]]:
    """The rows of all tables of a kind: ``bbox``, ``imagelabels``, ``segmentation``, ``image``."""
    patterns = {"image": "*rotation.csv"}
    for path in sorted((root / "annotations").glob(patterns.get(kind, f"*-{kind}.csv"))):
        with open(path, encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


KINDS = ("image", "human-imagelabels", "bbox", "object-segmentation")


def contents(root: Path, kind: str, *ignored: str) -> list[tuple[tuple[str, str], ...]]:
    """All rows of a kind in one order, without some columns."""
    return sorted(
        tuple((name, text) for name, text in row.items() if name not in ignored)
        for row in rows(root, kind)
    )


def read(path: Path) -> Dataset:
    return Dataset.from_extractors(OpenImagesExtractor(str(path)))


def save(dataset: Dataset, path: Path, **options) -> Path:
    dataset.export(str(path), OpenImagesExporter, save_media=True, **options)
    return path


def bytes_below(root: Path, folder: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }

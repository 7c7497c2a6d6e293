"""The sample datasets are what their script writes, and Datumaro reads them."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from datumaro.components.annotation import AnnotationType

from datumaro_openimages_plugin.plugin import OpenImagesExtractor

ASSETS = Path(__file__).parents[1] / "assets"
DATASETS = ("cvat_layout", "open_images_v7")
PICTURES = (".jpg", ".png")
MASK_BOX = ("BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assets")
    subprocess.run([sys.executable, str(ASSETS / "make.py"), str(folder)], check=True)
    return folder


def files_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def pixels(path: Path) -> np.ndarray:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED).astype(int)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_script_writes_the_same_again(dataset, made):
    names = files_of(ASSETS / dataset)
    assert files_of(made / dataset) == names
    for name in names:
        here, there = ASSETS / dataset / name, made / dataset / name
        if not name.endswith(PICTURES):
            assert there.read_bytes() == here.read_bytes(), name
            continue
        one, two = pixels(here), pixels(there)
        # PNG has no loss; JPEG's differs by a shade from one encoder to the next.
        assert one.shape == two.shape, name
        assert abs(one - two).max() <= (8 if name.endswith(".jpg") else 0), name


def test_samples_are_small():
    assert sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()) < 300_000


def test_published_masks_have_one_bit():
    names = list((ASSETS / "open_images_v7/masks").rglob("*.png"))
    assert names
    for name in names:
        # Bit depth and colour type of the PNG header, then the filter and interlace methods.
        assert name.read_bytes()[24:29] == b"\x01\x00\x00\x00\x00"


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_mask_row_has_its_picture_and_its_box(dataset):
    folder = ASSETS / dataset
    pictures, boxes = [], []
    for path in sorted((folder / "annotations").glob("*-annotations-bbox.csv")):
        boxes += rows_of(path)
    for path in sorted((folder / "annotations").glob("*-object-segmentation.csv")):
        subset = path.name.split("-")[0]
        for row in rows_of(path):
            assert pixels(folder / "masks" / subset / row["MaskPath"]).any()
            pictures.append(f"{subset}/{row['MaskPath']}")
            if row["BoxXMin"]:
                assert [1 for box in boxes if is_box_of(row, box)] == [1], row
    assert sorted(pictures) == files_of(folder / "masks")


def is_box_of(mask: dict[str, str], box: dict[str, str]) -> bool:
    return all(box[name] == mask[name] for name in ("ImageID", "LabelName")) and all(
        float(mask[name]) == pytest.approx(float(box[name[3:]]), abs=5.001e-7) for name in MASK_BOX
    )


def test_extreme_clicks_span_their_boxes():
    for row in rows_of(ASSETS / "open_images_v7/annotations/oidv6-train-annotations-bbox.csv"):
        for axis in "XY":
            clicks = [float(row[f"XClick{i}{axis}"]) for i in (1, 2, 3, 4)]
            box = [float(row[f"{axis}Min"]), float(row[f"{axis}Max"])]
            expected = box if row["Source"] == "xclick" else [-1, -1]
            assert [min(clicks), max(clicks)] == expected


@pytest.mark.parametrize(
    ("dataset", "subsets", "annotations"),
    [
        ("cvat_layout", {"train": 4, "validation": 2}, {"label": 9, "bbox": 11, "mask": 8}),
        (
            "open_images_v7",
            {"train": 3, "validation": 2, "test": 3},
            {"label": 23, "bbox": 14, "mask": 8, "points": 6, "caption": 3},
        ),
    ],
)
def test_everything_is_read(dataset, subsets, annotations):
    items = list(OpenImagesExtractor(str(ASSETS / dataset)))
    assert Counter(item.subset for item in items) == subsets
    made = [annotation for item in items for annotation in item.annotations]
    assert Counter(annotation.type.name for annotation in made) == annotations
    assert all(a.image.any() for a in made if a.type is AnnotationType.mask)
    absent = [item.id for item in items if item.media is None]
    assert absent == (["1f2e3d4c5b6a7988"] if dataset == "open_images_v7" else [])

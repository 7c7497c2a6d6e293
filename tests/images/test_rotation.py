"""Rotation is carried, never applied; a size is that of the stored pixels, whatever EXIF says."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import oi_files
import pytest
from datumaro.components.annotation import AnnotationType
from PIL import Image as PillowImage
from rich_data import bytes_below, read, rows, save

STORED = (20, 40)
EVERY_ORIENTATION = pytest.mark.parametrize("orientation", [1, 3, 6, 8])


def turned(path: Path, orientation: int) -> None:
    """A picture whose EXIF orientation asks viewers to turn it."""
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    y, x = np.mgrid[: STORED[0], : STORED[1]]
    pixels = np.stack([x * 5 % 256, y * 9 % 256, (x + y) * 3 % 256], axis=2).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(pixels).save(path, exif=exif)


def make(root: Path, orientation: int, rotation: str = "270.0") -> Path:
    files = oi_files.base_files()
    name = "annotations/train-images-with-rotation.csv"
    files[name] = oi_files.IMAGE_HEADER + f"a,train,,,,,,,,,,{rotation}\nb,train,,,,,,,,,,\n"
    oi_files.write(root, files)
    oi_files.base_media(root)
    turned(root / "images/train/a.jpg", orientation)
    return root


def box_of(dataset):
    (box, _) = [a for a in dataset.get("a", "train").annotations if a.type is AnnotationType.bbox]
    return box


@EVERY_ORIENTATION
def test_sizes_and_points_are_of_the_stored_pixels(orientation, tmp_path):
    dataset = read(make(tmp_path / "in", orientation))
    item = dataset.get("a", "train")
    assert item.media.size == STORED
    assert np.allclose(box_of(dataset).points, [4, 4, 13.33, 18], atol=0.01)
    (mask,) = [a for a in item.annotations if a.type is AnnotationType.mask]
    assert mask.image.shape == STORED


@pytest.mark.parametrize("loaded", [False, True], ids=["not loaded", "loaded"])
@EVERY_ORIENTATION
def test_there_and_back(orientation, loaded, tmp_path):
    """Also when somebody has looked at the picture, which some hosts then take to be turned."""
    root = make(tmp_path / "in", orientation)
    dataset = read(root)
    dataset.init_cache()
    if loaded:
        assert dataset.get("a", "train").media.data is not None
    out = save(dataset, tmp_path / "out", names="datumaro")
    expected, found = bytes_below(root, "."), bytes_below(out, ".")
    meta = found.pop("annotations/images.meta").decode().splitlines()
    assert "a 20 40" in meta
    del found["annotations/bbox_labels_600_hierarchy.json"]
    assert found == expected


@EVERY_ORIENTATION
def test_a_box_that_is_moved_when_the_picture_was_looked_at(orientation, tmp_path):
    dataset = read(make(tmp_path / "in", orientation))
    dataset.init_cache()
    assert dataset.get("a", "train").media.data is not None
    box_of(dataset).points[:] = [10.0, 5.0, 20.0, 15.0]
    row = next(rows(save(dataset, tmp_path / "out"), "bbox"))
    corners = [row[name] for name in ("XMin", "XMax", "YMin", "YMax")]
    assert corners == ["0.25", "0.5", "0.25", "0.75"]


@EVERY_ORIENTATION
def test_in_a_zip(orientation, tmp_path):
    root = make(tmp_path / "in", orientation)
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        for name, data in bytes_below(root, ".").items():
            archive.writestr(name, data)
    dataset = read(tmp_path / "task.zip")
    dataset.init_cache()
    assert dataset.get("a", "train").media.size == STORED
    assert dataset.get("a", "train").media.data is not None
    out = save(dataset, tmp_path / "out")
    assert list(rows(out, "bbox")) == list(rows(root, "bbox"))
    assert (out / "images/train/a.jpg").read_bytes() == (root / "images/train/a.jpg").read_bytes()


def test_another_picture_in_its_place_has_its_own_size(tmp_path):
    root = make(tmp_path / "in", 6)
    dataset = read(root)
    item = dataset.get("a", "train")
    oi_files.picture(tmp_path, "other.png", (60, 80))
    item.media = (
        type(item.media).from_file(str(tmp_path / "other.png"))
        if hasattr(type(item.media), "from_file")
        else type(item.media)(path=str(tmp_path / "other.png"))
    )
    dataset.put(item)
    out = save(dataset, tmp_path / "out")
    assert "a 60 80" in (out / "annotations/images.meta").read_text().splitlines()
    # Boxes are where they were in pixels.
    assert float(next(rows(out, "bbox"))["XMin"]) == pytest.approx(4 / 80, abs=1e-6)


@pytest.mark.parametrize("rotation", ["", "0", "0.0", "90.0", "270", "odd"])
def test_rotation_is_carried(rotation, tmp_path):
    root = make(tmp_path / "in", 1, rotation)
    out = save(read(root), tmp_path / "out")
    assert {r["ImageID"]: r["Rotation"] for r in rows(out, "image")}["a"] == rotation


@pytest.mark.parametrize("size", [(20, 40), (40, 80), (10, 20), (33, 57), (1, 1)], ids=str)
def test_masks_of_another_size(size, tmp_path):
    """Resized by nearest neighbour to be used, kept as they are to be written."""
    root = make(tmp_path / "in", 1)
    stored = np.zeros(size, np.uint8)
    stored[: (size[0] + 1) // 2, : (size[1] + 1) // 2] = 255
    data = cv2.imencode(".png", stored)[1].tobytes()
    (root / "masks/train/a_m1_0.png").write_bytes(data)
    dataset = read(root)
    (mask,) = [a for a in dataset.get("a", "train").annotations if a.type is AnnotationType.mask]
    expected = cv2.resize(stored, STORED[::-1], interpolation=cv2.INTER_NEAREST) != 0
    assert np.array_equal(mask.image, expected)
    out = save(dataset, tmp_path / "out")
    assert (out / "masks/train/a_m1_0.png").read_bytes() == data
    assert PillowImage.open(io.BytesIO(data)).size == size[::-1]

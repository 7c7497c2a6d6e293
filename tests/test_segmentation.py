"""Shapes that are segmentation become masks: one PNG an instance, which a person can see."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from datumaro.components import annotation as ann
from datumaro.components.annotation import Bbox, Mask, Polygon
from rich_data import read, rows
from shapes_data import SIZE, exported, kind, masks_of, picture_in, rectangle

from datumaro_openimages_plugin.errors import AnnotationError


@pytest.fixture
def picture(tmp_path):
    return picture_in(tmp_path)


def test_a_polygon_becomes_a_mask_that_one_can_see(picture, tmp_path):
    out = exported(tmp_path / "out", picture, Polygon([10, 5, 30, 5, 30, 20, 10, 20], label=1))
    (row,) = rows(out, "object-segmentation")
    path = out / "masks/train" / row["MaskPath"]
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == SIZE and set(np.unique(pixels)) == {0, 255}
    assert path.read_bytes()[24] == 1  # bits a pixel, in the header of a PNG
    assert np.array_equal(pixels > 0, rectangle(slice(10, 30)))
    assert (row["LabelName"], row["BoxXMin"]) == ("/m/1", "")


def test_polygons_of_one_group_and_label_are_one_instance(picture, tmp_path):
    def square(x: int, label: int, group: int) -> Polygon:
        return Polygon([x, 5, x + 5, 5, x + 5, 20, x, 20], label=label, group=group)

    out = exported(
        tmp_path / "out",
        picture,
        square(0, 0, 1),
        square(10, 0, 1),
        square(20, 1, 1),
        square(30, 0, 2),
        square(40, 0, 0),
        square(50, 0, 0),
    )
    found = masks_of(out)
    first = rectangle(slice(0, 5)) | rectangle(slice(10, 15))
    expected = [first, *(rectangle(slice(x, x + 5)) for x in (20, 30, 40, 50))]
    assert [a.label for a in found] == [0, 1, 0, 0, 0]
    for mask, back in zip(expected, found, strict=True):
        assert np.array_equal(back.image, mask)


def test_a_polygon_is_tied_to_the_box_of_its_group(picture, tmp_path):
    box = Bbox(10, 5, 20, 15, label=0, group=7)
    attributes = {"box_id": "mine", "predicted_iou": 0.5}
    polygon = Polygon([10, 5, 30, 5, 30, 20], label=0, group=7, attributes=attributes)
    out = exported(tmp_path / "out", picture, box, polygon)
    (row,), (box_row,) = rows(out, "object-segmentation"), rows(out, "bbox")
    assert {name: row[f"Box{name}"] for name in ("XMin", "XMax", "YMin", "YMax")} == {
        name: box_row[name] for name in ("XMin", "XMax", "YMin", "YMax")
    }
    assert (row["BoxID"], row["PredictedIoU"]) == ("mine", "0.5")
    assert [a.group for a in read(out).get("a", "train").annotations] == [1, 1]


def test_an_ellipse_becomes_a_mask(picture, tmp_path):
    out = exported(tmp_path / "out", picture, kind("Ellipse")(10, 5, 50, 35, label=0))
    (mask,) = masks_of(out)
    assert mask.image[20, 30] and not mask.image[6, 11]
    assert mask.image.sum() == pytest.approx(np.pi * 20 * 15, rel=0.05)


def test_a_rotated_box_becomes_a_mask(picture, tmp_path):
    rotated = kind("RotatedBbox")(30, 20, 20, 10, 90, label=0)
    (mask,) = masks_of(exported(tmp_path / "out", picture, rotated))
    assert mask.image[11, 30] and mask.image[28, 30] and not mask.image[20, 22]
    assert mask.image.sum() == pytest.approx(200, rel=0.1)


def test_a_rectangle_that_cvat_turned_becomes_a_mask(picture, tmp_path):
    box = Bbox(20, 15, 20, 10, label=0, attributes={"rotation": 90.0, "box_id": "r"})
    out = exported(tmp_path / "out", picture, box)
    (mask,) = masks_of(out)
    assert mask.image[11, 30] and mask.image[28, 30] and not mask.image[20, 22]
    assert mask.attributes == {"box_id": "r"} and list(rows(out, "bbox")) == []


def test_a_rectangle_turned_by_nothing_stays_a_box(picture, tmp_path, caplog):
    box = Bbox(20, 15, 20, 10, label=0, attributes={"rotation": 0.0})
    out = exported(tmp_path / "out", picture, box)
    assert len(list(rows(out, "bbox"))) == 1 and masks_of(out) == []


def test_a_run_length_mask_becomes_a_png(picture, tmp_path):
    from pycocotools import mask as coco

    expected = rectangle(slice(3, 33))
    rle = coco.encode(np.asfortranarray(expected.astype(np.uint8)))
    out = exported(tmp_path / "out", picture, ann.RleMask(rle, label=0))
    (mask,) = masks_of(out)
    assert np.array_equal(mask.image, expected)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.float32])
def test_masks_of_any_type_become_1_bit_pngs(dtype, picture, tmp_path):
    expected = rectangle(slice(3, 33))
    out = exported(tmp_path / "out", picture, Mask(expected.astype(dtype), label=0))
    (path,) = (out / "masks/train").iterdir()
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == 255, expected)


@pytest.mark.parametrize("far", [1e6, 1e9, 1e30], ids=str)
def test_a_polygon_that_reaches_far_out(far, picture, tmp_path):
    """A rasteriser that walks along every edge would take gigabytes for it."""
    polygon = Polygon([-far, 5, far, 5, far, 20, -far, 20], label=0)
    (mask,) = masks_of(exported(tmp_path / "out", picture, polygon))
    assert np.array_equal(mask.image, rectangle(slice(0, 60)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_polygon_without_finite_coordinates_is_refused(value, picture, tmp_path):
    polygon = Polygon([value, 5, 30, 5, 30, 20], label=0)
    with pytest.raises(AnnotationError, match=r"annotation 0 .polygon. .*finite"):
        exported(tmp_path / "out", picture, polygon)


def test_a_mask_of_an_index_mask_becomes_a_png(picture, tmp_path):
    index = np.zeros(SIZE, np.uint8)
    index[5:20, 3:33] = 7
    mask = kind("ExtractedMask")(index_mask=index, index=7, label=0)
    (found,) = masks_of(exported(tmp_path / "out", picture, mask))
    assert np.array_equal(found.image, rectangle(slice(3, 33)))


@pytest.mark.parametrize(("degrees", "is_upright"), [(0.0, False), (90.0, True), (450.0, True)])
def test_an_ellipse_is_turned_by_its_rotation(picture, tmp_path, degrees, is_upright):
    ellipse = kind("Ellipse")
    made = ellipse(20, 15, 40, 21, label=0, attributes={"rotation": degrees})
    within = (27, 8, 33, 28) if is_upright else (20, 15, 40, 21)
    out = exported(tmp_path / "out", picture, made, ellipse(*within, label=0))
    turned, straight = masks_of(out)
    # Pixels of the outline itself may differ.
    common, either = turned.image & straight.image, turned.image | straight.image
    assert common.sum() > 0.85 * either.sum()
    assert "rotation" not in turned.attributes

"""Objects that are made without their constructors are what the constructors make."""

import copy
import pickle

import attr
import cv2
import numpy as np
import pytest

from datumaro_openimages_plugin._host import (
    Bbox,
    DatasetItem,
    Label,
    Mask,
    _constructed_image,
    annotations_list,
    image_from_file,
)
from datumaro_openimages_plugin.annotations.objects import OriginBbox, OriginItem
from datumaro_openimages_plugin.annotations.origin import ImageOrigin, Origin
from datumaro_openimages_plugin.plugin import OpenImagesExtractor
from datumaro_openimages_plugin.reading.items import make_item

IMAGES = "ImageID,Subset,Rotation\n0a,train,\nsmall/b,train,0.0\n0c,train,90.0\n"
BOXES = """\
ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside
0a,xclick,/m/1,1,0.1,0.3333333,0.25,0.987654321,0,1,-1,0,1
0a,xclick,/m/2,0.25,0,1,0,1,-1,-1,-1,-1,-1
small/b,activemil,/m/1,1,0.0123,0.0124,0.5,0.6,1,1,1,1,1
0a,xclick,/m/1,1,0.7777777,0.8,0.125,0.375,0,0,0,0,0
"""
LABELS = "ImageID,Source,LabelName,Confidence\n0a,verification,/m/2,0\n0c,crowd,/m/1,0.75\n"
MASKS = """\
MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks
0a_1.png,0a,/m/1,00ab,0.777778,0.8,0.125,0.375,0.5,
0a_2.png,0a,/m/2,,,,,,,
"""
CLASSES = "/m/1,One\n/m/2,Two\n"
SIZES = {"0a": (333, 517), "small/b": (7, 3)}

ROWS = [line.split(",") for line in BOXES.splitlines()[1:]]
FLAGS = ("occluded", "truncated", "is_group_of", "is_depiction", "is_inside")


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    root = tmp_path_factory.mktemp("objects")
    (root / "train-images-with-rotation.csv").write_text(IMAGES)
    (root / "train-annotations-bbox.csv").write_text(BOXES)
    (root / "train-annotations-human-imagelabels.csv").write_text(LABELS)
    (root / "train-annotations-object-segmentation.csv").write_text(MASKS)
    (root / "class-descriptions.csv").write_text(CLASSES)
    extractor = OpenImagesExtractor(str(root), image_meta=SIZES)
    return {item.id: item for item in extractor}


def constructed_box(row, group, size):
    height, width = size
    x, y = float(row[4]) * width, float(row[6]) * height
    flags = {name: text == "1" for name, text in zip(FLAGS, row[8:], strict=True) if text != "-1"}
    return Bbox(
        x,
        y,
        float(row[5]) * width - x,
        float(row[7]) * height - y,
        label=int(row[2][-1]) - 1,
        group=group,
        attributes={"score": float(row[3]), **flags},
    )


def fields(made):
    """Name -> (type, value) of all fields but the origin."""
    values = {f.name: getattr(made, f.name) for f in attr.fields(type(made)) if f.name != "origin"}
    return {name: (type(value), value) for name, value in values.items()}


def assert_same(made, constructed):
    assert fields(made) == fields(constructed)
    assert list(made.attributes) == list(constructed.attributes)
    assert {k: type(v) for k, v in made.attributes.items()} == {
        k: type(v) for k, v in constructed.attributes.items()
    }
    assert made == constructed
    assert constructed == made


def test_boxes(items):
    found = [a for item in items.values() for a in item.annotations if isinstance(a, Bbox)]
    expected = [
        constructed_box(ROWS[0], 1, SIZES["0a"]),
        constructed_box(ROWS[1], 2, SIZES["0a"]),
        constructed_box(ROWS[3], 3, SIZES["0a"]),
        constructed_box(ROWS[2], 1, SIZES["small/b"]),
    ]
    assert len(found) == len(expected)
    for made, constructed in zip(found, expected, strict=True):
        assert_same(made, constructed)
        assert [type(value) for value in made.points] == [float] * 4


def test_labels(items):
    found = [a for item in items.values() for a in item.annotations if isinstance(a, Label)]
    expected = [Label(1, attributes={"score": 0.0}), Label(0, attributes={"score": 0.75})]
    assert len(found) == len(expected)
    for made, constructed in zip(found, expected, strict=True):
        assert_same(made, constructed)


def test_masks(items):
    found = [a for item in items.values() for a in item.annotations if isinstance(a, Mask)]
    one, two = found
    attributes = {"box_id": "00ab", "predicted_iou": 0.5}
    expected = [
        Mask(one._image, label=0, group=3, attributes=attributes),
        Mask(two._image, label=1, attributes={"box_id": ""}),
    ]
    for made, constructed in zip(found, expected, strict=True):
        assert fields(made) == fields(constructed)
        assert list(made.attributes) == list(constructed.attributes)
        assert [type(v) for v in made.attributes.values()] == [
            type(v) for v in constructed.attributes.values()
        ]


def test_objects_share_nothing(items):
    one, two = items["0a"].annotations[1:3]
    one_copy, two_copy = copy.deepcopy(one), copy.deepcopy(two)
    one.attributes["new"] = 1
    one.points[0] = -1.0
    assert fields(two) == fields(two_copy)
    one.attributes.pop("new")
    one.points[0] = one_copy.points[0]


@pytest.mark.parametrize("name", ["id", "subset", "media", "annotations", "attributes"])
def test_items(items, name):
    for item in items.values():
        constructed = DatasetItem(item.id, subset="train", annotations=list(item.annotations))
        made = getattr(item, name)
        assert made == getattr(constructed, name)
        assert item == constructed
        assert type(made) is type(getattr(constructed, name))


@pytest.mark.parametrize("size", [(3, 5), None])
@pytest.mark.parametrize("name", ["a.JPG", "a", ".jpg", "b.c/a.tar.gz"])
def test_pictures(tmp_path, name, size):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.zeros((3, 5, 3), np.uint8))[1].tobytes())
    made = image_from_file(str(path), size)
    constructed = _constructed_image(str(path), size)
    assert type(made) is type(constructed)
    one, two = vars(made).copy(), vars(constructed).copy()
    for values in (one, two):
        data = next(key for key in values if key.endswith("_data"))
        values[data] = vars(values[data])
    assert one == two
    assert list(one) == list(two)
    assert made == constructed
    assert made.size == constructed.size == (3, 5)
    assert pickle.loads(pickle.dumps(made)) == constructed


def test_items_validate_what_is_assigned(items):
    fields_of_item = {f.name: f for f in attr.fields(OriginItem)}
    assert set(fields_of_item) == {"origin", *(f.name for f in attr.fields(DatasetItem))}
    item = copy.copy(items["0a"])
    if fields_of_item["id"].on_setattr is not None:
        with pytest.raises(ValueError, match="must not contain"):
            item.id = "../up"


def test_names_that_need_validators_get_them():
    origin = ImageOrigin(None, 0, None, ("a/b", "train"), None)
    item = make_item("a\\b", "train", None, annotations_list(), origin)
    expected = DatasetItem("a\\b", subset="train").id
    assert item.id == expected
    assert item.origin is origin


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda made: made.wrap(group=made.group),
        lambda made: pickle.loads(pickle.dumps(made)),
    ],
    ids=["copy", "deepcopy", "wrap", "pickle"],
)
def test_the_origin_is_there_when_it_is_asked_for(items, copied):
    for made in items["0a"].annotations:
        before = made.origin
        assert type(before) is Origin
        after = copied(made)
        if not isinstance(made, Mask):  # which compare their pictures
            assert_same(after, made)
        assert after.origin.fields == before.fields
        assert after.origin.kind == before.kind
    rows = [box.origin.fields["XMin"] for box in items["0a"].annotations[1:4]]
    assert rows == [ROWS[0][4], ROWS[1][4], ROWS[3][4]]


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda made: made.wrap(attributes={}),
        lambda made: pickle.loads(pickle.dumps(made)),
    ],
    ids=["copy", "deepcopy", "wrap", "pickle"],
)
def test_the_origin_of_an_item_is_there_when_it_is_asked_for(items, copied):
    rotations = dict(line.split(",")[::2] for line in IMAGES.splitlines()[1:])
    for item in items.values():
        assert type(item) is OriginItem
        after = copied(item)
        assert (after.id, after.subset) == (item.id, item.subset)
        assert type(after) is OriginItem
        for origin in (after.origin, item.origin):
            assert type(origin) is ImageOrigin
            assert origin.key == (item.id, "train")
            assert origin.size == SIZES.get(item.id)
            assert origin.fields["Rotation"] == rotations[item.id]
        assert item.origin is item.origin


def test_an_origin_can_be_given_and_taken(items):
    origin = items["0a"].annotations[0].origin
    box = OriginBbox(1, 2, 3, 4, origin=origin)
    assert box.origin is origin
    assert copy.copy(box).origin is origin
    box.origin = None
    assert box.origin is None
    assert OriginBbox(1, 2, 3, 4).origin is None


def test_points_are_rounded_as_the_host_rounds(items):
    box = items["0a"].annotations[1]
    raw = np.array([0.1 * 517, 0.25 * 333, 0.3333333 * 517, 0.987654321 * 333])
    assert np.abs(np.array(box.points) - raw).max() < 0.006
    assert all(round(value, 2) == pytest.approx(value, abs=1e-4) for value in box.points)

"""What has no column of its own comes back through the column Extra, when that is asked for."""

from __future__ import annotations

import json

import numpy as np
import oi_files
import pytest
from datumaro.components.annotation import Bbox, Caption, Label, Mask, Points, Polygon
from rich_data import contents, rows
from shapes_data import SIZE, dataset_of, item_with, picture_in

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor


@pytest.fixture
def picture(tmp_path):
    return picture_in(tmp_path)


def there_and_back(annotations, picture, tmp_path, keep=True, taken=True):
    """The annotations of one item after an export and an import."""
    dataset_of(item_with(picture, *annotations)).export(
        str(tmp_path / "out"), OpenImagesExporter, keep_attributes=keep
    )
    extractor = OpenImagesExtractor(str(tmp_path / "out"), keep_attributes=taken)
    return next(iter(extractor)).annotations


def a_mask(**options):
    image = np.zeros(SIZE, bool)
    image[2:9, 3:12] = True
    return Mask(image, **options)


VALUES = {
    "colour": "red, \"dark\" 'ö'\n\ud800\0",
    "count": 3,
    "share": 0.1,
    "seen": True,
    "note": None,
    "": "",
    "source": "mine",
    "clicks": "many",
    "extra, column": "x",
    "extra_column": "y",
}


@pytest.mark.parametrize(
    "made",
    [
        lambda **options: Label(0, **options),
        lambda **options: Bbox(1, 2, 9, 8, label=0, **options),
        lambda **options: a_mask(label=0, **options),
        lambda **options: Polygon([1, 1, 12, 1, 12, 12], label=0, **options),
        lambda **options: Points([3, 4], label=0, **options),
    ],
    ids=["label", "box", "mask", "polygon", "point"],
)
@pytest.mark.parametrize("name", VALUES)
def test_an_attribute_without_a_column_comes_back(made, name, picture, tmp_path):
    value = VALUES[name]
    (found,) = there_and_back([made(attributes={name: value})], picture, tmp_path)
    assert found.attributes[name] == value
    assert type(found.attributes[name]) is type(value)


FIXED = [
    ("score", "0.50", 0.5),
    ("score", "", 1.0),
    ("score", "high", 1.0),
    ("truncated", "maybe", None),
    ("truncated", "True", True),
    ("occluded", 1, True),
    ("is_inside", np.bool_(True), True),
]


@pytest.mark.parametrize(("name", "value", "plain"), FIXED)
def test_a_value_that_its_column_changes_comes_back(name, value, plain, picture, tmp_path):
    box = Bbox(1, 2, 9, 8, label=0, attributes={name: value})
    (found,) = there_and_back([box], picture, tmp_path)
    assert found.attributes[name] == value
    (found,) = OpenImagesExtractor(str(tmp_path / "out")).get("a", "train").annotations
    assert found.attributes.get(name) == plain


@pytest.mark.parametrize(
    ("name", "value", "plain"),
    [
        ("box_id", "a/b", "00000000"),
        ("box_id", 7, "7"),
        ("box_id", "", "00000000"),
        ("predicted_iou", "0.50", 0.5),
        ("predicted_iou", "?", None),
    ],
)
def test_a_masks_value_that_its_column_changes_comes_back(name, value, plain, picture, tmp_path):
    (found,) = there_and_back([a_mask(label=0, attributes={name: value})], picture, tmp_path)
    assert found.attributes[name] == value
    (found,) = OpenImagesExtractor(str(tmp_path / "out")).get("a", "train").annotations
    assert found.attributes.get(name) == plain


@pytest.mark.parametrize(
    ("name", "value", "plain"),
    [
        ("estimated_yes_no", " Yes", "yes"),
        ("estimated_yes_no", "perhaps", None),
        ("estimated_yes_no", True, None),
        ("yes_votes", "3", 3),
        ("no_votes", -1, None),
        ("unsure_votes", 2.5, None),
        ("text_label", 7, "7"),
        ("text_label", "", None),
    ],
)
def test_a_points_value_that_its_column_changes_comes_back(name, value, plain, picture, tmp_path):
    point = Points([3, 4], label=0, attributes={name: value})
    (found,) = there_and_back([point], picture, tmp_path)
    assert found.attributes == {name: value}
    assert type(found.attributes[name]) is type(value)
    (found,) = OpenImagesExtractor(str(tmp_path / "out")).get("a", "train").annotations
    assert found.attributes.get(name) == plain


def test_a_points_column_that_was_changed_since_wins(picture, tmp_path):
    attributes = {"estimated_yes_no": " Yes", "yes_votes": "3", "colour": "red"}
    there_and_back([Points([3, 4], label=0, attributes=attributes)], picture, tmp_path)
    path = tmp_path / "out/annotations/train-annotations-point-labels.csv"
    text = path.read_text()
    path.write_text(text.replace(",yes,,3,", ",no,,4,"))
    assert path.read_text() != text
    (item,) = OpenImagesExtractor(str(tmp_path / "out"), keep_attributes=True)
    (found,) = item.annotations
    assert found.attributes == {"estimated_yes_no": "no", "yes_votes": 4, "colour": "red"}


def test_values_that_come_back_by_themselves_need_no_column(picture, tmp_path):
    flags = {"truncated": True, "occluded": False}
    box = Bbox(1, 2, 9, 8, label=0, group=4, attributes={"score": 0.25, "rotation": 0.0, **flags})
    mask = a_mask(label=0, attributes={"box_id": "ab", "predicted_iou": 0.5})
    votes = {"estimated_yes_no": "no", "yes_votes": 2, "no_votes": np.int64(3), "text_label": "x"}
    point = Points([3, 4], label=0, attributes=votes)
    there_and_back([box, mask, Label(0, attributes={"score": 0}), point], picture, tmp_path)
    for kind in ("bbox", "human-imagelabels", "object-segmentation", "point-labels", "image"):
        (row,) = rows(tmp_path / "out", kind)
        assert "Extra" not in row


@pytest.mark.parametrize(
    "rotation", [360, -720.0, "left", pytest.param(10**400, id="huge"), "", None]
)
def test_boxes_whose_rotation_turns_nothing_stay_boxes(rotation, picture, tmp_path):
    attributes = {"is_group_of": True, "score": 1, "rotation": rotation, "colour": "red"}
    box = Bbox(1, 2, 9, 8, label=0, attributes=attributes)
    (found,) = there_and_back([box], picture, tmp_path)
    assert isinstance(found, Bbox) and found.attributes == attributes


def test_groups_and_layers_come_back(picture, tmp_path):
    annotations = [
        Label(0, group=7),
        Bbox(1, 2, 9, 8, label=0, group=7),
        Bbox(1, 2, 9, 8, label=0, group=3),
        Bbox(1, 2, 9, 8, label=1, group=3, z_order=-2),
        Bbox(4, 2, 9, 8, label=1, group=1),
        a_mask(label=0, group=0, z_order=5),
        a_mask(label=1, group=3),
    ]
    found = there_and_back(annotations, picture, tmp_path)
    tag, in_first, second, third, alone, mask, in_second = found
    assert tag.group == in_first.group != 0
    assert second.group == third.group == in_second.group != 0
    assert len({tag.group, second.group, alone.group, mask.group}) == 4
    assert (third.z_order, mask.z_order, second.z_order) == (-2, 5, 0)


def test_what_was_taken_is_written_as_it_was(picture, tmp_path):
    annotations = [
        Bbox(1, 2, 9, 8, label=0, group=7, attributes={"colour": "red", "score": "0.50"}),
        a_mask(label=0, group=7, attributes={"colour": "blue"}),
        Label(1, attributes={"a": 1}),
    ]
    there_and_back(annotations, picture, tmp_path)
    first = tmp_path / "out"
    again = [OpenImagesExtractor(str(first), keep_attributes=True)]
    from datumaro.components.dataset import Dataset

    Dataset.from_extractors(*again).export(
        str(tmp_path / "again"), OpenImagesExporter, keep_attributes=True
    )
    for kind in ("bbox", "human-imagelabels", "object-segmentation"):
        assert contents(tmp_path / "again", kind) == contents(first, kind)


def test_a_changed_or_removed_attribute_is_written_so(picture, tmp_path):
    box = Bbox(1, 2, 9, 8, label=0, attributes={"colour": "red"})
    there_and_back([box, Bbox(3, 2, 9, 8, label=0, attributes={"b": 1})], picture, tmp_path)
    (item,) = list(OpenImagesExtractor(str(tmp_path / "out"), keep_attributes=True))
    item.annotations[0].attributes["colour"] = "blue"
    del item.annotations[1].attributes["b"]
    dataset_of(item).export(str(tmp_path / "again"), OpenImagesExporter, keep_attributes=True)
    first, second = rows(tmp_path / "again", "bbox")
    assert json.loads(first["Extra"]) == {"attributes": {"colour": "blue"}}
    assert second["Extra"] == ""


def test_a_column_that_was_changed_since_wins(picture, tmp_path):
    box = Bbox(1, 2, 9, 8, label=0, attributes={"score": "0.50", "truncated": "maybe"})
    there_and_back([box], picture, tmp_path)
    path = tmp_path / "out/annotations/train-annotations-bbox.csv"
    text = path.read_text()
    path.write_text(text.replace(",0.50,", ",0.75,").replace("-1,-1,-1,-1,-1", "-1,1,-1,-1,-1"))
    assert path.read_text() != text
    (found,) = (
        OpenImagesExtractor(str(tmp_path / "out"), keep_attributes=True)
        .get("a", "train")
        .annotations
    )
    assert found.attributes == {"score": 0.75, "truncated": True}


def test_a_column_that_is_shown_on_request_and_was_changed_since_wins(picture, tmp_path):
    box = Bbox(1, 2, 9, 8, label=0, attributes={"source": "xclick", "colour": "red"})
    there_and_back([box], picture, tmp_path)
    path = tmp_path / "out/annotations/train-annotations-bbox.csv"
    path.write_bytes(path.read_bytes().replace(b",xclick,", b",mine,"))
    for shown in ({}, {"show_columns": True}):
        (item,) = OpenImagesExtractor(str(tmp_path / "out"), keep_attributes=True, **shown)
        (found,) = item.annotations
        assert found.attributes.get("source") == ("mine" if shown else None)
        assert found.attributes["colour"] == "red"


@pytest.mark.parametrize("shown", [False, True])
def test_what_an_import_does_not_take_back_is_still_kept(shown, picture, tmp_path):
    box = Bbox(
        1, 2, 9, 8, label=0, group=4, z_order=2, attributes={"track": 7, "score": "0.50", "x": 1}
    )
    label = Label(0, group=4, attributes={"colour": "red", "score": "0.70"})
    there_and_back([label, box], picture, tmp_path)
    (item,) = OpenImagesExtractor(str(tmp_path / "out"), show_columns=shown)
    item.annotations[0].attributes["score"] = 0.9
    item.annotations[1].attributes["x"] = 2
    (label, box) = there_and_back(item.annotations, picture, tmp_path)
    assert label.attributes == {"colour": "red", "score": 0.9}
    assert box.attributes == {"track": 7, "score": "0.50", "x": 2}
    assert box.group == label.group > 0 and box.z_order == 2


def test_a_column_of_this_name_of_another_tool_stays(picture, tmp_path):
    there_and_back([Label(0)], picture, tmp_path, keep=False)
    path = tmp_path / "out/annotations/train-annotations-human-imagelabels.csv"
    head, row = path.read_text().splitlines()
    path.write_text(f"{head},Extra\n{row},theirs\n")
    (item,) = OpenImagesExtractor(str(tmp_path / "out"))
    OpenImagesExporter.convert(
        dataset_of(item), str(tmp_path / "again"), keep_attributes=True, save_media=True
    )
    found = tmp_path / "again/annotations/train-annotations-human-imagelabels.csv"
    assert found.read_text() == f"{head},Extra\n{row},theirs\n"


def test_without_being_asked_for_nothing_changes(picture, tmp_path):
    box = Bbox(1, 2, 9, 8, label=0, z_order=3, attributes={"colour": "red"})
    (found,) = there_and_back([box], picture, tmp_path, taken=False)
    assert found.attributes == {"score": 1.0} and found.z_order == 0
    (found,) = there_and_back([box], picture, tmp_path / "b", keep=False)
    assert found.attributes == {"score": 1.0}
    assert "Extra" not in next(rows(tmp_path / "b/out", "bbox"))


def test_what_json_cannot_hold_is_counted(picture, tmp_path, caplog):
    attributes = {"a": float("nan"), "b": [1], "c": 1}
    (found,) = there_and_back([Label(0, attributes=attributes)], picture, tmp_path)
    assert found.attributes == {"score": 1.0, "c": 1}
    assert "'a' attributes of label annotations: 1 not written" in caplog.text
    assert "'b' attributes of label annotations: 1 not written" in caplog.text


@pytest.mark.parametrize(
    "made",
    [
        lambda **options: Label(0, **options),
        lambda **options: Bbox(1, 2, 9, 8, label=0, **options),
        lambda **options: a_mask(label=0, **options),
    ],
)
@pytest.mark.parametrize("name", ["a", "rotation", "source", "extra_column"])
def test_arrays_are_counted_whatever_they_are_called(name, made, picture, tmp_path, caplog):
    attributes = {name: np.array([1, 2]), "c": 1}
    (found,) = there_and_back([made(attributes=attributes)], picture, tmp_path)
    assert found.attributes["c"] == 1 and name not in found.attributes
    if name in ("a", "rotation"):
        assert f"'{name}' attributes of " in caplog.text


@pytest.mark.parametrize("name", ["source", "clicks"])
@pytest.mark.parametrize("value", ["\ud800", "a\0b"], ids=ascii)
def test_texts_that_no_row_holds_are_kept(name, value, picture, tmp_path):
    found = [Label(0), Bbox(1, 2, 9, 8, label=0), a_mask(label=0), Points([3, 4], label=0)]
    found = [annotation.wrap(attributes={name: value}) for annotation in found]
    for number in range(2):
        found = there_and_back(found, picture, tmp_path / str(number))
        assert [annotation.attributes[name] for annotation in found] == [value] * 4


def test_captions_keep_the_keys_that_their_loader_knows(picture, tmp_path, caplog):
    there_and_back([Caption("a cat", attributes={"mood": "calm"})], picture, tmp_path)
    assert "'mood' attributes of captions: 1 not written" in caplog.text


def test_boxes_of_people_keep_their_own_columns(picture, tmp_path):
    attributes = {"gender_presentation": "Unknown", "colour": "red"}
    (row,) = [Bbox(1, 2, 9, 8, label=0, attributes=attributes)]
    dataset_of(item_with(picture, row)).export(
        str(tmp_path / "out"), OpenImagesExporter, keep_attributes=True
    )
    (found,) = (
        OpenImagesExtractor(str(tmp_path / "out"), kinds=["people"]).get("a", "train").annotations
    )
    assert found.attributes["gender_presentation"] == "Unknown"


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "3",
        "[]",
        '{"other": 1}',
        '{"attributes": 1}',
        '{"attributes": {"a": {}}}',
        '{"attributes": {"a": NaN}}',
        '{"attributes": {"a": 1e999}}',
        '{"group": -1}',
        '{"group": true}',
        '{"group": 99999999999}',
        '{"z_order": 1.5}',
        "[" * 50_000,
    ],
)
def test_a_damaged_field_is_an_error_with_its_address(text, tmp_path):
    quoted = '"' + text.replace('"', '""') + '"'
    files = oi_files.base_files()
    name = "annotations/train-annotations-human-imagelabels.csv"
    first, second, *_ = files[name].splitlines()
    files[name] = f"{first},Extra\n{second},\nb,,/m/1,1,{quoted}\n"
    oi_files.write(tmp_path, files)
    with pytest.raises(FormatError, match=r"imagelabels.csv, row 2, column Extra, image 'b': "):
        list(OpenImagesExtractor(str(tmp_path), keep_attributes=True))
    assert len(list(OpenImagesExtractor(str(tmp_path)))) == 3

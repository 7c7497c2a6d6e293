"""What items have without a column comes back through the column Extra of image lists."""

from __future__ import annotations

import json

import numpy as np
import oi_files
import pytest
from datumaro.components.annotation import Bbox, Label
from datumaro.components.dataset import Dataset
from rich_data import contents, rows
from shapes_data import dataset_of, item_with, picture_in
from test_extra_column import VALUES

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor


@pytest.fixture
def picture(tmp_path):
    return picture_in(tmp_path)


def export(dataset, path, **options):
    dataset.export(str(path), OpenImagesExporter, **{"keep_attributes": True, **options})
    return path


def an_item(picture, *annotations, **attributes):
    return item_with(picture, *annotations).wrap(attributes=attributes)


def read(path, **options):
    (item,) = OpenImagesExtractor(str(path), **{"keep_attributes": True, **options})
    return item


def extra(path) -> str:
    (row,) = rows(path, "image")
    return row["Extra"]


@pytest.mark.parametrize("annotations", [(), (Label(0),)], ids=["bare", "annotated"])
@pytest.mark.parametrize("name", [*VALUES, "license", "rotation", "score"])
def test_an_attribute_comes_back(name, annotations, picture, tmp_path):
    value = VALUES.get(name, 90)
    item = read(export(dataset_of(an_item(picture, *annotations, **{name: value})), tmp_path / "o"))
    assert item.attributes == {name: value}
    assert type(item.attributes[name]) is type(value)


@pytest.mark.parametrize("more", [{}, {"frame": 3}])
@pytest.mark.parametrize("value", ["cc-by", "", "\ud800", "a\0b"], ids=ascii)
def test_a_column_of_its_own_takes_nothing_back(value, more, picture, tmp_path):
    made, wanted = dataset_of(an_item(picture, license=value, **more)), {"license": value, **more}
    for number in range(3):
        item = read(export(made, tmp_path / str(number)))
        assert item.attributes == wanted
        made = dataset_of(item)


def test_only_when_it_is_asked_for(picture, tmp_path, caplog):
    made = dataset_of(an_item(picture, frame=3))
    out = export(made, tmp_path / "o")
    assert read(out, keep_attributes=False).attributes == {}
    assert "not written" not in caplog.text
    out = export(made, tmp_path / "p", keep_attributes=False)
    assert "'frame' attributes of items: 1 not written" in caplog.text
    assert "Extra" not in next(rows(out, "image"))


def test_items_without_need_have_no_column(picture, tmp_path):
    out = export(dataset_of(an_item(picture, Label(0))), tmp_path / "o")
    assert "Extra" not in next(rows(out, "image"))


def test_what_json_cannot_hold_is_counted(picture, tmp_path, caplog):
    made = dataset_of(an_item(picture, a=[1], b=float("inf"), c=1))
    assert read(export(made, tmp_path / "o")).attributes == {"c": 1}
    for name in "ab":
        assert f"'{name}' attributes of items: 1 not written" in caplog.text


def test_an_array_may_be_called_like_a_column(picture, tmp_path):
    made = dataset_of(an_item(picture, license=np.array([1, 2]), c=1))
    out = export(made, tmp_path / "o")
    assert read(out).attributes == {"c": 1}
    assert next(rows(out, "image"))["License"] == "[1 2]"


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("taken", [False, True])
def test_what_was_read_is_written_as_it_was(taken, keep, picture, tmp_path):
    out = export(dataset_of(an_item(picture, Label(0), frame=3, day="1")), tmp_path / "o")
    again = Dataset.from_extractors(OpenImagesExtractor(str(out), keep_attributes=taken))
    export(again, tmp_path / "again", keep_attributes=keep)
    assert contents(tmp_path / "again", "image") == contents(out, "image")


def test_a_changed_or_removed_attribute_is_written_so(picture, tmp_path):
    out = export(dataset_of(an_item(picture, frame=3, day="1")), tmp_path / "o")
    item = read(out)
    item.attributes.update(frame=4, more=None)
    del item.attributes["day"]
    export(dataset_of(item), tmp_path / "p")
    assert json.loads(extra(tmp_path / "p")) == {"attributes": {"frame": 4, "more": None}}
    item.attributes.clear()
    export(dataset_of(item), tmp_path / "q")
    assert extra(tmp_path / "q") == ""


@pytest.mark.parametrize("shown", [False, True])
def test_what_an_import_does_not_take_back_is_still_kept(shown, picture, tmp_path):
    out = export(dataset_of(an_item(picture, Label(0), frame=3, day="1")), tmp_path / "o")
    item = read(out, keep_attributes=False, show_columns=shown)
    assert ("extra_column" in item.attributes) == shown
    item.attributes["day"] = "2"
    assert read(export(dataset_of(item), tmp_path / "p")).attributes == {"frame": 3, "day": "2"}


def test_columns_that_are_shown_do_not_go_there_too(tmp_path):
    oi_files.base(tmp_path)
    path = tmp_path / "annotations/test-images-with-rotation.csv"
    path.write_text(path.read_text().replace("c,test,,,,,,", "c,test,http://u,,CC BY,,Ann,"))
    shown = OpenImagesExtractor(str(tmp_path), show_columns=True).get("c", "test")
    assert shown.attributes == {"original_url": "http://u", "license": "CC BY", "author": "Ann"}
    shown.attributes["author"] = "Bo"
    out = export(dataset_of(shown), tmp_path / "o")
    (row,) = rows(out, "image")
    assert (row["License"], row["Author"]) == ("CC BY", "Bo")
    assert json.loads(row["Extra"]) == {"attributes": {"author": "Bo"}}
    path = next((out / "annotations").glob("*image_ids*"))
    path.write_text(path.read_text().replace(",Bo,", ",Cy,"))
    assert read(out).attributes == {}
    assert read(out, show_columns=True).attributes["author"] == "Cy"


def test_relationships_have_files_of_their_own(picture, tmp_path):
    boxes = [Bbox(1, 2, 9, 8, label=0, id=1), Bbox(3, 2, 9, 8, label=1, id=2)]
    made = an_item(picture, *boxes, relationships=[[1, "at", 2]], frame=3)
    item = read(export(dataset_of(made), tmp_path / "o"))
    assert item.attributes == {"relationships": [[1, "at", 2]], "frame": 3}
    assert "relationships" not in extra(tmp_path / "o")


def test_a_damaged_field_is_an_error_with_its_address(tmp_path):
    files = oi_files.base_files()
    name = "annotations/train-images-with-rotation.csv"
    files[name] = "ImageID,Subset,Extra\na,train,\nb,train,theirs\n"
    oi_files.write(tmp_path, files)
    with pytest.raises(FormatError, match=r"row 2, column Extra, image 'b': is no JSON"):
        list(OpenImagesExtractor(str(tmp_path), keep_attributes=True))
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(tmp_path)))
    assert len(dataset) == 3
    out = export(dataset, tmp_path / "o")
    assert [row.get("Extra") for row in rows(out, "image")] == [None, "", "theirs"]

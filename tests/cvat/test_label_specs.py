"""Labels that a dataset fits into: made from it, and held against those of a task."""

from __future__ import annotations

import json

import oi_files
import pytest

from datumaro_openimages_plugin.cli import main
from datumaro_openimages_plugin.cvat import labels as cvat_labels
from datumaro_openimages_plugin.cvat import specs as cvat_specs
from datumaro_openimages_plugin.errors import FormatError

FLAGS = ("occluded", "truncated", "is_group_of", "is_depiction", "is_inside")


@pytest.fixture
def dataset(tmp_path):
    """Class 1 has a tag, boxes and a mask, class 2 a box of unknown flags, 0 and 4 one tag each."""
    oi_files.base(tmp_path / "in")
    return str(tmp_path / "in")


def made(dataset, **options):
    specs = cvat_labels.label_specs(cvat_labels.usage_of(dataset), **options)
    return {label["name"]: label for label in cvat_specs.specs_to_json(specs)}


def input_types(label):
    return {a["name"]: a["input_type"] for a in label["attributes"]}


def problems(dataset, labels):
    specs = cvat_specs.specs_from_json(json.dumps(labels).encode(), file="labels.json")
    return list(map(str, cvat_labels.check_labels(cvat_labels.usage_of(dataset), specs)))


# Made


def test_labels_have_what_their_annotations_need(dataset):
    labels = made(dataset)
    assert list(labels) == ["/m/0", "/m/1", "/m/2", "/m/4"]
    assert {name: label["type"] for name, label in labels.items()} == {
        "/m/0": "tag", "/m/1": "any", "/m/2": "rectangle", "/m/4": "tag"
    }  # fmt: skip
    flags = dict.fromkeys(FLAGS, "checkbox")
    assert input_types(labels["/m/0"]) == {"score": "number"}
    assert input_types(labels["/m/2"]) == {"score": "number", **flags}
    assert input_types(labels["/m/1"]) == {
        "score": "number", **flags, "box_id": "text", "predicted_iou": "text"
    }  # fmt: skip
    for label in labels.values():
        for attribute in label["attributes"]:
            assert set(attribute) == {
                "name", "input_type", "mutable", "values", "default_value"
            }  # fmt: skip
            if attribute["input_type"] == "number":
                low, high, _ = map(float, attribute["values"])
                assert low <= float(attribute["default_value"]) <= high


def test_labels_of_all_classes_by_their_display_names(dataset):
    labels = made(dataset, display=True, every=True)
    assert list(labels) == ["Zero", "One, first", "Two", "Three", "Four"]
    assert labels["Three"]["type"] == "any"
    assert set(input_types(labels["Three"])) == {*FLAGS, "score", "box_id", "predicted_iou"}


def test_a_display_name_of_several_classes_gets_the_id(tmp_path):
    files = oi_files.base_files()
    files["annotations/class-descriptions.csv"] = "/m/0,Ball\n/m/1,Ball\n/m/2,Two\n/m/4,Four\n"
    oi_files.write(tmp_path, files)
    assert list(made(str(tmp_path), display=True))[:2] == ["Ball (/m/0)", "Ball (/m/1)"]


# Checked


@pytest.mark.parametrize("display", [False, True])
@pytest.mark.parametrize("every", [False, True])
def test_labels_that_were_made_fit(dataset, display, every):
    assert problems(dataset, list(made(dataset, display=display, every=every).values())) == []


def test_a_missing_label_is_named_with_what_it_costs(dataset):
    labels = made(dataset)
    del labels["/m/1"]
    (problem,) = problems(dataset, list(labels.values()))
    assert "'/m/1'" in problem and "One, first" in problem
    assert "1 tags, 2 rectangles, 1 masks" in problem and "refuse" in problem


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("truncated", "2 values of its rectangles would be lost"),
        ("is_group_of", "1 values"),
        ("predicted_iou", "1 values of its masks"),
        ("score", "1 values of its tags would be lost, and 1 tags of absent classes left out"),
    ],
)
def test_a_missing_attribute_is_named_with_what_it_costs(dataset, name, lost):
    labels = made(dataset)
    attributes = labels["/m/1"]["attributes"]
    labels["/m/1"]["attributes"] = [a for a in attributes if a["name"] != name]
    (problem,) = problems(dataset, list(labels.values()))
    assert f"label '/m/1', attribute {name!r}: is missing" in problem and lost in problem


@pytest.mark.parametrize(
    ("name", "input_type", "kinds"),
    [
        ("score", "checkbox", 2),
        ("occluded", "text", 1),
        ("occluded", "number", 1),
        ("box_id", "number", 1),
        ("predicted_iou", "checkbox", 1),
        ("truncated", "select", 1),
    ],
)
def test_an_attribute_of_the_wrong_type_is_named(dataset, name, input_type, kinds):
    labels = made(dataset)
    for attribute in labels["/m/1"]["attributes"]:
        if attribute["name"] == name:
            attribute["input_type"] = input_type
    found = problems(dataset, list(labels.values()))
    assert len(found) == kinds
    for problem in found:
        assert f"label '/m/1', attribute {name!r}: is a {input_type}" in problem
        assert ("refuse the whole import" in problem) is (input_type == "checkbox")


def test_scores_may_be_texts(dataset):
    labels = made(dataset)
    for label in labels.values():
        for attribute in label["attributes"]:
            if attribute["name"] == "score":
                attribute["input_type"] = "text"
    assert problems(dataset, list(labels.values())) == []


def test_a_label_of_the_wrong_kind_is_named(dataset):
    labels = made(dataset)
    labels["/m/1"]["type"] = "polygon"
    found = problems(dataset, list(labels.values()))
    assert len(found) == 2  # masks may be polygons
    assert "holds no tags" in found[0] and "holds no rectangles; 2" in found[1]


# Files


XML = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>t</name><labels>
<label><name>/m/1</name><color>#fff</color><type>any</type><attributes>
<attribute><name>score</name><mutable>False</mutable><input_type>number</input_type>
<default_value>1</default_value><values>0
1
0.1</values></attribute>
<attribute><name>truncated</name><mutable>True</mutable><input_type>checkbox</input_type>
<default_value>false</default_value><values></values></attribute>
</attributes></label>
<label><name>part</name><parent>figure</parent><attributes></attributes></label>
<label><name>plain</name><attributes></attributes></label>
</labels></task></meta></annotations>
"""


def test_labels_are_read_from_xml():
    specs = cvat_specs.specs_from_file(XML.encode(), file="a.xml")
    assert list(specs) == ["/m/1", "plain"]
    assert specs["/m/1"].attributes["score"] == cvat_specs.AttributeSpec(
        "score", "number", ("0", "1", "0.1"), "1"
    )
    assert specs["/m/1"].attributes["truncated"].mutable is True
    assert specs["plain"] == cvat_specs.LabelSpec("plain", "any", {})


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE annotations [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE annotations [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE annotations SYSTEM "http://127.0.0.1/x.dtd">',
    ],
)
def test_xml_with_entities_is_refused(doctype):
    evil = XML.replace("<annotations>", doctype + "<annotations>").replace("plain", "&b;")
    with pytest.raises(FormatError, match=r"a.xml: has a document type or entities"):
        cvat_specs.specs_from_file(evil.encode(), file="a.xml")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<annotations><meta><task/></meta></annotations>", "has no labels"),
        (b"<html/>", "has no labels"),
        (b"<annotations>", "is no XML"),
        (b"\xff{", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"3", "is no list of labels"),
        (b'{"a": 1}', "is no list of labels"),
        (b"[3]", "a label has no name"),
        (b'[{"name": ""}]', "a label has no name"),
        (b'[{"name": "a"}, {"name": "a"}]', "two labels have one name"),
        (b'[{"name": "a", "attributes": {"b": 1}}]', "attributes are no list"),
        (b'[{"name": "a", "attributes": [1]}]', "an attribute of label 'a' has no name"),
        (b'[{"name": "a", "attributes": [{"name": "b"}]}]', "'b' of label 'a' has no input_type"),
    ],
)
def test_what_is_no_list_of_labels_is_refused(data, message):
    with pytest.raises(FormatError, match=f"^f: .*{message}"):
        cvat_specs.specs_from_file(data, file="f")


def test_labels_of_the_api_and_with_a_byte_order_mark_are_read():
    labels = b'\xef\xbb\xbf{"results": [{"name": "a"}], "count": 1}'
    assert list(cvat_specs.specs_from_file(labels, file="f")) == ["a"]


# The command


def test_the_command_makes_labels_and_checks_them(dataset, tmp_path, capsys):
    assert main(["labels", dataset, "--names", "display", "--all"]) == 0
    text = capsys.readouterr().out
    assert [label["name"] for label in json.loads(text)][1] == "One, first"
    path = tmp_path / "labels.json"
    path.write_text(text)
    assert main(["labels", dataset, "--check", str(path)]) == 0
    assert capsys.readouterr().out == ""
    path.write_text(json.dumps(json.loads(text)[1:]))
    assert main(["labels", dataset, "--check", str(path)]) == 1
    assert "label '/m/0': is missing (Zero)" in capsys.readouterr().out


def test_the_command_says_once_that_there_are_several_lists(dataset, tmp_path, caplog):
    lists = tmp_path / "in/annotations/class-descriptions-boxable.csv"
    lists.write_text(oi_files.CLASSES)
    caplog.set_level("INFO")
    assert main(["labels", dataset]) == 0
    assert caplog.text.count("several lists of classes") == 1


def test_the_command_checks_xml(dataset, tmp_path, capsys):
    path = tmp_path / "annotations.xml"
    path.write_text(XML)
    assert main(["labels", dataset, "--check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "label '/m/1', attribute 'occluded': is missing" in out
    path.write_text("nothing")
    assert main(["labels", dataset, "--check", str(path)]) == 2
    assert "is no JSON" in capsys.readouterr().err

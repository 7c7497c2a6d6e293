"""Values that CVAT's import takes for fields of its own, and values that its tables do not take."""

from __future__ import annotations

import json

import numpy as np
import oi_files
import pytest
from cvat_tasks import answer, packed, texts, there_and_back

from datumaro_openimages_plugin.cvat.specs import AttributeSpec
from datumaro_openimages_plugin.cvat.values import _Attributes, fitted, is_storable

BOX = "a,xclick,/m/1,1,0.1,0.5,0.2,0.6,1,0,-1,0,1"


def labels_with(b, *attributes, name="cat"):
    return [{"name": name, "type": "any", "attributes": [b.attribute(*a) for a in attributes]}]


def one_of_each(b, attributes):
    return [
        b.record("tag", "cat", 0, attributes),
        b.record("mask", "cat", 0, attributes, points=(np.ones((3, 3), bool), 1, 1)),
        b.record("rectangle", "cat", 0, attributes, points=[1, 2, 9, 8]),
    ]


def test_no_number_is_too_large_to_be_refused():
    huge = 10**400
    with pytest.raises(ValueError, match="is no number"):
        fitted(huge, AttributeSpec("n", "number"))
    assert _Attributes({"score": huge}).pop("score", 1) == 1


@pytest.mark.parametrize("name", ["source", "track_id", "keyframe", "outside", "rotation"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "manual"),
        ("text", "left"),
        ("number", "7"),
        ("number", "400"),
        ("checkbox", "true"),
    ],
)
def test_attributes_called_like_cvats_own_stay(ours, make_task, tmp_path, name, kind, value):
    b = ours.bindings
    records = one_of_each(b, {name: value})
    if name == "rotation":
        del records[-1]  # there it is the rectangle's own
    default = {"number": "0", "checkbox": "false"}.get(kind, "")
    task = make_task(*records, labels=labels_with(b, (name, kind, [], default)))
    found = there_and_back(ours, task, tmp_path)
    wanted = float(value) if kind == "number" else value
    assert [texts(task, record)[name] for record in found] == [wanted] * len(records)
    assert {record["rotation"] for record in found} == {0.0}


def test_of_tracks_the_numbers_are_cvats(ours, make_task, tmp_path):
    b = ours.bindings
    names = [("track_id", "text"), ("keyframe", "checkbox", [], "false")]
    box = b.record("rectangle", "cat", 0, {"track_id": "x"}, points=[1, 2, 9, 8], track=3)
    task = make_task(box, labels=labels_with(b, *names))
    (found,) = there_and_back(ours, task, tmp_path)
    assert found["attributes"] == {}


@pytest.mark.parametrize("score", ["0", "0.25", "1", "high", "", "7", "nan"])
def test_scores_stay_where_cvat_has_scores_of_its_own(
    ours, make_task, tmp_path, monkeypatch, score
):
    b = ours.bindings
    monkeypatch.setattr(b, "NEWER", True)
    task = make_task(*one_of_each(b, {"score": score}), labels=labels_with(b, ("score", "text")))
    found = there_and_back(ours, task, tmp_path)
    assert [record["attributes"].get("score", "") for record in found] == [score] * 3


BAD_TEXTS = {"long": "x" * 4097, "null": "a\0b", "lone": "a\ud800b"}


@pytest.mark.parametrize("text", BAD_TEXTS.values(), ids=list(BAD_TEXTS))
@pytest.mark.parametrize("known", [True, False], ids=["known", "created"])
def test_a_text_that_the_tables_do_not_take_is_named(ours, make_task, tmp_path, text, known):
    b = ours.bindings
    extra = json.dumps({"attributes": {"colour": text}}).replace('"', '""')
    files = {
        "annotations/class-descriptions.csv": oi_files.CLASSES,
        "annotations/train-annotations-bbox.csv": oi_files.BOX_HEADER.replace("\n", ",Extra\n")
        + f'{BOX},"{extra}"\n',
    }
    attributes = [("colour", "text")] if known else []
    task = make_task(labels=labels_with(b, *attributes, name="/m/1"))
    task.soft_attribute_import = not known
    status, message = answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path)
    assert status == 400 and task.records == []
    assert "label '/m/1', attribute 'colour', which is a text: " in message


def test_what_is_storable():
    assert is_storable("x" * 4096) and is_storable("größe\n") and is_storable(1.5)
    assert not any(map(is_storable, BAD_TEXTS.values()))
    assert not is_storable("abc", 2)


def test_a_list_takes_only_what_it_offers():
    spec = AttributeSpec("n", "select", ("1", "true"))
    assert [fitted(value, spec) for value in (1.0, True, "true")] == ["1", "true", "true"]
    with pytest.raises(ValueError, match="is no select"):
        fitted("2", spec)

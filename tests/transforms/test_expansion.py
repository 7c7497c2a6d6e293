"""What follows from a label, held against walks over the nested file itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from datumaro.components.annotation import Bbox, Label, LabelCategories

from datumaro_openimages_plugin.annotations.objects import OriginBbox, OriginLabel, copied
from datumaro_openimages_plugin.annotations.origin import ImportedFrom, Origin
from datumaro_openimages_plugin.classes.classes import ClassList
from datumaro_openimages_plugin.classes.hierarchy import hierarchy_from_json
from datumaro_openimages_plugin.transforms.expand import expanded
from datumaro_openimages_plugin.transforms.expansion import Expansion, TreeExpansion

ASSET = (
    Path(__file__).parents[2] / "assets/open_images_v7/annotations/bbox_labels_600_hierarchy.json"
)

#: C stands twice below A, once under B, which itself stands twice; P is a part.
TREE = {
    "LabelName": "root",
    "Subcategory": [
        {
            "LabelName": "A",
            "Subcategory": [
                {"LabelName": "B", "Subcategory": [{"LabelName": "C"}]},
                {"LabelName": "C", "Part": [{"LabelName": "P"}]},
            ],
        },
        {
            "LabelName": "D",
            "Subcategory": [{"LabelName": "B", "Subcategory": [{"LabelName": "C"}]}],
            "Part": [{"LabelName": "P", "Subcategory": [{"LabelName": "Q"}]}],
        },
        {"LabelName": "P"},
    ],
}


def tree(value=TREE, **options):
    return TreeExpansion(hierarchy_from_json(json.dumps(value).encode(), file="h"), **options)


def walked(value):
    """(ancestors, descendants) of every label as counters, by recursion over the file."""
    above, below = {}, {}

    def walk(node, path):
        above.setdefault(node["LabelName"], {}).update(path)
        found = [
            child
            for part in node.get("Subcategory", [])
            for child in walk(part, {**path, id(node): node["LabelName"]})
        ]
        below.setdefault(node["LabelName"], Counter()).update(name for name in found)
        return [node["LabelName"], *found]

    walk(value, {})
    return {name: Counter(path.values()) for name, path in above.items()}, below


@pytest.mark.parametrize("value", [TREE, json.loads(ASSET.read_text())], ids=["small", "asset"])
def test_every_label_of_a_tree(value):
    above, below = walked(value)
    root = value["LabelName"]
    repeated, single = tree(value, repeats=True), tree(value)
    for name in above:
        expected = above[name] - Counter({root: 99})
        assert Counter(repeated.above(name)) == expected, name
        assert Counter(repeated.below(name)) == below[name], name
        assert Counter(single.above(name)) == Counter(set(expected)), name
        assert Counter(single.below(name)) == Counter(set(below[name])), name


def test_repeats_by_hand():
    assert sorted(tree(repeats=True).above("C")) == ["A", "B", "B", "D"]
    assert sorted(tree().above("C")) == ["A", "B", "D"]
    assert tree().above("C")[0] in ("A", "B")  # nearest first
    assert tree().below("D") == ("B", "C")


def test_parts_and_the_root_are_not_followed():
    assert tree().above("P") == ()
    assert tree().below("root") == ("A", "D", "P", "B", "C")
    assert "Q" not in tree() and tree().above("Q") == ()
    assert tree().above("unknown") == ()


CATEGORIES = LabelCategories.from_iterable(
    [("A", ""), ("B", "A"), ("C", "B"), ("D", ""), ("E", "D")]
)


def imported(shown=None):
    hierarchy = hierarchy_from_json(json.dumps(TREE).encode(), file="h")
    return ImportedFrom(ClassList(("A",), {}, hierarchy), "", shown or {})


def test_parents_stand_in_where_there_is_no_hierarchy():
    expansion = Expansion(CATEGORIES, None)
    assert expansion.above(2) == (1, 0)
    assert expansion.below(0) == (1, 2)
    assert Expansion(LabelCategories.from_iterable(["A"]), None).is_empty


def test_the_hierarchy_counts_and_parents_only_for_labels_outside_of_it():
    expansion = Expansion(CATEGORIES, imported())
    assert set(expansion.above(2)) == {0, 1, 3}
    assert expansion.above(4) == (3,)
    assert expansion.without_category() == []


def test_labels_without_category_are_told():
    expansion = Expansion(LabelCategories.from_iterable(["C", "A"]), imported())
    assert expansion.above(0) == (1,)
    assert sorted(expansion.without_category()) == ["B", "D"]


def test_labels_shown_under_other_names():
    categories = LabelCategories.from_iterable(["Bee", "Sea"])
    expansion = Expansion(categories, imported({"B": "Bee", "C": "Sea"}))
    assert expansion.above(1) == (0,)


def test_parents_in_a_circle_end():
    categories = LabelCategories.from_iterable([("A", "B"), ("B", "A"), ("C", "C")])
    assert Expansion(categories, None).above(0) == (1,)
    assert Expansion(categories, None).above(2) == ()


def labels_of(annotations):
    return [(a.label, a.attributes["score"]) for a in annotations]


def test_the_surest_label_gives_the_score_of_its_ancestor():
    expansion = Expansion(LabelCategories.from_iterable([("X", "Z"), ("Y", "Z"), ("Z", "")]), None)
    annotations = [Label(0, attributes={"score": 0.6}), Label(1, attributes={"score": 0.9})]
    found = expanded(annotations, expansion, {"labels"})
    assert labels_of(found) == [(0, 0.6), (1, 0.9), (2, 0.9)]


def test_boxes_of_one_label_each_have_their_copies():
    expansion = Expansion(CATEGORIES, None)
    boxes = [Bbox(1, 2, 3, 4, label=1, id=7, group=1), Bbox(5, 6, 7, 8, label=1, id=8, group=2)]
    found = expanded(boxes, expansion, {"boxes"})
    assert [(a.label, a.id, a.group) for a in found] == [(1, 7, 1), (0, 0, 3), (1, 8, 2), (0, 0, 4)]
    assert [a.points for a in found[::2]] == [a.points for a in found[1::2]]
    assert len(expanded(found, expansion, {"boxes"})) == 4
    again = expanded(found, expansion, {"boxes"}, repeats=True)
    assert len(again) == 6


def test_labels_of_a_classifier_are_apart():
    expansion = Expansion(CATEGORIES, None)
    machine = {"score": 0.6, "source": "machine"}
    annotations = [Label(1, attributes={"score": 1}), Label(0, attributes=machine)]
    found = expanded(annotations, expansion, {"labels"})
    assert labels_of(found) == [(1, 1), (0, 1), (0, 0.6)]
    annotations = [Label(2, attributes=machine)]
    assert expanded(annotations, expansion, {"labels"}) == annotations
    found = expanded(annotations, expansion, {"machine_labels"})
    assert labels_of(found) == [(2, 0.6), (1, 0.6), (0, 0.6)]
    assert found[2].attributes["source"] == "machine"


ROW = Origin(None, 7)


@pytest.mark.parametrize(
    "annotation",
    [
        OriginLabel(3, id=5, group=6, attributes={"score": 1}, origin=ROW),
        OriginBbox(1, 2, 3, 4.5, label=3, id=5, group=6, z_order=2, origin=ROW),
        Bbox(1, 2, 3, 4, label=3, attributes={"a": 1}),
    ],
    ids=lambda a: type(a).__name__,
)
def test_copies_are_what_wrap_gives(annotation):
    made, wrapped = copied(annotation, label=4, id=0), annotation.wrap(label=4, id=0)
    assert type(made) is type(wrapped) and made == wrapped
    assert getattr(made, "origin", None) == getattr(annotation, "origin", None)
    made.attributes["b"] = 2
    assert "b" not in annotation.attributes
    if annotation.type.name == "bbox":
        assert made.points == annotation.points and made.points is not annotation.points

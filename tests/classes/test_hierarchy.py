"""The hierarchy: all of the file is kept, and asked as Datumaro and the challenge do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datumaro_openimages_plugin.classes.hierarchy import (
    PART,
    SUBCATEGORY,
    Hierarchy,
    hierarchy_from_json,
    with_label_names,
)
from datumaro_openimages_plugin.errors import FormatError


def node(name: str, *below: Any, part: Any = ()) -> dict[str, Any]:
    tree: dict[str, Any] = {"LabelName": name}
    if part:  # the published file has the parts first
        tree[PART] = list(part)
    if below:
        tree[SUBCATEGORY] = list(below)
    return tree


def read(tree: Any) -> Hierarchy:
    return hierarchy_from_json(json.dumps(tree).encode(), file="h.json")


#: Two parents, a part that is a subcategory elsewhere, a repeat, labels below a part.
TREE = node(
    "root",
    node("tool", node("knife"), node("spoon")),
    node("body", part=[node("hand", node("left hand")), node("head")]),
    node("cutlery", node("knife"), node("fork")),
    node("portrait", node("head")),
)


def test_everything_is_kept() -> None:
    hierarchy = read(TREE)
    assert hierarchy.root == "root"
    assert [n.name for n in hierarchy.nodes].count("knife") == 2
    assert list(hierarchy.edges()) == [
        ("root", "tool", SUBCATEGORY),
        ("tool", "knife", SUBCATEGORY),
        ("tool", "spoon", SUBCATEGORY),
        ("root", "body", SUBCATEGORY),
        ("body", "hand", PART),
        ("hand", "left hand", SUBCATEGORY),
        ("body", "head", PART),
        ("root", "cutlery", SUBCATEGORY),
        ("cutlery", "knife", SUBCATEGORY),
        ("cutlery", "fork", SUBCATEGORY),
        ("root", "portrait", SUBCATEGORY),
        ("portrait", "head", SUBCATEGORY),
    ]


def test_edge_that_is_there_twice_is_told_once() -> None:
    assert len(list(read(node("r", node("a", node("b")), node("a", node("b")))).edges())) == 2


def built_in_parents(tree: dict[str, Any], names: set[str]) -> dict[str, str]:
    """The rule of Datumaro's own plugin, spelled as recursion."""
    found: dict[str, str] = {}

    def visit(parent: dict[str, Any]) -> None:
        for child in parent.get(SUBCATEGORY, []):
            if {parent["LabelName"], child["LabelName"]} <= names:
                found[child["LabelName"]] = parent["LabelName"]
            visit(child)

    visit(tree)
    return found


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        ("root", {"knife": "cutlery", "spoon": "tool", "fork": "cutlery", "head": "portrait"}),
        ("cutlery", {"knife": "tool", "spoon": "tool", "head": "portrait"}),
    ],
)
def test_parents_are_the_last_ones_met(left_out: str, expected: dict[str, str]) -> None:
    hierarchy = read(TREE)
    names = {n.name for n in hierarchy.nodes} - {left_out, "root"}
    assert hierarchy.parents(names) == expected == built_in_parents(TREE, names)


def test_node_that_is_no_class_cuts_the_line() -> None:
    hierarchy = read(node("a", node("b", node("c"))))
    assert hierarchy.parents({"a", "c"}) == {}


def test_ancestors_and_descendants_follow_every_parent_and_no_part() -> None:
    hierarchy = read(TREE)
    assert hierarchy.ancestors("knife") == ("tool", "cutlery")
    assert hierarchy.ancestors("knife", root=True) == ("tool", "cutlery", "root")
    assert hierarchy.ancestors("head") == ("portrait",)
    assert hierarchy.descendants("body") == ()
    assert hierarchy.descendants("cutlery") == ("knife", "fork")
    assert set(hierarchy.descendants("root")) >= {"tool", "knife", "head"}
    assert hierarchy.ancestors("unknown") == hierarchy.descendants("unknown") == ()


def test_label_below_itself_ends() -> None:
    hierarchy = read(node("r", node("a", node("b", node("a")))))
    assert hierarchy.ancestors("a") == ("b",)
    assert hierarchy.descendants("a") == ("b",)


@pytest.mark.parametrize(
    "tree",
    [TREE, node("only"), node("ü", part=[node('"')]), node("r", node("a"), part=[node("b")])],
)
def test_tree_is_written_as_json_does(tree: dict[str, Any]) -> None:
    expected = tree if len(tree) > 1 else {**tree, SUBCATEGORY: []}
    text = json.dumps(expected, indent=4, ensure_ascii=False) + "\n"
    assert read(tree).to_json() == text.encode()


def test_lone_surrogate_is_written_as_an_escape() -> None:
    hierarchy = read(node("r", node("\ud800")))
    assert hierarchy_from_json(hierarchy.to_json(), file="h.json").nodes == hierarchy.nodes


def test_deep_tree_is_no_trouble() -> None:
    nodes = [("n0", -1, "")] + [(f"n{i}", i - 1, SUBCATEGORY) for i in range(1, 3000)]
    hierarchy = Hierarchy(tuple(map(type(read(TREE).nodes[0])._make, nodes)))
    assert len(hierarchy.ancestors("n2999", root=True)) == 2999
    assert len(hierarchy.parents({name for name, _, _ in nodes})) == 2999
    assert hierarchy.to_json().count(b"{") == 3000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not JSON"),
        (b'{"LabelName": "a"', "is not JSON"),
        (b'{"LabelName": "\xeb"}', "line 1 is not UTF-8"),
        (b'{"LabelName": "r", "Subcategory": [' * 50_000, "nested too deep"),
        (b"[]", r"\$ must be an object"),
        (b"{}", r"\$\.LabelName must be a text"),
        (b'{"LabelName": 1}', r"\$\.LabelName must be a text \(found 1\)"),
        (b'{"LabelName": "r", "Part": {}}', r"\$\.Part must be a list"),
        (b'{"LabelName": "r", "Subcategory": null}', r"\$\.Subcategory must be a list"),
        (
            b'{"LabelName": "r", "Subcategory": [{"LabelName": "a"},'
            b' {"LabelName": "b", "Part": [{"name": "c"}]}]}',
            r"\$\.Subcategory\[1\]\.Part\[0\]\.LabelName must be a text",
        ),
    ],
)
def test_damage_has_a_place(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=rf"^h\.json.*{message}"):
        hierarchy_from_json(text, file="h.json")


def test_byte_order_mark_is_no_damage() -> None:
    data = b'\xef\xbb\xbf{"LabelName": "r"}'
    assert hierarchy_from_json(data, file="h.json").root == "r"


def test_names_for_people_become_ids() -> None:
    hierarchy = read(node("Entity", node("Tool", node("Knife")), node("Unlisted")))
    by_id = with_label_names(hierarchy, {"Tool": "/m/1", "Knife": "/m/2"})
    assert [n.name for n in by_id.nodes] == ["/m/0bl9f", "/m/1", "/m/2", "Unlisted"]
    assert by_id.source is None
    assert with_label_names(by_id, {"Tool": "/m/1"}) is by_id

"""Writing the hierarchy: the file where it holds, and only the change where it does not."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from datumaro.components.annotation import LabelCategories
from hypothesis import given, settings
from hypothesis import strategies as st

from datumaro_openimages_plugin.classes import hierarchy_export
from datumaro_openimages_plugin.classes.classes import (
    ClassList,
    categories_from_classes,
    wanted_parents,
)
from datumaro_openimages_plugin.classes.hierarchy import (
    PART,
    SUBCATEGORY,
    Hierarchy,
    hierarchy_from_json,
)
from datumaro_openimages_plugin.classes.hierarchy_export import hierarchy_to_json
from datumaro_openimages_plugin.errors import AnnotationError


def node(name: str, *below: Any, part: Any = ()) -> dict[str, Any]:
    tree: dict[str, Any] = {"LabelName": name}
    if part:
        tree[PART] = list(part)
    if below:
        tree[SUBCATEGORY] = list(below)
    return tree


def carried(tree: dict[str, Any], *names: str) -> ClassList:
    """What an import of this tree carries; the classes are all its labels but the root."""
    source = json.dumps(tree).encode()
    hierarchy = hierarchy_from_json(source, file="h.json")
    names = names or tuple(dict.fromkeys(n.name for n in hierarchy.nodes[1:]))
    return ClassList(names, {}, hierarchy)


def labels(**parents: str) -> LabelCategories:
    return LabelCategories.from_iterable(parents.items())


def changed(classes: ClassList, **parents: str) -> LabelCategories:
    """The categories of an import with some parents set or labels added."""
    known = {c.name: c.parent for c in categories_from_classes(classes)}
    return labels(**{**known, **parents})


def without(classes: ClassList, *names: str) -> LabelCategories:
    """The categories as Datumaro's transforms leave them when labels go."""
    left = {c.name: c.parent for c in categories_from_classes(classes) if c.name not in names}
    return labels(**{name: parent if parent in left else "" for name, parent in left.items()})


def written(categories: LabelCategories, classes: ClassList | None) -> Hierarchy:
    return hierarchy_from_json(hierarchy_to_json(categories, classes), file="h.json")


def edges(hierarchy: Hierarchy) -> set[str]:
    sign = {SUBCATEGORY: ">", PART: "+"}
    return {f"{parent}{sign[kind]}{child}" for parent, child, kind in hierarchy.edges()}


#: knife has two parents, head is a part and a subcategory.
KITCHEN = carried(
    node(
        "root",
        node("tool", node("knife", node("dagger")), node("spoon")),
        node("body", part=[node("hand"), node("head")]),
        node("cutlery", node("knife", node("dagger")), node("fork")),
        node("portrait", node("head")),
    )
)
KITCHEN_EDGES = {
    *("root>tool", "tool>knife", "tool>spoon", "knife>dagger"),
    *("root>body", "body+hand", "body+head", "root>portrait", "portrait>head"),
    *("root>cutlery", "cutlery>knife", "cutlery>fork"),
}


# The file still holds


def test_unchanged_file_comes_back_byte_for_byte() -> None:
    assert KITCHEN.hierarchy is not None
    categories = categories_from_classes(KITCHEN)
    assert hierarchy_to_json(categories, KITCHEN) == KITCHEN.hierarchy.source


@pytest.mark.parametrize(
    "categories",
    [
        without(KITCHEN, "cutlery"),
        without(KITCHEN, "knife", "portrait"),
        changed(KITCHEN, mine=""),
        labels(**dict.fromkeys(KITCHEN.names, "")),
        labels(knife="", other=""),
    ],
    ids=["parent gone", "label gone", "new label", "no parents told", "few labels"],
)
def test_what_says_nothing_against_the_file_leaves_it(categories: LabelCategories) -> None:
    assert KITCHEN.hierarchy is not None
    assert hierarchy_to_json(categories, KITCHEN) == KITCHEN.hierarchy.source


def test_labels_under_other_names_are_the_same_labels() -> None:
    assert KITCHEN.hierarchy is not None
    shown = {name: name.upper() for name in KITCHEN.names}
    categories = categories_from_classes(KITCHEN, shown=shown)
    back = {label: name for name, label in shown.items()}
    assert hierarchy_to_json(categories, KITCHEN, label_names=back) == KITCHEN.hierarchy.source


def test_tree_without_its_file_is_written_as_it_is() -> None:
    assert KITCHEN.hierarchy is not None
    classes = ClassList(KITCHEN.names, {}, Hierarchy(KITCHEN.hierarchy.nodes))
    assert written(categories_from_classes(classes), classes).nodes == KITCHEN.hierarchy.nodes


# Something changed


def test_new_label_is_added_and_nothing_else() -> None:
    hierarchy = written(changed(KITCHEN, mine="tool"), KITCHEN)
    assert edges(hierarchy) == KITCHEN_EDGES | {"tool>mine"}
    assert hierarchy.root == "root"


def test_new_parent_replaces_all_subcategory_parents_and_no_part() -> None:
    hierarchy = written(changed(KITCHEN, knife="body", head="tool"), KITCHEN)
    gone = {"tool>knife", "cutlery>knife", "portrait>head"}
    assert edges(hierarchy) == KITCHEN_EDGES - gone | {"body>knife", "tool>head"}


def test_parent_taken_away_moves_the_label_to_the_root() -> None:
    hierarchy = written(changed(KITCHEN, fork=""), KITCHEN)
    assert edges(hierarchy) == KITCHEN_EDGES - {"cutlery>fork"} | {"root>fork"}


def test_labels_below_a_removed_one_move_to_the_root_unless_they_hang_elsewhere() -> None:
    categories = without(KITCHEN, "tool", "body")
    categories.add("mine", parent="fork")
    expected = {"root>cutlery", "cutlery>knife", "knife>dagger", "cutlery>fork", "fork>mine"}
    expected |= {"root>portrait", "portrait>head", "root>spoon", "root>hand"}
    assert edges(written(categories, KITCHEN)) == expected


def test_parent_that_is_no_label_stays_a_node() -> None:
    hierarchy = written(labels(a="foreign", b="a"), None)
    assert edges(hierarchy) == {"/m/0>foreign", "foreign>a", "a>b"}


def test_removed_label_that_is_still_named_as_parent_stays_a_node() -> None:
    categories = changed(KITCHEN, mine="fork")
    left = {c.name: c.parent for c in categories if c.name not in ("cutlery", "tool")}
    assert edges(written(labels(**left), KITCHEN)) == KITCHEN_EDGES | {"fork>mine"}


def test_node_between_classes_that_is_no_class_stays() -> None:
    classes = carried(node("r", node("a", node("between", node("b")))), "a", "b")
    hierarchy = written(changed(classes, mine="b"), classes)
    assert edges(hierarchy) == {"r>a", "a>between", "between>b", "b>mine"}


def test_root_that_is_a_class_stays_the_root() -> None:
    classes = carried(node("a", node("b"), node("c")), "a", "b", "c")
    hierarchy = written(changed(classes, mine="b"), classes)
    assert (hierarchy.root, edges(hierarchy)) == ("a", {"a>b", "a>c", "b>mine"})


def test_root_that_is_a_class_gets_no_strangers_below() -> None:
    classes = carried(node("a", node("b"), node("c")), "a", "b", "c")
    hierarchy = written(changed(classes, c="", mine="c"), classes)
    assert hierarchy.root == "/m/0"
    assert edges(hierarchy) == {"/m/0>a", "a>b", "/m/0>c", "c>mine"}


def test_root_that_is_removed_is_replaced() -> None:
    classes = carried(node("a", node("b", node("c"))), "a", "b", "c")
    hierarchy = written(labels(b="", c="b", mine="c"), classes)
    assert edges(hierarchy) == {"/m/0>b", "b>c", "c>mine"}


def test_new_label_named_like_the_root_is_not_the_root() -> None:
    hierarchy = written(changed(KITCHEN, root=""), KITCHEN)
    assert hierarchy.root == "/m/0"
    assert edges(hierarchy) == {edge.replace("root>", "/m/0>") for edge in KITCHEN_EDGES}


def test_new_label_named_like_the_root_may_have_children() -> None:
    expected = {edge.replace("root>", "/m/0>") for edge in KITCHEN_EDGES} - {"/m/0>tool"}
    hierarchy = written(changed(KITCHEN, root="", tool="root"), KITCHEN)
    assert edges(hierarchy) == expected | {"/m/0>root", "root>tool"}


def test_root_that_is_met_again_below_is_one_root() -> None:
    classes = carried(node("r", node("a", node("r", node("b")), part=[node("c")])), *"abc")
    expected = {"r>a", "a+c", "r>b", "a>mine"}
    assert edges(written(changed(classes, mine="a"), classes)) == expected


def test_label_may_move_below_what_was_below_it() -> None:
    classes = carried(node("r", node("a", node("b")), node("x", node("b"))))
    hierarchy = written(changed(classes, a="b"), classes)
    assert edges(hierarchy) == {"r>x", "x>b", "b>a"}


def test_datumaro_finds_the_parent_that_the_labels_have() -> None:
    # d takes its last parent, c; then c moves before b.
    classes = carried(node("r", node("a"), node("b", node("d")), node("c", node("d"))))
    categories = changed(classes, c="a")
    hierarchy = written(categories, classes)
    assert edges(hierarchy) == {"r>a", "a>c", "r>b", "b>d", "c>d"}
    assert hierarchy.parents({"a", "b", "c", "d"}) == {"c": "a", "d": "c"}


@pytest.mark.parametrize(
    "parents", [{"a": "a"}, {"a": "b", "b": "a"}, {"x": "a", "a": "b", "b": "c", "c": "a"}]
)
@pytest.mark.parametrize("classes", [None, KITCHEN])
def test_circle_is_refused_by_name(parents: dict[str, str], classes: ClassList | None) -> None:
    with pytest.raises(AnnotationError, match="circle: a -> "):
        hierarchy_to_json(labels(**parents), classes)


# Nothing was read


def test_without_a_file_it_is_that_of_the_built_in() -> None:
    tree = node("/m/1", node("b", node("a"), node("c", node("d"))))
    categories = LabelCategories.from_iterable(
        [("a", "b"), ("/m/0", ""), ("b", ""), ("d", "c"), ("c", "b")]
    )
    expected = json.dumps(tree, indent=4, ensure_ascii=False) + "\n"
    assert hierarchy_to_json(categories, None) == expected.encode()


def test_without_parents_it_is_a_lone_root() -> None:
    expected = b'{\n    "LabelName": "/m/0",\n    "Subcategory": []\n}\n'
    assert hierarchy_to_json(labels(a="", b=""), None) == expected


# Sizes


def test_long_line_of_parents_stays_readable() -> None:
    parents = {f"n{i}": f"n{i + 1}" if i < 9_999 else "" for i in range(10_000)}
    hierarchy = written(labels(**parents), None)
    assert hierarchy.parents(parents) == {name: p for name, p in parents.items() if p}


def test_label_with_two_parents_repeats_what_is_below_it() -> None:
    hierarchy = written(changed(KITCHEN, mine="dagger"), KITCHEN)
    names = [n.name for n in hierarchy.nodes]
    assert (names.count("knife"), names.count("dagger"), names.count("mine")) == (2, 2, 2)


def test_way_repeated_at_the_end_stays_readable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hierarchy_export, "_MAX_DEPTH", 2)
    line = node("a", node("b", node("c", node("d"))))
    classes = carried(node("r", node("e", node("d")), line, node("x")))
    # e, the other parent of d, now comes after c.
    hierarchy = written(changed(classes, e="x"), classes)
    assert _depth(hierarchy) == 2
    assert hierarchy.parents(set("abcdex")) == {"b": "a", "c": "b", "d": "c", "e": "x"}


def test_repeats_cannot_explode() -> None:
    # Every label of a row is below both labels of the row before: 2 ** 30 ways to the last one.
    rows = [[f"a{i}", f"b{i}"] for i in range(30)]
    # Each edge once in the file, every subtree written out at one place only.
    top = [node(x, *(node(y) for y in below)) for row, below in pairwise(rows) for x in row]
    classes = carried(node("r", *top))
    assert classes.hierarchy is not None
    categories = changed(classes, mine="a0")
    hierarchy = written(categories, classes)
    assert edges(hierarchy) == edges(classes.hierarchy) | {"a0>mine"}
    assert len(hierarchy.nodes) < 1000
    wanted = {c.name: c.parent for c in categories if c.parent}
    assert hierarchy.parents({c.name for c in categories}) == wanted


# Any change


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    names = st.sampled_from("abcdefgh")
    built = [node("r")]
    for _ in range(draw(st.integers(0, 20))):
        child = node(draw(names))
        parent = draw(st.sampled_from(built))
        kind = draw(st.sampled_from([SUBCATEGORY, SUBCATEGORY, PART]))
        parent.setdefault(kind, []).append(child)
        built.append(child)
    return built[0]


@pytest.mark.parametrize(("depth", "nodes"), [(64, 100_000), (64, 1), (2, 100_000)])
@settings(deadline=None, database=None, derandomize=True)
@given(tree=trees(), data=st.data())
def test_any_change_is_followed_and_nothing_is_made_up(
    depth: int, nodes: int, tree: dict[str, Any], data: Any
) -> None:
    classes = carried(tree, *"abcdefgh")
    assert classes.hierarchy is not None
    before = {c.name: c.parent for c in categories_from_classes(classes)}
    after = {name: parent for name, parent in before.items() if data.draw(st.booleans())}
    after = {name: parent if parent in after else "" for name, parent in after.items()}
    for name in data.draw(st.lists(st.sampled_from("abcdefghij"), max_size=3)):
        after[name] = data.draw(st.sampled_from(["", *"abcdefghij"]))
    categories = labels(**after)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hierarchy_export, "_MAX_DEPTH", depth)
        patch.setattr(hierarchy_export, "_MAX_NODES", nodes)
        try:
            hierarchy = written(categories, classes)
        except AnnotationError:
            return  # a circle, which the tree may have had already
    if hierarchy.source != classes.hierarchy.source:
        assert _depth(hierarchy) <= depth
    told = {f"{parent}>{name}" for name, parent in after.items() if parent}
    made_up = edges(hierarchy) - edges(classes.hierarchy) - told
    assert all(edge.startswith(hierarchy.root) for edge in made_up)
    wanted = {name: parent for name, parent in after.items() if parent in after}
    found = hierarchy.parents(after)
    assert {name: found.get(name) for name in wanted} == wanted
    moved = {name for name, parent in after.items() if parent not in ("", before.get(name))}
    for parent, child, kind in classes.hierarchy.edges():
        kept = {parent, child} <= {*after, "r"} and not (child in moved and kind == SUBCATEGORY)
        if kept and parent != "r" and f"{parent}>{child}" not in edges(hierarchy):
            lost = (parent, child, kind) not in set(hierarchy.edges())
            # Only an edge that would close a circle, or that was taken away, may go.
            taken_away = not after[child] and before[child] in after
            assert not lost or taken_away or parent in _below(hierarchy, child)


def _depth(hierarchy: Hierarchy) -> int:
    depths = [0]
    for below in hierarchy.nodes[1:]:
        depths.append(depths[below.parent] + 1)
    return max(depths)


def _below(hierarchy: Hierarchy, name: str) -> set[str]:
    found = {name}
    for _ in hierarchy.nodes:
        found |= {child for parent, child, _ in hierarchy.edges() if parent in found}
    return found


def test_parts_of_two_skeletons_may_have_one_name() -> None:
    category = LabelCategories.Category
    parts = [category("a"), category("b"), category("1", "a"), category("1", "b")]
    assert wanted_parents(parts) == {"a": "", "b": "", "1": "a"}
    with pytest.raises(AnnotationError, match="two labels would be written as 'b'"):
        wanted_parents([category("b"), category("b")])

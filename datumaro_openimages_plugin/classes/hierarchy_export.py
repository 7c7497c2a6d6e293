"""Writing the hierarchy: as it was read where it still holds, rebuilt where labels changed.

Datumaro knows one parent a label; the file knows several, parts, and a root that is no label. So
the file is the truth, and only what somebody changed in the label categories is changed in it:
`hierarchy_to_json` has the steps. All of them are loops, so that no depth exhausts the stack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import count

from datumaro.components.annotation import LabelCategories

from datumaro_openimages_plugin.classes.classes import ClassList, wanted_parents
from datumaro_openimages_plugin.classes.hierarchy import SUBCATEGORY, Hierarchy, Node
from datumaro_openimages_plugin.errors import AnnotationError

__all__ = ["hierarchy_to_json", "tree_of_edges"]

#: Branches deeper than this go on below the root: Python's JSON reader stops at some hundred
#: levels. The published hierarchy has 5.
_MAX_DEPTH = 64

#: A label with several parents repeats all that is below it, as in the published file, unless that
#: makes a larger tree than this; then only its first place has it.
_MAX_NODES = 100_000

#: parent -> its (child, kind) in order; the inner dict is an ordered set.
_Graph = dict[str, dict[tuple[str, str], None]]


def hierarchy_to_json(
    categories: LabelCategories,
    carried: ClassList | None,
    *,
    label_names: Mapping[str, str] | None = None,
) -> bytes:
    """Write the hierarchy of the labels; the file that was read comes back where it still holds.

    It holds as long as every ``parent`` is what the file gives, or was lost with its label, or no
    category has a parent at all (Datumaro's label lists without parents say nothing about them).
    Otherwise it is rebuilt: a changed parent replaces the label's ``Subcategory`` parents, labels
    that were removed go, what stood only below them moves to the root, all else stays; no edge
    between two labels is made up. Without a file it is as Datumaro's own plugin makes it.

    Args:
        categories: The labels to write.
        carried: What was read, None where the dataset came from elsewhere.
        label_names: Category name -> LabelName, for categories that are shown under other names.

    Raises:
        AnnotationError: Two categories have one LabelName, or parents go in a circle.
    """
    wanted = wanted_parents(categories, label_names)
    hierarchy = None if carried is None else carried.hierarchy
    classes = frozenset(() if carried is None else carried.names)
    changed: Collection[str] = wanted
    if hierarchy is not None:
        changed = _changed(wanted, hierarchy, classes)
        if not changed and (hierarchy.root in classes or hierarchy.root not in wanted):
            return hierarchy.to_json() if hierarchy.source is None else hierarchy.source
    _refuse_circles(wanted)
    base = _with_own_root(hierarchy, wanted, classes)
    removed = classes - wanted.keys() - set(wanted.values())
    graph = _graph(base, wanted, changed, removed)
    names = [node.name for node in base.nodes if node.name not in {*removed, base.root}]
    names += [name for name in (*wanted, *wanted.values()) if name in graph]
    repeat = _connect(graph, base.root, dict.fromkeys(names))
    tree = _settled(_tree(graph, base.root, repeat), wanted)
    if hierarchy is not None and hierarchy.root in classes:
        tree = _without_own_root(tree, hierarchy.root)
    return tree.to_json()


def tree_of_edges(root: str, edges: Iterable[tuple[str, str, str]]) -> Hierarchy:
    """The hierarchy that has these (parent, child, kind) below ``root``."""
    graph: _Graph = {root: {}}
    for parent, child, kind in edges:
        if child != root:
            graph.setdefault(parent, {})[child, kind] = None
    repeat = _connect(graph, root, [name for name in graph if name != root])
    return _in_file_order(_tree(graph, root, repeat))


def _changed(
    wanted: Mapping[str, str], hierarchy: Hierarchy, classes: frozenset[str]
) -> frozenset[str]:
    """The labels whose parent is another one than the file gave them."""
    if not any(wanted.values()):
        return frozenset()
    before = hierarchy.parents(classes)
    # A new label that has the name of the root has nothing to do with it.
    own = {hierarchy.root} - classes
    now = hierarchy.parents(wanted.keys() - own)

    def is_changed(name: str, parent: str) -> bool:
        if not parent and name not in before:
            return False
        if parent in (before.get(name, ""), now.get(name, "")):
            return False
        # Datumaro's transforms empty the parent when its label goes.
        return bool(parent) or before.get(name, "") in wanted

    return frozenset(name for name, parent in wanted.items() if is_changed(name, parent))


def _refuse_circles(wanted: Mapping[str, str]) -> None:
    good: set[str] = set()
    for start in wanted:
        way: dict[str, None] = {}
        name = start
        while name in wanted and name not in good and name not in way:
            way[name] = None
            name = wanted[name]
        if name in way:
            circle = list(way)[list(way).index(name) :]
            shown = " -> ".join([*circle[:10], *(["..."] if len(circle) > 10 else []), name])
            raise AnnotationError(f"the parents of labels go in a circle: {shown}", value=name)
        good.update(way)


def _with_own_root(
    hierarchy: Hierarchy | None, wanted: Mapping[str, str], classes: frozenset[str]
) -> Hierarchy:
    """The hierarchy below a root that is no label, so that anything may be put below it."""
    nodes = () if hierarchy is None else hierarchy.nodes
    if nodes and nodes[0].name not in classes and nodes[0].name not in wanted:
        return Hierarchy(nodes)
    # Datumaro's own plugin makes up its root in the same way.
    taken = {*wanted, *wanted.values(), *(node.name for node in nodes)}
    root = Node(next(name for i in count() if (name := f"/m/{i}") not in taken), -1, "")
    if nodes and nodes[0].name in classes:
        nodes = (Node(nodes[0].name, -1, SUBCATEGORY), *nodes[1:])
        return Hierarchy((root, *(node._replace(parent=node.parent + 1) for node in nodes)))
    return Hierarchy((root, *nodes[1:]))


def _without_own_root(tree: Hierarchy, root: str) -> Hierarchy:
    """Undo `_with_own_root` where a class was the root and nothing else came beside it."""
    below = [node for node in tree.nodes if node.parent == 0]
    if [node.name for node in below] != [root]:
        return tree
    nodes = [node._replace(parent=node.parent - 1) for node in tree.nodes[1:]]
    return Hierarchy((Node(root, -1, ""), *nodes[1:]))


def _graph(
    base: Hierarchy, wanted: Mapping[str, str], changed: Collection[str], removed: Collection[str]
) -> _Graph:
    """The edges to write: the file's, less those of removed and moved labels, and the new ones."""
    graph: _Graph = {base.root: {}}
    for parent, child, kind in base.edges():
        moved = kind == SUBCATEGORY and child in changed
        if not moved and child != base.root and parent not in removed and child not in removed:
            graph.setdefault(parent, {})[child, kind] = None
    for child, parent in wanted.items():
        if parent:  # what did not change is there already
            graph.setdefault(parent, {})[child, SUBCATEGORY] = None
    return graph


def _connect(graph: _Graph, root: str, names: Iterable[str]) -> bool:
    """Break circles, and put what hangs in the air below the root; changes ``graph``.

    Returns:
        Whether the tree stays small with everything repeated below every parent.
    """
    tops = dict.fromkeys(child for child, _ in graph[root])
    has_parent = {child for children in graph.values() for child, _ in children}
    sizes: dict[str, int] = {}
    # False sorts before True: labels without any parent come first.
    for start in (*tops, *sorted(names, key=has_parent.__contains__)):
        if start not in sizes:
            if start not in tops:
                graph[root][start, SUBCATEGORY] = None
            _measure(graph, start, sizes)
    return sum(sizes[child] for child, _ in graph[root]) < _MAX_NODES


def _measure(graph: _Graph, start: str, sizes: dict[str, int]) -> None:
    """Add the size of the tree below each label that ``start`` leads to; circles are broken.

    A label may have been moved below what was below itself by another of its parents: the edge
    that would close such a circle goes.
    """
    way = {start}
    stack = [(start, iter(tuple(graph.get(start, ()))))]
    while stack:
        name, children = stack[-1]
        for child, kind in children:
            if child in way:
                del graph[name][child, kind]
            elif child not in sizes:
                way.add(child)
                stack.append((child, iter(tuple(graph.get(child, ())))))
                break
        else:
            stack.pop()
            way.remove(name)
            sizes[name] = 1 + sum(sizes[child] for child, _ in graph.get(name, ()))


def _tree(graph: _Graph, root: str, repeat: bool) -> list[Node]:
    """The graph as a tree; children come after their parents, in no other order."""
    nodes = [Node(root, -1, "")]
    written: set[str] = set()
    put_off: set[str] = set()
    tops = list(graph[root])
    for top, top_kind in tops:  # grows while it is read
        waiting = [(top, 0, top_kind, 1)]
        while waiting:
            name, parent, kind, depth = waiting.pop()
            nodes.append(Node(name, parent, kind))
            children = graph.get(name)
            if not children or (name in written and not repeat):
                continue
            if depth >= _MAX_DEPTH:
                if name not in put_off:
                    put_off.add(name)
                    tops.append((name, SUBCATEGORY))
                continue
            written.add(name)
            index = len(nodes) - 1
            waiting.extend((child, index, sort, depth + 1) for child, sort in reversed(children))
    return nodes


def _settled(nodes: list[Node], wanted: Mapping[str, str]) -> Hierarchy:
    """The tree in which Datumaro, which takes the last parent it meets, finds the wanted parents.

    Where it would take another one, the way down to the label by its wanted parents is repeated at
    the end, below the root: no edge between labels that is not there already.
    """
    tree = _in_file_order(nodes)
    found = tree.parents(wanted)
    # For every label of such a way: its index and depth.
    spots: dict[str, tuple[int, int]] = {}
    nodes = list(tree.nodes)
    for label, parent in wanted.items():
        if parent not in wanted or found.get(label) == parent:
            continue
        way = []
        name = label
        while name in wanted and name not in spots:
            way.append(name)
            name = wanted[name]
        for name in reversed(way):
            above = wanted[name]
            index, depth = spots.get(above, (0, 0))
            if depth >= _MAX_DEPTH:
                nodes.append(Node(above, 0, SUBCATEGORY))
                index, depth = len(nodes) - 1, 1
            nodes.append(Node(name, index, SUBCATEGORY))
            spots[name] = len(nodes) - 1, depth + 1
    return tree if not spots else _in_file_order(nodes)


def _in_file_order(nodes: list[Node]) -> Hierarchy:
    """Nodes depth first, children of one kind together; parents must come before children."""
    below: list[dict[str, list[int]]] = [{} for _ in nodes]
    for index, node in enumerate(nodes[1:], 1):
        below[node.parent].setdefault(node.kind, []).append(index)
    ordered: list[Node] = []
    waiting = [(0, -1)]
    while waiting:
        index, parent = waiting.pop()
        at = len(ordered)
        ordered.append(nodes[index]._replace(parent=parent))
        children = [child for group in below[index].values() for child in group]
        waiting.extend((child, at) for child in reversed(children))
    return Hierarchy(tuple(ordered))

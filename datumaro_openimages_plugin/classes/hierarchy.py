"""The hierarchy of classes: ``bbox_labels_600_hierarchy.json`` read, asked and written down.

A node of the published file is ``{LabelName, Subcategory: [nodes], Part: [nodes]}``, both lists
optional. It is a tree on paper and a graph by meaning: a label may stand under several parents, and
under one as a subcategory and under another as a part. All of that is kept here, occurrence by
occurrence, because Datumaro's own model, one ``parent`` a label, cannot hold it.

The walks are loops, not recursion, so that a deep file cannot exhaust the stack.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from datumaro_openimages_plugin.errors import FormatError

__all__ = ["PART", "SUBCATEGORY", "Hierarchy", "Node", "hierarchy_from_json", "with_label_names"]

SUBCATEGORY = "Subcategory"
PART = "Part"

#: The published root. It is in no class list; FiftyOne calls it `Entity`.
_PUBLISHED_ROOT = "/m/0bl9f"


class Node(NamedTuple):
    """One place of a label in the tree.

    Attributes:
        name: LabelName.
        parent: Index of the node above, -1 for the root.
        kind: `SUBCATEGORY` or `PART`, "" for the root.
    """

    name: str
    parent: int
    kind: str


@dataclass(frozen=True)
class Hierarchy:
    """A tree of labels.

    Attributes:
        nodes: Every occurrence, a node before what is below it, in the order of the file; the
            children of one kind stand together. The first is the root.
        source: The file's bytes, None where there is no file or it names labels differently.
    """

    nodes: tuple[Node, ...]
    source: bytes | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Hierarchy, (self.nodes, self.source)  # what is cached stays behind

    @property
    def root(self) -> str:
        """The LabelName at the top; usually not a class of the dataset."""
        return self.nodes[0].name

    def edges(self) -> Iterator[tuple[str, str, str]]:
        """Every (parent, child, kind) once, in the order of the file."""
        nodes = self.nodes
        yield from dict.fromkeys((nodes[n.parent].name, n.name, n.kind) for n in nodes if n.kind)

    def parents(self, names: Container[str]) -> dict[str, str]:
        """Label -> its one parent as Datumaro's own plugin chooses it, for labels that have one.

        That is the last one that a depth-first walk over ``Subcategory`` meets; ``Part`` is not
        followed, and an edge counts only where both its ends are in ``names``.
        """
        found: dict[str, str] = {}
        met: list[bool] = []
        for node in self.nodes:
            met.append(not node.kind or (node.kind == SUBCATEGORY and met[node.parent]))
            parent = self.nodes[node.parent].name
            if node.kind and met[-1] and parent in names and node.name in names:
                found[node.name] = parent
        return found

    def ancestors(self, name: str, *, root: bool = False) -> tuple[str, ...]:
        """All labels that this one is a kind of, nearest first, over ``Subcategory`` alone.

        Args:
            name: LabelName; one that is not in the tree has none.
            root: Whether the root counts. The challenge's expansion of boxes leaves it out.
        """
        return self._reachable(name, self._links[0], root)

    def descendants(self, name: str, *, root: bool = False) -> tuple[str, ...]:
        """All labels that are a kind of this one, nearest first, over ``Subcategory`` alone.

        Args:
            name: LabelName; one that is not in the tree has none.
            root: Whether the root counts, should it be repeated below.
        """
        return self._reachable(name, self._links[1], root)

    @cached_property
    def _links(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        up: dict[str, list[str]] = defaultdict(list)
        down: dict[str, list[str]] = defaultdict(list)
        for parent, child, kind in self.edges():
            if kind == SUBCATEGORY:
                up[child].append(parent)
                down[parent].append(child)
        return dict(up), dict(down)

    def _reachable(self, name: str, links: Mapping[str, list[str]], root: bool) -> tuple[str, ...]:
        found = {name: None}
        queue = [name]
        for current in queue:  # grows while it is read
            for following in links.get(current, ()):
                if following not in found:
                    found[following] = None
                    queue.append(following)
        del found[name]
        if not root:
            found.pop(self.root, None)
        return tuple(found)

    def renamed(self, rename: Callable[[str], str]) -> Hierarchy:
        """The same tree under other names; itself, with its source, where no name changes."""
        nodes = tuple(node._replace(name=rename(node.name)) for node in self.nodes)
        return self if nodes == self.nodes else Hierarchy(nodes)

    def to_json(self) -> bytes:
        """The tree as a file: indented by four, UTF-8, a line feed at the end."""
        parts: list[str] = []
        # Of every node above: its index and the kind of the list that is open in it.
        above: list[tuple[int, str]] = []
        for index, node in enumerate(self.nodes):
            while above and above[-1][0] != node.parent:
                _close(parts, above)
            depth = len(above)
            if above:
                parent, kind = above[-1]
                if kind != node.kind:
                    end = f"\n{_indent(2 * depth - 1)}]" if kind else ""
                    parts.append(f'{end},\n{_indent(2 * depth - 1)}"{node.kind}": [\n')
                    above[-1] = parent, node.kind
                else:
                    parts.append(",\n")
            name = json.dumps(node.name, ensure_ascii=False)
            parts.append(f'{_indent(2 * depth)}{{\n{_indent(2 * depth + 1)}"LabelName": {name}')
            above.append((index, ""))
        if len(self.nodes) == 1:
            parts.append(f',\n{_indent(1)}"{SUBCATEGORY}": []')
        while above:
            _close(parts, above)
        # A lone surrogate leaves as the escape that JSON has for it.
        return ("".join(parts) + "\n").encode("utf-8", "backslashreplace")


def _close(parts: list[str], above: list[tuple[int, str]]) -> None:
    _, kind = above.pop()
    depth = len(above)
    if kind:
        parts.append(f"\n{_indent(2 * depth + 1)}]")
    parts.append(f"\n{_indent(2 * depth)}}}")


def _indent(level: int) -> str:
    return "    " * level


def hierarchy_from_json(data: bytes, *, file: str) -> Hierarchy:
    """Read a hierarchy, all of it: repeats, several parents, ``Part`` and the root.

    Args:
        data: The whole file.
        file: Its name, for error messages.

    Raises:
        FormatError: The text is not JSON in UTF-8, is nested too deep for Python's JSON reader, or
            is not made of nodes; the message has the place.
    """
    try:
        tree = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"line {line} is not UTF-8 text; save the hierarchy as UTF-8"
        raise FormatError(message, file=file) from None
    except RecursionError:
        raise FormatError("the hierarchy is nested too deep to be read", file=file) from None
    except ValueError as error:
        raise FormatError(f"is not JSON: {error}", file=file) from None
    return Hierarchy(_nodes_of(tree, file), data)


def _nodes_of(tree: Any, file: str) -> tuple[Node, ...]:
    nodes: list[Node] = []
    steps: list[str] = []  # of every node: how its JSON path goes on from its parent's
    waiting: list[tuple[Any, int, str, int]] = [(tree, -1, "", 0)]
    while waiting:
        value, parent, kind, position = waiting.pop()
        index = len(nodes)
        steps.append(f".{kind}[{position}]" if kind else "$")
        nodes.append(Node("", parent, kind))
        if not isinstance(value, dict):
            raise _wrong(nodes, steps, "", "must be an object with a LabelName", file, value)
        name = value.get("LabelName")
        if not isinstance(name, str):
            raise _wrong(nodes, steps, ".LabelName", "must be a text", file, name)
        nodes[index] = Node(name, parent, kind)
        below: list[tuple[Any, int, str, int]] = []
        for key, children in value.items():
            if key not in (SUBCATEGORY, PART):
                continue
            if not isinstance(children, list):
                raise _wrong(nodes, steps, f".{key}", "must be a list of nodes", file, children)
            below.extend((child, index, key, at) for at, child in enumerate(children))
        waiting.extend(reversed(below))
    return tuple(nodes)


def _wrong(
    nodes: list[Node], steps: list[str], key: str, message: str, file: str, value: Any
) -> FormatError:
    """The error for the node read last; its way from the root is told as a JSON path."""
    path = [key]
    index = len(nodes) - 1
    while index >= 0:
        path.append(steps[index])
        index = nodes[index].parent
    place = "".join(reversed(path))
    # A list or object may be as deep as the file allows, so only its type is told.
    shown = type(value).__name__ if isinstance(value, (dict, list)) else value
    return FormatError(f"{place} {message}", file=file, column=key[1:] or None, value=shown)


def with_label_names(hierarchy: Hierarchy, display_to_name: Mapping[str, str]) -> Hierarchy:
    """The hierarchy by LabelName, from one whose nodes carry names for people.

    FiftyOne writes ``hierarchy.json`` so and calls the root ``Entity``. A name that is no key stays
    as it is, so a hierarchy that has LabelNames already comes back itself.

    Args:
        hierarchy: What was read.
        display_to_name: DisplayName -> LabelName, such as `names_by_display` gives.
    """
    known = dict(display_to_name)
    if hierarchy.root == "Entity":
        known.setdefault("Entity", _PUBLISHED_ROOT)
    return hierarchy.renamed(lambda name: known.get(name, name))

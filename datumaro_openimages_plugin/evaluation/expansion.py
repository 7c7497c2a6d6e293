"""Expansion by the hierarchy: an object of a class is one of every class above it too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from datumaro_openimages_plugin.hierarchy import PART, SUBCATEGORY, Hierarchy, Node

__all__ = ["Expansion", "hierarchy_from_parents"]


class Expansion:
    """For each label the labels above and below it, over ``Subcategory`` alone, without the root.

    Args:
        hierarchy: The tree, None for none.
        labels: LabelName -> code; names of the tree that are no labels yet are appended.
        repeats: Whether a label above counts once for each place that it has above.
    """

    def __init__(self, hierarchy: Hierarchy | None, labels: dict[str, int], repeats: bool) -> None:
        above: dict[str, dict[int, None]] = defaultdict(dict)
        nodes = () if hierarchy is None else hierarchy.nodes
        followed: list[bool] = []
        for index, node in enumerate(nodes):
            # What is part of something is no kind of it, and neither is what is below the part.
            followed.append(node.kind != PART and (node.parent < 0 or followed[node.parent]))
            if not followed[index] or node.parent < 0:
                continue
            labels.setdefault(node.name, len(labels))
            place = node.parent
            while place > 0:
                above[node.name][place] = None
                place = nodes[place].parent
        up = {name: [nodes[place].name for place in places] for name, places in above.items()}
        if not repeats:
            up = {name: list(dict.fromkeys(names)) for name, names in up.items()}
        down: dict[str, dict[str, None]] = defaultdict(dict)
        for name, names in up.items():
            for other in names:
                down[other][name] = None
        self._up = _Lists(up, labels)
        self._down = _Lists({name: list(names) for name, names in down.items()}, labels)

    def up(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each row and its copies for the labels above.

        Args:
            codes: (n,) labels.

        Returns:
            (m,) numbers of the rows, each followed by its copies, and (m,) labels.
        """
        return self._up.with_rows(codes)

    def down(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each row and its copies for the labels below; see `up`."""
        return self._down.with_rows(codes)


class _Lists:
    """A list of labels for each label, in one array."""

    def __init__(self, lists: Mapping[str, list[str]], labels: Mapping[str, int]) -> None:
        self._counts = np.zeros(len(labels), np.int64)
        of_code: list[list[int]] = [[] for _ in labels]
        for name, others in lists.items():
            of_code[labels[name]] = [labels[other] for other in others]
            self._counts[labels[name]] = len(others)
        self._values = np.array([code for codes in of_code for code in codes], np.int64)
        self._starts = np.cumsum(self._counts) - self._counts

    def with_rows(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        counts = self._counts[codes] + 1
        rows = np.repeat(np.arange(len(codes)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        expanded = codes[rows]
        copies = within > 0
        expanded[copies] = self._values[self._starts[codes[rows[copies]]] + within[copies] - 1]
        return rows, expanded


def hierarchy_from_parents(parents: Mapping[str, str]) -> Hierarchy | None:
    """The tree of label categories that know one parent each, None where none has a parent.

    Args:
        parents: Label -> its parent, "" for none.
    """
    below: dict[str, list[str]] = defaultdict(list)
    for name, parent in parents.items():
        below[parent if parent in parents else ""].append(name)
    if len(below) < 2:
        return None
    nodes = [Node("", -1, "")]
    waiting = [(name, 0) for name in reversed(below[""])]
    while waiting:
        name, parent_at = waiting.pop()
        waiting.extend((child, len(nodes)) for child in reversed(below.get(name, ())))
        nodes.append(Node(name, parent_at, SUBCATEGORY))
    return Hierarchy(tuple(nodes))

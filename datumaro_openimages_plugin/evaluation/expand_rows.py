"""Expansion by the hierarchy, of whole columns: a row of a class is also one of those above."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from datumaro_openimages_plugin.classes.hierarchy import SUBCATEGORY, Hierarchy, Node
from datumaro_openimages_plugin.transforms.expansion import TreeExpansion

__all__ = ["RowExpansion", "hierarchy_from_parents"]


class RowExpansion:
    """For each label the labels above and below it; see `TreeExpansion`.

    Args:
        hierarchy: The tree, None for none.
        labels: LabelName -> code; names of the tree that are no labels yet are appended.
        repeats: Whether a label above counts once for each place that it has above.
    """

    def __init__(self, hierarchy: Hierarchy | None, labels: dict[str, int], repeats: bool) -> None:
        nodes = () if hierarchy is None else hierarchy.nodes
        names = dict.fromkeys(node.name for node in nodes if node.kind)
        up: dict[str, tuple[str, ...]] = {}
        down: dict[str, tuple[str, ...]] = {}
        if hierarchy is not None:
            above = TreeExpansion(hierarchy, repeats=repeats)
            below = TreeExpansion(hierarchy)
            up = {name: above.above(name) for name in names}
            down = {name: below.below(name) for name in names}
        for name in names:
            labels.setdefault(name, len(labels))
        self._up = _Lists(up, labels)
        self._down = _Lists(down, labels)

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

    def __init__(self, lists: Mapping[str, tuple[str, ...]], labels: Mapping[str, int]) -> None:
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

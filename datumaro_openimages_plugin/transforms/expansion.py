"""Which labels follow from a label: its ancestors where it is there, its descendants where not.

As the script of the Open Images challenge does it: over ``Subcategory`` edges alone, without the
root. A label that stands at several places of the tree has what is above and below all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from datumaro_openimages_plugin._host import LabelCategories
from datumaro_openimages_plugin.classes.hierarchy import SUBCATEGORY, Hierarchy

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.imported import ImportedFrom

__all__ = ["Expansion", "TreeExpansion", "label_names_of"]


class TreeExpansion:
    """What is above and below each LabelName of a hierarchy.

    Args:
        hierarchy: The tree.
        repeats: Whether a label that stands at several places above or below counts as often, as
            in the script; otherwise it counts once.
    """

    def __init__(self, hierarchy: Hierarchy, *, repeats: bool = False) -> None:
        self._nodes = hierarchy.nodes
        self._repeats = repeats
        self._root = hierarchy.root
        self._places: dict[str, list[int]] = defaultdict(list)
        self._children: dict[int, list[int]] = defaultdict(list)
        reached: list[bool] = []
        for number, node in enumerate(hierarchy.nodes):
            # The script never looks below a part, not even for subcategories of it.
            reached.append(not node.kind or (node.kind == SUBCATEGORY and reached[node.parent]))
            if reached[-1]:
                self._places[node.name].append(number)
                self._children[node.parent].append(number)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def above(self, name: str) -> tuple[str, ...]:
        """The LabelNames that ``name`` is a kind of, nearest first."""
        nodes = self._nodes
        return self._walk(name, lambda n: [nodes[n].parent] if nodes[n].kind == SUBCATEGORY else [])

    def below(self, name: str) -> tuple[str, ...]:
        """The LabelNames that are a kind of ``name``, nearest first."""
        return self._walk(name, lambda n: self._children.get(n, []))

    def _walk(self, name: str, following: Callable[[int], list[int]]) -> tuple[str, ...]:
        met: dict[int, None] = {}
        queue = list(self._places.get(name, ()))
        for number in queue:  # grows while it is read
            for found in following(number):
                if found not in met:
                    met[found] = None
                    queue.append(found)
        names = [self._nodes[number].name for number in met]
        names = [found for found in names if found not in (name, self._root)]
        return tuple(names if self._repeats else dict.fromkeys(names))


def label_names_of(categories: LabelCategories, imported: ImportedFrom | None) -> list[str]:
    """The LabelName of every category, which may be shown under another name."""
    shown: Mapping[str, str] = {} if imported is None else imported.shown
    names = {name: label_name for label_name, name in shown.items()}
    return [names.get(category.name, category.name) for category in categories]


class Expansion:
    """What is above and below each label of a dataset, by label index.

    Args:
        categories: The dataset's labels.
        imported: Where an item came from; its hierarchy counts. For labels that are not in it,
            and where there is none, the parents in ``categories`` do.
        repeats: See `TreeExpansion`.
    """

    def __init__(
        self, categories: LabelCategories, imported: ImportedFrom | None, *, repeats: bool = False
    ) -> None:
        self._names = label_names_of(categories, imported)
        self._index = {name: at for at, name in reversed(list(enumerate(self._names)))}
        hierarchy = None if imported is None else imported.classes.hierarchy
        self._tree = None if hierarchy is None else TreeExpansion(hierarchy, repeats=repeats)
        self._up: dict[int, list[int]] = {}
        self._down: dict[int, list[int]] = defaultdict(list)
        for at, category in enumerate(categories):
            parent = categories.find(category.parent)[0] if category.parent else None
            if parent is not None and parent != at:
                self._up[at] = [parent]
                self._down[parent].append(at)
        self._known: dict[tuple[int, bool], tuple[int, ...]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing follows from any label."""
        return self._tree is None and not self._up

    def without_category(self) -> list[str]:
        """The LabelNames that follow from the dataset's labels and are none of them."""
        if self._tree is None:
            return []
        following = dict.fromkeys(
            found
            for name in self._names
            for found in (*self._tree.above(name), *self._tree.below(name))
        )
        return [name for name in following if name not in self._index]

    def above(self, label: int) -> tuple[int, ...]:
        """The labels that ``label`` is a kind of, nearest first."""
        return self._found(label, True)

    def below(self, label: int) -> tuple[int, ...]:
        """The labels that are a kind of ``label``, nearest first."""
        return self._found(label, False)

    def _found(self, label: int, up: bool) -> tuple[int, ...]:
        found = self._known.get((label, up))
        if found is None:
            found = self._known[label, up] = self._look_up(label, up)
        return found

    def _look_up(self, label: int, up: bool) -> tuple[int, ...]:
        if not 0 <= label < len(self._names):
            return ()
        name = self._names[label]
        if self._tree is None or name not in self._tree:
            return self._by_parents(label, up)
        names = self._tree.above(name) if up else self._tree.below(name)
        return tuple(self._index[found] for found in names if found in self._index)

    def _by_parents(self, label: int, up: bool) -> tuple[int, ...]:
        links = self._up if up else self._down
        met = {label: None}
        queue = [label]
        for current in queue:  # grows while it is read
            for found in links.get(current, ()):
                if found not in met:
                    met[found] = None
                    queue.append(found)
        del met[label]
        return tuple(met)

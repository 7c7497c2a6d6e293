"""What an export knows of classes beyond Datumaro's categories: merged from all its imports."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from datumaro_openimages_plugin.classes.classes import ClassList
from datumaro_openimages_plugin.classes.hierarchy import Hierarchy
from datumaro_openimages_plugin.classes.hierarchy_export import tree_of_edges

__all__ = ["merged_classes", "names_without_category"]


def merged_classes(lists: Sequence[ClassList]) -> ClassList | None:
    """The classes of several imports as one: what the first says counts, the others add to it.

    The file that the first was read from stays with it as long as no other has more classes.
    """
    if not lists:
        return None
    first = lists[0]
    if len(lists) == 1:
        return first
    names = tuple(dict.fromkeys(name for part in lists for name in part.names))
    return replace(
        first,
        names=names,
        display_names={k: v for part in reversed(lists) for k, v in part.display_names.items()},
        hierarchy=_merged_hierarchy([p.hierarchy for p in lists if p.hierarchy is not None]),
        source=first.source if names == first.names else None,
        others=tuple({k: v for part in reversed(lists) for k, v in part.others}.items()),
    )


def _merged_hierarchy(hierarchies: Sequence[Hierarchy]) -> Hierarchy | None:
    """Every edge of all of them below the root of the first; the first itself where it has all."""
    if not hierarchies:
        return None
    first = hierarchies[0]
    edges = dict.fromkeys(first.edges())
    count = len(edges)
    for other in hierarchies[1:]:
        if other.nodes == first.nodes:
            continue
        for parent, child, kind in other.edges():
            edges[first.root if parent == other.root else parent, child, kind] = None
    return first if len(edges) == count else tree_of_edges(first.root, edges)


def names_without_category(classes: ClassList, written: Collection[str]) -> Iterable[str]:
    """LabelNames that only further class lists have, so that no category stands for them."""
    known = {*classes.names, *written}
    return (name for name in classes.display_names if name not in known)

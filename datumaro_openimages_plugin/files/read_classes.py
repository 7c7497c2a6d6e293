"""Finding a dataset's classes: which of its class lists counts, and its hierarchy."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from datumaro_openimages_plugin.classes.classes import (
    ClassList,
    class_list_from_csv,
    names_by_display,
)
from datumaro_openimages_plugin.classes.hierarchy import hierarchy_from_json, with_label_names
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.files.names import FoundFile
from datumaro_openimages_plugin.sources.packed import read_unpacked

__all__ = ["read_classes"]

log = logging.getLogger(__name__)


def read_classes(files: DatasetFiles) -> ClassList:
    """The classes of a dataset: label order from one list, display names from all.

    Datumaro's own ``dataset_meta.json`` comes first, as in the built-in reader; where there is no
    list at all the result is empty, and labels are taken from the annotations.

    Raises:
        FormatError: A list or the hierarchy is damaged.
    """
    lists = files.all("classes")
    sources = [read_unpacked(files.source, file.name) for file in lists]
    read = [
        class_list_from_csv(data, file=file.name) for data, file in zip(sources, lists, strict=True)
    ]
    if len(lists) > 1:
        log.info(
            "several lists of classes: order of %s, display names also from %s",
            lists[0].name,
            ", ".join(file.name for file in lists[1:]),
        )
    classes = replace(
        read[0] if read else ClassList((), {}),
        display_names={
            name: shown for part in reversed(read) for name, shown in part.display_names.items()
        },
        others=tuple(zip([file.name for file in lists[1:]], sources[1:], strict=True)),
    )
    for file in files.best("dataset_meta")[:1]:
        names = _meta_labels(read_unpacked(files.source, file.name), file.name)
        classes = replace(classes, names=names, source=None, from_meta=True)
    trees = {file.name: read_unpacked(files.source, file.name) for file in files.all("hierarchy")}
    if len(set(trees.values())) > 1:
        files.report_choice("hierarchy")
    for file in files.best("hierarchy")[:1]:
        classes = _with_hierarchy(classes, trees[file.name], file)
    return classes


def _with_hierarchy(classes: ClassList, data: bytes, file: FoundFile) -> ClassList:
    hierarchy = hierarchy_from_json(data, file=file.name)
    known = set(classes.names)
    if not any(node.name in known for node in hierarchy.nodes):
        # FiftyOne writes the hierarchy with display names in place of ids.
        hierarchy = with_label_names(hierarchy, names_by_display(classes))
    return replace(classes, hierarchy=hierarchy)


def _meta_labels(data: bytes, file: str) -> tuple[str, ...]:
    """The labels of ``dataset_meta.json``, as Datumaro reads them."""
    try:
        meta = json.loads(data)
        names = [*meta.get("labels", []), *meta.get("label_map", {}).values()]
        if not all(isinstance(name, str) and name for name in names):
            raise ValueError("labels must be texts")
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise FormatError(f"unreadable labels: {error}", file=file) from None
    return tuple(dict.fromkeys(names))

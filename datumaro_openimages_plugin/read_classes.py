"""Finding a dataset's classes: which of its class lists counts, and its hierarchy."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from datumaro_openimages_plugin.classes import (
    ClassList,
    class_list_from_csv,
    hierarchy_from_json,
    names_by_display,
    with_label_names,
)
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.files import DatasetFiles, FoundFile

__all__ = ["read_classes"]

log = logging.getLogger(__name__)


def read_classes(files: DatasetFiles) -> ClassList:
    """The classes of a dataset: label order from one list, display names from all.

    Datumaro's own ``dataset_meta.json`` comes first, as in the built-in reader; where there is no
    list at all the result is empty, and labels are taken from the annotations.

    Raises:
        FormatError: A list or the hierarchy is damaged.
    """
    lists = sorted(files.all("classes"), key=_precedence)
    read = [class_list_from_csv(files.source.read(f.name), file=f.name) for f in lists]
    classes = read[0] if read else ClassList((), {})
    if len(lists) > 1:
        others = ", ".join(file.name for file in lists[1:])
        log.info("classes: order of %s; display names also from %s", lists[0].name, others)
    display_names = {
        name: shown for part in reversed(read) for name, shown in part.display_names.items()
    }
    classes = replace(classes, display_names=display_names)
    for file in files.best("dataset_meta")[:1]:
        names = _meta_labels(files.source.read(file.name), file.name)
        classes = ClassList(
            names, {name: display_names.get(name, name) for name in names}, from_meta=True
        )
    for file in files.best("hierarchy")[:1]:
        classes = _with_hierarchy(classes, files, file)
    return classes


def _precedence(file: FoundFile) -> tuple[int, int, str]:
    """Published lists with a header first, then the boxable one, then the full one."""
    base = file.name.rpartition("/")[2].lower()
    version = file.rank[0]
    if version and base.startswith("oidv") and "-class-descriptions.csv" in base:
        return 0, version, file.name
    order = ("class-descriptions-boxable.csv", "class-descriptions.csv")
    return 1 + (order.index(base) if base in order else len(order)), version, file.name


def _with_hierarchy(classes: ClassList, files: DatasetFiles, file: FoundFile) -> ClassList:
    hierarchy = hierarchy_from_json(files.source.read(file.name), file=file.name)
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

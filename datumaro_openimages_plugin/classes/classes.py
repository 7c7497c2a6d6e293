"""Class lists, from and to the published CSV, and the label categories made of them.

A class is known by its ``LabelName`` (a Freebase MID, ``/m/...``); its ``DisplayName`` is for
people and no key: twelve names of the published list occur twice. Lists up to V5 have no header
row, later ones have; some hold ids alone. Nothing here touches a file: bytes come in, bytes go out.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import attr
from datumaro.components.annotation import LabelCategories

from datumaro_openimages_plugin.classes.class_rows import (
    HEADERLESS,
    IDS_ALONE,
    class_of_row,
    columns_of_header,
    decoded,
    encoded_row,
    plain_class_list,
    plain_lines,
    records,
)
from datumaro_openimages_plugin.classes.hierarchy import Hierarchy
from datumaro_openimages_plugin.errors import AnnotationError, FormatError

__all__ = [
    "ClassList",
    "categories_from_classes",
    "class_list_from_csv",
    "class_list_to_csv",
    "names_by_display",
    "unique_display_names",
    "wanted_parents",
]


@dataclass(frozen=True)
class ClassList:
    """The classes of a dataset, and the bytes they came from so that these can come back.

    Attributes:
        names: Every LabelName, in the order of the file.
        display_names: LabelName -> DisplayName; may have more names, or fewer, than ``names``.
        hierarchy: The tree over the classes, None where the dataset has none.
        source: The class file's bytes, None where there was no file.
        source_has_header: Whether the file's first row is a header.
        from_meta: Whether the names are those of Datumaro's ``dataset_meta.json``.
        others: Further class lists beside the one that gives the order: (file name, its bytes).
    """

    names: tuple[str, ...]
    display_names: Mapping[str, str]
    hierarchy: Hierarchy | None = None
    source: bytes | None = None
    source_has_header: bool = False
    from_meta: bool = False
    others: tuple[tuple[str, bytes], ...] = ()


def class_list_from_csv(data: bytes, *, file: str) -> ClassList:
    """Read a class list: ``LabelName,DisplayName`` rows, or one LabelName a row.

    A header is recognised by what it says, so a list without one loses no class. Where a row has
    no name for people, the LabelName stands in. Blank lines are skipped.

    Args:
        data: The whole file.
        file: Its name, for error messages.

    Raises:
        FormatError: The text is not UTF-8 or not CSV, a row has more columns than the table, a
            LabelName is empty, or two rows give one LabelName different names.
    """
    text = decoded(data, file)
    plain = plain_class_list(text)
    if plain is not None:
        named, has_header = plain
        return ClassList(tuple(named), named, None, data, has_header)
    columns, has_header = HEADERLESS, False
    display_names: dict[str, str] = {}
    for row, cells in records(text, file):
        if row == 0:
            columns, has_header = columns_of_header(cells) or columns, True
            continue
        name, display = class_of_row(cells, columns, file, row)
        known = display_names.setdefault(name, display)
        if known != display:
            raise FormatError(
                f"{name!r} already has the name {known!r}; keep one of the two rows",
                file=file,
                row=row,
                column="DisplayName",
                value=display,
            )
    return ClassList(tuple(display_names), display_names, None, data, has_header)


def class_list_to_csv(
    categories: LabelCategories,
    carried: ClassList | None,
    *,
    header: bool,
    label_names: Mapping[str, str] | None = None,
) -> bytes:
    """Write a class list; the file that was read comes back where the classes are the same.

    With the same LabelNames in the same order and the same choice of header, that is byte for byte;
    with another choice only the header comes or goes. Otherwise there is one row a category, in
    their order, with the DisplayName that was read or else the LabelName, and line ends as read.

    Args:
        categories: The labels to write.
        carried: What was read, None where the dataset came from elsewhere.
        header: Whether the first row is to be ``LabelName,DisplayName``.
        label_names: Category name -> LabelName, for categories that are shown under other names.

    Raises:
        AnnotationError: Two categories have one LabelName, or a name cannot be in a text file.
    """
    names = tuple(wanted_parents(categories, label_names))
    source = carried.source if carried is not None else None
    if carried is not None and source is not None and names == carried.names:
        if header == carried.source_has_header:
            return source
        switched = _with_header_switched(source, carried.source_has_header)
        if switched is not None:
            return switched
    line_end = "\r\n" if source is not None and b"\r\n" in source else "\n"
    display_names = carried.display_names if carried is not None else {}
    rows = [(name, display_names.get(name, name)) for name in names]
    # Without this a class that reads like a header would be taken for one.
    if header or (rows and columns_of_header(list(rows[0])) is not None):
        rows.insert(0, ("LabelName", "DisplayName"))
    return b"".join(encoded_row(row, line_end) for row in rows)


def wanted_parents(
    categories: LabelCategories, label_names: Mapping[str, str] | None = None
) -> dict[str, str]:
    """LabelName -> LabelName of its parent or "", in the order of the categories.

    Args:
        categories: The labels to write.
        label_names: Category name -> LabelName, where the two differ.

    Raises:
        AnnotationError: Two categories have one LabelName.
    """
    label_names = {} if label_names is None else label_names
    if not label_names:
        quickly = {category.name: category.parent or "" for category in categories}
        if len(quickly) == len(categories):
            return quickly
    wanted: dict[str, str] = {}
    parents: dict[str, str] = {}
    for category in categories:
        name = label_names.get(category.name, category.name)
        if name not in wanted:
            parents[name] = parent = category.parent or ""
            wanted[name] = label_names.get(parent, parent)
        # Parts of two of CVAT's skeletons may share a name; whose they are, it is one class.
        elif (category.parent or "") == parents[name]:
            message = f"two labels would be written as {name!r}; rename one of them"
            raise AnnotationError(message, column="LabelName", value=category.name)
    return wanted


def categories_from_classes(
    classes: ClassList, *, shown: Mapping[str, str] | None = None
) -> LabelCategories:
    """Label categories as Datumaro's own plugin makes them: one per class, named by LabelName.

    ``parent`` is the last parent that a walk over the ``Subcategory`` tree meets; see
    `Hierarchy.parents`.

    Args:
        classes: What was read.
        shown: LabelName -> name to show instead, such as `unique_display_names` gives.

    Raises:
        FormatError: Two classes would be shown under one name.
    """
    shown = {} if shown is None else shown
    parents = {} if classes.hierarchy is None else classes.hierarchy.parents(set(classes.names))
    labels = {shown.get(name, name): name for name in classes.names}
    if len(labels) < len(classes.names):
        names = [shown.get(name, name) for name in classes.names]
        message = "two classes would have one label name"
        twice = next(label for label, count in Counter(names).items() if count > 1)
        raise FormatError(message, column="LabelName", value=twice)
    above = [parents.get(name, "") for name in labels.values()] if parents else [""] * len(labels)
    if shown:
        above = [shown.get(parent, parent) for parent in above]
    if not (_PLAIN and "" not in labels):
        return LabelCategories(items=list(map(LabelCategories.Category, labels, above)))
    # Made without the validators; there are 20,000 of them.
    items = []
    for label, parent in zip(labels, above, strict=True):
        category = _new(LabelCategories.Category)
        category.name, category.parent, category.attributes = label, parent, set()
        items.append(category)
    return LabelCategories(items=items)


_PLAIN = [field.name for field in attr.fields(LabelCategories.Category)] == [
    "name", "parent", "attributes",
]  # fmt: skip
_new = LabelCategories.Category.__new__


def unique_display_names(classes: ClassList) -> dict[str, str]:
    """LabelName -> a readable name that no other class has.

    That is the DisplayName; where several classes share one, each of them gets its LabelName in
    brackets, and a class without any is shown by its LabelName.
    """
    candidates = {name: classes.display_names.get(name) or name for name in classes.names}
    for pattern in ("{display} ({name})", "{name}"):
        counts = Counter(candidates.values())
        repeated = [name for name, candidate in candidates.items() if counts[candidate] > 1]
        for name in repeated:
            display = classes.display_names.get(name) or name
            candidates[name] = pattern.format(display=display, name=name)
    if len(set(candidates.values())) < len(candidates):
        # One class is called what another one's id is: only the ids are surely different.
        return {name: name for name in classes.names}
    return candidates


def names_by_display(classes: ClassList, preferred: Collection[str] = ()) -> dict[str, str]:
    """DisplayName -> LabelName, for files that name classes as people do.

    Args:
        classes: What was read.
        preferred: LabelNames that win where several classes share a DisplayName, such as the
            boxable ones for boxes and the hierarchy; otherwise the first in the file does.
    """
    found: dict[str, str] = {}
    preferred = frozenset(preferred)
    for chosen in (True, False):
        for name in classes.names:
            if (name in preferred) is chosen:
                found.setdefault(classes.display_names.get(name) or name, name)
    # A LabelName always means itself.
    names = frozenset(classes.names)
    return {display: name for display, name in found.items() if display not in names}


def _with_header_switched(source: bytes, has_header: bool) -> bytes | None:
    """The same rows with a header added or taken away, None where they would mean another thing."""
    text = source.decode("utf-8-sig").lstrip("\r\n")
    lines = plain_lines(text)
    if lines:
        first = [line.split(",") for line in lines[:2]]
        width = max(line.count(",") for line in lines) + 1
    else:
        rows = [cells for _, cells in records(text, "")]
        first, width = rows[:2], max((len(cells) for cells in rows), default=2)
    if not has_header:
        header = ("LabelName", "DisplayName")[:width]
        return encoded_row(header, "\r\n" if "\r\n" in text else "\n") + text.encode()
    left_as_header = len(first) > 1 and columns_of_header(first[1]) is not None
    if left_as_header or columns_of_header(first[0]) not in (HEADERLESS, IDS_ALONE):
        return None
    if lines:
        return text.partition("\n")[2].encode()
    return "".join(io.StringIO(text, newline="").readlines()[1:]).encode()

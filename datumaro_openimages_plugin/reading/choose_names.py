"""What the names in a choice mean: classes by LabelName or DisplayName, images by id."""

from __future__ import annotations

import csv
import difflib
import io
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.classes.classes import ClassList, unique_display_names
from datumaro_openimages_plugin.errors import OptionError
from datumaro_openimages_plugin.images.images import Images
from datumaro_openimages_plugin.reading.choice import unknown_name
from datumaro_openimages_plugin.tables.arrays import bools_to_arrow, texts_to_arrow, to_numpy

__all__ = ["ClassNames", "ids_from_file", "images_by_id"]

log = logging.getLogger(__name__)

_SHOWN = 5  # names of a long list that a message has


class ClassNames:
    """Finds label indices by what people call classes.

    Args:
        classes: The classes and their hierarchy.
        labels: LabelName by label index, with those that only rows name.
    """

    def __init__(self, classes: ClassList, labels: Sequence[str]) -> None:
        self._hierarchy = classes.hierarchy
        self._shown = {name: classes.display_names.get(name, name) for name in labels}
        self._every = replace(classes, names=tuple(labels))
        self._index = {name: i for i, name in enumerate(labels)}
        nodes = () if classes.hierarchy is None else classes.hierarchy.nodes
        self._in_tree = {node.name for node in nodes}

    def meant(self, name: str, descendants: bool) -> set[int | str]:
        """The classes that a name means, each by label index and LabelName.

        A DisplayName may mean several.

        Args:
            name: LabelName, DisplayName, or the name that labels have where they are shown.
            descendants: Whether what is a kind of the class is meant too.

        Raises:
            OptionError: No class is called so, or there is no hierarchy to tell descendants.
        """
        found = self._label_names(name)
        if descendants:
            if self._hierarchy is None:
                raise OptionError("descendants needs a hierarchy, and the dataset has none")
            below = [self._hierarchy.descendants(label) for label in found]
            found = [*found, *(label for labels in below for label in labels)]
        return {*found, *(self._index[label] for label in found if label in self._index)}

    def _label_names(self, name: str) -> list[str]:
        if name in self._index or name in self._in_tree:
            return [name]
        for names, text in ((self._exact, name), (self._folded, name.casefold())):
            if text in names:
                return names[text]
        known = dict.fromkeys([*self._exact, *self._index])
        raise unknown_name("class", name, list(known))

    @cached_property
    def _exact(self) -> dict[str, list[str]]:
        """Name that is shown -> LabelNames."""
        found: dict[str, list[str]] = {}
        for label, shown in self._shown.items():
            found.setdefault(shown, []).append(label)
        for label, shown in unique_display_names(self._every).items():
            found.setdefault(shown, [label])
        return found

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for shown, labels in self._exact.items():
            found.setdefault(shown.casefold(), []).extend(labels)
        return found


def ids_from_file(path: str | os.PathLike[str]) -> list[str]:
    """Lines of ids or ``<subset>/<id>``, or an image list's ``ImageID`` column.

    Raises:
        OptionError: There is no such file, or it is no text.
    """
    name = os.fspath(path)
    try:
        with open(name, encoding="utf-8-sig", newline="") as file:
            text = file.read()
        ids = _column_of_ids(text)
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        if isinstance(error, csv.Error):
            reason = f"it is no CSV ({error})"
        raise OptionError(
            f"image_ids is a list of ids or the name of a file of them: {reason}", file=name
        ) from None
    if ids is not None:
        return ids
    lines = text.replace("\r", "\n").split("\n")
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _column_of_ids(text: str) -> list[str] | None:
    """The column ``ImageID`` (``ImageId`` in the files of points), None where there is none."""
    first = next(filter(None, text.replace("\r", "\n").split("\n")), "")
    if "imageid" not in first.casefold():
        return None
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [cell.strip().casefold() for cell in next(filter(None, rows))]
    if "imageid" not in header:
        return None
    at = header.index("imageid")
    return [row[at] for row in rows if len(row) > at and row[at]]


def images_by_id(names: Iterable[str], images: Images, strict: bool) -> np.ndarray:
    """(n images,) bool: those that are named by id or ``<subset>/<id>``."""
    wanted = texts_to_arrow(list(dict.fromkeys(names)))
    chosen = _is_in(images.ids, wanted)
    left = wanted.filter(pc.invert(pc.is_in(wanted, value_set=images.ids))).to_pylist()
    by_subset: dict[str, dict[str, None]] = {}
    for name in left:
        subset, _, image_id = name.partition("/")
        by_subset.setdefault(subset, {})[image_id] = None
    missing = []
    for subset, ids in by_subset.items():
        of_subset = np.zeros(len(images), bool)
        if subset in images.subset_names:
            of_subset = images.subset_codes == images.subset_names.index(subset)
        there = images.ids.filter(bools_to_arrow(of_subset))
        array = texts_to_arrow(list(ids))
        chosen |= of_subset & _is_in(images.ids, array)
        absent = array.filter(pc.invert(pc.is_in(array, value_set=there))).to_pylist()
        missing += [f"{subset}/{image_id}" if image_id else subset for image_id in absent]
    if missing:
        _report_missing(missing, len(wanted), images, strict)
    return chosen


def _is_in(values: pa.Array, wanted: pa.Array) -> np.ndarray:
    return to_numpy(pc.is_in(values, value_set=wanted))


def _report_missing(missing: list[str], count: int, images: Images, strict: bool) -> None:
    first = missing[0].rpartition("/")[2]
    similar = images.ids.filter(pc.starts_with(images.ids, first[:1])).slice(0, 5000).to_pylist()
    close = difflib.get_close_matches(first, similar, n=3, cutoff=0.5)
    hint = f"; close to the first: {', '.join(close)}" if close else ""
    text = (
        f"{len(missing)} of {count} image_ids are not in the dataset: "
        f"{', '.join(missing[:_SHOWN])}{', …' if len(missing) > _SHOWN else ''}{hint}"
    )
    if strict:
        raise OptionError(text)
    log.warning("%s", text)  # they may be of the subsets that were not opened

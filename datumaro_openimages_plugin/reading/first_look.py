"""Which images may have one of a few chosen classes, before tables are taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from datumaro_openimages_plugin.classes.classes import ClassList
from datumaro_openimages_plugin.errors import OptionError
from datumaro_openimages_plugin.images.images import Images
from datumaro_openimages_plugin.kinds._kind import Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.reading.choice import Choice
from datumaro_openimages_plugin.reading.choose import images_with
from datumaro_openimages_plugin.reading.choose_names import ClassNames
from datumaro_openimages_plugin.reading.line_scan import LineScan, keys_of_ids
from datumaro_openimages_plugin.tables.arrays import to_arrow
from datumaro_openimages_plugin.tables.rows import Table
from datumaro_openimages_plugin.tables.tables import CsvTable

__all__ = ["classes_meant", "likely_keys", "scans_for"]

_FEW_CLASSES = 8  # each is looked for in all bytes of a table


def classes_meant(choice: Choice, classes: ClassList, labels: Labels) -> set[int | str]:
    """The chosen classes by label index and LabelName, if they tell which images are wanted.

    Empty where no rows have been read yet that name one of them, or where images are named too,
    which may be known by other rows alone.
    """
    if not choice.classes or choice.image_ids is not None:
        return set()
    names = ClassNames(classes, labels.names)
    try:
        groups = [names.meant(name, choice.descendants) for name in choice.classes]
    except OptionError:  # only rows name it, or nothing does
        return set()
    return set().union(*groups)


def scans_for(classes: set[int | str], tables: Sequence[Table]) -> dict[int, LineScan]:
    """Number of a table -> a first look at it; empty where there is nothing to look for."""
    texts = [name.encode() for name in classes if isinstance(name, str)]
    found: dict[int, LineScan] = {}
    if not 0 < len(texts) <= _FEW_CLASSES:
        return found
    for number, table in enumerate(tables):
        scan = LineScan.of(table, texts) if isinstance(table, CsvTable) else None
        if scan is not None:
            found[number] = scan
    return found


def likely_keys(
    scans: Mapping[int, LineScan],
    tables: Mapping[str, KindTable],
    images: Images,
    classes: set[int | str],
) -> np.ndarray:
    """(k,) sorted uint64: keys of all images that may have one of some classes.

    Args:
        scans: First looks at some tables.
        tables: Kind -> the rows of all other tables.
        images: The images so far.
        classes: The classes by label index and LabelName.
    """
    known = keys_of_ids(images.ids.take(to_arrow(images_with(tables, images, classes))))
    return np.unique(np.concatenate([known, *(s.keys[s.found] for s in scans.values())]))

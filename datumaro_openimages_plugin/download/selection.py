"""Which images a choice of classes or ids means, found in the tables that are there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.classes.classes import names_by_display
from datumaro_openimages_plugin.download.published import Published
from datumaro_openimages_plugin.errors import FormatError, OptionError
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.files.read_classes import read_classes
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

__all__ = ["archives_with", "ids_in_lists", "images_of_classes", "label_names", "safe_ids"]

#: Columns that name classes, whatever the kind.
_CLASS_COLUMNS = ("LabelName", "LabelName1", "LabelName2", "Label")


def label_names(folder: str, classes: Collection[str]) -> set[str]:
    """The LabelNames of classes given by LabelName or DisplayName.

    Raises:
        OptionError: No class list there has a name.
    """
    found = read_classes(DatasetFiles(open_source(folder)))
    by_display = names_by_display(found)
    known = {*found.names, *found.display_names}
    unknown = [name for name in classes if name not in known and name not in by_display]
    if unknown:
        raise OptionError("no class list has these classes", value=", ".join(unknown[:10]))
    return {name if name in known else by_display[name] for name in classes}


def images_of_classes(folder: str, tables: Iterable[Published], names: set[str]) -> list[str]:
    """The ids of images that have one of some classes in one of some tables, sorted.

    Labels that say that a class is absent do not count.
    """
    found: set[str] = set()
    for file in tables:
        table = _opened(folder, file)
        if table is None:
            continue
        classes = [name for name in _CLASS_COLUMNS if table.actual(name)]
        columns = [Column("ImageID"), Column("Confidence", "code", required=False)]
        rows = table.read([*columns, *(Column(name, "code") for name in classes)], _fail)
        chosen = np.zeros(rows.count, bool)
        for name in classes:
            codes, values = rows.code[name]
            wanted = [code for code, value in enumerate(values) if value in names]
            chosen |= np.isin(codes, wanted)
        if "Confidence" in rows.code:
            codes, values = rows.code["Confidence"]
            absent = [code for code, value in enumerate(values) if _is_zero(value)]
            chosen &= ~np.isin(codes, absent)
        found.update(_unique(rows.text["ImageID"], chosen))
    return sorted(found)


def ids_in_lists(
    folder: str, lists: Iterable[Published], ids: Collection[str] | None
) -> list[tuple[str, str]]:
    """(id, subset) of the images that the image lists have, in their order, each once.

    Args:
        folder: Where the tables are.
        lists: The image lists.
        ids: The only ids wanted, None for all.
    """
    wanted = None if ids is None else pa.array(sorted(ids), pa.string())
    found: dict[str, str] = {}
    for file in lists:
        table = _opened(folder, file)
        if table is None or file.subset is None:
            continue
        rows = table.read([Column("ImageID")], _fail)
        names = rows.text["ImageID"]
        if wanted is not None:
            names = names.filter(pc.is_in(names, value_set=wanted))
        for name in names.to_pylist():
            found.setdefault(name, file.subset)
    return list(found.items())


def archives_with(
    folder: str,
    archives: Iterable[Published],
    tables: Iterable[Published],
    images: Collection[str] | None,
) -> Iterator[Published]:
    """The mask archives that have a mask of one of some images; all where that is None.

    An archive has the masks of the images whose id begins with the hexadecimal digit in its name.
    """
    if images is None:
        yield from archives
        return
    wanted = pa.array(sorted(images), pa.string())
    digits: dict[str | None, set[str]] = {}
    for file in tables:
        table = _opened(folder, file)
        if table is not None:
            names = table.read([Column("ImageID")], _fail).text["ImageID"]
            masked = pc.unique(names.filter(pc.is_in(names, value_set=wanted)))
            digits[file.subset] = {name[:1].lower() for name in masked.to_pylist()}
    for archive in archives:
        if archive.path.rpartition("-")[2][0] in digits.get(archive.subset, ()):
            yield archive


def safe_ids(ids: Iterable[str]) -> list[str]:
    """The ids, if they can be parts of addresses and file names.

    Raises:
        OptionError: One is not made of hexadecimal digits.
    """
    result = []
    for name in ids:
        if not name or len(name) > 32 or not set(name) <= set("0123456789abcdef"):
            raise OptionError("an image id is made of hexadecimal digits", value=name)
        result.append(name)
    return result


def _opened(folder: str, file: Published) -> CsvTable | None:
    if not file.target.endswith(".csv") or not os.path.exists(os.path.join(folder, file.target)):
        return None
    return CsvTable(open_source(folder), file.target)


def _unique(names: pa.ChunkedArray, chosen: np.ndarray) -> list[str]:
    return pc.unique(names.filter(pa.array(chosen))).to_pylist()  # type: ignore[no-any-return]


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0
    except ValueError:
        return False


def _fail(error: FormatError) -> None:
    raise error

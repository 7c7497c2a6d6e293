"""The ids of a dataset's images, without reading anything else of it."""

from __future__ import annotations

from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

__all__ = ["ids_with_sizes"]


def ids_with_sizes(path: str) -> list[str]:
    """The ids of the images whose sizes an import can use, as they are once unquoted.

    They are those in the image lists of a folder or zip, and those in tables of annotations whose
    coordinates need a size; an image may be in no list. Rows that cannot be read are left out;
    importing the dataset reports them.
    """
    files = DatasetFiles(open_source(path))
    found: dict[str, None] = {}
    for kind in ("images", *(kind.name for kind in KINDS if kind.needs_sizes)):
        for file in files.all(kind):
            rows = CsvTable(files.source, file.name).read([Column("ImageID")], lambda error: None)
            found.update(dict.fromkeys(rows.text["ImageID"].to_pylist()))
    return list(found)

"""The ids of a dataset's images, without reading anything else of it."""

from __future__ import annotations

from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

__all__ = ["listed_ids"]


def listed_ids(path: str) -> list[str]:
    """The ids in the image lists of a folder or zip, as they are once unquoted.

    Rows that cannot be read are left out; importing the dataset reports them.
    """
    files = DatasetFiles(open_source(path))
    found: dict[str, None] = {}
    for file in files.all("images"):
        rows = CsvTable(files.source, file.name).read([Column("ImageID")], lambda error: None)
        found.update(dict.fromkeys(rows.text["ImageID"].to_pylist()))
    return list(found)

"""Columns that Datumaro's objects have no place for, under the names they have as attributes.

They travel unseen with every object (see `origin`). An import option shows them as attributes,
and attributes of these names are written to their columns, whoever set them. Those of annotations
are the kinds' own (see `kinds._kind.Kind.extra`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EXTRA_ATTRIBUTE", "EXTRA_COLUMN", "IMAGE", "column_text", "shown"]

#: The attribute in which an export brings a row's `extra_column`, and that column's name.
EXTRA_ATTRIBUTE = "extra_column"
EXTRA_COLUMN = "Extra"

#: Attribute of an item -> column of the image lists.
IMAGE = {
    "original_url": "OriginalURL",
    "original_landing_url": "OriginalLandingURL",
    "license": "License",
    "author_profile_url": "AuthorProfileURL",
    "author": "Author",
    "title": "Title",
    "original_size": "OriginalSize",
    "original_md5": "OriginalMD5",
    "thumbnail_300k_url": "Thumbnail300KURL",
    "rotation": "Rotation",
}


def shown(fields: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """The attributes that a row's extra columns are shown as; empty ones are left out."""
    found = {name: fields.get(column, "") for name, column in columns.items()}
    return {name: text for name, text in found.items() if text}


def column_text(attribute: str, value: Any) -> str:
    """The text of a column for an attribute's value; None means an empty one.

    Raises:
        ValueError: The text cannot stand in a row.
    """
    text = "" if value is None else str(value)
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError(f"has {attribute} with a NUL or a lone surrogate")
    return text

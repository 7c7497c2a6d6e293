"""Columns that Datumaro's objects have no place for, under the names they have as attributes.

They travel unseen with every object (see `origin`). An import option shows them as attributes,
and attributes of these names are written to their columns, whoever set them. Those of annotations
are the kinds' own (see `kinds._kind.Kind.extra`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.origin import Origin

__all__ = [
    "EXTRA_ATTRIBUTE",
    "EXTRA_COLUMN",
    "IMAGE",
    "column_text",
    "columns_over",
    "is_text",
    "shown",
    "text_or_none",
]

#: The attribute in which an export brings what a row's column of ours holds; the column's name.
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
    EXTRA_ATTRIBUTE: EXTRA_COLUMN,
}


def shown(fields: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """The attributes that a row's extra columns are shown as; empty ones are left out."""
    found = {name: fields.get(column, "") for name, column in columns.items()}
    return {name: text for name, text in found.items() if text}


def columns_over(
    shown: Mapping[str, str],
    columns: Mapping[str, str],
    origin: Origin | None,
    default: Callable[[str], str] = lambda column: "",
) -> dict[str, str]:
    """What to write over a row for the attributes that show its extra columns.

    An attribute that shows what the row said says nothing about what has changed since: it leaves
    the column as it has become. One that was shown and is gone empties its column.

    Args:
        shown: Column -> text, of the attributes that are there.
        columns: Attribute -> column, of all that can be shown.
        origin: The row that the attributes' object was read from, None where it was not.
        default: The text of a column without a value.
    """
    if not shown and (origin is None or not origin.dataset.show_columns):
        return {}
    old = {} if origin is None else origin.fields
    found = {column: text for column, text in shown.items() if text != old.get(column)}
    if origin is not None and origin.dataset.show_columns:
        for column in columns.values():
            if column not in shown and column != EXTRA_COLUMN and old.get(column):
                found[column] = default(column)
    return found


def column_text(attribute: str, value: Any) -> str:
    """The text of a column for an attribute's value; None means an empty one.

    Raises:
        ValueError: The text cannot stand in a row.
    """
    text = "" if value is None else str(value)
    if not is_text(text):
        raise ValueError(f"has {attribute} with a NUL or a lone surrogate")
    return text


def is_text(text: str) -> bool:
    """Whether a table takes a text: without NUL and lone surrogates, which are no characters."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def text_or_none(attribute: str, value: Any) -> str | None:
    """What `column_text` gives, None where the text cannot stand in a row."""
    try:
        return column_text(attribute, value)
    except ValueError:
        return None

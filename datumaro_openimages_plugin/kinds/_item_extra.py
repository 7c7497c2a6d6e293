"""The column ``Extra`` of image lists: what items have that no column of theirs can say.

It holds what that of annotations does (see `_extra_column`), with ``attributes`` alone.
"""

from __future__ import annotations

from typing import Any

from datumaro_openimages_plugin.annotations.extra_json import dumped, is_json, parsed, plain
from datumaro_openimages_plugin.annotations.extras import (
    EXTRA_ATTRIBUTE,
    EXTRA_COLUMN,
    IMAGE,
    text_or_none,
)
from datumaro_openimages_plugin.kinds import KINDS

__all__ = ["is_unseen", "packed", "unpack"]

#: Attributes that are written to files of their own.
_ELSEWHERE = frozenset(kind.item_attribute for kind in KINDS)
#: Attribute -> column, of those that imports show on request only.
_SHOWN = {name: column for name, column in IMAGE.items() if name != EXTRA_ATTRIBUTE}


def packed(item: Any) -> dict[str, Any]:
    """The attributes of an item, those without a column as the one of the column ``Extra``."""
    attributes, kept = dict(item.attributes), {}
    row = _row(item) if attributes else {}
    taken_back = _kept(row.get(EXTRA_COLUMN)) or {}
    for name, value in item.attributes.items():
        is_shown = name in IMAGE and isinstance(value, str) and value == row.get(IMAGE[name])
        if is_shown and name not in taken_back:
            continue
        if name not in _ELSEWHERE and is_json(value):
            kept[name] = plain(value)
            if name not in _SHOWN or text_or_none(name, value) is None:
                del attributes[name]
    attributes.pop(EXTRA_ATTRIBUTE, None)
    if kept:
        attributes[EXTRA_ATTRIBUTE] = dumped({"attributes": kept})
    elif _has_column(item) and item.origin.dataset.keep_attributes:
        attributes[EXTRA_ATTRIBUTE] = ""
    return attributes


def unpack(item: Any, *, imported: bool = True) -> None:
    """Gives an item what its row has in the column ``Extra``.

    Args:
        item: The item.
        imported: Whether it is just being imported; else attributes that are there stay.
    """
    row = _row(item) if _has_column(item) else {}
    text = row.get(EXTRA_COLUMN)
    kept = _kept(text)
    if kept is None:
        return
    if item.attributes.get(EXTRA_ATTRIBUTE) == text:
        del item.attributes[EXTRA_ATTRIBUTE]  # what it says is shown itself
    for name, value in kept.items():
        written = text_or_none(name, value) or ""
        agrees = name not in _SHOWN or row.get(_SHOWN[name], written) == written
        if agrees and (imported or name not in item.attributes):
            item.attributes[name] = value


def _kept(text: str | None) -> dict[str, Any] | None:
    """The attributes that a field keeps; None where there is no field of ours."""
    if not text:
        return None
    try:
        attributes: dict[str, Any] = parsed(text).get("attributes", {})
    except ValueError:  # of another tool: an import that was not asked to did not look at it
        return None
    return attributes


def is_unseen(item: Any) -> bool:
    """Whether an item's row may have what its import did not take back."""
    return _has_column(item) and not item.origin.dataset.keep_attributes


def _has_column(item: Any) -> bool:
    # Without reading the row.
    origin = getattr(item, "origin", None)
    return (
        origin is not None
        and origin.source is not None
        and EXTRA_COLUMN in origin.source.header(origin.row)
    )


def _row(item: Any) -> dict[str, str]:
    origin = getattr(item, "origin", None)
    return {} if origin is None else origin.fields

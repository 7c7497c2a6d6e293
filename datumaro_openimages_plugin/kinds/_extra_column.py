"""The column ``Extra``: what labels, boxes, masks and points have that no column of theirs can say.

Items have one, too (see `_item_extra`). Narratives have none: their official loader makes a record
of a line's keys, and would fail at one more.

An export with ``keep_attributes`` writes it, an import with ``keep_attributes`` takes it back; all
other readers of the tables pass it by. It is a JSON object with any of these:

``attributes``
    Attributes of other names, and values that their column would bring back as something else,
    such as a score typed as ``0.50``. The latter count only as long as the column agrees.
``group``
    The number of a group of two or more annotations of the image.
``z_order``
    Which of two shapes lies above.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType, annotation_type
from datumaro_openimages_plugin.annotations.extra_json import dumped, is_json, parsed, plain
from datumaro_openimages_plugin.annotations.extras import (
    EXTRA_ATTRIBUTE,
    EXTRA_COLUMN,
    column_text,
    text_or_none,
)
from datumaro_openimages_plugin.annotations.shapes import rotation_deg
from datumaro_openimages_plugin.annotations.values import (
    box_id_text,
    flag_from_text,
    flag_text,
    score_text,
)
from datumaro_openimages_plugin.kinds import KINDS, _item_extra, boxes, labels, masks, points
from datumaro_openimages_plugin.tables.tables import Column

__all__ = ["column", "group_numbers", "kept_attributes", "pack", "packed_items", "unpack"]

#: As the writer asks them: those that take only some annotations of a type come first.
_SPECIAL_FIRST = sorted(KINDS, key=lambda kind: kind.takes is None)

_OUTLINES = [annotation_type(name) for name in ("polygon", "rotated_bbox")]
_ELLIPSE = annotation_type("ellipse")

#: Attribute -> its column, and the text of a value there.
_COLUMNS: dict[str, tuple[str, Callable[[Any], str | None]]] = {
    "score": ("Confidence", lambda value: score_text(value) or "1"),
    **{name: (column, flag_text) for name, column in boxes.FLAGS.items()},
    "predicted_iou": ("PredictedIoU", lambda value: score_text(value, "predicted_iou") or ""),
    "box_id": ("BoxID", box_id_text),
    "estimated_yes_no": ("EstimatedYesNo", points.answer_text),
    "text_label": ("TextLabel", lambda value: column_text("text_label", value)),
    **{
        name: (column, lambda value: points.votes_text("votes", value))
        for name, column in points.VOTES.items()
    },
}
#: Those whose texts are compared as they are.
_TEXTS = frozenset(("box_id", "estimated_yes_no", "text_label"))


def _with_columns(annotation: Any, ordinary: bool) -> frozenset[str] | None:
    """The attributes of an annotation that have a column; None for kinds without ``Extra``."""
    type_ = annotation.type
    is_turned = type_ is AnnotationType.bbox and rotation_deg(annotation) != 0
    if is_turned or type_ is _ELLIPSE:
        # Written as a mask, by its rotation.
        return masks.ATTRIBUTES | {"rotation"}
    if type_ in _OUTLINES:
        return masks.ATTRIBUTES
    for kind in _SPECIAL_FIRST:
        if kind.type is type_ and (kind.takes is None or (not ordinary and kind.takes(annotation))):
            return kind.attributes if EXTRA_ATTRIBUTE in kind.extra else None
    return None


# Export


class packed_items:  # noqa: N801 (used as a function; a class, since exports iterate repeatedly)
    """Items that have, as their annotations do, what no column can say in one attribute.

    Args:
        items: The items; they stay as they are.
    """

    def __init__(self, items: Any) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            item = _with_unseen(item)
            groups = group_numbers(item.annotations)
            made = [pack(annotation, groups) for annotation in item.annotations]
            attributes = _item_extra.packed(item)
            is_plain = not made and attributes == item.attributes
            yield item if is_plain else item.wrap(annotations=made, attributes=attributes)


def _with_unseen(item: Any) -> Any:
    """The item with what its rows keep, if its import did not take that back; else it would go."""
    if not _item_extra.is_unseen(item) and not any(
        not annotation.origin.dataset.keep_attributes and EXTRA_COLUMN in _row(annotation)
        for annotation in item.annotations
        if getattr(annotation, "origin", None) is not None
    ):
        return item
    copies = [a.wrap(attributes=dict(a.attributes)) for a in item.annotations]
    item = item.wrap(annotations=copies, attributes=dict(item.attributes))
    unpack(item, imported=False)
    return item


def _row(annotation: Any) -> dict[str, str]:
    origin = getattr(annotation, "origin", None)
    return {} if origin is None else origin.fields


def group_numbers(annotations: Iterable[Any]) -> dict[int, int]:
    """Group -> its number among the groups of two or more annotations of an item, from 1."""
    counts = Counter(annotation.group for annotation in annotations if annotation.group)
    real = [group for group, count in counts.items() if count > 1]
    return {group: number for number, group in enumerate(real, 1)}


def pack(annotation: Any, groups: Mapping[int, int], *, ordinary: bool = False) -> Any:
    """The annotation with what no column can say in the attribute of the column ``Extra``.

    Args:
        annotation: Any annotation; one of a kind without this column comes back as it is.
        groups: Group -> the number to write for it; groups that are not there are not written.
        ordinary: Whether it is just a label, box or mask, whatever its attributes are called;
            otherwise some make it one of people or of a machine, which have columns of their own.
    """
    with_columns = _with_columns(annotation, ordinary)
    if with_columns is None:
        return annotation
    attributes, extra = dict(annotation.attributes), {}
    # A box that lies straight is a plain box.
    rotation = attributes.get("rotation")
    straight = annotation.type is AnnotationType.bbox and is_json(rotation) and rotation == 0
    for name, value in annotation.attributes.items():
        if name == "rotation" and (straight or "rotation" in with_columns):
            if straight:
                del attributes[name]
        elif name == EXTRA_ATTRIBUTE and _is_shown(annotation, value):
            pass
        elif name not in with_columns:
            if is_json(value):
                # Where it has a column that imports show on request only, it goes there too.
                extra[name] = plain(attributes[name])
                if name not in _SHOWN_ON_REQUEST or text_or_none(name, value) is None:
                    del attributes[name]
        elif is_json(value) and not _comes_back(name, value):
            extra[name] = plain(value)
            if not _has_text(name, value):
                del attributes[name]
    kept: dict[str, Any] = {"attributes": extra} if extra else {}
    if annotation.group in groups:
        kept["group"] = groups[annotation.group]
    if getattr(annotation, "z_order", 0):
        kept["z_order"] = int(annotation.z_order)
    attributes.pop(EXTRA_ATTRIBUTE, None)
    if kept:
        attributes[EXTRA_ATTRIBUTE] = dumped(kept)
    elif _had_extra(annotation) and annotation.origin.dataset.keep_attributes:
        attributes[EXTRA_ATTRIBUTE] = ""
    return annotation.wrap(attributes=attributes)


def _is_shown(annotation: Any, value: Any) -> bool:
    """Whether an import shows the column as this attribute."""
    return isinstance(value, str) and value == _row(annotation).get(EXTRA_COLUMN)


#: Attribute -> column, of those that imports show on request only.
_SHOWN_ON_REQUEST = {
    name: column
    for name, column in {**labels.EXTRA, **boxes.EXTRA, **masks.EXTRA, **points.EXTRA}.items()
    if name != EXTRA_ATTRIBUTE
}


def _had_extra(annotation: Any) -> bool:
    return bool(_row(annotation).get(EXTRA_COLUMN))


def _comes_back(name: str, value: Any) -> bool:
    """Whether a reader of the column alone gets an equal value of the same type."""
    if value is None:
        return True  # not given
    if name in boxes.FLAGS:
        return isinstance(value, (bool, np.bool_))
    if name in _TEXTS:
        is_text = isinstance(value, str) and bool(value) and _has_text(name, value)
        return is_text and _COLUMNS[name][1](value) == value
    if name in points.VOTES and not isinstance(value, (int, np.integer)):
        return False
    if name == "source":
        return True
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    return is_number and _has_text(name, value)


def _has_text(name: str, value: Any) -> bool:
    try:
        _COLUMNS[name][1](value)
    except ValueError:
        return False
    return True


# Import


def column() -> Column:
    """The column, as tables read it: its texts are checked, and parsed when items are made."""
    return Column(EXTRA_COLUMN, "code", required=False, parse=_checked)


def _checked(text: str) -> str:
    if text:
        parsed(text)
    return text


def unpack(item: Any, *, imported: bool = True) -> None:
    """Gives an item and its annotations what their rows have in the column ``Extra``.

    Groups kept there are numbered after those that the tables give.

    Args:
        item: The item.
        imported: Whether it is just being imported; else attributes that are there may have been
            set since, and stay.
    """
    _item_extra.unpack(item, imported=imported)
    fields = [_row(annotation) for annotation in item.annotations]
    if not any(row.get(EXTRA_COLUMN) for row in fields):
        return
    last = max(annotation.group for annotation in item.annotations)
    for annotation, row in zip(item.annotations, fields, strict=True):
        text = row.get(EXTRA_COLUMN)
        if not text:
            continue
        try:
            kept = parsed(text)
        except ValueError:  # of another tool: an import that was not asked to did not look at it
            continue
        if annotation.attributes.get(EXTRA_ATTRIBUTE) == text:
            del annotation.attributes[EXTRA_ATTRIBUTE]  # what it says is shown itself
        agreeing = _agreeing(kept.get("attributes", {}), row)
        for name, value in agreeing.items():
            if imported or _is_as_read(name, annotation.attributes, row):
                annotation.attributes[name] = value
        if kept.get("group"):
            annotation.group = last + kept["group"]
        if kept.get("z_order") and hasattr(annotation, "z_order"):
            annotation.z_order = kept["z_order"]


def kept_attributes(annotation: Any) -> frozenset[str]:
    """The attributes that an annotation has from the column ``Extra``."""
    text = _row(annotation).get(EXTRA_COLUMN)
    if not text:
        return frozenset()
    return frozenset(parsed(text).get("attributes", ()))


def _agreeing(attributes: Mapping[str, Any], row: Mapping[str, str]) -> dict[str, Any]:
    """The attributes, without those whose own column has been changed since."""
    return {name: value for name, value in attributes.items() if _agrees(name, value, row)}


def _is_as_read(name: str, attributes: Mapping[str, Any], row: Mapping[str, str]) -> bool:
    if name in _COLUMNS or name in _SHOWN_ON_REQUEST:
        return _agrees(name, attributes.get(name), row)
    return name not in attributes


def _agrees(name: str, value: Any, row: Mapping[str, str]) -> bool:
    if name in _SHOWN_ON_REQUEST:
        shown = text_or_none(name, value) or ""
        return row.get(_SHOWN_ON_REQUEST[name], shown) == shown
    if name not in _COLUMNS:
        return True
    column_name, to_text = _COLUMNS[name]
    if column_name not in row:
        return True  # of another kind's column: an attribute like any other
    written = row[column_name]
    try:
        text = to_text(value)
    except ValueError:  # was written as if it were not given
        text = to_text(None)
    if name in boxes.FLAGS:
        return flag_from_text(text or "") == flag_from_text(written)
    if text is None:
        return True  # an id was made for it
    if name in _TEXTS or not text or not written:
        return text == written
    return float(text) == float(written)

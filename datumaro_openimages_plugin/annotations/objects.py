"""Datumaro's annotations and items with a field for what they were read from.

Equality, ``repr`` and ``as_dict`` leave the field out: the subclasses compare as their base classes
do, in both orders, and keep their origin through ``wrap``, copying, pickling, caching, filtering
and merging.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attr

from datumaro_openimages_plugin._host import Bbox, Caption, DatasetItem, Label, Mask, Points
from datumaro_openimages_plugin.annotations.origin import ImageOrigin, Origin

__all__ = [
    "OriginBbox",
    "OriginCaption",
    "OriginItem",
    "OriginLabel",
    "OriginMask",
    "OriginPoints",
    "copied",
    "other_fields",
]


def other_fields(cls: type, given: set[str]) -> list[tuple[Callable[[Any, Any], None], Any]]:
    """How to set the fields of a class that are not ``given``: (setter, default) pairs.

    For code that makes objects without their constructor, whatever fields this Datumaro has.
    """
    others = []
    for known in attr.fields(cls):
        if known.name in given:
            continue
        if isinstance(known.default, attr.Factory) or known.default is attr.NOTHING:  # type: ignore[arg-type]
            raise TypeError(f"{cls.__name__}.{known.name} has no plain default")
        others.append((getattr(cls, known.name).__set__, known.default))
    return others


def _values(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    # What a private field has is told by a property of its name.
    names = [a.name.strip("_") for a in attr.fields(cls) if a.eq and a.name != "origin"]

    def values(value: Any) -> tuple[Any, ...]:
        return tuple(getattr(value, name) for name in names)

    return values


_label_values = _values(Label)
_bbox_values = _values(Bbox)
_caption_values = _values(Caption)
_points_values = _values(Points)
_item_values = _values(DatasetItem)


def _without_origin(annotation: Any) -> dict[str, Any]:
    return {
        a.name: getattr(annotation, a.name)
        for a in attr.fields(type(annotation))
        if a.name != "origin"
    }


class _RowLabel(Label):  # type: ignore[misc]
    __slots__ = ("_row",)


class _RowBbox(Bbox):  # type: ignore[misc]
    __slots__ = ("_row",)


class _RowMask(Mask):  # type: ignore[misc]
    __slots__ = ("_row",)


class _RowItem(DatasetItem):  # type: ignore[misc]
    __slots__ = ("_row",)


def _made_when_asked(cls: type) -> type:
    """Lets a class make its objects' `Origin` when it is asked for.

    The slot of ``origin``, under the name ``_source``, then holds an `Origin`, None, or a source
    of rows whose row number ``_row`` is. Millions of annotations are made with the latter two,
    and few are ever asked for their origin.
    """
    slot = cls.__dict__["origin"]

    def get(annotation: Any) -> Origin | None:
        source = annotation._source
        if source is None or isinstance(source, Origin):
            return source
        return Origin(source, annotation._row)

    cls._source = slot  # type: ignore[attr-defined]
    cls.origin = property(get, slot.__set__)  # type: ignore[attr-defined]
    return cls


@_made_when_asked
@attr.attrs(slots=True, init=False, eq=False, order=False)
class OriginLabel(_RowLabel):
    """An image label that knows its row; equal to a `Label` of the same values."""

    type = Label._type  # asked for millions of times; a property takes longer
    origin: Origin | None = attr.ib(default=None, eq=False, repr=False, kw_only=True)

    def __init__(self, *args: Any, origin: Origin | None = None, **kwargs: Any) -> None:
        Label.__init__(self, *args, **kwargs)
        self.origin = origin

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Label):
            return NotImplemented
        return _label_values(self) == _label_values(other)

    __hash__ = None  # type: ignore[assignment]

    def as_dict(self) -> dict[str, Any]:
        """The fields of a `Label`."""
        return _without_origin(self)


@_made_when_asked
@attr.attrs(slots=True, init=False, eq=False, order=False)
class OriginBbox(_RowBbox):
    """A box that knows its row; equal to a `Bbox` of the same values."""

    type = Bbox._type  # see `OriginLabel`
    origin: Origin | None = attr.ib(default=None, eq=False, repr=False, kw_only=True)

    def __init__(self, *args: Any, origin: Origin | None = None, **kwargs: Any) -> None:
        Bbox.__init__(self, *args, **kwargs)
        self.origin = origin

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Bbox):
            return NotImplemented
        return _bbox_values(self) == _bbox_values(other)

    __hash__ = None  # type: ignore[assignment]

    def as_dict(self) -> dict[str, Any]:
        """The fields of a `Bbox`."""
        return _without_origin(self)


@_made_when_asked
@attr.attrs(slots=True, init=False, eq=False, order=False)
class OriginMask(_RowMask):
    """A mask that knows its row; compares as a `Mask` does."""

    type = Mask._type  # see `OriginLabel`
    origin: Origin | None = attr.ib(default=None, eq=False, repr=False, kw_only=True)

    def __init__(self, *args: Any, origin: Origin | None = None, **kwargs: Any) -> None:
        Mask.__init__(self, *args, **kwargs)
        self.origin = origin

    def as_dict(self) -> dict[str, Any]:
        """The fields of a `Mask`."""
        return _without_origin(self)


@attr.attrs(slots=True, init=False, eq=False, order=False)
class OriginPoints(Points):
    """Points that know their row; equal to `Points` of the same values."""

    type = Points._type  # see `OriginLabel`
    origin: Origin | None = attr.ib(default=None, eq=False, repr=False, kw_only=True)

    def __init__(self, *args: Any, origin: Origin | None = None, **kwargs: Any) -> None:
        Points.__init__(self, *args, **kwargs)
        self.origin = origin

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Points):
            return NotImplemented
        return _points_values(self) == _points_values(other)

    __hash__ = None  # type: ignore[assignment]

    def as_dict(self) -> dict[str, Any]:
        """The fields of `Points`."""
        return _without_origin(self)


@attr.attrs(slots=True, init=False, eq=False, order=False)
class OriginCaption(Caption):
    """A caption that knows its line; equal to a `Caption` of the same values."""

    type = Caption._type  # see `OriginLabel`
    origin: Origin | None = attr.ib(default=None, eq=False, repr=False, kw_only=True)

    def __init__(self, *args: Any, origin: Origin | None = None, **kwargs: Any) -> None:
        Caption.__init__(self, *args, **kwargs)
        self.origin = origin

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Caption):
            return NotImplemented
        return _caption_values(self) == _caption_values(other)

    __hash__ = None  # type: ignore[assignment]

    def as_dict(self) -> dict[str, Any]:
        """The fields of a `Caption`."""
        return _without_origin(self)


@attr.attrs(slots=True, init=False, eq=False, order=False)
class OriginItem(_RowItem):
    """An item that knows its image's row and size; equal to a `DatasetItem` of the same values."""

    origin: ImageOrigin | None = attr.ib(default=None, eq=False, repr=False, kw_only=True)

    def __init__(self, *args: Any, origin: ImageOrigin | None = None, **kwargs: Any) -> None:
        DatasetItem.__init__(self, *args, **kwargs)
        self.origin = origin

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, DatasetItem):
            return NotImplemented
        return _item_values(self) == _item_values(other)

    __hash__ = None  # type: ignore[assignment]


def _item_origin(item: Any) -> ImageOrigin | None:
    """An item's origin; until it is asked for, its slot holds an `ImageSource`."""
    source = item._source
    if source is not None and not isinstance(source, ImageOrigin):
        source = item._source = source.origin(item._row)
    return source  # type: ignore[no-any-return]


_item_slot = OriginItem.__dict__["origin"]
OriginItem._source = _item_slot
OriginItem.origin = property(_item_origin, _item_slot.__set__)  # type: ignore[assignment, misc]


_COPIED = {cls: [a.name for a in attr.fields(cls)] for cls in (OriginLabel, OriginBbox)}


def copied(annotation: Any, **changes: Any) -> Any:
    """What ``annotation.wrap(**changes)`` gives; ours are copied without their validators.

    Args:
        annotation: Any annotation.
        changes: Field -> its new value, of the field's own type.
    """
    cls: Any = type(annotation)
    names = _COPIED.get(cls)
    if names is None:
        return annotation.wrap(**{"attributes": dict(annotation.attributes), **changes})
    made = cls.__new__(cls)
    for name in names:
        setattr(made, name, getattr(annotation, name))
    for name, value in changes.items():
        setattr(made, name, value)
    # What can be changed in place is each copy's own.
    made.attributes = dict(made.attributes)
    if cls is OriginBbox:
        made.points = list(made.points)
    return made

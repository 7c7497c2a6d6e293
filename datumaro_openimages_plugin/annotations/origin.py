"""What an annotation, an image or an item was read from, carried along unseen.

Datumaro's objects have no place for a source, clicks, exact coordinates or a licence. The
subclasses here carry an `Origin` in a field of their own that equality, ``repr`` and ``as_dict``
leave out: they compare as their base classes do, in both orders, and keep their origin through
``wrap``, copying, pickling, caching, filtering and merging.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attr

from datumaro_openimages_plugin._host import Bbox, Caption, DatasetItem, Label, Mask, Points
from datumaro_openimages_plugin.annotations.imported import ImportedFrom

__all__ = [
    "ImageOrigin",
    "ImageSource",
    "ImportedFrom",
    "Origin",
    "OriginBbox",
    "OriginCaption",
    "OriginItem",
    "OriginLabel",
    "OriginMask",
    "OriginPoints",
    "RowSource",
    "copied",
    "other_fields",
]


class RowSource(Protocol):
    """What an origin points into: rows by number, each a mapping of column to text."""

    dataset: ImportedFrom
    kind: str

    def fields(self, row: int) -> dict[str, str]:
        """The row's text by column name, in the file's order."""

    def raw(self, row: int) -> bytes | None:
        """The row's bytes as they stand in its file, None where they are not at hand."""

    def line_end(self, row: int) -> str:
        """How lines end in the row's file."""

    def header(self, row: int) -> list[str]:
        """The columns of the row's file, in their order."""

    def fractions(self, row: int) -> tuple[float, ...]:
        """The row's coordinates as fractions of the image, empty where it has none."""


class _DetachedRow:
    """One row on its own: what an origin becomes in a pickle."""

    __slots__ = ("_end", "_fields", "_fractions", "_raw", "dataset", "kind")

    def __init__(self, source: RowSource, row: int) -> None:
        self.dataset = source.dataset
        self.kind = source.kind
        self._fields = source.fields(row)
        self._raw = source.raw(row)
        self._end = source.line_end(row)
        self._fractions = source.fractions(row)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.dataset, self.kind, self._fields, self._raw, self._end, self._fractions

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dataset, self.kind, self._fields, self._raw, self._end, self._fractions = state

    def fields(self, row: int) -> dict[str, str]:
        return self._fields

    def raw(self, row: int) -> bytes | None:
        return self._raw

    def line_end(self, row: int) -> str:
        return self._end

    def header(self, row: int) -> list[str]:
        return list(self._fields)

    def fractions(self, row: int) -> tuple[float, ...]:
        return self._fractions


class Origin:
    """A row of a table that was read; immutable, shared by copies, pickled as its own row only.

    Args:
        source: The rows.
        row: The row's number in them.
    """

    __slots__ = ("row", "source")

    def __init__(self, source: RowSource, row: int) -> None:
        self.source = source
        self.row = row

    @property
    def fields(self) -> dict[str, str]:
        """The row's text by column name."""
        return self.source.fields(self.row)

    @property
    def raw(self) -> bytes | None:
        """The row's bytes as they stand in its file."""
        return self.source.raw(self.row)

    @property
    def line_end(self) -> str:
        """How lines end in the row's file."""
        return self.source.line_end(self.row)

    @property
    def fractions(self) -> tuple[float, ...]:
        """The row's coordinates as fractions of the image."""
        return self.source.fractions(self.row)

    @property
    def dataset(self) -> ImportedFrom:
        """What all rows of one import share."""
        return self.source.dataset

    @property
    def kind(self) -> str:
        """Name of the kind of annotation that the row is of."""
        return self.source.kind

    def __copy__(self) -> Origin:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        row = self.source
        if not isinstance(row, _DetachedRow):
            row = _DetachedRow(row, self.row)
        return Origin, (row, 0)

    def __repr__(self) -> str:
        return f"Origin({self.fields})"


class ImageOrigin(Origin):
    """An image list's row, with the image's known size.

    Args:
        source: The rows; None where no image list has the image.
        row: The row's number in them.
        size: (height, width) in pixels, None where nothing told it.
        key: The image's id and subset at import.
        dataset: What all rows of one import share.
    """

    __slots__ = ("_dataset", "key", "size")

    def __init__(
        self,
        source: RowSource | None,
        row: int,
        size: tuple[int, int] | None,
        key: tuple[str, str],
        dataset: ImportedFrom,
    ) -> None:
        self.source = source  # type: ignore[assignment]
        self.row = row
        self.size = size
        self.key = key
        self._dataset = dataset

    @property
    def fields(self) -> dict[str, str]:
        """The row's text by column name; empty where no image list has the image."""
        return {} if self.source is None else self.source.fields(self.row)

    @property
    def raw(self) -> bytes | None:
        """The row's bytes as they stand in its file."""
        return None if self.source is None else self.source.raw(self.row)

    @property
    def dataset(self) -> ImportedFrom:
        """What all rows of one import share."""
        return self._dataset

    def of(self, dataset: ImportedFrom) -> ImageOrigin:
        """The same row, as part of an import of which something else is known now."""
        return ImageOrigin(self.source, self.row, self.size, self.key, dataset)

    def __reduce__(self) -> tuple[Any, ...]:
        row = self.source
        if row is not None and not isinstance(row, _DetachedRow):
            row = _DetachedRow(row, self.row)
        return ImageOrigin, (row, 0, self.size, self.key, self._dataset)


class ImageSource(Protocol):
    """What items are read from: images by number."""

    def origin(self, number: int) -> ImageOrigin:
        """The origin of an image that was listed or named, and whose size was known before."""


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
    names = [a.name for a in attr.fields(cls) if a.eq and a.name != "origin"]

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

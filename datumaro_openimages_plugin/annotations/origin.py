"""What an annotation, an image or an item was read from, carried along unseen.

Datumaro's objects have no place for a source, clicks, exact coordinates or a licence; an `Origin`
knows the row that has them. It is carried by the classes of `objects`.
"""

from __future__ import annotations

from typing import Any, Protocol

from datumaro_openimages_plugin.annotations.imported import ImportedFrom

__all__ = [
    "ImageOrigin",
    "ImageSource",
    "ImportedFrom",
    "Origin",
    "RowSource",
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

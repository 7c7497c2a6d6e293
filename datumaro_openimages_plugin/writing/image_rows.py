"""Writing the rows of an image list, some thousand at a time."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.origin import ImageOrigin
from datumaro_openimages_plugin.errors import AnnotationError
from datumaro_openimages_plugin.rendering.sinks import CsvSink, csv_line
from datumaro_openimages_plugin.rendering.writing import Writing
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.tables.tables import CsvTable

__all__ = ["ImageRows"]

_BUFFERED = 4096  # rows written together
_attributes_of = attrgetter("attributes")


class ImageRows:
    """The rows of one image list; a row that was read comes back as it stood.

    Args:
        sink: The table.
        writing: What the export's writers share.
        known: Attributes of items that are written elsewhere.
    """

    def __init__(self, sink: CsvSink, writing: Writing, known: frozenset[str]) -> None:
        self.sink = sink
        self._writing = writing
        self._known = known
        self._new: list[str] = []
        # Rows that stand in one source and that nothing was changed of; either these or new ones
        # are waiting, never both.
        self._source: TableRows | None = None
        self._rows: list[int] = []
        self._images: list[tuple[str, str]] = []

    def add_all(self, items: Sequence[DatasetItem]) -> None:
        """Takes some items, as `add` does one by one."""
        origins = [getattr(item, "origin", None) for item in items]
        if origins.count(None) < len(items) or any(map(_attributes_of, items)):
            for item, origin in zip(items, origins, strict=True):
                self.add(item, origin)
            return
        if self._source is not None:
            self.flush()
            self._source = None
        self._new += map(_new_row, items)
        if len(self._new) >= _BUFFERED:
            self.flush()

    def add(self, item: DatasetItem, origin: ImageOrigin | None) -> None:
        """Takes an item.

        Raises:
            AnnotationError: An attribute cannot stand in a row.
        """
        source = None if origin is None else origin.source
        if not item.attributes and (
            source is None
            or (
                type(source) is TableRows
                and not source.dataset.show_columns
                and origin.key == (item.id, item.subset)  # type: ignore[union-attr]
            )
        ):
            if source is not self._source:
                self.flush()
                self._source = source
            if source is None:
                self._new.append(_new_row(item))
            else:
                self._rows.append(origin.row)  # type: ignore[union-attr]
                self._images.append(origin.key)  # type: ignore[union-attr]
            if len(self._new) + len(self._rows) >= _BUFFERED:
                self.flush()
            return
        self.flush()
        self._add_row(item, origin)

    def _add_row(self, item: DatasetItem, origin: ImageOrigin | None) -> None:
        """Writes an item that has attributes, or one that was changed since it was read."""
        try:
            shown = self._writing.shown_columns("item", item.attributes, extras.IMAGE, self._known)
        except ValueError as error:
            message = f"the item {error}; correct it before the export"
            raise AnnotationError(message, image_id=item.id) from None
        if origin is None or origin.source is None:
            self.sink.row({"ImageID": item.id, "Subset": item.subset, **shown})
            return
        shown = extras.columns_over(shown, extras.IMAGE, origin)
        raw, header, line_end = origin.raw, origin.source.header(origin.row), origin.line_end
        unchanged = raw is not None and origin.key == (item.id, item.subset) and not shown
        if self.sink.accepts_raw(header, line_end) and unchanged and "Subset" in header:
            self.sink.raw(raw)  # type: ignore[arg-type]
            return
        self.sink.row({**origin.fields, "ImageID": item.id, "Subset": item.subset, **shown})

    def flush(self) -> None:
        """Writes what was taken."""
        if self._new:
            padding = "," * (len(self.sink.columns) - 2)
            self.sink.raw_lines([f"{line}{padding}".encode() for line in self._new])
            self._new = []
        if self._source is not None and self._rows:
            self._write_read(self._source, np.array(self._rows, np.int64))
            self._rows, self._images = [], []

    def _write_read(self, source: TableRows, rows: np.ndarray) -> None:
        lines = [b""] * len(rows)
        for table, local, chosen in source.by_table(rows):
            assert isinstance(table, CsvTable)
            accepted = self.sink.accepts_raw(table.header, table.line_end)
            if accepted and "Subset" in table.header:
                spans = table.spans(local)
                block = spans.block(self.sink.line_end) if len(chosen) == len(rows) else None
                if block is not None:
                    self.sink.block(block, len(rows))
                    return
                found = spans.lines()
            else:
                found = [self._line(source, int(rows[at]), at) for at in chosen.tolist()]
            for place, line in zip(chosen.tolist(), found, strict=True):
                lines[place] = line
        self.sink.raw_lines(lines)

    def _line(self, source: TableRows, row: int, at: int) -> bytes:
        image_id, subset = self._images[at]
        fields: dict[str, Any] = source.fields(row)
        return self.sink.line({**fields, "ImageID": image_id, "Subset": subset})


def _new_row(item: DatasetItem) -> str:
    """The first two columns of a new row."""
    if item.id.isalnum() and item.subset.isalnum():
        return f"{item.id},{item.subset}"
    return csv_line([item.id, item.subset])

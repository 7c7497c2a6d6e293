"""Writing the rows of labels and boxes, some thousand at a time.

A row that was read and still says what its annotation says is written as it stood, bytes for
bytes. New annotations are rendered from columns. Only annotations that were read *and* changed
are taken apart field by field, since the fields that did not change must come back as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.rendering.attribute_keys import AttributeKeys
from datumaro_openimages_plugin.rendering.row_batch import RowBatch, bytes_of_texts
from datumaro_openimages_plugin.rendering.row_places import RowPlaces
from datumaro_openimages_plugin.rendering.sinks import CsvSink, Sink, csv_line
from datumaro_openimages_plugin.rendering.writing import Refuse, missing_label
from datumaro_openimages_plugin.tables.arrays import long_texts, text_bytes, to_arrow
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.tables.tables import CsvTable

__all__ = ["RowWriter"]

_BUFFERED = 8192  # annotations rendered together
_attributes_of, _label_of = attrgetter("attributes"), attrgetter("label")


class RowWriter:
    """Common to labels and boxes: buffering, and which rows are written in which way.

    Args:
        sink: The table.
        label_names: LabelName by label index.
        refuse: Gets the error of an annotation, its item, and the annotation.
        lost: Counts what is not written.
    """

    KIND = ""
    #: Kinds whose rows have the same columns.
    ROWS_OF: frozenset[str]
    ATTRIBUTES: frozenset[str]
    EXTRA: Mapping[str, str]
    #: Columns of `AttributeKey.values`.
    COLUMNS: tuple[str, ...]

    def __init__(
        self, sink: Sink, label_names: Sequence[str], refuse: Refuse, lost: Counter[str]
    ) -> None:
        assert isinstance(sink, CsvSink)
        self.sink = sink
        self._label_names = label_names
        self._refuse = refuse
        self._lost = lost
        self._quoted: tuple[list[str], Any] = [], long_texts([])
        self._keys = AttributeKeys(self._texts, self.ATTRIBUTES, self.EXTRA)
        self._clear()

    def _clear(self) -> None:
        self._annotations: list[Any] = []
        self._items: list[DatasetItem] = []
        self._sizes: list[tuple[int, int] | None] = []
        self._counts: list[int] = []

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Takes annotations of one item to write; those that cannot be are refused."""
        self.add_items(annotations, [item], [size], [len(annotations)])

    def add_items(
        self,
        annotations: list[Any],
        items: Sequence[DatasetItem],
        sizes: Sequence[tuple[int, int] | None],
        counts: Sequence[int],
    ) -> None:
        """Takes annotations of some items, as `add` does: ``counts[i]`` of ``items[i]``."""
        self._annotations += annotations
        self._items += items
        self._sizes += sizes
        self._counts += counts
        if len(self._annotations) >= _BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Writes what was taken."""
        batch = self._taken()
        if not len(batch):
            return
        extra = self._keys.have_extra(batch.key)
        if not extra.any() and (batch.places.which < 0).all():
            at, texts = self._render(batch, np.arange(len(batch)), self.sink.line_end)
            if len(at):
                self.sink.block(text_bytes(texts), len(at))
        else:
            self._write_mixed(batch, ~extra)

    def _taken(self) -> RowBatch:
        """What was taken and can be written, as columns."""
        annotations, items, sizes = self._annotations, self._items, self._sizes
        item = np.repeat(np.arange(len(items)), self._counts)
        self._clear()
        key = self._keys.of(list(map(_attributes_of, annotations)))
        label = _whole_numbers(list(map(_label_of, annotations)))
        good = (label >= 0) & (label < len(self._label_names)) & ~self._keys.are_bad(key)
        if not good.all():
            for at in np.flatnonzero(~good).tolist():
                error = self._keys.error(int(key[at]))
                if not 0 <= label[at] < len(self._label_names):
                    reason = missing_label(annotations[at].label, len(self._label_names))
                    error = ValueError(reason)
                self._refuse(error, items[item[at]], annotations[at])
            annotations = [annotations[at] for at in np.flatnonzero(good).tolist()]
            item, label, key = item[good], label[good], key[good]
        for name, count in self._keys.unknown(key):
            self._lost[f"{name!r} attributes of {self.KIND} annotations"] += count
        places = RowPlaces.of_annotations(annotations).only(self.ROWS_OF)
        return RowBatch(annotations, items, sizes, item, label, key, places)

    def _texts(self, attributes: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Texts and values of the attribute columns."""
        raise NotImplementedError

    def _write_mixed(self, batch: RowBatch, plain: np.ndarray) -> None:
        """Writes annotations of which some were read, in their order.

        Args:
            batch: The annotations.
            plain: (n,) bool: whether one has no attribute for a column beyond the ordinary ones.
        """
        lines: list[bytes | None] = [None] * len(batch)
        places = batch.places
        # Rows of a table that is in memory are compared by columns, single rows one by one.
        changed = [np.flatnonzero((places.which < 0) & ~plain)]
        for number, source in enumerate(places.sources):
            at = np.flatnonzero(places.which == number)
            if not isinstance(source, TableRows) or source.dataset.show_columns:
                changed.append(at)
                continue
            still = at[plain[at]]
            rest = self._unchanged(batch, still, source, lines)
            if rest is None:
                return
            changed += [at[~plain[at]], rest]
        self._changed(batch, np.concatenate(changed), lines)
        new = np.flatnonzero((places.which < 0) & plain)
        if len(new):
            new, texts = self._render(batch, new, "")
            for place, text in zip(new.tolist(), bytes_of_texts(texts), strict=True):
                lines[place] = text
        written = np.array([line is not None for line in lines], bool)
        if written.any():
            end = self.sink.line_end.encode()
            data = end.join([line for line in lines if line is not None]) + end
            self.sink.block(data, int(written.sum()), places.at(written))

    def _unchanged(
        self, batch: RowBatch, at: np.ndarray, source: TableRows, lines: list[bytes | None]
    ) -> np.ndarray | None:
        """Renders the rows that still hold; gives the positions of those that do not.

        None where all of the batch was written already.
        """
        if not len(at):
            return at
        rows = batch.places.rows[at]
        same = self._holds(batch, at, source, rows)
        starts = [csv_line([item.id, ""]).encode("utf-8") for item in batch.items]
        for table, local, chosen in source.by_table(rows):
            assert isinstance(table, CsvTable)
            accepted = self.sink.accepts_raw(table.header, table.line_end)
            if table.header[0] != "ImageID" or not accepted:
                same[chosen] = False
                continue
            keep = np.flatnonzero(same[chosen])
            spans = table.spans(local[keep])
            own = spans.begin_with(starts, batch.item[at[chosen[keep]]])
            same[chosen[keep[~own]]] = False
            if len(own) == len(batch) and own.all():
                block = spans.block(self.sink.line_end)
                if block is not None:
                    self.sink.block(block, len(batch), batch.places)
                    return None
            for place, line in zip(at[chosen[keep[own]]].tolist(), spans.lines(own), strict=True):
                lines[place] = line
        return at[~same]

    def names_labels_as(self, source: TableRows) -> bool:
        """Whether labels have the indices that they were read with."""
        return source.label_names == self._label_names

    def _holds(
        self, batch: RowBatch, at: np.ndarray, source: TableRows, rows: np.ndarray
    ) -> np.ndarray:
        """(n,) bool: whether rows still say what the annotations at ``at`` say, ids aside."""
        raise NotImplementedError

    def _quoted_names(self) -> pa.Array:
        """The names of labels as fields of a row."""
        if self._quoted[0] != self._label_names:
            names = list(self._label_names)
            self._quoted = names, long_texts([csv_line([name]) for name in names])
        return self._quoted[1]

    def _first_columns(self, batch: RowBatch, at: np.ndarray, source: str) -> tuple[pa.Array, ...]:
        """The columns ``ImageID`` and ``Source``, as one, and ``LabelName``."""
        ids = [item.id for item in batch.items]
        starts = [f"{i},{source}" if i.isalnum() else csv_line([i, source]) for i in ids]
        names = self._quoted_names().take(to_arrow(batch.label[at]))
        return long_texts(starts).take(to_arrow(batch.item[at])), names

    def _same_label(
        self, batch: RowBatch, at: np.ndarray, source: TableRows, rows: np.ndarray
    ) -> np.ndarray:
        label = np.array(source.values["LabelName"] or [0])[source.code["LabelName"][rows]]
        if self.names_labels_as(source):
            return label == batch.label[at]  # type: ignore[no-any-return]
        now = {name: index for index, name in enumerate(self._label_names)}
        then = np.array([now.get(name, -1) for name in source.label_names] or [-1])
        return then[label] == batch.label[at]  # type: ignore[no-any-return]

    def _same_attributes(
        self, batch: RowBatch, at: np.ndarray, source: TableRows, rows: np.ndarray
    ) -> np.ndarray:
        """Whether the attribute columns' values are those of the annotations' attributes."""
        same = np.ones(len(at), bool)
        keys, which = self._keys.distinct(batch.key[at])
        for position, column in enumerate(self.COLUMNS):
            code = {value: n for n, value in enumerate(source.values[column])}
            wanted = np.array([code.get(key.values[position], -2) for key in keys])
            same &= source.code[column][rows] == wanted[which]
        return same

    def _changed(self, batch: RowBatch, at: np.ndarray, lines: list[bytes | None]) -> None:
        """Renders annotations field by field: read and changed since, or with extra columns."""
        for i in at.tolist():
            item, annotation = batch.item_of(i), batch.annotations[i]
            origin = batch.places.origin(i)
            label = self._label_names[annotation.label]
            old = {} if origin is None else origin.fields
            try:
                fields = self._fields(annotation, label, item.id, batch.size_of(i), old, origin)
            except ValueError as error:
                self._refuse(error, item, annotation)
                continue
            if fields is None:
                continue
            if batch.is_resized[i]:
                fields |= self._of_other_size(fields)
            extra = self._keys.extra(int(batch.key[i]))
            fields |= extras.columns_over(extra, self.EXTRA, origin, self._default)
            # The first row that was read tells how lines end, changed or not.
            if origin and self.sink.accepts_raw(list(old), origin.line_end) and fields == old:
                lines[i] = origin.raw
            lines[i] = lines[i] or self.sink.line(fields)

    def _fields(
        self,
        annotation: Any,
        label: str,
        image_id: str,
        size: tuple[int, int] | None,
        old: dict[str, str],
        origin: Any,
    ) -> dict[str, str] | None:
        raise NotImplementedError

    def _default(self, column: str) -> str:
        """The text of a column without a value."""
        return ""

    def _of_other_size(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The columns of a row that cannot hold where its image has got another size."""
        return {}

    def _render(
        self, batch: RowBatch, at: np.ndarray, line_end: str
    ) -> tuple[np.ndarray, pa.Array]:
        """Renders new annotations: the positions of those that can be written, and their rows.

        Args:
            batch: Annotations.
            at: The positions of those to render.
            line_end: What stands at the end of each row.
        """
        raise NotImplementedError


def _whole_numbers(values: list[Any]) -> np.ndarray:
    """(n,) whole numbers; -1 for what is none or beyond all measure."""
    found = np.array(values)
    if found.dtype.kind in "iu" and found.ndim == 1:
        return found.astype(np.int64)
    limit = 1 << 62
    return np.array(
        [v if isinstance(v, (int, np.integer)) and -limit < v < limit else -1 for v in values],
        np.int64,
    )

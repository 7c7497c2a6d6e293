"""Writing the rows of labels and boxes, some thousand at a time.

A row that was read and still says what its annotation says is written as it stood, bytes for
bytes. New annotations are rendered from columns. Only annotations that were read *and* changed
are taken apart field by field, since the fields that did not change must come back as they were.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.annotations import extras
from datumaro_openimages_plugin.annotations.extras import column_text
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.writing.sinks import Sink, csv_line
from datumaro_openimages_plugin.writing.writing import Refuse, missing_label

__all__ = ["RowWriter"]

_BUFFERED = 8192  # annotations rendered together
_REMEMBERED = 100_000  # attributes whose texts are remembered


class _Key(NamedTuple):
    """What an annotation's attributes come to; equal attributes share one.

    Args:
        texts: The text of the attribute columns.
        values: Their values, as the columns of a table that was read have them.
        extra: Texts of columns beyond these, by column.
        unknown: Names of attributes that have no column.
    """

    texts: tuple[str, ...]
    values: tuple[Any, ...]
    extra: dict[str, str]
    unknown: tuple[str, ...]


class RowWriter:
    """Common to labels and boxes: buffering, and what is known of equal attributes.

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
    #: Columns of `_Key.values`.
    COLUMNS: tuple[str, ...]

    def __init__(
        self, sink: Sink, label_names: Sequence[str], refuse: Refuse, lost: Counter[str]
    ) -> None:
        self._sink = sink
        self._label_names = label_names
        self._refuse = refuse
        self._lost = lost
        self._label_count = len(label_names)
        self._quoted: tuple[list[str], list[str]] = [], []
        self._known: dict[Any, _Key] = {}
        self._clear()

    def _clear(self) -> None:
        self._annotations: list[Any] = []
        self._keys: list[_Key] = []
        self._items: list[DatasetItem] = []
        self._ids: list[str] = []
        self._sizes: list[tuple[int, int] | None] = []
        self._resized: list[bool] = []

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Takes annotations of one item to write; those that cannot be are refused."""
        try:
            # One flat tuple each: nested ones would keep the garbage collector busy. The class
            # of the score is part of it, since True equals 1 and is no score.
            flat = [
                (*d, *d.values(), d.get("score").__class__)
                for d in [annotation.attributes for annotation in annotations]
            ]
            keys = [self._known[key] for key in flat]
            indices = [annotation.label for annotation in annotations]
            if min(indices) < 0 or max(indices) >= self._label_count:
                raise KeyError
        except (KeyError, TypeError):
            annotations, keys = self._one_by_one(annotations, item)
        image_id = item.id if item.id.isalnum() else csv_line([item.id])
        count = len(annotations)
        self._annotations += annotations
        self._keys += keys
        self._items += [item] * count
        self._ids += [image_id] * count
        self._sizes += [size] * count
        self._resized += [_is_resized(item, size)] * count
        if len(self._annotations) >= _BUFFERED:
            self.flush()

    def _one_by_one(
        self, annotations: list[Any], item: DatasetItem
    ) -> tuple[list[Any], list[_Key]]:
        """Those of the annotations that can be written, and their keys."""
        good, keys = [], []
        for annotation in annotations:
            attributes = annotation.attributes
            try:
                label = annotation.label
                if label is None or not 0 <= label < self._label_count:
                    raise ValueError(missing_label(label, self._label_count))
                key = self._key(attributes)
            except ValueError as error:
                self._refuse(error, item, annotation)
                continue
            if not key.unknown and len(self._known) < _REMEMBERED:
                with contextlib.suppress(TypeError):  # some value cannot be hashed
                    flat = (*attributes, *attributes.values(), attributes.get("score").__class__)
                    self._known[flat] = key
            for name in key.unknown:
                self._lost[f"{name!r} attributes of {self.KIND} annotations"] += 1
            good.append(annotation)
            keys.append(key)
        return good, keys

    def _key(self, attributes: dict[str, Any]) -> _Key:
        extra = {
            column: column_text(name, attributes[name])
            for name, column in self.EXTRA.items()
            if name in attributes
        }
        unknown = [
            name
            for name, value in attributes.items()
            if name not in self.ATTRIBUTES
            and name not in self.EXTRA
            # CVAT gives every box one; a turned box does not come here.
            and not (name == "rotation" and value == 0)
        ]
        texts, values = self._texts(attributes)
        return _Key(texts, values, extra, tuple(unknown))

    def _texts(self, attributes: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Texts and values of the attribute columns."""
        raise NotImplementedError

    def flush(self) -> None:
        """Writes what was taken."""
        if not self._annotations:
            return
        origins = [self._origin(annotation) for annotation in self._annotations]
        extra = any(key.extra for key in {id(key): key for key in self._keys}.values())
        if not extra and not any(origins):
            at, texts = self._render(np.arange(len(origins)))
            del at
            self._sink.text_lines(texts)
        else:
            self._write_mixed(origins)
        self._clear()

    def _origin(self, annotation: Any) -> Any:
        """The annotation's origin, if it is a row with the columns of this kind."""
        origin = getattr(annotation, "origin", None)
        return origin if origin is not None and origin.source.kind in self.ROWS_OF else None

    def _write_mixed(self, origins: list[Any]) -> None:
        """Writes annotations of which some were read, in their order."""
        lines: list[bytes | None] = [None] * len(origins)
        sources = [None if origin is None else origin.source for origin in origins]
        # Rows of a table that is in memory are compared by columns, single rows one by one.
        kinds = np.array([0 if s is None else 1 + isinstance(s, TableRows) for s in sources])
        shows = {id(s) for s in sources if s is not None and s.dataset.show_columns}
        plain = np.array([not key.extra for key in self._keys])
        if shows:
            plain &= np.array([id(source) not in shows for source in sources])
        changed = [np.flatnonzero((kinds == 1) | ((kinds == 0) & ~plain))]
        tables = {id(s): s for s in sources if isinstance(s, TableRows)}
        for table in tables.values():
            at = np.flatnonzero([source is table for source in sources])
            still = at[plain[at]]
            changed += [at[~plain[at]], self._unchanged(still, table, origins, lines)]
        self._changed(np.concatenate(changed), origins, lines)
        texts: list[str] = []
        at = np.flatnonzero((kinds == 0) & plain)
        if len(at):
            at, texts = self._render(at)
        for place, text in zip(at.tolist(), texts, strict=True):
            lines[place] = text.encode("utf-8")
        written = [(line, origins[i]) for i, line in enumerate(lines) if line is not None]
        self._sink.raw_lines([line for line, _ in written], [origin for _, origin in written])

    def _unchanged(
        self, at: np.ndarray, source: TableRows, origins: list[Any], lines: list[bytes | None]
    ) -> np.ndarray:
        """Writes the rows that still hold; gives the positions of those that do not."""
        if not len(at):
            return at
        rows = np.array([origins[i].row for i in at.tolist()], np.int64)
        same = self._holds(at, source, rows)
        positions = at.tolist()
        for table, local, chosen in source.by_table(rows):
            if table.header[0] != "ImageID":
                same[chosen] = False
                continue
            if not self._sink.accepts_raw(table.header, table.line_end):
                same[chosen] = False
            keep = np.flatnonzero(same[chosen])
            raws = table.raws(local[keep])
            item, start = None, b""
            for index, raw in zip(chosen[keep].tolist(), raws, strict=True):
                place = positions[index]
                if self._items[place] is not item:
                    item = self._items[place]
                    start = csv_line([item.id, ""]).encode("utf-8")
                if raw.startswith(start):
                    lines[place] = raw
                else:
                    same[index] = False
        return at[~same]

    def _holds(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        """(n,) bool: whether rows still say what the annotations at ``at`` say, ids aside."""
        raise NotImplementedError

    def _quoted_names(self) -> list[str]:
        """The names of labels as fields of a row."""
        if self._quoted[0] != self._label_names:
            names = list(self._label_names)
            self._quoted = names, [csv_line([name]) for name in names]
        return self._quoted[1]

    def _same_label(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        label = np.array(source.values["LabelName"] or [0])[source.code["LabelName"][rows]]
        current = np.array([self._annotations[i].label for i in at.tolist()])
        if source.label_names == self._label_names:
            return label == current  # type: ignore[no-any-return]
        now = {name: index for index, name in enumerate(self._label_names)}
        then = np.array([now.get(name, -1) for name in source.label_names] or [-1])
        return then[label] == current

    def _same_key(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        """Whether the attribute columns' values are those of the annotations' attributes."""
        same = np.ones(len(at), bool)
        keys = [self._keys[i] for i in at.tolist()]
        distinct = {id(key): key for key in keys}
        code_of = {key_id: n for n, key_id in enumerate(distinct)}
        key_codes = np.array([code_of[id(key)] for key in keys])
        for position, column in enumerate(self.COLUMNS):
            code = {value: n for n, value in enumerate(source.values[column])}
            wanted = np.array([code.get(key.values[position], -2) for key in distinct.values()])
            same &= source.code[column][rows] == wanted[key_codes]
        return same

    def _changed(self, at: np.ndarray, origins: list[Any], lines: list[bytes | None]) -> None:
        """Renders annotations field by field: read and changed since, or with extra columns."""
        for i in at.tolist():
            item = self._items[i]
            annotation = self._annotations[i]
            label = self._label_names[annotation.label]
            old = {} if origins[i] is None else origins[i].fields
            try:
                fields = self._fields(annotation, label, item.id, self._sizes[i], old, origins[i])
            except ValueError as error:
                self._refuse(error, item, annotation)
                continue
            if fields is None:
                continue
            if self._resized[i]:
                fields |= self._of_other_size(fields)
            extra = self._keys[i].extra
            fields |= extras.columns_over(extra, self.EXTRA, origins[i], self._default)
            origin = origins[i]
            same = fields == old and self._sink.accepts_raw(list(old), origin.line_end)
            lines[i] = (origin.raw if same else None) or self._sink.line(fields)

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

    def _render(self, at: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Renders new annotations: the positions of those that can be written, and their rows."""
        raise NotImplementedError


def _is_resized(item: DatasetItem, size: tuple[int, int] | None) -> bool:
    """Whether an item's image has another size than it was imported with."""
    origin = getattr(item, "origin", None)
    return origin is not None and origin.size is not None and origin.size != size

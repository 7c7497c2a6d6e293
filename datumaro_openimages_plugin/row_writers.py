"""Writing the rows of labels and boxes, some thousand at a time.

A row that was read and still says what its annotation says is written as it stood, bytes for
bytes. New annotations are rendered from columns. Only annotations that were read *and* changed
are taken apart field by field, since the fields that did not change must come back as they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.kinds import boxes, labels
from datumaro_openimages_plugin.rows import TableRows
from datumaro_openimages_plugin.sinks import CsvSink, csv_line
from datumaro_openimages_plugin.values import flag_from_text, flag_text, score_text

__all__ = ["BoxWriter", "LabelWriter", "missing_label"]

_BUFFERED = 8192  # annotations rendered together

Refuse = Callable[[ValueError, DatasetItem, int], None]
Key = tuple[Any, ...]


def missing_label(label: int | None, count: int) -> str:
    """Why an annotation with this label index cannot be written."""
    if label is None:
        return "has no label; give it one or remove it"
    return f"has label {label}, and there are {count} labels"


class _RowWriter:
    """Common to labels and boxes: buffering, and what is known of equal attributes.

    Args:
        sink: The table.
        label_names: LabelName by label index.
        refuse: Gets the error of an annotation found out late, its item and its number there.
        lost: Counts what is not written.
    """

    KIND = ""
    ATTRIBUTES: frozenset[str]

    def __init__(
        self, sink: CsvSink, label_names: Sequence[str], refuse: Refuse, lost: Counter[str]
    ) -> None:
        self._sink = sink
        self._label_names = label_names
        self._refuse = refuse
        self._lost = lost
        self._label_count = len(label_names)
        self._known: dict[Any, Key] = {}
        self._clear()

    def _clear(self) -> None:
        self._annotations: list[Any] = []
        self._keys: list[Key] = []
        self._items: list[DatasetItem] = []
        self._numbers: list[int] = []
        self._sizes: list[tuple[int, int] | None] = []

    def add(
        self, annotation: Any, item: DatasetItem, number: int, size: tuple[int, int] | None
    ) -> None:
        """Takes an annotation to write.

        Raises:
            ValueError: It has no label of the categories, or one of its attributes has a value
                that its column cannot hold.
        """
        label = annotation.label
        if label is None or not 0 <= label < self._label_count:
            raise ValueError(missing_label(label, self._label_count))
        attributes = annotation.attributes
        try:
            key = self._known[tuple(attributes.items())]
        except KeyError:
            key = self._known[tuple(attributes.items())] = self._key(attributes)
        except TypeError:  # some value cannot be hashed
            key = self._key(attributes)
        if key[-1]:
            for name in key[-1]:
                self._lost[f"{name!r} attributes of {self.KIND} annotations"] += 1
        self._annotations.append(annotation)
        self._keys.append(key)
        self._items.append(item)
        self._numbers.append(number)
        self._sizes.append(size)
        if len(self._annotations) >= _BUFFERED:
            self.flush()

    def _key(self, attributes: dict[str, Any]) -> Key:
        """(texts of the attribute columns …, names of attributes that have no column)."""
        raise NotImplementedError

    def flush(self) -> None:
        """Writes what was taken."""
        if not self._annotations:
            return
        lines: list[bytes | None] = [None] * len(self._annotations)
        origins = [getattr(annotation, "origin", None) for annotation in self._annotations]
        todo = np.ones(len(lines), bool)
        for source in {id(o.source): o.source for o in origins if o is not None}.values():
            of_source = np.array([o is not None and o.source is source for o in origins], bool)
            at = np.flatnonzero(of_source)
            if isinstance(source, TableRows):
                at = self._unchanged(at, source, origins, lines)
            todo[of_source] = False
            self._changed(at, origins, lines)
        new = np.flatnonzero(todo)
        if len(new):
            self._render(new, lines)
        self._sink.raw_lines([line for line in lines if line is not None])
        self._clear()

    def _unchanged(
        self, at: np.ndarray, source: TableRows, origins: list[Any], lines: list[bytes | None]
    ) -> np.ndarray:
        """Writes the rows that still hold; gives the positions of those that do not."""
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

    def _same_label(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        now = {name: index for index, name in enumerate(self._label_names)}
        then = np.array([now.get(name, -1) for name in source.label_names] or [-1])
        label = np.array(source.values["LabelName"] or [0])[source.code["LabelName"][rows]]
        current = np.array([self._annotations[i].label for i in at.tolist()])
        return then[label] == current

    def _same_key(
        self,
        at: np.ndarray,
        source: TableRows,
        rows: np.ndarray,
        columns: Sequence[str],
        values: Callable[[Key], Sequence[Any]],
    ) -> np.ndarray:
        """Whether the attribute columns' values are those of the annotations' attributes."""
        same = np.ones(len(at), bool)
        keys = [self._keys[i] for i in at.tolist()]
        distinct = {id(key): key for key in keys}
        code_of = {key_id: n for n, key_id in enumerate(distinct)}
        key_codes = np.array([code_of[id(key)] for key in keys])
        for position, column in enumerate(columns):
            code = {value: n for n, value in enumerate(source.values[column])}
            wanted = np.array([code.get(values(key)[position], -2) for key in distinct.values()])
            same &= source.code[column][rows] == wanted[key_codes]
        return same

    def _changed(self, at: np.ndarray, origins: list[Any], lines: list[bytes | None]) -> None:
        """Renders annotations that were read and changed since, field by field."""
        for i in at.tolist():
            item, number = self._items[i], self._numbers[i]
            annotation = self._annotations[i]
            label = self._label_names[annotation.label]
            old = origins[i].fields
            try:
                fields = self._fields(annotation, label, item.id, self._sizes[i], old, origins[i])
            except ValueError as error:
                self._refuse(error, item, number)
                continue
            if fields is not None:
                lines[i] = self._sink.line(fields)

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

    def _render(self, at: np.ndarray, lines: list[bytes | None]) -> None:
        """Renders new annotations."""
        raise NotImplementedError


class LabelWriter(_RowWriter):
    """Writes image labels."""

    KIND = "label"

    def _key(self, attributes: dict[str, Any]) -> Key:
        text = score_text(attributes.get("score")) or "1"
        unknown = tuple(name for name in attributes if name not in labels.ATTRIBUTES)
        return text, float(text), unknown

    def _holds(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        same = self._same_label(at, source, rows)
        return same & self._same_key(at, source, rows, ("Confidence",), lambda key: key[1:2])

    def _fields(
        self,
        annotation: Any,
        label: str,
        image_id: str,
        size: tuple[int, int] | None,
        old: dict[str, str],
        origin: Any,
    ) -> dict[str, str] | None:
        return labels.to_fields(annotation, label, image_id, old)

    def _render(self, at: np.ndarray, lines: list[bytes | None]) -> None:
        if self._sink.columns != list(labels.FIELDS):
            self._changed_like(at, lines)
            return
        names = [csv_line([name]) for name in self._label_names]
        for i in at.tolist():
            label = names[self._annotations[i].label]
            image_id = self._items[i].id
            if not image_id.isalnum():
                image_id = csv_line([image_id])
            lines[i] = f"{image_id},,{label},{self._keys[i][0]}".encode()

    def _changed_like(self, at: np.ndarray, lines: list[bytes | None]) -> None:
        for i in at.tolist():
            annotation = self._annotations[i]
            label = self._label_names[annotation.label]
            fields = labels.to_fields(annotation, label, self._items[i].id, {})
            lines[i] = self._sink.line(fields)


class BoxWriter(_RowWriter):
    """Writes boxes; those whose image has no known size are counted."""

    KIND = "box"
    _FLAG_COLUMNS = tuple(boxes.FLAGS.values())

    def _key(self, attributes: dict[str, Any]) -> Key:
        text = score_text(attributes.get("score")) or "1"
        flags = [flag_text(attributes.get(name)) for name in boxes.FLAGS]
        unknown = tuple(name for name in attributes if name not in boxes.ATTRIBUTES)
        states = [flag_from_text(flag) for flag in flags]
        return text, ",".join(flags), (float(text), *states), unknown

    def _holds(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        same = self._same_label(at, source, rows)
        columns = ("Confidence", *self._FLAG_COLUMNS)
        same &= self._same_key(at, source, rows, columns, lambda key: key[2])
        points = self._points(at)
        sizes = self._size_array(at)
        near = boxes.near_px(sizes)
        for column, name in enumerate(("XMin", "YMin", "XMax", "YMax")):
            was = source.number[name][rows] * sizes[:, 1 - column % 2]
            same &= np.abs(points[:, column] - was) <= near
        return same

    def _points(self, at: np.ndarray) -> np.ndarray:
        """(n, 4) float64 x1, y1, x2, y2 in pixels."""
        flat: list[float] = []
        for i in at.tolist():
            flat += self._annotations[i].points
        return np.array(flat, np.float64).reshape(-1, 4)

    def _size_array(self, at: np.ndarray) -> np.ndarray:
        """(n, 2) float64 height, width in pixels; 1 where not known."""
        sizes = self._sizes
        return np.array([sizes[i] or (1, 1) for i in at.tolist()], np.float64).reshape(-1, 2)

    def _fields(
        self,
        annotation: Any,
        label: str,
        image_id: str,
        size: tuple[int, int] | None,
        old: dict[str, str],
        origin: Any,
    ) -> dict[str, str] | None:
        frac = () if origin is None else origin.fractions
        fields = boxes.to_fields(annotation, label, image_id, size, old, frac)
        if fields is None:
            self._lost["boxes on images of unknown size"] += 1
        return fields

    def _render(self, at: np.ndarray, lines: list[bytes | None]) -> None:
        at = self._writable(at)
        if not len(at):
            return
        texts = boxes.coordinate_columns(self._points(at), self._size_array(at))
        names = [csv_line([name]) for name in self._label_names]
        padding = "".join(
            f",{boxes.default(name)}" for name in self._sink.columns[len(boxes.FIELDS) :]
        )
        for i, x1, x2, y1, y2 in zip(at.tolist(), *texts, strict=True):
            label = names[self._annotations[i].label]
            image_id = self._items[i].id
            if not image_id.isalnum():
                image_id = csv_line([image_id])
            score, flags = self._keys[i][:2]
            lines[i] = f"{image_id},,{label},{score},{x1},{x2},{y1},{y2},{flags}{padding}".encode()

    def _writable(self, at: np.ndarray) -> np.ndarray:
        """Positions of boxes that can be written; the others are counted or refused."""
        known = np.array([self._sizes[i] is not None for i in at.tolist()], bool)
        if not known.all():
            self._lost["boxes on images of unknown size"] += int((~known).sum())
            at = at[known]
        points = self._points(at)
        good = np.isfinite(points).all(axis=1)
        good &= (points[:, 2] >= points[:, 0]) & (points[:, 3] >= points[:, 1])
        for i in at[~good].tolist():
            error = ValueError(f"has corners {self._annotations[i].points}, which are no box")
            self._refuse(error, self._items[i], self._numbers[i])
        return at[good]

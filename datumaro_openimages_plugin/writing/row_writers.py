"""How rows of labels and boxes are written: what a `row_writer.RowWriter` of each kind does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from datumaro_openimages_plugin.annotations.values import (
    ABOVE_FRAC,
    BELOW_FRAC,
    flag_from_text,
    flag_text,
    score_text,
)
from datumaro_openimages_plugin.kinds import boxes, labels, machine_labels
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.writing.row_writer import RowWriter

__all__ = ["BoxWriter", "LabelWriter", "MachineLabelWriter"]


class LabelWriter(RowWriter):
    """Writes image labels."""

    KIND = "label"
    #: The ``Source`` of new rows.
    SOURCE = ""
    ROWS_OF = frozenset(("labels", "machine_labels"))
    ATTRIBUTES = labels.ATTRIBUTES
    EXTRA: Mapping[str, str] = labels.EXTRA
    COLUMNS = ("Confidence",)

    def _texts(self, attributes: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        text = score_text(attributes.get("score")) or "1"
        return (text,), (float(text),)

    def _holds(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        return self._same_label(at, source, rows) & self._same_key(at, source, rows)

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

    def _render(self, at: np.ndarray) -> tuple[np.ndarray, list[str]]:
        names = self._quoted_names()
        padding = "," * (len(self._sink.columns) - len(labels.FIELDS))
        annotations, ids, keys = self._annotations, self._ids, self._keys
        return at, [
            f"{ids[i]},{self.SOURCE},{names[annotations[i].label]},{keys[i].texts[0]}{padding}"
            for i in at.tolist()
        ]


class MachineLabelWriter(LabelWriter):
    """Writes the labels of classifiers; whatever a row that was read calls its source stays."""

    ATTRIBUTES = machine_labels.ATTRIBUTES
    EXTRA = machine_labels.EXTRA
    SOURCE = machine_labels.MACHINE

    def _holds(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        if source.kind != machine_labels.MACHINE_LABELS.name:
            return np.zeros(len(at), bool)
        return super()._holds(at, source, rows)

    def _fields(
        self,
        annotation: Any,
        label: str,
        image_id: str,
        size: tuple[int, int] | None,
        old: dict[str, str],
        origin: Any,
    ) -> dict[str, str] | None:
        fields = labels.to_fields(annotation, label, image_id, old)
        if origin is None or origin.kind != machine_labels.MACHINE_LABELS.name:
            fields["Source"] = self.SOURCE
        return fields


class BoxWriter(RowWriter):
    """Writes boxes; those whose image has no known size are counted."""

    KIND = "box"
    ROWS_OF = frozenset(("boxes",))
    ATTRIBUTES = boxes.ATTRIBUTES
    EXTRA = boxes.EXTRA
    COLUMNS = ("Confidence", *boxes.FLAGS.values())

    def _texts(self, attributes: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        score = score_text(attributes.get("score")) or "1"
        flags = [flag_text(attributes.get(name), name) for name in boxes.FLAGS]
        states = [flag_from_text(flag) for flag in flags]
        return (score, ",".join(flags)), (float(score), *states)

    def _holds(self, at: np.ndarray, source: TableRows, rows: np.ndarray) -> np.ndarray:
        same = self._same_label(at, source, rows) & self._same_key(at, source, rows)
        points = self._points(at)
        sizes = self._size_array(at)
        near = boxes.near_px(sizes)
        for column, name in enumerate(("XMin", "YMin", "XMax", "YMax")):
            was = source.number[name][rows] * sizes[:, 1 - column % 2]
            same &= np.abs(points[:, column] - was) <= near
        if any(self._resized):
            same &= ~np.array([self._resized[i] for i in at.tolist()], bool)
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

    def _default(self, column: str) -> str:
        return boxes.default(column)

    def _of_other_size(self, fields: Mapping[str, str]) -> dict[str, str]:
        # An image that was cut has other extreme points, even in a box of the whole image.
        return {name: boxes.default(name) for name in boxes.CLICK_FIELDS if name in fields}

    def _render(self, at: np.ndarray) -> tuple[np.ndarray, list[str]]:
        at = self._writable(at)
        corners = boxes.coordinate_columns(self._points(at), self._size_array(at))
        names = self._quoted_names()
        padding = "".join(
            f",{boxes.default(name)}" for name in self._sink.columns[len(boxes.FIELDS) :]
        )
        order = at.tolist()
        starts = [f"{self._ids[i]},,{names[self._annotations[i].label]}" for i in order]
        keys = [self._keys[i].texts for i in order]
        return at, [
            f"{start},{score},{x1},{x2},{y1},{y2},{flags}{padding}"
            for start, (score, flags), x1, x2, y1, y2 in zip(starts, keys, *corners, strict=True)
        ]

    def _writable(self, at: np.ndarray) -> np.ndarray:
        """Positions of boxes that can be written; the others are counted or refused."""
        known = np.array([self._sizes[i] is not None for i in at.tolist()], bool)
        if not known.all():
            self._lost["boxes on images of unknown size"] += int((~known).sum())
            at = at[known]
        points = self._points(at)
        good = np.isfinite(points).all(axis=1)
        good &= (points[:, 2] >= points[:, 0]) & (points[:, 3] >= points[:, 1])
        frac = points / self._size_array(at)[:, [1, 0, 1, 0]]
        inside = ((frac > BELOW_FRAC) & (frac < ABOVE_FRAC)).all(axis=1)
        for place in np.flatnonzero(~(good & inside)).tolist():
            i = int(at[place])
            reason = f"has corners {self._annotations[i].points}, which are no box"
            if good[place]:
                reason = "reaches out of the image by more than the image's size"
            self._refuse(ValueError(reason), self._items[i], self._annotations[i])
        return at[good & inside]

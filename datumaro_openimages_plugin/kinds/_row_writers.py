"""How rows of labels and boxes are written: what a `row_writer.RowWriter` of each kind does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin.annotations.values import (
    ABOVE_FRAC,
    BELOW_FRAC,
    flag_from_text,
    flag_text,
    score_text,
)
from datumaro_openimages_plugin.kinds import boxes, labels, machine_labels
from datumaro_openimages_plugin.rendering.decimal_texts import coordinate_columns
from datumaro_openimages_plugin.rendering.row_batch import RowBatch, joined_texts
from datumaro_openimages_plugin.rendering.row_writer import RowWriter
from datumaro_openimages_plugin.tables.rows import TableRows

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

    def _holds(
        self, batch: RowBatch, at: np.ndarray, source: TableRows, rows: np.ndarray
    ) -> np.ndarray:
        same = self._same_label(batch, at, source, rows)
        return same & self._same_attributes(batch, at, source, rows)

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

    def _render(
        self, batch: RowBatch, at: np.ndarray, line_end: str
    ) -> tuple[np.ndarray, pa.Array]:
        padding = "," * (len(self.sink.columns) - len(labels.FIELDS))
        return at, joined_texts(
            (
                *self._first_columns(batch, at, self.SOURCE),
                self._keys.texts(batch.key[at], 0, padding + line_end),
            )
        )


class MachineLabelWriter(LabelWriter):
    """Writes the labels of classifiers; whatever a row that was read calls its source stays."""

    ATTRIBUTES = machine_labels.ATTRIBUTES
    EXTRA = machine_labels.EXTRA
    SOURCE = machine_labels.MACHINE

    def _holds(
        self, batch: RowBatch, at: np.ndarray, source: TableRows, rows: np.ndarray
    ) -> np.ndarray:
        if source.kind != machine_labels.MACHINE_LABELS.name:
            return np.zeros(len(at), bool)
        return super()._holds(batch, at, source, rows)

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

    def _holds(
        self, batch: RowBatch, at: np.ndarray, source: TableRows, rows: np.ndarray
    ) -> np.ndarray:
        same = self._same_label(batch, at, source, rows)
        same &= self._same_attributes(batch, at, source, rows)
        points, sizes = batch.points[at], batch.size_px[at]
        near = boxes.near_px(sizes)
        for column, name in enumerate(("XMin", "YMin", "XMax", "YMax")):
            was = source.number[name][rows] * sizes[:, 1 - column % 2]
            same &= np.abs(points[:, column] - was) <= near
        return same & ~batch.is_resized[at]

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

    def _render(
        self, batch: RowBatch, at: np.ndarray, line_end: str
    ) -> tuple[np.ndarray, pa.Array]:
        at, points, sizes = self._writable(batch, at)
        corners = coordinate_columns(points, sizes)
        padding = "".join(
            f",{boxes.default(name)}" for name in self.sink.columns[len(boxes.FIELDS) :]
        )
        score, flags = (
            self._keys.texts(batch.key[at], column, end)
            for column, end in enumerate(("", padding + line_end))
        )
        first = self._first_columns(batch, at, "")
        return at, joined_texts((*first, score, corners, flags))

    def _writable(
        self, batch: RowBatch, at: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Positions, points and sizes of images of boxes that can be written.

        The others are counted or refused.
        """
        known = batch.is_sized[at]
        if not known.all():
            self._lost["boxes on images of unknown size"] += int((~known).sum())
            at = at[known]
        points, sizes = batch.points[at], batch.size_px[at]
        x1, y1, x2, y2 = points.T
        good = np.isfinite(points).all(axis=1) & (x2 >= x1) & (y2 >= y1)
        # Of boxes, the first corner is the lower one.
        height, width = sizes.T
        inside = (x1 / width > BELOW_FRAC) & (y1 / height > BELOW_FRAC)
        inside &= (x2 / width < ABOVE_FRAC) & (y2 / height < ABOVE_FRAC)
        bad = np.flatnonzero(~(good & inside))
        if not len(bad):
            return at, points, sizes
        for place in bad.tolist():
            i = int(at[place])
            reason = f"has corners {batch.annotations[i].points}, which are no box"
            if good[place]:
                reason = "reaches out of the image by more than the image's size"
            self._refuse(ValueError(reason), batch.item_of(i), batch.annotations[i])
        fine = good & inside
        return at[fine], points[fine], sizes[fine]

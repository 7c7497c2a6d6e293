"""The challenge's prediction CSVs: boxes, or masks as run lengths."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.evaluation.columns import Known, Row, Table
from datumaro_openimages_plugin.evaluation.rle import box_frac, rle_from_text
from datumaro_openimages_plugin.kinds.boxes import COORDINATES
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.tables.tables import Column, CsvTable, Rows

__all__ = ["BOX_FIELDS", "MASK_FIELDS", "predictions_from_csv"]

#: The header of predicted boxes.
BOX_FIELDS = ("ImageID", "LabelName", "Score", *COORDINATES)

#: The header of predicted masks.
MASK_FIELDS = ("ImageID", "ImageWidth", "ImageHeight", "LabelName", "Score", "Mask")

#: Beyond this a coordinate is no fraction of an image with a little overhang.
_FARTHEST_FRAC = 2.0


def predictions_from_csv(path: str, masks: bool, known: Known) -> Table:
    """Reads predictions, without those of images that the truth does not have.

    Args:
        path: A CSV, plain or packed (``.gz``, ``.zip``).
        masks: Whether masks are wanted rather than boxes.
        known: The truth's images and labels.

    Raises:
        FormatError: The file is damaged, lacks a column, or has coordinates in pixels.
    """
    folder, name = os.path.split(os.path.abspath(path))
    table = CsvTable(open_source(folder), name)
    columns = [
        Column("ImageID"),
        Column("LabelName", "code", parse=_named),
        Column("Score", "number"),
    ]
    if masks:
        columns += [Column("ImageWidth", "number"), Column("ImageHeight", "number"), Column("Mask")]
    else:
        columns += [Column(column, "number") for column in COORDINATES]
    rows = table.read(columns, _fail)
    image = _image_codes(rows.text["ImageID"], known)
    codes, names = rows.code["LabelName"]
    label = np.array([known.label(text) for text in names] or [0], np.int64)[codes]
    here = np.flatnonzero(image >= 0)
    known.left_out["predictions for images that the truth lacks"] += rows.count - len(here)
    if masks:
        return _masks(rows, image, label, here, known, name)
    box = np.stack([rows.number[c] for c in ("XMin", "YMin", "XMax", "YMax")], axis=1)
    far = np.flatnonzero((np.abs(box) > _FARTHEST_FRAC).any(axis=1))
    if len(far):
        row = int(far[0])
        message = "coordinates must be fractions of the image, not pixels"
        raise FormatError(message, file=name, row=row + 1, value=box[row].tolist())
    empty: list[Any] = [None] * len(here)
    group = np.zeros(len(here), bool)
    return Table(image[here], label[here], box[here], rows.number["Score"][here], group, empty)


def _masks(
    rows: Rows, image: np.ndarray, label: np.ndarray, here: np.ndarray, known: Known, name: str
) -> Table:
    text = rows.text["Mask"]
    result: list[Row] = []
    for row in here.tolist():
        size = rows.number["ImageHeight"].item(row), rows.number["ImageWidth"].item(row)
        try:
            mask = rle_from_text(text[row].as_py() or "", (int(size[0]), int(size[1])))
        except ValueError as error:
            raise FormatError(f"the mask {error}", file=name, row=row + 1, column="Mask") from None
        at = int(image[row])
        mask = known.at_size(mask, at)
        score = rows.number["Score"].item(row)
        result.append((at, int(label[row]), box_frac(mask), score, False, mask))
    return Table.of(result)


def _image_codes(ids: pa.ChunkedArray, known: Known) -> np.ndarray:
    """(n,) int64 codes of images, -1 for those that the truth does not have."""
    names = pa.array(list(known.images), pa.string())
    found = pc.index_in(ids, value_set=names)
    return pc.fill_null(found, -1).to_numpy().astype(np.int64)


def _named(text: str) -> str:
    name = text.strip()
    if not name:
        raise ValueError("names no class")
    return name


def _fail(error: FormatError) -> None:
    raise error

"""Object segmentation: one PNG per instance, tied to a box by label and coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from datumaro_openimages_plugin._host import OBJECT_ID, AnnotationType
from datumaro_openimages_plugin.annotations.extras import EXTRA_ATTRIBUTE, EXTRA_COLUMN
from datumaro_openimages_plugin.annotations.links import TOLERANCE_FRAC, match_boxes
from datumaro_openimages_plugin.annotations.objects import OriginMask, other_fields
from datumaro_openimages_plugin.annotations.values import box_id_text, score_text
from datumaro_openimages_plugin.errors import FormatError, MissingFileError
from datumaro_openimages_plugin.kinds._kind import Batch, Kind, Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.kinds.boxes import corner_columns
from datumaro_openimages_plugin.kinds.labels import kept
from datumaro_openimages_plugin.tables.tables import Column

if TYPE_CHECKING:
    from datumaro_openimages_plugin.rendering.sinks import Sink
    from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing

__all__ = [
    "ATTRIBUTES",
    "BOX_COORDINATES",
    "EXTRA",
    "FIELDS",
    "MASKS",
    "MaskImage",
    "columns",
    "decode_mask",
    "encode_mask",
    "from_rows",
    "is_untouched",
    "link",
    "names_box",
    "to_fields",
]

BOX_COORDINATES = ("BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax")

#: As many as OpenCV decodes; a size in ``images.meta`` may be anything.
_MOST_PIXELS = 1 << 30

#: The published header.
FIELDS = (
    "MaskPath", "ImageID", "LabelName", "BoxID", *BOX_COORDINATES, "PredictedIoU", "Clicks"
)  # fmt: skip

#: Attributes that have a column.
ATTRIBUTES = frozenset(("box_id", "predicted_iou"))

#: Attribute -> column that is shown on request; clicks are ``x y t;x y t;…``.
EXTRA = {"clicks": "Clicks", EXTRA_ATTRIBUTE: EXTRA_COLUMN}


def columns(labels: Labels) -> Sequence[Column]:
    """What masks are made of."""
    return (
        Column("ImageID", "run"),
        Column("MaskPath"),
        Column("LabelName", "code", parse=labels),
        Column("BoxID", required=False),
        *corner_columns(BOX_COORDINATES, optional=True),
        Column("PredictedIoU", "number", required=False, empty=True),
    )


def link(tables: Mapping[str, KindTable], labels: Labels) -> None:
    """Gives each mask the group of its box: (n,) int64 ``extra["group"]``, 0 for none."""
    masks, boxes = tables["masks"], tables["boxes"]
    masks.extra["group"] = np.zeros(len(masks.image), np.int64)
    if not len(masks.image) or not len(boxes.image):
        return
    mask_rows, box_rows = np.flatnonzero(masks.image >= 0), np.flatnonzero(boxes.image >= 0)
    box = match_boxes(
        _keys(masks, mask_rows, len(labels.names)),
        np.stack([masks.number[name][mask_rows] for name in BOX_COORDINATES], axis=1),
        _keys(boxes, box_rows, len(labels.names)),
        np.stack([boxes.number[name[3:]][box_rows] for name in BOX_COORDINATES], axis=1),
    )
    found = box >= 0
    masks.extra["group"][mask_rows[found]] = boxes.rank()[box_rows[box[found]]] + 1


def _keys(table: KindTable, rows: np.ndarray, labels: int) -> np.ndarray:
    return table.image[rows].astype(np.int64) * labels + table.index("LabelName", rows)


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[Any]:
    """Makes the masks of some rows, one after another; their pictures are decoded when asked for.

    Args:
        table: The kind's rows.
        rows: (n,) row numbers, image by image.
        batch: The images.
        counts: How many of the rows each image has.
    """
    columns = (
        table.index("LabelName", rows).tolist(),
        np.repeat(np.arange(len(counts)), counts).tolist(),
        rows.tolist(),
        table.extra["group"][rows].tolist(),
        table.number["PredictedIoU"][rows].tolist(),
        table.texts("MaskPath", rows),
        table.texts("BoxID", rows),
    )
    find, new, source = batch.mask_reader, OriginMask.__new__, table.rows
    # A constructor with converters and validators takes longer; a test holds against it.
    for label, at, row, group, iou, path, box_id in zip(*columns, strict=True):
        reader = find(path or "", batch.subsets[at])
        batch.lacking["masks"] += reader is None
        mask = new(OriginMask)
        mask.id = mask.z_order = 0
        mask.label = label
        mask.group = group
        mask.attributes = {} if box_id is None else {"box_id": box_id}
        if not math.isnan(iou):
            mask.attributes["predicted_iou"] = iou
        mask._image = MaskImage(reader, path or "", batch.sizes[at])
        mask._source = source
        mask._row = row
        if OBJECT_ID is not None:
            mask.object_id = OBJECT_ID
        if _OTHERS:
            for set_field, value in _OTHERS:
                set_field(mask, value)
        yield mask


_OTHERS = other_fields(
    OriginMask, {"id", "object_id", "z_order", "label", "group", "attributes", "_image", "origin"}
)


class MaskImage:
    """A mask's picture, decoded when called; picklable.

    Args:
        reader: Gives the PNG's bytes; None where the file is missing.
        name: The row's ``MaskPath``, for messages.
        size: (height, width) of the image, None to keep the mask's own.
    """

    __slots__ = ("name", "reader", "size")

    def __init__(
        self, reader: Callable[..., bytes] | None, name: str, size: tuple[int, int] | None
    ) -> None:
        self.reader = reader
        self.name = name
        self.size = size

    def __call__(self) -> np.ndarray:
        """(h, w) bool at the image's size.

        Raises:
            MissingFileError: There is no such file.
            FormatError: The file is no picture.
        """
        return decode_mask(self.encoded(), self.name, self.size)

    def encoded(self) -> bytes:
        """The PNG's bytes as they are stored, of whatever size.

        Raises:
            MissingFileError: There is no such file.
        """
        if self.reader is None:
            raise MissingFileError("the mask's picture is not in the dataset", file=self.name)
        try:
            return self.reader()
        except FileNotFoundError:
            raise MissingFileError("the mask's picture is gone", file=self.name) from None

    def __getstate__(self) -> tuple[Any, ...]:
        return self.reader, self.name, self.size

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.reader, self.name, self.size = state


def decode_mask(data: bytes, name: str, size: tuple[int, int] | None) -> np.ndarray:
    """Decodes a mask's picture.

    Args:
        data: An encoded picture: 1, 8 or 16 bits, grey, palette or colour, with alpha or not.
        name: Its name, for messages.
        size: (height, width) to resize to by nearest neighbour, as published masks need; None
            to keep the picture's own.

    Returns:
        (h, w) bool, true where the object is.

    Raises:
        FormatError: The bytes are no picture.
    """
    buffer = np.frombuffer(data, np.uint8)
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED) if len(buffer) else None
    except cv2.error:
        image = None
    if image is None:
        raise FormatError("the mask's file is no readable picture", file=name)
    if image.ndim == 3:
        visible = (image[..., :3] != 0).any(axis=2)
        image = visible & (image[..., 3] != 0) if image.shape[2] == 4 else visible
    mask = image != 0
    if size is not None and mask.shape != tuple(size):
        if size[0] * size[1] > _MOST_PIXELS:
            message = "the mask's image is said to be larger than any picture can be read"
            raise FormatError(message, file=name, value=tuple(size))
        resized = cv2.resize(
            mask.astype(np.uint8), (size[1], size[0]), interpolation=cv2.INTER_NEAREST
        )
        mask = resized.astype(bool)
    return mask


def is_untouched(annotation: Any, old: Mapping[str, str]) -> bool:
    """Whether a mask's picture is still the one that was read with its row."""
    image = annotation._image
    return isinstance(image, MaskImage) and old.get("MaskPath") == image.name


def encode_mask(mask: np.ndarray) -> bytes:
    """A 1-bit PNG of a (h, w) mask, object white, as the published masks are."""
    picture = np.where(np.asarray(mask) != 0, 255, 0).astype(np.uint8)
    if picture.ndim != 2 or not picture.size:
        raise ValueError(f"has a picture of shape {picture.shape}; it needs a height and a width")
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_BILEVEL, 1])
    if not done:
        raise ValueError("has a picture that cannot be encoded")
    return bytes(data.tobytes())


def to_fields(
    annotation: Any,
    label: str,
    image_id: str,
    old: Mapping[str, str],
    box: Mapping[str, str] | None,
) -> dict[str, str]:
    """The row of a mask, without ``MaskPath`` and, where it has none yet, ``BoxID``.

    Args:
        annotation: A `Mask`, or another shape that is written as one.
        label: Its LabelName.
        image_id: Its image.
        old: The row it was read from if its picture is untouched, else empty.
        box: Corner columns of the box of its group, none where the row names it already; None
            where it has no box.

    Raises:
        ValueError: An attribute has a value that its column cannot hold.
    """
    attributes = annotation.attributes
    iou = attributes.get("predicted_iou")
    box_id = box_id_text(attributes.get("box_id"))
    fields = {
        **old,
        "ImageID": image_id,
        "LabelName": kept(old, "LabelName", str.strip, label) or label,
        "BoxID": box_id or "",
        "PredictedIoU": kept(old, "PredictedIoU", _iou, iou)
        or score_text(iou, "predicted_iou")
        or "",
    }
    if box:
        fields.update({f"Box{name}": text for name, text in box.items()})
    elif box is None and annotation.group:
        # Its box is gone, so the corners are no longer those of any box.
        fields.update(dict.fromkeys(BOX_COORDINATES, ""))
    return fields


def _iou(text: str) -> float | None:
    return float(text) if text else None


def names_box(old: Mapping[str, str], corners: Sequence[float]) -> bool:
    """Whether a row names this box, be it with other precision.

    Args:
        old: The row.
        corners: XMin, XMax, YMin, YMax of the box as fractions; none where they are not known.
    """
    try:
        return len(corners) == 4 and all(
            abs(float(old[name]) - corner) <= TOLERANCE_FRAC * (1 + 1e-9)
            for name, corner in zip(BOX_COORDINATES, corners, strict=True)
        )
    except (KeyError, ValueError):
        return False


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    from datumaro_openimages_plugin.kinds._mask_writer import (
        MaskWriter,  # which imports this module
    )

    return MaskWriter(sink, writing)


MASKS = Kind(
    name="masks",
    patterns=(
        "{subset}-annotations-object-segmentation.csv",
        "{subset}-segmentation-masks.csv",
        "segmentations.csv",
    ),
    fields=FIELDS,
    telling=("ImageID", "LabelName", "MaskPath"),
    file_name="{subset}-annotations-object-segmentation.csv",
    columns=columns,
    from_rows=from_rows,
    writer=_writer,
    type=AnnotationType.mask,
    attributes=ATTRIBUTES,
    extra=EXTRA,
    needs_sizes=True,
    link=link,
)

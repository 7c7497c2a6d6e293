"""Pictures of masks: of any sort that people have, and damaged ones that name themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from oi_files import MASK_HEADER, image_list, write
from rich_data import read

from datumaro_openimages_plugin.errors import FormatError, MissingFileError

SIZE = (6, 8)
WANTED = np.zeros(SIZE, bool)
WANTED[1:4, 2:7] = True
VALUES = np.where(WANTED, 255, 0).astype(np.uint8)


def encoded(pixels, *options) -> bytes:
    done, data = cv2.imencode(".png", pixels, list(options))
    assert done
    return data.tobytes()


def palette_png() -> bytes:
    """A PNG of one palette index a pixel, made by hand: OpenCV writes none."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = SIZE
    rows = b"".join(b"\0" + bytes(row.tolist()) for row in WANTED.astype(np.uint8))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", bytes([0, 0, 0, 0, 0, 200]))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def with_alpha(visible: np.ndarray) -> np.ndarray:
    return np.dstack([VALUES, VALUES, VALUES, np.where(visible, 255, 0).astype(np.uint8)])


PICTURES = {
    "1 bit": encoded(VALUES, cv2.IMWRITE_PNG_BILEVEL, 1),
    "8 bits, 0 and 255": encoded(VALUES),
    "8 bits, 0 and 1": encoded(VALUES // 255),
    "16 bits": encoded(VALUES.astype(np.uint16) * 257),
    "16 bits, small values": encoded(VALUES.astype(np.uint16) // 255),
    "palette": palette_png(),
    "colours": encoded(np.dstack([VALUES * 0, VALUES * 0, VALUES])),
    "colours and alpha": encoded(with_alpha(np.ones(SIZE, bool))),
    "half the pixels are transparent": encoded(with_alpha(WANTED)),
    "twice the size": encoded(np.kron(VALUES, np.ones((2, 2), np.uint8))),
    "a JPEG called .png": cv2.imencode(".jpg", VALUES, [cv2.IMWRITE_JPEG_QUALITY, 100])[
        1
    ].tobytes(),
}


def dataset(root, data: bytes | None, name: str = "m.png"):
    write(
        root,
        {
            "annotations/class-descriptions.csv": "/m/0,Zero\n",
            "annotations/train-images-with-rotation.csv": image_list(("a", "train")),
            "annotations/images.meta": "a 6 8\n",
            "annotations/train-annotations-object-segmentation.csv": MASK_HEADER
            + f"{name},a,/m/0,1,,,,,,\n",
        },
    )
    if data is not None:
        (root / "masks/train").mkdir(parents=True)
        (root / "masks/train" / name).write_bytes(data)
    return read(root)


def mask_of(made):
    (item,) = made
    (mask,) = item.annotations
    return mask


@pytest.mark.parametrize("name", PICTURES)
def test_every_sort_becomes_a_flat_mask(name, tmp_path):
    image = mask_of(dataset(tmp_path, PICTURES[name])).image
    assert (image.shape, image.dtype) == (SIZE, bool)
    if "JPEG" not in name:  # whose edges are not sharp
        assert np.array_equal(image, WANTED)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x89PNG\r\n\x1a\n", PICTURES["1 bit"][:20], b"not a picture", b"\0" * 100],
    ids=["empty", "signature", "header cut", "text", "zeros"],
)
def test_a_damaged_picture_names_itself(data, tmp_path):
    mask = mask_of(dataset(tmp_path, data))
    with pytest.raises(FormatError, match=r"^m\.png: the mask's file is no readable picture"):
        _ = mask.image


def test_a_missing_picture_is_counted_at_import_and_named_when_asked_for(tmp_path, caplog):
    mask = mask_of(dataset(tmp_path, None))
    assert "1 of 1 masks have no picture in the dataset" in caplog.text
    with pytest.raises(MissingFileError, match=r"^m\.png: the mask's picture is not in"):
        _ = mask.image


@pytest.mark.parametrize("name", ["../m.png", "/etc/passwd", "C:\\m.png", "a/../../m.png"])
def test_a_name_that_leads_out_of_the_dataset_finds_nothing(name, tmp_path):
    root = tmp_path / "inner"
    root.mkdir()
    made = dataset(root, None, name)
    (tmp_path / "m.png").write_bytes(PICTURES["1 bit"])
    with pytest.raises(MissingFileError):
        _ = mask_of(made).image

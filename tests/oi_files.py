"""A small Open Images dataset as text files and pictures, to be changed by tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZES = {"a": (20, 40), "b": (7, 13), "c": (16, 16)}

IMAGE_HEADER = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    "OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation\n"
)
LABEL_HEADER = "ImageID,Source,LabelName,Confidence\n"
BOX_HEADER = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
)
MASK_HEADER = (
    "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks\n"
)
CLASSES = '/m/0,Zero\n/m/1,"One, first"\n/m/2,Two\n/m/3,Three\n/m/4,Four\n'

Files = dict[str, str]


def image_list(*rows: tuple[str, str]) -> str:
    """A list of (id, subset)."""
    return IMAGE_HEADER + "".join(f"{name},{subset},,,,,,,,,,\n" for name, subset in rows)


def write(root: Path, files: Files) -> Path:
    """Puts text files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    return root


def picture(root: Path, name: str, size: tuple[int, int]) -> None:
    """Draws a picture of (height, width) ``size``."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[: size[0], : size[1]]
    pixels = np.stack([x * 5 % 256, y * 9 % 256, (x + y) * 3 % 256], axis=2).astype(np.uint8)
    assert cv2.imwrite(str(path), pixels)


def mask_png(root: Path, name: str, size: tuple[int, int], columns: slice = slice(0, 3)) -> None:
    """Draws a 1-bit mask with some columns set."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros(size, np.uint8)
    pixels[1:5, columns] = 255
    assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_PNG_BILEVEL, 1])


def base_files() -> Files:
    """Two subsets with labels, boxes and one mask."""
    return {
        "annotations/class-descriptions.csv": CLASSES,
        "annotations/train-images-with-rotation.csv": image_list(("a", "train"), ("b", "train")),
        "annotations/test-images-with-rotation.csv": image_list(("c", "test")),
        "annotations/train-annotations-human-imagelabels.csv": LABEL_HEADER
        + "a,verification,/m/0,1\na,crowdsource-verification,/m/1,0\nb,verification,/m/4,1\n",
        "annotations/train-annotations-bbox.csv": BOX_HEADER
        + "a,xclick,/m/1,1,0.1,0.3333333,0.2,0.9,1,0,-1,0,1\n"
        + "a,activemil,/m/2,1,0.0,1.0,0.0,1.0,-1,-1,-1,-1,-1\n"
        + "b,xclick,/m/1,1,0.0134,0.94,0.123456,0.6543211,0,0,0,0,0\n",
        "annotations/train-annotations-object-segmentation.csv": MASK_HEADER
        + "a_m1_0.png,a,/m/1,0badcafe,0.100000,0.333333,0.200000,0.900000,0.87654,0.1 0.2 0;\n",
    }


def base_media(root: Path) -> None:
    """The pictures of `base_files`."""
    picture(root, "images/train/a.jpg", SIZES["a"])
    picture(root, "images/train/b.jpg", SIZES["b"])
    picture(root, "images/test/c.png", SIZES["c"])
    mask_png(root, "masks/train/a_m1_0.png", SIZES["a"])


def base(root: Path) -> None:
    write(root, base_files())
    base_media(root)

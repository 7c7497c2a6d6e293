"""Makes datasets of any size with the published names and columns, all values random.

    python benchmarks/data.py FOLDER --images 20000

Rows are made as columns of bytes of fixed width, padded with NUL, and written without the NULs:
a million boxes take about a second.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HEIGHT, WIDTH = 768, 1024
BOXABLE = 601  # classes that boxes have, of all classes
ROWS = 100_000  # written at once
PICTURES = 16  # different ones; all others are links to them

IMAGES = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,"
    "OriginalSize,OriginalMD5,Thumbnail300KURL,Rotation"
)
LABELS = "ImageID,Source,LabelName,Confidence"
BOXES = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
CLICKS = "".join(f",XClick{i}{axis}" for axis in "XY" for i in (1, 2, 3, 4))
MASKS = "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks"

HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
SITE = b"https://images.example/"


@dataclass
class Options:
    """How large a dataset is; the ratios are those of the published train split."""

    images: int = 20_000
    boxes_per_image: float = 8.4
    labels_per_image: float = 5.0
    classes: int = 20_931
    clicks: bool = True
    masks: bool = False
    masks_per_box: float = 0.18
    meta: bool = True
    jpegs: bool = False
    seed: int = 0


# Text as bytes: (n, w) uint8 arrays, NUL where a row's text is shorter


def hex_text(values: np.ndarray, digits: int) -> np.ndarray:
    """(n, digits) hexadecimal text of (n,) uint64."""
    shifts = np.arange(4 * (digits - 1), -1, -4, dtype=np.uint64)
    return HEX[(values[:, None] >> shifts & np.uint64(15)).astype(np.uint8)]


def decimal_text(values: np.ndarray, digits: int) -> np.ndarray:
    """(n, digits) decimal text of (n,) integers, with leading zeros."""
    powers = 10 ** np.arange(digits - 1, -1, -1)
    return (values[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def fraction_text(values: np.ndarray, decimals: int) -> np.ndarray:
    """(n, decimals + 2) text of (n,) integers that count the last decimal, from 0 to 1."""
    digits = decimal_text(values, decimals + 1)
    return np.insert(digits, 1, ord("."), axis=1)


def choice_text(codes: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """(n, w) text of (n,) positions in a list."""
    table = np.array([text.encode() for text in texts])
    return table.view(np.uint8).reshape(len(texts), -1)[codes]


def write_rows(path: Path, header: str, count: int, columns: Iterable[np.ndarray | bytes]) -> None:
    """Writes a CSV file; a column is (n, w) text, or one text for all rows."""
    columns = list(columns)
    with open(path, "wb") as file:
        file.write(header.encode() + b"\n" if header else b"")
        for start in range(0, count, ROWS):
            stop = min(start + ROWS, count)
            parts = []
            for column in columns:
                if isinstance(column, bytes):
                    text = np.frombuffer(column, np.uint8)
                    parts.append(np.broadcast_to(text, (stop - start, len(text))))
                else:
                    parts.append(column[start:stop])
            rows = np.concatenate(parts, axis=1).ravel()
            file.write(rows[rows != 0].tobytes())


def fields(*columns: np.ndarray | bytes) -> list[np.ndarray | bytes]:
    """Columns with commas between them and a line feed at the end."""
    separated = [part for column in columns for part in (column, b",")]
    return [*separated[:-1], b"\n"]


# The files


class Maker:
    """Writes one dataset."""

    def __init__(self, root: Path, options: Options) -> None:
        self.root, self.options = root, options
        self.annotations = root / "annotations"
        self.rng = np.random.default_rng(options.seed)
        ids = self.rng.integers(0, 2**63, options.images, np.uint64)
        while len(ids := np.unique(ids)) < options.images:
            ids = np.append(ids, self.rng.integers(0, 2**63, 1, np.uint64))
        self.ids = hex_text(ids, 16)
        self.class_names = [f"/m/0{number:05d}" for number in range(1, options.classes + 1)]

    def make(self) -> None:
        self.annotations.mkdir(parents=True)
        self.classes()
        self.image_list()
        self.labels()
        self.boxes()
        if self.options.jpegs:
            self.jpegs()

    def some_images(self, per_image: float) -> np.ndarray:
        """(n,) ascending image numbers."""
        count = round(self.options.images * per_image)
        return np.sort(self.rng.integers(0, self.options.images, count))

    def classes(self) -> None:
        rows = (f"{name},Class {i}\n" for i, name in enumerate(self.class_names))
        text = "LabelName,DisplayName\n" + "".join(rows)
        (self.annotations / "oidv7-class-descriptions.csv").write_text(text)
        boxable = self.class_names[:BOXABLE]
        groups = [
            {"LabelName": group, "Subcategory": [{"LabelName": name} for name in boxable[i::25]]}
            for i, group in enumerate(boxable[:25])
        ]
        for group in groups:
            group["Subcategory"] = group["Subcategory"][1:]
        tree = {"LabelName": "/m/0root", "Subcategory": groups}
        (self.annotations / "bbox_labels_600_hierarchy.json").write_text(json.dumps(tree, indent=4))

    def image_list(self) -> None:
        count, ids = self.options.images, self.ids
        number = decimal_text(self.rng.integers(10**9, 10**10, count), 10)
        size = decimal_text(self.rng.integers(10**5, 10**6, count), 6)
        digest = hex_text(self.rng.integers(0, 2**63, count, np.uint64), 16)
        columns = fields(
            ids,
            b"train",
            np.concatenate([_repeat(SITE, count), number, _repeat(b"_o.jpg", count)], axis=1),
            np.concatenate([_repeat(SITE + b"photos/", count), number], axis=1),
            SITE + b"licenses/by/2.0/",
            np.concatenate([_repeat(SITE + b"people/", count), number[:, :6]], axis=1),
            np.concatenate([_repeat(b"Author ", count), number[:, :6]], axis=1),
            np.concatenate([_repeat(b'"Title, ', count), number, _repeat(b'"', count)], axis=1),
            size,
            np.concatenate([digest, _repeat(b"AAAAAA==", count)], axis=1),
            np.concatenate([_repeat(SITE, count), number, _repeat(b"_z.jpg", count)], axis=1),
            b"0.0",
        )
        name = "train-images-with-labels-with-rotation.csv"
        write_rows(self.annotations / name, IMAGES, count, columns)
        if self.options.meta:
            line = f" {HEIGHT} {WIDTH}\n".encode()
            header = "# <image name> <height> <width>\n"
            write_rows(self.annotations / "images.meta", header, count, [ids, line])

    def labels(self) -> None:
        images = self.some_images(self.options.labels_per_image)
        count = len(images)
        columns = fields(
            self.ids[images],
            self.one_of(count, ["verification", "crowdsource-verification"]),
            self.one_of(count, self.class_names),
            self.one_of(count, ["0", "1"]),
        )
        name = "oidv7-train-annotations-human-imagelabels.csv"
        write_rows(self.annotations / name, LABELS, count, columns)

    def boxes(self) -> None:
        images = self.some_images(self.options.boxes_per_image)
        count = len(images)
        machine = self.rng.random(count) < 0.1
        labels = self.one_of(count, self.class_names[:BOXABLE])
        x, y = self.edges(count, WIDTH), self.edges(count, HEIGHT)
        edges = [fraction_text(edge, 6) for edge in (*x, *y)]
        flags = [self.one_of(count, ["0", "0", "0", "1", "-1"]) for _ in range(5)]
        source = choice_text(machine.astype(int), ["xclick", "activemil"])
        ids = self.ids[images]
        columns = [ids, source, labels, b"1", *edges, *flags]
        if self.options.clicks:
            columns += self.clicks(x, y, machine)
        header = BOXES + CLICKS if self.options.clicks else BOXES
        path = self.annotations / "oidv6-train-annotations-bbox.csv"
        write_rows(path, header, count, fields(*columns))
        if self.options.masks:
            chosen = np.flatnonzero(self.rng.random(count) < self.options.masks_per_box)
            self.masks(ids[chosen], labels[chosen], [edge[chosen] for edge in edges])

    def one_of(self, count: int, texts: Sequence[str]) -> np.ndarray:
        """(n, w) texts, each drawn from a list."""
        return choice_text(self.rng.integers(0, len(texts), count), texts)

    def edges(self, count: int, pixels: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) lower and upper edges of boxes in millionths, on a grid of pixels."""
        low = self.rng.integers(0, pixels - 20, count)
        high = low + 10 + (self.rng.random(count) * (pixels - 10 - low)).astype(int)
        return low * 10**6 // pixels, np.minimum(high, pixels) * 10**6 // pixels

    def clicks(
        self,
        x: tuple[np.ndarray, np.ndarray],
        y: tuple[np.ndarray, np.ndarray],
        machine: np.ndarray,
    ) -> list[np.ndarray]:
        """Eight columns: top, left, bottom, right; -1 where a box was not clicked."""
        middle_x, middle_y = sum(x) // 2, sum(y) // 2
        points = [middle_x, x[0], middle_x, x[1], y[0], middle_y, y[1], middle_y]
        columns = [fraction_text(values, 6) for values in points]
        none = np.zeros(columns[0].shape[1], np.uint8)
        none[:2] = np.frombuffer(b"-1", np.uint8)
        for column in columns:
            column[machine] = none
        return columns

    def masks(self, ids: np.ndarray, labels: np.ndarray, edges: list[np.ndarray]) -> None:
        count = len(ids)
        box_ids = hex_text(np.arange(count, dtype=np.uint64), 8)
        slugs = np.where(labels == ord("/"), 0, labels).astype(np.uint8)
        score = fraction_text(self.rng.integers(50_000, 100_000, count), 5)
        points = []
        for _ in range(11):
            for axis in range(2):
                place = self.rng.integers(0, 10**5, count)
                points += [fraction_text(place, 5), b" " if axis == 0 else b" 1;"]
        points[-1] = b" 0"
        name = [ids, b"_", slugs, b"_", box_ids, b".png"]
        columns = [*name, b",", *fields(ids, labels, box_ids, *edges, score)[:-1], b",", *points]
        path = self.annotations / "train-annotations-object-segmentation.csv"
        write_rows(path, MASKS, count, [*columns, b"\n"])
        names = np.concatenate([_repeat(p, count) if isinstance(p, bytes) else p for p in name], 1)
        self.mask_files([bytes(row[row != 0]).decode() for row in names])

    def mask_files(self, names: list[str]) -> None:
        import cv2

        pictures = []
        for i in range(PICTURES):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            cv2.circle(mask, (100 + 50 * i, 300), 60 + 10 * i, 255, -1)
            encoded = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_BILEVEL, 1])[1]
            pictures.append(encoded.tobytes())
        write_links(self.root / "masks/train", names, pictures)

    def jpegs(self) -> None:
        import cv2

        pictures = []
        for i in range(PICTURES):
            ramp = np.linspace(0, 255, WIDTH, dtype=np.uint8)
            picture = np.repeat(np.roll(ramp, 64 * i)[None], HEIGHT, 0)
            pictures.append(cv2.imencode(".jpg", picture)[1].tobytes())
        names = [bytes(row).decode() + ".jpg" for row in self.ids]
        write_links(self.root / "images/train", names, pictures)


def _repeat(text: bytes, count: int) -> np.ndarray:
    return np.broadcast_to(np.frombuffer(text, np.uint8), (count, len(text)))


def write_links(folder: Path, names: list[str], contents: list[bytes]) -> None:
    """Writes files that share few contents; links, as long as a file may have more of them."""
    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        first = folder / names[i % len(contents)]
        if i < len(contents):
            first.write_bytes(contents[i])
            continue
        try:
            os.link(first, folder / name)
        except OSError:
            shutil.copyfile(first, folder / name)


def make_dataset(root: Path, options: Options) -> None:
    """Writes a dataset to a new folder."""
    Maker(root, options).make()


def options_parser() -> argparse.ArgumentParser:
    """A parser of `Options`."""
    parser = argparse.ArgumentParser(add_help=False)
    defaults = Options()
    for name in ("images", "classes", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name))
    for name in ("boxes_per_image", "labels_per_image", "masks_per_box"):
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=float, default=getattr(defaults, name))
    for name in ("clicks", "masks", "jpegs", "meta"):
        action = argparse.BooleanOptionalAction
        parser.add_argument(f"--{name}", action=action, default=getattr(defaults, name))
    return parser


def options_from(arguments: argparse.Namespace) -> Options:
    """The options of a parsed command line."""
    return Options(**{name: getattr(arguments, name) for name in Options.__dataclass_fields__})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, parents=[options_parser()])
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    make_dataset(arguments.folder, options_from(arguments))

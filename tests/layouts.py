"""The same small dataset as tools and releases lay it out, made to be saved in place."""

from __future__ import annotations

import gzip
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import oi_files
import rich_data
from oi_files import BOX_HEADER, CLASSES, LABEL_HEADER, MASK_HEADER, image_list, mask_png, picture

ASSETS = Path(__file__).parent.parent / "assets"
BOX = "{},xclick,/m/1,1,0.1,0.3333333,0.2,0.9,1,0,-1,0,1\n"


def assets_of(name: str) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        shutil.copytree(ASSETS / name, root)
        return root

    return make


def fiftyone(root: Path) -> Path:
    """A folder per subset, with names that do not tell it."""
    for subset, ids in (("train", ["a", "b"]), ("test", ["c"])):
        tables = {
            "metadata/classes.csv": CLASSES,
            "metadata/hierarchy.json": '{"LabelName":"/m/0entity","Subcategory":[]}',
            "metadata/image_ids.csv": image_list(*((name, subset) for name in ids)),
            "labels/detections.csv": BOX_HEADER + "".join(map(BOX.format, ids)),
            "labels/classifications.csv": LABEL_HEADER
            + "".join(f"{name},verification,/m/2,1\n" for name in ids),
            "labels/segmentations.csv": MASK_HEADER
            + "".join(f"{name}_m1_0.png,{name},/m/1,0{name},,,,,,\n" for name in ids),
        }
        oi_files.write(root / subset, tables)
        for name in ids:
            picture(root, f"{subset}/data/{name}.jpg", (20, 30))
            mask_png(root, f"{subset}/labels/masks/{name}_m1_0.png", (20, 30))
    return root


def flat(root: Path) -> Path:
    """Names without a subset, pictures in no subset's folder."""
    tables = {
        "classes.csv": CLASSES,
        "images.csv": image_list(("a", "train"), ("b", "train")),
        "detections.csv": BOX_HEADER + BOX.format("a"),
    }
    oi_files.write(root, tables)
    picture(root, "images/a.jpg", (20, 30))
    return root


def full_list(root: Path) -> Path:
    """The list of all splits beside those of each, and boxes of one of several subsets."""
    oi_files.base(root)
    ids = image_list(("a", "train"), ("b", "train"), ("c", "test"), ("d", "test"))
    oi_files.write(root, {"annotations/image_ids_and_rotation.csv": ids})
    return root


def packed(root: Path) -> Path:
    """Packed tables."""
    oi_files.base(root)
    folder = root / "annotations"
    boxes = folder / "train-annotations-bbox.csv"
    new = folder / "oidv6-train-annotations-bbox.csv.gz"
    new.write_bytes(gzip.compress(boxes.read_bytes()))
    boxes.unlink()
    labels = folder / "train-annotations-human-imagelabels.csv"
    with zipfile.ZipFile(f"{labels}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(labels, labels.name)
    labels.unlink()
    return root


def two_versions(root: Path) -> Path:
    """Tables of two versions: the newer is read, the older left aside."""
    oi_files.base(root)
    boxes = (root / "annotations/train-annotations-bbox.csv").read_text("utf-8")
    newer = "annotations/oidv6-train-annotations-bbox.csv"
    oi_files.write(root, {newer: boxes + BOX.format("b")})
    return root


def masks_in_zip(root: Path) -> Path:
    """Masks in the zip that they are published in."""
    rich_data.make(root)
    with zipfile.ZipFile(root / "masks/train-masks-a.zip", "w") as archive:
        for path in sorted((root / "masks/train").iterdir()):
            archive.write(path, path.name)
            path.unlink()
    return root


def archives(root: Path) -> Path:
    """Pictures in the folders that the published archives unpack to."""
    oi_files.base(root)
    for old, new in (
        ("images/train/a.jpg", "images/train/train_a/a.jpg"),
        ("images/train/b.jpg", "images/train_b/b.jpg"),
        ("images/test/c.png", "test/test_c/c.png"),
    ):
        (root / new).parent.mkdir(parents=True)
        (root / old).rename(root / new)
    return root


LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "cvat": assets_of("cvat_layout"),
    "v7": assets_of("open_images_v7"),
    "rich": rich_data.make,
    "fiftyone": fiftyone,
    "flat": flat,
    "full list": full_list,
    "packed": packed,
    "two versions": two_versions,
    "masks in zip": masks_in_zip,
    "archives": archives,
}


def snapshot(root: Path) -> dict[str, bytes]:
    """All files below a folder."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}

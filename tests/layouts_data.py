"""One small dataset under every choice of names that the published files and tools have."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from oi_files import BOX_HEADER, IMAGE_HEADER, LABEL_HEADER, MASK_HEADER, mask_png, picture

SPLITS = ("train", "validation", "test")
SIZES = {"0a": (12, 30), "fb": (40, 20), "0c": (25, 25), "ed": (10, 50)}
SUBSET_OF = {"0a": "train", "fb": "train", "0c": "validation", "ed": "test"}
CLASSES = "/m/0,Zero\n/m/1,One\n"
HEADED_CLASSES = "LabelName,DisplayName\n" + CLASSES
HIERARCHY = (
    '{"LabelName": "/m/root", "Subcategory": '
    '[{"LabelName": "/m/0", "Part": [{"LabelName": "/m/1"}]}]}'
)
#: FiftyOne writes the hierarchy with display names.
NAMED_HIERARCHY = (
    HIERARCHY.replace("/m/root", "Entity").replace("/m/0", "Zero").replace("/m/1", "One")
)


def ids(subset: str) -> list[str]:
    return [name for name, split in SUBSET_OF.items() if split == subset]


def table(kind: str, subset: str) -> str:
    """The text of a subset's table: every image has one row of each kind."""
    rows = {
        "images": IMAGE_HEADER + "{id},{subset},,,,,Author {id},,,,,0.0\n",
        "labels": LABEL_HEADER + "{id},verification,/m/0,0\n",
        "boxes": BOX_HEADER + "{id},xclick,/m/1,1,0.100000,0.5,0.25,0.750000,1,0,-1,0,0\n",
        "masks": MASK_HEADER + "{id}_m1_aa.png,{id},/m/1,aa,0.1,0.5,0.25,0.75,0.5,\n",
    }
    header, row = rows[kind].split("\n", 1)
    return header + "\n" + "".join(row.format(id=name, subset=subset) for name in ids(subset))


Names = Callable[[str, str], str]


def _v3(kind: str, subset: str) -> str:
    if kind == "masks":
        return f"v5/{subset}-annotations-object-segmentation.csv"
    names = {"images": "images", "labels": "annotations-human", "boxes": "annotations-human-bbox"}
    return f"2017_11/{subset}/{names[kind]}.csv"


def _v4(kind: str, subset: str) -> str:
    if kind == "images":
        name = "train-images-boxable" if subset == "train" else f"{subset}-images"
        return f"2018_04/{subset}/{name}-with-rotation.csv"
    return f"2018_04/{subset}/{_plain(kind, subset)}"


def _plain(kind: str, subset: str) -> str:
    names = {
        "images": f"{subset}-images-with-rotation.csv",
        "labels": f"{subset}-annotations-human-imagelabels.csv",
        "boxes": f"{subset}-annotations-bbox.csv",
        "masks": f"{subset}-annotations-object-segmentation.csv",
    }
    return names[kind]


def _v5(kind: str, subset: str) -> str:
    if kind == "labels":
        return f"v5/{subset}-annotations-human-imagelabels-boxable.csv"
    if kind == "images" and subset == "train":
        return "v5/train-images-with-labels-with-rotation.csv"
    return f"v5/{_plain(kind, subset)}"


def _v6(kind: str, subset: str) -> str:
    return f"v6/oidv6-{_plain(kind, subset)}"


def _v7(kind: str, subset: str) -> str:
    if kind == "labels":
        val = "val" if subset == "validation" else subset
        return f"oidv7-{val}-annotations-human-imagelabels.csv"
    if kind == "boxes" and subset == "train":
        return "oidv6-train-annotations-bbox.csv"
    return _plain(kind, subset)


def _challenge_2018(kind: str, subset: str) -> str:
    return f"2019_01/challenge-2018-{_plain(kind, subset)}"


def _detection_2019(kind: str, subset: str) -> str:
    names = {
        "images": _plain(kind, subset),
        "labels": f"challenge-2019-{subset}-detection-human-imagelabels.csv",
        "boxes": f"challenge-2019-{subset}-detection-bbox.csv",
        "masks": f"challenge-2019-{subset}-segmentation-masks.csv",
    }
    return f"challenge_2019/{names[kind]}"


def _segmentation_2019(kind: str, subset: str) -> str:
    names = {
        "labels": f"challenge-2019-{subset}-segmentation-labels.csv",
        "boxes": f"challenge-2019-{subset}-segmentation-bbox.csv",
    }
    return names.get(kind) or _detection_2019(kind, subset)


def _cvat(kind: str, subset: str) -> str:
    name = f"{subset}-image_ids_and_rotation.csv" if kind == "images" else _plain(kind, subset)
    return f"annotations/{name}"


def _fiftyone(kind: str, subset: str) -> str:
    names = {
        "images": "metadata/image_ids.csv",
        "labels": "labels/classifications.csv",
        "boxes": "labels/detections.csv",
        "masks": "labels/segmentations.csv",
    }
    return f"{subset}/{names[kind]}"


def _deep(kind: str, subset: str) -> str:
    return f"downloads/open images/{subset}/of {kind}/{_plain(kind, subset)}"


def _upper(kind: str, subset: str) -> str:
    return _cvat(kind, subset).upper()


# name -> (names of tables, class list, its text, hierarchy, its text)
Layout = tuple[Names, str, str, str, str]
_TREE = "bbox_labels_600_hierarchy.json"
LAYOUTS: dict[str, Layout] = {
    "v3": (_v3, "2017_11/class-descriptions.csv", CLASSES, f"2018_04/{_TREE}", HIERARCHY),
    "v4": (_v4, "2018_04/class-descriptions-boxable.csv", CLASSES, f"2018_04/{_TREE}", HIERARCHY),
    "v5": (_v5, "v5/class-descriptions-boxable.csv", CLASSES, _TREE, HIERARCHY),
    "v6": (_v6, "v6/oidv6-class-descriptions.csv", HEADED_CLASSES, _TREE, HIERARCHY),
    "v7": (_v7, "oidv7-class-descriptions.csv", HEADED_CLASSES, _TREE, HIERARCHY),
    "v7 boxable": (_v7, "oidv7-class-descriptions-boxable.csv", HEADED_CLASSES, _TREE, HIERARCHY),
    "challenge 2018": (
        _challenge_2018,
        "challenge-2018-class-descriptions-500.csv",
        CLASSES,
        _TREE,
        HIERARCHY,
    ),
    "detection 2019": (
        _detection_2019,
        "challenge-2019-classes-description-500.csv",
        CLASSES,
        "challenge-2019-label500-hierarchy.json",
        HIERARCHY,
    ),
    "segmentation 2019": (
        _segmentation_2019,
        "challenge-2019-classes-description-segmentable.csv",
        CLASSES,
        "challenge-2019-label300-segmentable-hierarchy.json",
        HIERARCHY,
    ),
    "cvat": (
        _cvat,
        "annotations/class-descriptions.csv",
        CLASSES,
        f"annotations/{_TREE}",
        HIERARCHY,
    ),
    "root": (_plain, "class-descriptions.csv", CLASSES, _TREE, HIERARCHY),
    "fiftyone": (
        _fiftyone,
        "train/metadata/classes.csv",
        CLASSES,
        "train/metadata/hierarchy.json",
        NAMED_HIERARCHY,
    ),
    "deep": (_deep, "downloads/class-descriptions.csv", CLASSES, f"downloads/{_TREE}", HIERARCHY),
    "upper": (
        _upper,
        "ANNOTATIONS/CLASS-DESCRIPTIONS.CSV",
        CLASSES,
        f"ANNOTATIONS/{_TREE.upper()}",
        HIERARCHY,
    ),
}


def files(layout: str) -> dict[str, str]:
    """The text files of a layout."""
    names, class_list, classes, tree, hierarchy = LAYOUTS[layout]
    found = {class_list: classes, tree: hierarchy}
    for kind in ("images", "labels", "boxes", "masks"):
        for subset in SPLITS:
            found[names(kind, subset)] = table(kind, subset)
    return found


# Places of pictures and masks

Place = Callable[[str, str], str]

PICTURES: dict[str, Place] = {
    "images/<subset>": lambda name, subset: f"images/{subset}/{name}.jpg",
    "<subset>": lambda name, subset: f"{subset}/{name}.jpg",
    "<subset>/data": lambda name, subset: f"{subset}/data/{name}.jpg",
    "<subset>/images": lambda name, subset: f"{subset}/images/{name}.jpg",
    "data": lambda name, subset: f"data/{name}.jpg",
    "images": lambda name, subset: f"images/{name}.png",
    "IMAGES/<SUBSET>": lambda name, subset: f"IMAGES/{subset.upper()}/{name}.JPG",
    "<subset>_<digit>": lambda name, subset: f"{subset}_{name[0]}/{name}.jpg",
    "images/<subset>_<digit>": lambda name, subset: f"images/{subset}_{name[0]}/{name}.jpg",
    "<subset>/<subset>_<digit>": lambda name, subset: f"{subset}/{subset}_{name[0]}/{name}.jpg",
    "images/<subset>/<subset>_<digit>": lambda name, subset: (
        f"images/{subset}/{subset}_{name[0]}/{name}.jpg"
    ),
    "<subset>/data/<subset>_<digit>": lambda name, subset: (
        f"{subset}/data/{subset}_{name[0]}/{name}.jpg"
    ),
    "downloads/<SUBSET>_<DIGIT>": lambda name, subset: (
        f"downloads/pictures/{subset.upper()}_{name[0].upper()}/{name}.jpg"
    ),
    "<subset>_<other digit>": lambda name, subset: f"{subset}/{subset}_f/{name}.jpg",
    "downloads/<subset>": lambda name, subset: f"downloads/pictures/{subset}/{name}.jpg",
    "data/<subset>": lambda name, subset: f"data/{subset}/{name}.jpg",
}

MASKS: dict[str, Place] = {
    "masks/<subset>": lambda name, subset: f"masks/{subset}/{name}_m1_aa.png",
    "masks": lambda name, subset: f"masks/{name}_m1_aa.png",
    "masks/<digit>": lambda name, subset: f"masks/{name[0]}/{name}_m1_aa.png",
    "masks/<DIGIT>": lambda name, subset: f"masks/{name[0].upper()}/{name}_m1_aa.png",
    "MASKS": lambda name, subset: f"MASKS/{subset.upper()}/{name}_m1_aa.png",
    "masks/<subset>-masks-<digit>": lambda name, subset: (
        f"masks/{subset}-masks-{name[0]}/{name}_m1_aa.png"
    ),
    "<subset>-masks-<digit>": lambda name, subset: f"{subset}-masks-{name[0]}/{name}_m1_aa.png",
    "<subset>/labels/masks/<DIGIT>": lambda name, subset: (
        f"{subset}/labels/masks/{name[0].upper()}/{name}_m1_aa.png"
    ),
}

#: Zips of masks by their place; the PNGs lie flat in them.
MASK_ZIPS: dict[str, Place] = {
    "masks": lambda name, subset: f"masks/{subset}-masks-{name[0]}.zip",
    "<subset>-masks": lambda name, subset: f"v5/{subset}-masks/{subset}-masks-{name[0]}.zip",
    "annotations": lambda name, subset: f"annotations/{subset}-masks-{name[0]}.zip",
    "root": lambda name, subset: f"{subset}-masks-{name[0]}.zip",
    "one zip": lambda name, subset: "masks.zip",
}


def draw_pictures(root: Path, place: Place) -> None:
    for name, subset in SUBSET_OF.items():
        picture(root, place(name, subset), SIZES[name])


def draw_masks(root: Path, place: Place) -> None:
    """Each mask is of another size and shape than the others."""
    for number, (name, subset) in enumerate(SUBSET_OF.items()):
        mask_png(root, place(name, subset), (9 + number, 17), slice(number, 8))


def zip_masks(root: Path, place: Place, scratch: Path) -> None:
    """Puts the masks into zips, as they are published."""
    draw_masks(scratch, lambda name, subset: f"{name}_m1_aa.png")
    for name, subset in SUBSET_OF.items():
        path = root / place(name, subset)
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "a") as archive:
            archive.write(scratch / f"{name}_m1_aa.png", f"{name}_m1_aa.png")


def gzipped(text: str) -> bytes:
    return gzip.compress(text.encode())


def zipped(text: str, name: str = "table.csv") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()

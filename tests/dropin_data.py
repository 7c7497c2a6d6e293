"""Small Open Images folders, each for one thing that real ones have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from oi_files import (
    BOX_HEADER,
    CLASSES,
    LABEL_HEADER,
    SIZES,
    base,
    base_files,
    base_media,
    image_list,
    mask_png,
    picture,
    write,
)


def v4_names(root: Path) -> None:
    """Only boxable classes and the list of labelled images."""
    files = base_files()
    files["annotations/class-descriptions-boxable.csv"] = files.pop(
        "annotations/class-descriptions.csv"
    )
    files["annotations/train-images-with-labels-with-rotation.csv"] = files.pop(
        "annotations/train-images-with-rotation.csv"
    )
    write(root, files)
    base_media(root)


def v6_names(root: Path) -> None:
    files = base_files()
    renamed = {}
    for name, text in files.items():
        folder, _, file = name.rpartition("/")
        if "images-with-rotation" not in file:
            file = f"oidv6-{file}"
        renamed[f"{folder}/{file}"] = text
    renamed["annotations/oidv6-class-descriptions.csv"] = "LabelName,DisplayName\n" + CLASSES
    # An image that only the prefixed file names belongs to the subset behind the prefix.
    renamed["annotations/oidv6-train-annotations-bbox.csv"] += "z,xclick,/m/0,1,0,1,0,1,0,0,0,0,0\n"
    write(root, renamed)
    base_media(root)
    picture(root, "images/train/z.jpg", SIZES["b"])


def hierarchy(root: Path) -> None:
    """A label under two parents, `Part` edges, and a label that no list has."""
    base(root)
    tree = {
        "LabelName": "/m/0entity",
        "Subcategory": [
            {"LabelName": "/m/0", "Subcategory": [{"LabelName": "/m/1"}, {"LabelName": "/m/2"}]},
            {
                "LabelName": "/m/3",
                "Subcategory": [{"LabelName": "/m/1"}, {"LabelName": "/m/unlisted"}],
                "Part": [{"LabelName": "/m/4"}],
            },
        ],
    }
    write(root, {"annotations/bbox_labels_600_hierarchy.json": json.dumps(tree)})


def many_masks(root: Path) -> None:
    """Several masks of one box, a mask that fits two boxes, and masks without a box."""
    files = base_files()
    files["annotations/train-annotations-bbox.csv"] += (
        "a,xclick,/m/1,1,0.1,0.3333335,0.2,0.9,0,0,0,0,0\n"
        "a,xclick,/m/3,1,0.1,0.3333333,0.2,0.9,0,0,0,0,0\n"
    )
    files["annotations/train-annotations-object-segmentation.csv"] += (
        "a_m1_1.png,a,/m/1,00000001,0.100000,0.333333,0.200000,0.900000,0.5,\n"
        "a_m2_2.png,a,/m/2,00000002,0.000000,1.000000,0.000000,1.000000,,\n"
        "a_m2_3.png,a,/m/2,00000003,0.000000,1.000000,0.000000,1.000000,0.25,\n"
        "a_m4_4.png,a,/m/4,00000004,,,,,,\n"
        "a_m4_5.png,a,/m/4,00000005,0.1,0.2,,0.3,,\n"
        "a_m4_6.png,a,/m/4,00000006,0.5,0.6,0.5,0.6,,\n"
    )
    write(root, files)
    base_media(root)
    for i, name in enumerate(("m1_1", "m2_2", "m2_3", "m4_4", "m4_5", "m4_6")):
        mask_png(root, f"masks/train/a_{name}.png", (10 + i, 20 + i), slice(i, i + 4))


def short_rows(root: Path) -> None:
    files = base_files()
    files["annotations/test-images-with-rotation.csv"] += (
        "d,test,,,,Somebody,A title,,,,0\ne,test\n"
    )
    files["annotations/test-annotations-human-imagelabels.csv"] = (
        LABEL_HEADER + "d,,/m/1,0.5\ne,verification,/m/2,1.0\n"
    )
    write(root, files)
    base_media(root)
    picture(root, "images/test/d.jpg", SIZES["b"])


def sizes_file(root: Path) -> None:
    """Comments, quotes, escapes, blank lines and surplus fields in ``images.meta``."""
    files = base_files()
    files["annotations/train-images-with-rotation.csv"] += "with space,train,,,,,,,,,,\n"
    files["annotations/train-annotations-bbox.csv"] += (
        "with space,,/m/0,1,0.5,0.75,0.25,1,0,0,0,0,0\n"
    )
    files["annotations/images.meta"] = (
        "# <image name> <height> <width>\n\n"
        "a 200 400 # the picture itself is smaller\n"
        "'b' 7 13 surplus fields\n"
        '"with space" 50 60\n'
        "with\\ backslash 1 2\n"
        "   c\t16 16\r\n"
    )
    write(root, files)
    base_media(root)


def missing_images(root: Path) -> None:
    """Pictures that were never downloaded: labels stay, boxes need ``images.meta``."""
    files = base_files()
    files["annotations/train-images-with-rotation.csv"] += "gone,train,,,,,,,,,,\n"
    files["annotations/train-annotations-human-imagelabels.csv"] += "gone,,/m/2,1\n"
    files["annotations/train-annotations-bbox.csv"] += "gone,,/m/2,1,0.1,0.2,0.3,0.4,1,1,1,1,1\n"
    files["annotations/train-annotations-object-segmentation.csv"] += (
        "gone_m2.png,gone,/m/2,aa,0.1,0.2,0.3,0.4,,\n"
    )
    files["annotations/images.meta"] = "gone 30 60\n"
    write(root, files)
    base_media(root)
    mask_png(root, "masks/train/gone_m2.png", (30, 60))


def unlisted_images(root: Path) -> None:
    """Images that no list has: each belongs to the subset of the file that names it first."""
    files = base_files()
    files["annotations/train-annotations-human-imagelabels.csv"] += "new1,,/m/2,1\n"
    files["annotations/test-annotations-bbox.csv"] = (
        BOX_HEADER + "new2,,/m/2,1,0.1,0.2,0.3,0.4,1,1,1,1,1\nnew2,,/m/0,0.5,0,1,0,1,0,0,0,0,0\n"
    )
    write(root, files)
    base_media(root)
    picture(root, "images/train/new1.jpg", SIZES["b"])
    picture(root, "images/test/new2.jpg", SIZES["b"])


def full_list(root: Path) -> None:
    """The list of all splits goes before the lists of one split."""
    files = base_files()
    files["annotations/image_ids_and_rotation.csv"] = image_list(
        ("c", "test"), ("plain", "train"), ("b", "train"), ("a", "validation")
    )
    write(root, files)
    base_media(root)
    mask_png(root, "masks/validation/a_m1_0.png", SIZES["a"])


def no_lists(root: Path) -> None:
    files = base_files()
    write(root, {name: text for name, text in files.items() if "-images-" not in name})
    base_media(root)


def at_the_root(root: Path) -> None:
    files = {name.rpartition("/")[2]: text for name, text in base_files().items()}
    files["images.meta"] = "a 40 80\n"
    write(root, files)
    base_media(root)


def odd_ids(root: Path) -> None:
    """Ids with folders, spaces, commas, quotes and other scripts."""
    ids = ["1/2/x", "with space", "a.b", "com,ma", 'quo"te', "日本/語", "-dash"]
    quoted = ['"{}"'.format(name.replace('"', '""')) for name in ids]
    files = {
        "annotations/class-descriptions.csv": CLASSES,
        "annotations/my set-images-with-rotation.csv": image_list(
            *((name, "my set") for name in quoted)
        ),
        "annotations/my set-annotations-human-imagelabels.csv": LABEL_HEADER
        + "".join(f"{name},,/m/{i % 5},1\n" for i, name in enumerate(quoted)),
        "annotations/my set-annotations-bbox.csv": BOX_HEADER
        + "".join(f"{name},,/m/1,1,0.{i},1,0.5,0.6,0,0,0,0,0\n" for i, name in enumerate(quoted)),
    }
    write(root, files)
    for name in ids:
        picture(root, f"images/my set/{name}.png", SIZES["b"])


def no_annotations(root: Path) -> None:
    files = base_files()
    write(root, {name: text for name, text in files.items() if "-annotations-" not in name})
    base_media(root)


def dataset_meta(root: Path) -> None:
    """Datumaro's own list of labels goes before the class list."""
    hierarchy(root)
    labels = {"/m/4": 0, "/m/2": 1, "/m/1": 2, "/m/0": 3}
    write(root, {"dataset_meta.json": json.dumps({"label_map": {i: n for n, i in labels.items()}})})


def two_class_lists(root: Path) -> None:
    """The boxable classes stand before all classes, whatever their order in them."""
    base(root)
    boxable = "".join(reversed(CLASSES.splitlines(keepends=True)))
    write(root, {"annotations/class-descriptions-boxable.csv": boxable})


def dashed_subset(root: Path) -> None:
    """A subset whose name has a dash."""
    files = {
        name.replace("/train-", "/my-set-"): text.replace(",train", ",my-set")
        for name, text in base_files().items()
    }
    write(root, files)
    for name in ("a", "b"):
        picture(root, f"images/my-set/{name}.jpg", SIZES[name])
    picture(root, "images/test/c.png", SIZES["c"])
    mask_png(root, "masks/my-set/a_m1_0.png", SIZES["a"])


def shuffled_rows(root: Path) -> None:
    """Rows of one image that do not stand together."""
    files = base_files()
    for name in files:
        if "-annotations-" in name:
            header, *rows = files[name].splitlines(keepends=True)
            files[name] = header + "".join(rows[::2] + rows[1::2] + list(reversed(rows)))
    write(root, files)
    base_media(root)


def line_ends(root: Path) -> None:
    """Carriage returns, a missing last line end, a quoted field with a line end in it."""
    files = {name: text.replace("\n", "\r\n") for name, text in base_files().items()}
    files["annotations/train-images-with-rotation.csv"] += 'n,train,,,,,,"one\r\ntwo",,,,0'
    files["annotations/train-annotations-bbox.csv"] += "n,,/m/0,1,0,1,0,1,0,0,0,0,0"
    write(root, files)
    base_media(root)
    picture(root, "images/train/n.jpg", SIZES["b"])


def other_folder(root: Path) -> None:
    """Pictures in another subset's folder than the list says."""
    base(root)
    files = base_files()
    lists = "annotations/test-images-with-rotation.csv"
    write(root, {lists: files[lists] + "far,test,,,,,,,,,,\n"})
    picture(root, "images/elsewhere/far.jpg", SIZES["a"])


FOLDERS: dict[str, Callable[[Path], None]] = {
    made.__name__: made
    for made in (
        base,
        v4_names,
        v6_names,
        hierarchy,
        many_masks,
        short_rows,
        sizes_file,
        missing_images,
        unlisted_images,
        full_list,
        no_lists,
        at_the_root,
        odd_ids,
        no_annotations,
        dataset_meta,
        other_folder,
        two_class_lists,
        dashed_subset,
        shuffled_rows,
        line_ends,
    )
}

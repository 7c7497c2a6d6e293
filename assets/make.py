"""Draws the pictures of the sample datasets and writes their files, always the same ones.

    python assets/make.py [folder]

writes `cvat_layout` and `open_images_v7` into the folder, or beside this file.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from drawing import draw, mask_of, scenery
from samples import (
    CVAT,
    CVAT_HIERARCHY,
    CVAT_LABELS,
    V7,
    V7_ATTRIBUTES,
    V7_BOXABLE,
    V7_CLASSES,
    V7_HIERARCHY,
    V7_RELATIONSHIPS,
    Scene,
    Thing,
)

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
RELATIONSHIPS = (
    "ImageID,LabelName1,LabelName2,XMin1,XMax1,YMin1,YMax1,XMin2,XMax2,YMin2,YMax2,"
    "RelationshipLabel"
)
PEOPLE = (
    "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,"
    "IsDepictionOf,IsInsideOf,GenderPresentation,AgePresentation"
)
POINTS = "ImageId,X,Y,Label,EstimatedYesNo,Source,YesVotes,NoVotes,UnsureVotes,TextLabel"
SUBSETS = ("train", "validation", "test")


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("utf-8"))


def write_csv(path: Path, header: str, rows: Iterable[Sequence[Any]], end: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator=end)
        if header:
            writer.writerow(header.split(","))
        writer.writerows(rows)


def write_picture(path: Path, picture: np.ndarray, *options: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Through memory: OpenCV on Windows takes no path outside the code page.
    path.write_bytes(cv2.imencode(path.suffix, picture, options)[1].tobytes())


def picture_of(scene: Scene) -> np.ndarray:
    """(h, w, 3) uint8."""
    height, width = scene.size
    picture = scenery(scene.size)
    for thing in (*scene.things, *scene.related_things):
        left, top, right, bottom = thing.box_frac(scene.grid)
        box = left * width, top * height, right * width, bottom * height
        draw(picture, thing.shape, box, thing.colour)
    return picture


def write_media(root: Path, scene: Scene, *png: int) -> None:
    """Writes a scene's picture and its masks, which have the size of the annotators' grid."""
    if not scene.absent:
        path = root / "images" / scene.subset / f"{scene.id}.jpg"
        write_picture(path, picture_of(scene), cv2.IMWRITE_JPEG_QUALITY, 85)
    for thing in scene.things:
        for mask in thing.masks:
            pixels = mask_of(scene.grid, thing.shape, thing.box, slice(*mask.parts))
            name = mask.name(scene, thing)
            write_picture(root / "masks" / scene.subset / name, pixels, *png)


# CVAT's layout, as Datumaro's exporters write it


def cvat_box(thing: Thing, scene: Scene) -> list[str]:
    """XMin, XMax, YMin, YMax in all their digits."""
    left, top, right, bottom = thing.box_frac(scene.grid)
    return [repr(left), repr(right), repr(top), repr(bottom)]


def write_cvat(root: Path) -> None:
    for scene in CVAT:
        write_media(root, scene)
    folder = root / "annotations"
    write_csv(folder / "class-descriptions.csv", "", [(name, name) for name in CVAT_LABELS], "\r\n")
    write_text(
        folder / "bbox_labels_600_hierarchy.json", json.dumps(CVAT_HIERARCHY, indent=4) + "\n"
    )
    sizes = [f"{_quoted(scene.id)} {scene.size[0]} {scene.size[1]}\n" for scene in CVAT]
    write_text(folder / "images.meta", "# <image name> <height> <width>\n\n" + "".join(sizes))
    for subset in sorted({scene.subset for scene in CVAT}):
        write_cvat_subset(folder, subset, [scene for scene in CVAT if scene.subset == subset])


def write_cvat_subset(folder: Path, subset: str, scenes: list[Scene]) -> None:
    images = [[scene.id, subset, *[""] * 10] for scene in scenes]
    labels, boxes, masks = [], [], []
    for scene in scenes:
        labels += [[scene.id, "", label, confidence] for _, label, confidence in scene.labels]
        for thing in scene.things:
            box = cvat_box(thing, scene)
            if thing.flags:
                boxes.append([scene.id, "", thing.label, thing.score, *box, *thing.flags.split()])
            for mask in thing.masks:
                row = [mask.name(scene, thing), scene.id, thing.label, mask.box_id]
                masks.append([*row, *(box if thing.flags else [""] * 4), mask.iou, ""])
    for name, header, rows in (
        ("image_ids_and_rotation", IMAGES, images),
        ("annotations-human-imagelabels", LABELS, labels),
        ("annotations-bbox", BOXES, boxes),
        ("annotations-object-segmentation", MASKS, masks),
    ):
        write_csv(folder / f"{subset}-{name}.csv", header, rows, "\r\n")


def _quoted(name: str) -> str:
    return name if name.replace("/", "").isalnum() else f"'{name}'"


# The published layout: a mix of versions


def fixed(value: float) -> str:
    return f"{value:.6f}"


def trimmed(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def extreme_points(box: tuple[float, float, float, float], order: str) -> list[tuple[float, float]]:
    """Points on a box's sides, in the order in which they were clicked."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    points = {
        "t": (left + 0.4 * width, top),
        "l": (left, top + 0.7 * height),
        "b": (left + 0.6 * width, bottom),
        "r": (right, top + 0.3 * height),
    }
    return [points[side] for side in order]


def published_box(thing: Thing, scene: Scene) -> list[str]:
    left, top, right, bottom = thing.box_frac(scene.grid)
    row = [scene.id, thing.source, thing.label, "1"]
    edges = left, right, top, bottom
    if scene.subset != "train":
        return [*row, *(trimmed(value, 9) for value in edges), *thing.flags.split()]
    row += [*(fixed(value) for value in edges), *thing.flags.split()]
    if not thing.clicks:
        return [*row, *["-1"] * 8]
    points = extreme_points((left, top, right, bottom), thing.clicks)
    return [*row, *(fixed(x) for x, _ in points), *(fixed(y) for _, y in points)]


def published_mask(thing: Thing, scene: Scene, number: int) -> list[str]:
    mask = thing.masks[number]
    left, top, right, bottom = thing.box_frac(scene.grid)
    clicks = ""
    if scene.subset == "train":  # the other splits were painted, not clicked
        places = ((0.5, 0.5, 1), (0.1, 0.08, 0), (0.62, 0.71, 1), (0.93, 0.9, 0), (0.37, 0.66, 1))
        clicks = ";".join(
            f"{left + x * (right - left):.5f} {top + y * (bottom - top):.5f} {on}"
            for x, y, on in places
        )
    box = [trimmed(value, 6) for value in (left, right, top, bottom)]
    return [mask.name(scene, thing), scene.id, thing.label, mask.box_id, *box, mask.iou, clicks]


def published_relationship(
    scene: Scene, subject: int, relation: str, other: int | str
) -> list[str]:
    things = (*scene.things, *scene.related_things)
    boxes, labels = [], []
    for end in (subject, other if isinstance(other, int) else subject):
        left, top, right, bottom = things[end].box_frac(scene.grid)
        boxes += [trimmed(value, 6) for value in (left, right, top, bottom)]
        labels.append(things[end].label)
    second = other if isinstance(other, str) else labels[1]
    return [scene.id, labels[0], second, *boxes, relation]


def published_point(scene: Scene, x: float, y: float, label: str, *rest: str) -> list[str]:
    answer, *votes, words = rest
    place = [trimmed(x / scene.grid[1], 9), trimmed(y / scene.grid[0], 9)]
    return [scene.id, *place, label, answer, "ih", *votes, words]


def published_narrative(
    scene: Scene, words: Sequence[tuple[str, float, float]], traces: Any, annotator: int
) -> str:
    timed = [{"utterance": text, "start_time": t0, "end_time": t1} for text, t0, t1 in words]
    moves = [[{"x": x, "y": y, "t": t} for x, y, t in segment] for segment in traces]
    line = {
        "dataset_id": f"open_images_{scene.subset}",
        "image_id": scene.id,
        "annotator_id": annotator,
        "caption": " ".join(text for text, _, _ in words),
        "timed_caption": timed,
        "traces": moves,
        "voice_recording": f"open_images_{scene.subset}/{scene.id}_{annotator}.ogg",
    }
    # The published files escape what is not ASCII.
    return json.dumps(line) + "\n"


def published_person(scene: Scene, number: int, gender: str, age: str) -> list[str]:
    thing = scene.things[number]
    left, top, right, bottom = thing.box_frac(scene.grid)
    box = [trimmed(value, 6) for value in (left, right, top, bottom)]
    return [scene.id, thing.label, "1", *box, *thing.flags.split(), gender, age]


def write_v7(root: Path) -> None:
    for scene in V7:
        write_media(root, scene, cv2.IMWRITE_PNG_BILEVEL, 1)
    folder = root / "annotations"
    names = V7_CLASSES.items()
    write_csv(folder / "oidv7-class-descriptions.csv", "LabelName,DisplayName", names, "\n")
    boxable = folder / "class-descriptions-boxable.csv"
    write_csv(boxable, "", [(label, V7_CLASSES[label]) for label in V7_BOXABLE], "\r\n")
    # The published list ends its last line, and only that one, with a line feed alone.
    boxable.write_bytes(boxable.read_bytes()[:-2] + b"\n")
    write_text(folder / "bbox_labels_600_hierarchy.json", json.dumps(V7_HIERARCHY, indent=4))
    write_csv(folder / "oidv6-attributes-description.csv", "", V7_ATTRIBUTES.items(), "\n")
    lists = folder / "oidv6-relationships-description.csv"
    write_csv(lists, "", V7_RELATIONSHIPS.items(), "\n")
    for subset in SUBSETS:
        write_v7_subset(folder, subset, [scene for scene in V7 if scene.subset == subset])


def write_v7_subset(folder: Path, subset: str, scenes: list[Scene]) -> None:
    train = subset == "train"
    val = "val" if subset == "validation" else subset
    rows = [[scene.id, subset, *scene.columns] for scene in scenes]
    name = "train-images-boxable" if train else f"{subset}-images"
    write_csv(folder / f"{name}-with-rotation.csv", IMAGES, rows, "\n")
    things = [(scene, thing) for scene in scenes for thing in scene.things]
    rows = [
        [scene.id, source, label, confidence]
        for scene in scenes
        for source, label, confidence in scene.labels
    ]
    write_csv(folder / f"oidv7-{val}-annotations-human-imagelabels.csv", LABELS, rows, "\n")
    rows = [
        [scene.id, "machine", label, confidence]
        for scene in scenes
        for label, confidence in scene.machine_labels
    ]
    write_csv(folder / f"oidv7-{val}-annotations-machine-imagelabels.csv", LABELS, rows, "\n")
    rows = [published_box(thing, scene) for scene, thing in things]
    name = f"{'oidv6-' if train else ''}{subset}-annotations-bbox.csv"
    write_csv(folder / name, BOXES + CLICKS if train else BOXES, rows, "\n")
    rows = [
        published_mask(thing, scene, number)
        for scene, thing in things
        for number in range(len(thing.masks))
    ]
    write_csv(folder / f"{subset}-annotations-object-segmentation.csv", MASKS, rows, "\n")
    rows = [
        published_relationship(scene, *found) for scene in scenes for found in scene.relationships
    ]
    write_csv(folder / f"oidv6-{subset}-annotations-vrd.csv", RELATIONSHIPS, rows, "\n")
    rows = [published_point(scene, *point) for scene in scenes for point in scene.points]
    write_csv(folder / f"oidv7-{val}-annotations-point-labels.csv", POINTS, rows, "\n")
    rows = [published_person(scene, *person) for scene in scenes for person in scene.people]
    if rows:
        write_csv(folder / f"open_images_extended_miap_boxes_{val}.csv", PEOPLE, rows, "\n")
    lines = [published_narrative(scene, *found) for scene in scenes for found in scene.narratives]
    version = "_v6" if train else ""
    shard = "-00000-of-00001" if train else ""
    name = f"open_images_{subset}{version}_localized_narratives{shard}.jsonl"
    if lines:
        write_text(folder / name, "".join(lines))


def main(folder: Path) -> None:
    write_cvat(folder / "cvat_layout")
    write_v7(folder / "open_images_v7")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent)

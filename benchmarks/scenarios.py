"""What is timed: functions that get the class that reads and a dataset's path, and tell what they
found. What both sides have to find alike is what they return."""

from __future__ import annotations

import contextlib
import csv
import functools
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Found = dict[str, Any]
Timed = Callable[[], Any]

NAME = "open_images"
ONE_CLASS = "/m/000007"


@dataclass(frozen=True)
class Scenario:
    """Something to compare.

    Args:
        ours: Prepares it for this plugin (not timed) and gives what is timed.
        built_in: The same for the format that it is compared with.
        data: Options of the dataset; those of `data.Options`.
    """

    ours: Callable[[Any, str], Timed]
    built_in: Callable[[Any, str], Timed]
    data: dict[str, Any] = field(default_factory=dict)


def visit(items: Any) -> Found:
    """Counts of what is there, and sums that show that it was looked at."""
    from datumaro.components.annotation import AnnotationType

    bbox = AnnotationType.bbox
    images = annotations = boxes = label_sum = group_sum = attributes = 0
    point_sum = 0.0
    # Plain sums, so that what is timed is the reading and not the adding up.
    for item in items:
        images += 1
        for annotation in item.annotations:
            annotations += 1
            label_sum += annotation.label
            group_sum += annotation.group
            attributes += len(annotation.attributes)
            if annotation.type is bbox:
                boxes += 1
                point_sum += annotation.points[2]
    return {
        "images": images,
        "annotations": annotations,
        "boxes": boxes,
        "labels, sum": label_sum,
        "groups, sum": group_sum,
        "attributes": attributes,
        "points, sum": round(point_sum),
    }


# Reading


def open_(cls: Any, path: str) -> Timed:
    """Until subsets and categories are known."""
    from datumaro.components.dataset import Dataset

    def run() -> Found:
        dataset = Dataset.import_from(path, NAME)
        labels = next(iter(dataset.categories().values()))
        return {"subsets": sorted(dataset.subsets()), "labels": len(labels)}

    return run


def stream(cls: Any, path: str) -> Timed:
    """Each annotation is looked at, items are dropped."""
    return lambda: visit(cls(path))


def cached(cls: Any, path: str, pause: bool = False) -> Timed:
    """Through ``Dataset.import_from``, which keeps every item."""
    from datumaro.components.dataset import Dataset

    held: Any = contextlib.nullcontext
    if pause:
        from datumaro_openimages_plugin import paused_gc as held

    def run() -> Found:
        with held():
            dataset = Dataset.import_from(path, NAME)
            dataset.init_cache()
        return visit(dataset)

    return run


def choose_ours(cls: Any, path: str) -> Timed:
    """A thousand images of one class, by the import's options."""
    from datumaro.components.dataset import Dataset

    def run() -> Found:
        dataset = Dataset.import_from(path, NAME, classes=[ONE_CLASS], max_images=1000)
        return _only_images(_with_label(dataset, None))

    return run


def choose_built_in(cls: Any, path: str) -> Timed:
    """The same number of images of that class, by filtering what was loaded."""
    from datumaro.components.dataset import Dataset

    def run() -> Found:
        dataset = Dataset.import_from(path, NAME)
        return _only_images(_with_label(dataset, 1000))

    return run


def _only_images(items: Iterator[Any]) -> Found:
    # Which thousand of several thousand images it is differs.
    return {"images": visit(items)["images"]}


def _with_label(dataset: Any, count: int | None) -> Iterator[Any]:
    label = next(iter(dataset.categories().values())).find(ONE_CLASS)[0]
    for item in dataset:
        if any(a.label == label and a.attributes["score"] for a in item.annotations):
            yield item
            count = None if count is None else count - 1
            if count == 0:
                return


def many_masks(cls: Any, path: str) -> Timed:
    """Masks of one image that has as many boxes: each mask finds its box."""
    return lambda: visit(cls(path))


def headers(cls: Any, path: str) -> Timed:
    """A folder of pictures without a list of sizes: size of each image."""

    def run() -> Found:
        images = area = boxes = 0
        for item in cls(path):
            images += 1
            area += item.media.size[0] * item.media.size[1]
            boxes += len(item.annotations)
        return {"images": images, "area": area, "boxes": boxes}

    return run


# Writing


def write(cls: Any, path: str) -> Timed:
    """Items of a program, whose pictures have known sizes and do not matter."""
    dataset = made_by_a_program(path)
    dataset.init_cache()  # which a dataset does for its first reader, whoever that is
    return lambda: exported(dataset, save_media=False)


def made_by_a_program(path: str) -> Any:
    """A dataset of Datumaro's own objects, none of which was read from a file."""
    from datumaro.components.annotation import Bbox, Label
    from datumaro.components.dataset import Dataset

    try:
        from datumaro.components.dataset_base import DatasetItem
    except ImportError:
        from datumaro.components.extractor import DatasetItem
    from datumaro.components.media import Image

    picture = getattr(Image, "from_file", Image)
    dice = random.Random(1)
    names = [f"/m/{n:06d}" for n in range(600)]
    items = []
    for number in range(int(Path(path).name.rpartition("-")[2])):
        annotations: list[Any] = [
            Label(dice.randrange(600), attributes={"score": dice.choice([0, 1])}) for _ in range(5)
        ]
        for group in range(8):
            x, y = dice.uniform(0, 900), dice.uniform(0, 700)
            flags = {name: dice.random() < 0.3 for name in ("occluded", "truncated")}
            attributes = {"score": 1.0, "is_inside": False, **flags}
            box = Bbox(
                x, y, dice.uniform(1, 100), dice.uniform(1, 60),
                label=dice.randrange(600), group=group + 1, attributes=attributes,
            )  # fmt: skip
            annotations.append(box)
        media = picture(path=f"{number:016x}.jpg", size=(768, 1024))
        items.append(
            DatasetItem(f"{number:016x}", subset="train", media=media, annotations=annotations)
        )
    return Dataset.from_iterable(items, categories=names)


def exported(dataset: Any, **options: Any) -> Timed:
    """Exports; what is given then counts the rows of each kind."""
    folder = tempfile.mkdtemp()
    dataset.export(folder, NAME, **options)
    return lambda: counted(folder)


def counted(folder: str) -> Found:
    """Rows of a dataset's tables, and sums of what must be equal whoever wrote it."""
    found: dict[str, Any] = {}
    for path in sorted(Path(folder, "annotations").glob("*.csv")):
        if "annotations" not in path.name:
            continue
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        kind = "boxes" if "bbox" in path.name else "masks" if "segment" in path.name else "labels"
        if not rows:
            continue
        found[kind] = len(rows)
        found[f"{kind}: images"] = len({row["ImageID"] for row in rows})
        found[f"{kind}: classes"] = len({row["LabelName"] for row in rows})
        if kind == "boxes":
            found["boxes: x, sum"] = round(sum(float(row["XMax"]) for row in rows), -1)
    masks = sorted(Path(folder).rglob("*.png"))
    if masks:
        import cv2

        found["mask files"] = len(masks)
        pixels = [int((cv2.imread(str(path)) > 0).sum()) for path in masks[::50]]
        found["mask pixels, sample"] = pixels
    return found


def convert(cls: Any, path: str) -> Timed:
    """``datum convert`` from a folder with pictures, which are not copied."""
    from datumaro.cli.__main__ import main

    def run() -> Found:
        out = os.path.join(tempfile.mkdtemp(), "out")
        code = main(["convert", "-if", NAME, "-i", path, "-f", NAME, "-o", out])
        assert code == 0, code
        return lambda: counted(out)

    return run


def copy_masks(cls: Any, path: str) -> Timed:
    """Masks that nobody touched, from one folder to another."""
    from datumaro.components.dataset import Dataset

    return lambda: exported(Dataset.import_from(path, NAME), save_media=False)


def both(function: Callable[..., Timed], **data: Any) -> Scenario:
    """A scenario that is the same for both sides."""
    return Scenario(function, function, data)


WHOLE = {"images": 218_000}
ONE_IMAGE: dict[str, Any] = {"images": 1, "masks": True, "masks_per_box": 1.0, "classes": 2}
SCENARIOS = {
    "open": both(open_, **WHOLE),
    "stream": both(stream, **WHOLE),
    "cached": both(cached, **WHOLE),
    "cached, collector paused": Scenario(functools.partial(cached, pause=True), cached, WHOLE),
    "choose 1,000 images": Scenario(choose_ours, choose_built_in, WHOLE),
    "write": both(write, program=20_000),
    "convert": both(convert, images=20_000, jpegs=True),
    "300 boxes x 300 masks": both(many_masks, **ONE_IMAGE, boxes_per_image=300.0),
    "1,000 boxes x 1,000 masks": both(many_masks, **ONE_IMAGE, boxes_per_image=1000.0),
    "copy 2,000 masks": both(
        copy_masks, images=1_000, boxes_per_image=11.1, masks=True, jpegs=True
    ),
    "20,000 headers": both(
        headers, images=20_000, jpegs=True, meta=False, boxes_per_image=1.0, labels_per_image=0.0
    ),
}

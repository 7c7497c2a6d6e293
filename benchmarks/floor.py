"""Where the time of a stream goes, and how far it is from the least that it could take.

    python benchmarks/floor.py --data FOLDER

The least: Arrow reads the same columns of the same files, and a bare loop makes objects of the same
classes with the same fields. Seconds are of CPU time, the best of some runs.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from compare import class_of, dataset_of_images


def best(function: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """The least CPU seconds of some runs, and what the last one gave."""
    least = float("inf")
    for _ in range(runs):
        started = time.process_time()
        result = function()
        least = min(least, time.process_time() - started)
    return least, result


def arrow(path: str, reader: Any) -> None:
    """Reads the columns that the tables of a reader have; gives nothing."""
    import pyarrow as pa
    from pyarrow import csv

    from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
    from datumaro_openimages_plugin.tables.columns import ARROW_TYPES

    files = {"boxes": "*-annotations-bbox.csv", "labels": "*-human-imagelabels.csv"}
    for kind, pattern in files.items():
        columns = KINDS_BY_NAME[kind].columns(reader.labels)
        types = {column.name: ARROW_TYPES[column.type] for column in columns}
        read(csv, next(Path(path).rglob(pattern)), types)
    types = {"ImageID": pa.string(), "Subset": ARROW_TYPES["code"]}
    read(csv, next(Path(path).rglob("*-with-rotation.csv")), types)


def read(csv: Any, path: Path, types: dict[str, Any]) -> None:
    """Reads one file in batches."""
    options = csv.ConvertOptions(include_columns=list(types), column_types=types)
    for _ in csv.open_csv(path, convert_options=options):
        pass


def bare_loop(boxes: int, labels: int, images: int) -> None:
    """Makes as many objects, with nothing but their fields."""
    from datumaro_openimages_plugin._host import OBJECT_ID, annotations_list
    from datumaro_openimages_plugin.annotations.objects import OriginBbox, OriginLabel
    from datumaro_openimages_plugin.annotations.origin import ImageOrigin
    from datumaro_openimages_plugin.reading.items import make_item

    flags = ("occluded", "truncated", "is_group_of", "is_depiction", "is_inside")
    attributes = {"score": 1.0, **dict.fromkeys(flags, False)}
    new_box, new_label, rows = OriginBbox.__new__, OriginLabel.__new__, object()
    for number in range(images):
        annotations = annotations_list()
        for _ in range(labels // images):
            label = new_label(OriginLabel)
            label.id = label.group = 0
            label.label = number
            label.attributes = {"score": 1.0}
            label._source = rows
            label._row = number
            if OBJECT_ID is not None:
                label.object_id = OBJECT_ID
            annotations.append(label)
        for _ in range(boxes // images):
            box = new_box(OriginBbox)
            box.id = box.z_order = 0
            box.label = box.group = number
            box.points = [number * 0.5, number * 0.25, number * 0.75, number * 1.5]
            box.attributes = attributes.copy()
            box._source = rows
            box._row = number
            if OBJECT_ID is not None:
                box.object_id = OBJECT_ID
            annotations.append(box)
        origin = ImageOrigin(None, number, (768, 1024), ("a", "train"), None)  # type: ignore[arg-type]
        make_item("a", "train", None, annotations, origin)


def main(images: int, folder: str, runs: int) -> None:
    """Prints the parts, their sum and the ratio."""
    cls = class_of("ours")
    path = dataset_of_images(images, folder)
    opening, extractor = best(lambda: cls(path), runs)
    going, count = best(lambda: sum(len(item.annotations) for item in extractor), runs)
    reader = extractor._reader
    boxes, labels = len(reader.tables["boxes"]), len(reader.tables["labels"])
    reading, _ = best(lambda: arrow(path, reader), runs)
    making, _ = best(lambda: bare_loop(boxes, labels, images), runs)
    made = labels // images + boxes // images
    making *= count / (made * images)
    classes, _ = best(reader.categories, runs)
    print(f"{count:,} annotations of {images:,} images, CPU seconds")
    print(f"open: {opening:.2f} (of it Datumaro's categories {classes:.2f}); objects: {going:.2f}")
    print(f"floor: Arrow {reading:.2f}, objects {making:.2f}")
    ours, floor = opening + going, reading + making
    print(f"ours {ours:.2f}, floor {floor:.2f}: {ours / floor:.2f} times the floor")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="a folder where datasets are kept for the next time")
    parser.add_argument("--images", type=int, default=218_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        data = arguments.data or stack.enter_context(tempfile.TemporaryDirectory())
        main(arguments.images, data, arguments.runs)

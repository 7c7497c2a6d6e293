"""Many items are written together, and the files are those of one at a time."""

from __future__ import annotations

import csv
import functools
import random
import weakref
from pathlib import Path

import numpy as np
import pytest
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, save

from datumaro_openimages_plugin import OpenImagesExtractor
from datumaro_openimages_plugin._host import (
    Bbox,
    Caption,
    DatasetItem,
    Label,
    LabelCategories,
    Mask,
    Points,
    image_from_file,
)
from datumaro_openimages_plugin.rendering import row_writer
from datumaro_openimages_plugin.writing import image_rows, writer, written_sizes
from datumaro_openimages_plugin.writing.exporting import ExportOptions, export

ASSETS = Path(__file__).parents[2] / "assets"
NAMES = ["/m/0", 'Two, "quoted"', "ü"]


def options():
    return ExportOptions(
        names="cvat",
        save_media=False,
        image_ext=None,
        default_ext=".jpg",
        zip=False,
        dataset_meta=False,
        write_meta=lambda path, names: None,
        always_meta=False,
    )


def exported(items, path):
    """The files, and the errors of what could not be written."""
    errors = []
    labels = LabelCategories.from_iterable(NAMES)
    export(items, labels, str(path), options(), lambda error, item: errors.append(str(error)))
    return bytes_below(path, "."), errors


def annotations_of(dice):
    """Some of everything, good and bad."""
    made = [
        lambda: Label(dice.choice([0, 1, 2, 9]), attributes={"score": dice.choice([1, 0.25, "x"])}),
        lambda: Label(0, attributes={"score": 1, "source": dice.choice(["machine", "crowd"])}),
        lambda: Bbox(
            dice.uniform(-1, 20),
            dice.uniform(0, 9),
            dice.choice([5, 10.5, float("nan"), 500]),
            3,
            label=dice.choice([1, None]),
            attributes={"occluded": dice.choice([True, "false", None])},
        ),
        lambda: Bbox(1, 2, 3, 4, label=2, attributes={"odd": [1], "is_inside": 1}),
        lambda: Bbox(1, 2, 3, 4, label=2, attributes={"rotation": dice.choice([0, 30])}),
        lambda: Bbox(1, 2, 3, 4, label=0, attributes={"age_presentation": "Young"}),
        lambda: Points([1, 2], label=1, attributes={"estimated_yes_no": "yes"}),
        lambda: Caption("text", attributes={"annotator_id": 3}),
        lambda: Mask(np.eye(20, 40, dtype=bool), label=1, group=2),
    ]
    kinds = dice.choice([made[:1], made[:2], made[:3], made[2:4], made, []])
    return [dice.choice(kinds)() for _ in range(dice.randrange(4))] if kinds else []


def items_of(dice, read):
    """Items of a program, and some that were read and changed or not, in two subsets."""
    read = iter(read)
    for number in range(60):
        item = next(read, None) if number % 2 else None
        if item is None:
            attributes = {"author": "A, B"} if dice.random() < 0.1 else {}
            size = dice.choice([(20, 40), None])
            media = None if size is None else image_from_file(f"{number}.jpg", size)
            item = DatasetItem(
                f"{number:03x}" if number % 5 else f"an {number}",
                subset=dice.choice(["train", "test"]),
                media=media,
                annotations=annotations_of(dice),
                attributes=attributes,
            )
        elif dice.random() < 0.5:
            item.annotations = [*annotations_of(dice), *item.annotations]
        yield item


@pytest.mark.parametrize("seed", range(6))
def test_together_and_one_by_one(seed, tmp_path, monkeypatch):
    source = OpenImagesExtractor(
        "assets/open_images_v7", kinds=["labels", "boxes", "machine_labels"]
    )
    found = exported(items_of(random.Random(seed), source), tmp_path / "together")
    for module, name in (
        (writer, "_WAITING"),
        (row_writer, "_BUFFERED"),
        (image_rows, "_BUFFERED"),
        (written_sizes, "_GATHERED"),
    ):
        monkeypatch.setattr(module, name, 1)
    single = exported(items_of(random.Random(seed), source), tmp_path / "single")
    assert found[0].keys() == single[0].keys()
    for name, data in found[0].items():
        assert data == single[0][name], name
    assert sorted(found[1]) == sorted(single[1])
    assert found[1]


@pytest.mark.parametrize("where", ["media", "mask"])
def test_items_with_pixels_do_not_pile_up(where, tmp_path):
    """What a stream holds in memory must not grow with it."""
    from datumaro.components.media import Image

    made = getattr(Image, "from_numpy", None) or (lambda data: Image(data=data))
    alive = most = 0

    def gone():
        nonlocal alive
        alive -= 1

    def items():
        nonlocal alive, most
        for number in range(300):
            pixels = np.zeros((2, 3, 3), np.uint8)
            held = pixels if where == "media" else functools.partial(np.ones, (2, 3), bool)
            weakref.finalize(held, gone)
            alive += 1
            most = max(most, alive)
            media, annotations = None, [Bbox(0, 0, 1, 1, label=0)]
            if where == "media":
                media = made(data=pixels)
            else:
                annotations.append(Mask(held, label=0))
            del held, pixels
            yield DatasetItem(str(number), media=media, annotations=annotations)

    exported(items(), tmp_path / "out")
    assert 1 < most < 70


def test_nothing_is_kept_of_a_dataset_that_nobody_has_looked_at(tmp_path):
    source = str(ASSETS / "cvat_layout")
    untouched, loaded = (Dataset.import_from(source, "open_images") for _ in range(2))
    list(loaded)
    for name, dataset in (("untouched", untouched), ("loaded", loaded)):
        dataset.export(str(tmp_path / name), "open_images")
    assert bytes_below(tmp_path / "untouched", ".") == bytes_below(tmp_path / "loaded", ".")
    assert not untouched.is_cache_initialized
    assert len(list(untouched)) == len(loaded)


def test_equal_values_of_other_types_have_their_own_texts(tmp_path):
    """True equals 1, and is another text where a column keeps texts."""
    sources = [1, True, 1.0, "1"]
    boxes = [Bbox(1, 1, 2, 2, label=0, attributes={"source": source}) for source in sources]
    flags = [True, 1, 1.0]
    boxes += [Bbox(1, 1, 2, 2, label=0, attributes={"occluded": flag}) for flag in flags]
    item = DatasetItem("a", subset="train", annotations=boxes, media=image_from_file("a", (9, 9)))
    out = save(Dataset.from_iterable([item], categories=["x"]), tmp_path / "out")
    with open(out / "annotations/train-annotations-bbox.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Source"] for row in rows[:4]] == ["1", "True", "1.0", "1"]
    assert [row["IsOccluded"] for row in rows[4:]] == ["1", "1", "1"]

"""Streams: items in the order of the lists, none kept, no file read twice, and exports as ever."""

from __future__ import annotations

import json
import shutil
import weakref
from pathlib import Path

import pytest
from datumaro.components.dataset import Dataset
from oi_files import BOX_HEADER, CLASSES, LABEL_HEADER, image_list, picture, write

from datumaro_openimages_plugin._host import CAN_STREAM
from datumaro_openimages_plugin.plugin import OpenImagesExtractor
from datumaro_openimages_plugin.sources.archive import Folder
from datumaro_openimages_plugin.tables.row_text import RowText
from datumaro_openimages_plugin.tables.tables import CsvTable

#: Image lists are neither sorted nor one subset after the other.
LISTED = [("c", "train"), ("z", "validation"), ("a", "train"), ("0", "test"), ("b", "validation")]
BOXES = "".join(
    f"{name},,/m/{at % 4},1,0.{at},0.9,0.25,0.5,{at % 3 - 1},0,1,0,0\n"
    for at, name in enumerate(["a", "a", "c", "z", "a", "b", "named", "0"])
)
LABELS = "b,,/m/0,1\nc,,/m/1,0\nb,,/m/2,0.5\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for name, subset in LISTED:
        picture(folder, f"images/{subset}/{name}.jpg", (30, 40))
    return write(
        folder,
        {
            "annotations/image_ids_and_rotation.csv": image_list(*LISTED),
            "annotations/train-annotations-bbox.csv": BOX_HEADER + BOXES,
            "annotations/train-annotations-human-imagelabels.csv": LABEL_HEADER + LABELS,
            "annotations/class-descriptions.csv": CLASSES,
            "annotations/images.meta": "named 30 40\n",
        },
    )


def test_items_come_in_the_order_of_the_list(root):
    # An image that only annotations name comes last, in their subset.
    items = OpenImagesExtractor(str(root))
    assert [(item.id, item.subset) for item in items] == [*LISTED, ("named", "train")]
    for name in ("train", "validation", "test"):
        listed = [item.id for item in items if item.subset == name]
        assert [item.id for item in items.get_subset(name)] == listed


def test_loops_over_subsets_read_no_file_again(root, monkeypatch):
    items = OpenImagesExtractor(str(root))
    expected = [(item.id, item.subset, len(item.annotations)) for item in items]

    def refuse(*_):
        raise AssertionError("read again")

    for owner, name in (
        (Folder, "open"),
        (Folder, "read"),
        (CsvTable, "read"),
        (RowText, "raw"),
        (RowText, "raws"),
        (RowText, "blocks"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    shutil.rmtree(root / "annotations")
    for _ in range(2):
        found = [
            (item.id, item.subset, len(item.annotations))
            for name in items.subsets()
            for item in items.get_subset(name)
        ]
        assert sorted(found) == sorted(expected)


def test_no_item_outlives_its_turn(root):
    made: list[weakref.ref] = []
    boxes: list[weakref.ref] = []
    for item in OpenImagesExtractor(str(root)):
        made.append(weakref.ref(item))
        boxes += map(weakref.ref, item.annotations)
        alive = [ref() for ref in made if ref() is not None]
        assert len(alive) <= 2
        held = {id(annotation) for one in alive for annotation in one.annotations}
        # Of each kind, whatever was made last may wait for the next one.
        assert sum(ref() is not None and id(ref()) not in held for ref in boxes) <= 2
        del alive
    del item
    assert len(boxes) == 11
    assert all(ref() is None for ref in [*made, *boxes])


def contents(root: Path) -> dict[str, object]:
    """Name -> content of all files; JSON as values, lines in any order."""
    found: dict[str, object] = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = path.relative_to(root).as_posix()
        content = path.read_bytes()
        if path.suffix == ".json":
            found[name] = json.loads(content)
        else:
            lines = path.suffix in (".csv", ".meta")
            found[name] = sorted(content.splitlines()) if lines else content
    return found


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
@pytest.mark.parametrize("name", ["coco", "datumaro", "open_images"])
def test_exporters_that_stream_write_the_same(root, tmp_path, registered, name):
    from datumaro.components.dataset import StreamDataset

    stream = StreamDataset.import_from(str(root), "open_images")
    assert stream.is_stream
    stream.export(str(tmp_path / "streamed"), name, save_media=True)
    Dataset.import_from(str(root), "open_images").export(
        str(tmp_path / "whole"), name, save_media=True
    )
    streamed, whole = contents(tmp_path / "streamed"), contents(tmp_path / "whole")
    assert streamed == whole
    tables = [value for path, value in whole.items() if path.endswith((".json", ".csv"))]
    assert sum(len(value) for value in tables) > 5


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
def test_other_formats_stream_out_as_open_images(root, tmp_path, registered):
    from datumaro.components.dataset import StreamDataset

    Dataset.import_from(str(root), "open_images").export(
        str(tmp_path / "coco"), "coco_instances", save_media=True
    )
    stream = StreamDataset.import_from(str(tmp_path / "coco"), "coco_instances")
    assert stream.is_stream
    stream.export(str(tmp_path / "streamed"), "open_images")
    Dataset.import_from(str(tmp_path / "coco"), "coco_instances").export(
        str(tmp_path / "whole"), "open_images"
    )
    assert contents(tmp_path / "streamed") == contents(tmp_path / "whole")
    boxes = (tmp_path / "streamed/annotations/train-annotations-bbox.csv").read_text()
    assert boxes.count("\n") > 4

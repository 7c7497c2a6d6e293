"""Whatever Datumaro's own transforms do: what is written is what the dataset then holds.

Of the columns that Datumaro does not know, a row keeps those that still hold, and no others.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import rich_data
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment
from rich_data import bytes_below, read, rows, save

from datumaro_openimages_plugin.plugin import OpenImagesExtractor

try:
    from datumaro.components.dataset import StreamDataset
except ImportError:  # the 0.3 line
    StreamDataset = None

#: Transforms and their arguments; some are in one generation of Datumaro only.
TRANSFORMS = {
    "anns_to_labels": {},
    "astype_annotations": {},
    "bbox_values_decrement": {},
    "boxes_to_masks": {},
    "boxes_to_polygons": {},
    "crop": {"x": 3, "y": 2, "width": 20, "height": 18},
    "crop_covered_segments": {},
    "id_from_image_name": {},
    "map_subsets": {"mapping": {"train": "new", "test": "train"}},
    "masks_to_polygons": {},
    "merge_instance_segments": {},
    "project_labels": {"dst_labels": ["/m/2", "/m/1", "/m/new", "/m/0"]},
    "random_sampler": {"count" if StreamDataset is None else "k": 2, "seed": 1},
    "random_split": {"splits": [("one", 0.5), ("two", 0.5)], "seed": 1},
    "reindex": {"start": 7},
    "reindex_annotations": {},
    "remap_labels": {"mapping": {"/m/1": "/m/0", "/m/2": "/m/new"}, "default": "keep"},
    "remove_annotations": {"ids": [("a1", "train")]},
    "remove_attributes": {},
    "remove_items": {"ids": [("a1", "train")]},
    "rename": {"regex": r"|^(.*)$|new_\1|"},
    "resize": {"width": 40, "height": 20},
    "shapes_to_boxes": {},
    "sort": {},
    "tile": {"grid_size": (2, 2), "overlap": (0, 0), "threshold_drop_ann": 0.1},
}
EVERY = pytest.mark.parametrize("name", [n for n in TRANSFORMS if n in Environment().transforms])


@pytest.fixture(scope="module")
def rich(tmp_path_factory) -> Path:
    root = rich_data.make(tmp_path_factory.mktemp("rich"))
    name = root / "annotations/train-annotations-bbox.csv"
    # Datumaro's `tile` cannot do with boxes without an area.
    text = name.read_text(encoding="utf-8").replace("0.500001", "0.75").replace("0.30001", "0.8")
    # A box of the whole image: cut or made smaller, it is one still, but its clicks are not.
    clicks = "0.4,0,0.6,1,0,0.3,1,0.7"
    whole = f"a1,xclick,/m/2,1,0.000000,1.000000,0,1,0,1,0,0,0,{clicks}\n"
    name.write_text(text.replace("b/2,", whole + "b/2,", 1), encoding="utf-8")
    return root


def transformed(name: str, root: Path) -> Dataset:
    return read(root).transform(name, **TRANSFORMS[name])


def labels_of(dataset: Dataset) -> list[str]:
    return [category.name for category in dataset.categories()[AnnotationType.label]]


def expected_of(dataset: Dataset) -> dict[tuple[str, str], list[tuple]]:
    """Labels, boxes and masks by item, in an order of their own; outlines stand for masks."""
    names = labels_of(dataset)
    found = {}
    for item in dataset:
        described = []
        for annotation in item.annotations:
            kind = annotation.type.name
            values: list[float] = []
            if kind == "bbox":
                values = list(annotation.points)
            elif kind == "mask":
                values = [annotation.image.shape, np.flatnonzero(annotation.image).tolist()]
            elif kind != "label":
                kind = "mask"  # outlines are written as masks; test_segmentation has their pixels
            label = names[annotation.label]
            score = annotation.attributes.get("score", 1) if kind != "mask" else None
            described.append((kind, label, score, values))
        found[item.id, item.subset] = described
    return found


def assert_same(found: list[tuple], expected: list[tuple]) -> None:
    """Holds annotations to be equal in any order, points within what text keeps of them."""
    left = list(found)
    assert len(left) == len(expected)
    # Outlines, whose pixels are not compared, take what the others leave.
    for kind, label, score, values in sorted(expected, key=lambda one: not one[3]):
        for other in left:
            if other[:3] != (kind, label, score):
                continue
            if kind == "bbox":
                if not np.allclose(other[3], values, atol=0.02):
                    continue
            elif values and other[3] != values:
                continue
            left.remove(other)
            break
        else:
            raise AssertionError(f"{(kind, label, score, values)} is not among {left}")


CORNERS = ("XMin", "XMax", "YMin", "YMax")
CLICKS = tuple(rich_data.CLICKS.split(","))


@EVERY
def test_what_is_written_is_what_the_dataset_holds(name, rich, tmp_path):
    dataset = transformed(name, rich)
    expected = expected_of(dataset)
    out = save(dataset, tmp_path / "out")
    found = expected_of(read(out))
    assert found.keys() == expected.keys()
    for key in expected:
        assert_same(found[key], expected[key])
    assert_no_stale_clicks(rich, out)
    assert_columns_of_images(name, rich, out)


def assert_no_stale_clicks(rich: Path, out: Path) -> None:
    """Clicks stand only with the corners, the size and the mask that they were read with."""
    sizes = {item.id: item.media.size for item in read(rich)}
    known = {
        tuple(row[c] for c in (*CORNERS, *CLICKS)): sizes[row["ImageID"]]
        for row in rows(rich, "bbox")
    }
    written = {item.id: item.media and item.media.size for item in read(out)}
    for row in rows(out, "bbox"):
        if {row.get(column, "-1") for column in CLICKS} != {"-1"}:
            key = tuple(row[c] for c in (*CORNERS, *CLICKS))
            assert known[key] == written[row["ImageID"]]
    pngs = {path.read_bytes() for path in (rich / "masks").rglob("*.png")}
    for row in rows(out, "object-segmentation"):
        if row["Clicks"]:
            (path,) = (out / "masks").rglob(row["MaskPath"])
            assert path.read_bytes() in pngs


def assert_columns_of_images(name: str, rich: Path, out: Path) -> None:
    found = sorted(row["Author"] for row in rows(out, "image"))
    if name in ("remove_items", "random_sampler", "tile"):
        assert set(found) <= {row["Author"] for row in rows(rich, "image")}
    else:
        assert found == ["", "Last, First", "Me"]


@pytest.mark.skipif(StreamDataset is None, reason="this Datumaro has no streams")
@EVERY
def test_the_same_from_a_stream(name, rich, tmp_path, registered):
    expected = save(transformed(name, rich), tmp_path / "whole")
    stream = StreamDataset.import_from(str(rich), "open_images")
    stream.transform(name, **TRANSFORMS[name])
    out = save(stream, tmp_path / "stream")
    assert bytes_below(out, "annotations") == bytes_below(expected, "annotations")


@EVERY
def test_the_same_in_place(name, rich, tmp_path):
    """The dataset is read from the folder that it is saved to."""
    expected = save(transformed(name, rich), tmp_path / "out")
    shutil.copytree(rich, tmp_path / "in")
    dataset = transformed(name, tmp_path / "in")
    save(dataset, tmp_path / "in")
    for folder in ("annotations", "masks", "images"):
        assert contents_of(tmp_path / "in", folder) == contents_of(expected, folder)


def contents_of(root: Path, folder: str) -> dict[str, bytes]:
    """Files with something in them: a table that lost its rows may stay with its header."""
    found = bytes_below(root, folder) if (root / folder).is_dir() else {}
    return {n: data for n, data in found.items() if data.count(b"\n") > 1 or ".csv" not in n}


# Attributes that show columns


def shown(root: Path) -> Dataset:
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root), show_columns=True))
    dataset.init_cache()
    return dataset


def test_shown_columns_come_back_as_they_were(rich, tmp_path):
    out = save(shown(rich), tmp_path / "out")
    for name, data in bytes_below(rich, "annotations").items():
        assert (out / name).read_bytes() == data, name


def test_shown_clicks_of_moved_boxes_are_not_written(rich, tmp_path):
    dataset = shown(rich)
    (box, *_) = [a for a in dataset.get("a1", "train").annotations if a.type is _BBOX]
    assert box.attributes["xclick1x"] == "0.1234567891"
    box.points[0] += 5
    row = next(rows(save(dataset, tmp_path / "out"), "bbox"))
    assert {row[column] for column in CLICKS} == {"-1"} and row["Source"] == "xclick"


def test_clicks_that_somebody_sets_are_written(rich, tmp_path):
    dataset = shown(rich)
    (box, *_) = [a for a in dataset.get("a1", "train").annotations if a.type is _BBOX]
    box.points[0] += 5
    box.attributes.update(xclick1x="0.25", source="me")
    row = next(rows(save(dataset, tmp_path / "out"), "bbox"))
    assert (row["XClick1X"], row["XClick2X"], row["Source"]) == ("0.25", "-1", "me")


def test_shown_clicks_of_masks_that_were_drawn_anew_are_not_written(rich, tmp_path):
    dataset = shown(rich)
    item = dataset.get("a1", "train")
    at = next(i for i, a in enumerate(item.annotations) if a.type is AnnotationType.mask)
    assert item.annotations[at].attributes["clicks"]
    item.annotations[at] = item.annotations[at].wrap(image=~item.annotations[at].image)
    dataset.put(item)
    found = [row["Clicks"] for row in rows(save(dataset, tmp_path / "out"), "object-segmentation")]
    assert found == ["", "", "0.5 0.5 1;"]


_BBOX = AnnotationType.bbox

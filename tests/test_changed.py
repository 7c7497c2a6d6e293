"""From Open Images to Open Images after transforms and changes: only what was changed changes."""

from __future__ import annotations

import copy
import pickle
import shutil
from pathlib import Path

import pytest
import rich_data
from compare import assert_same, assert_same_item
from datumaro.components.annotation import AnnotationType, Bbox
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, contents, read, rows, save

from datumaro_openimages_plugin.plugin import OpenImagesExtractor


@pytest.fixture
def rich(tmp_path) -> Path:
    return rich_data.make(tmp_path / "in")


def fields_after(dataset: Dataset, path: Path, kind: str, *ignored: str):
    return contents(save(dataset, path), kind, *ignored)


@pytest.mark.parametrize("kind", rich_data.KINDS)
def test_rename_keeps_all_other_fields(kind, rich, tmp_path):
    dataset = read(rich).transform("rename", regex=r"|^(.*)$|new_\1|")
    ignored = ("ImageID", "MaskPath")
    assert fields_after(dataset, tmp_path / "out", kind, *ignored) == contents(rich, kind, *ignored)
    assert {row["ImageID"] for row in rows(tmp_path / "out", kind)} == {
        "new_" + row["ImageID"] for row in rows(rich, kind)
    }


@pytest.mark.parametrize("kind", rich_data.KINDS)
def test_remap_labels_keeps_all_other_fields(kind, rich, tmp_path):
    dataset = read(rich).transform(
        "remap_labels", mapping={"/m/1": "/m/new", "/m/unused": ""}, default="keep"
    )
    ignored = ("LabelName", "MaskPath")
    assert fields_after(dataset, tmp_path / "out", kind, *ignored) == contents(rich, kind, *ignored)
    if kind != "image":
        found = {row["LabelName"] for row in rows(tmp_path / "out", kind)}
        assert "/m/new" in found and "/m/1" not in found


@pytest.mark.parametrize("kind", rich_data.KINDS)
def test_new_subsets_keep_all_other_fields(kind, rich, tmp_path):
    ignored = ("Subset", "MaskPath")
    expected = contents(rich, kind, *ignored)
    split = read(rich).transform("random_split", splits=[("one", 0.5), ("two", 0.5)], seed=1)
    assert fields_after(split, tmp_path / "split", kind, *ignored) == expected
    mapped = read(rich).transform("map_subsets", mapping={"train": "test", "test": "validation"})
    assert fields_after(mapped, tmp_path / "mapped", kind, *ignored) == expected
    names = {row["Subset"] for row in rows(tmp_path / "mapped", "image")}
    assert names == {"test", "validation"}


@pytest.mark.parametrize("kind", rich_data.KINDS)
def test_filter_keeps_the_rows_that_stay(kind, rich, tmp_path):
    items = read(rich).filter('/item[id="a1"]')
    expected = [row for row in contents(rich, kind) if ("ImageID", "a1") in row]
    assert fields_after(items, tmp_path / "items", kind) == expected
    boxes = read(rich).filter('/item/annotation[type="bbox"]', filter_annotations=True)
    save(boxes, tmp_path / "boxes")
    assert contents(tmp_path / "boxes", "bbox") == contents(rich, "bbox")
    assert contents(tmp_path / "boxes", "object-segmentation") == []


@pytest.mark.parametrize("kind", rich_data.KINDS)
def test_update_merge_and_copies_keep_everything(kind, rich, tmp_path):
    expected = contents(rich, kind)
    updated = Dataset.from_iterable(
        [], categories=read(rich).categories(), media_type=read(rich).media_type()
    )
    updated.update(read(rich))
    assert fields_after(updated, tmp_path / "update", kind) == expected
    copied = copy.deepcopy(read(rich))
    assert fields_after(copied, tmp_path / "deepcopy", kind) == expected
    loaded = read(rich)
    loaded.init_cache()
    assert fields_after(loaded, tmp_path / "cached", kind) == expected
    again = pickle.loads(pickle.dumps(list(read(rich))))
    restored = Dataset.from_iterable(
        again, categories=read(rich).categories(), media_type=read(rich).media_type()
    )
    assert fields_after(restored, tmp_path / "pickle", kind) == expected
    if hasattr(Dataset, "clone"):
        assert fields_after(read(rich).clone(), tmp_path / "clone", kind) == expected


def test_a_pickled_dataset_is_equal(rich, tmp_path):
    extractor = pickle.loads(pickle.dumps(OpenImagesExtractor(str(rich))))
    assert_same(Dataset.from_extractors(extractor), read(rich))
    dataset = pickle.loads(pickle.dumps(read(rich)))
    assert_same(dataset, read(rich))
    for kind in rich_data.KINDS:
        assert fields_after(dataset, tmp_path / kind, kind) == contents(rich, kind)


def halves(rich: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The dataset as two: labels without pictures, and all else."""
    shutil.copytree(rich / "annotations", tmp_path / "labels/annotations")
    shutil.copytree(rich, tmp_path / "rest")
    for path in (tmp_path / "labels/annotations").glob("train-annotations-[!h]*.csv"):
        path.unlink()
    for path in (tmp_path / "rest/annotations").glob("*-human-*"):
        path.unlink()
    return tmp_path / "labels", tmp_path / "rest"


def test_an_exact_merge_keeps_everything_of_both(rich, tmp_path):
    parts = halves(rich, tmp_path)
    merged = Dataset.from_extractors(*(OpenImagesExtractor(str(part)) for part in parts))
    out = save(merged, tmp_path / "out")
    for kind in rich_data.KINDS:
        assert contents(out, kind) == contents(rich, kind)
    for name in ("annotations", "masks", "images"):
        expected = bytes_below(rich, name)
        assert {n: data for n, data in bytes_below(out, name).items() if n in expected} == expected


def test_an_exact_merge_of_a_dataset_with_itself_changes_nothing(rich, tmp_path):
    merged = Dataset.from_extractors(*(OpenImagesExtractor(str(rich)) for _ in range(2)))
    for kind in rich_data.KINDS:
        assert fields_after(merged, tmp_path / kind, kind) == contents(rich, kind)


@pytest.mark.parametrize("kind", rich_data.KINDS)
def test_a_union_keeps_everything_of_both(kind, rich, tmp_path):
    hl_ops = pytest.importorskip("datumaro.components.hl_ops")
    if not hasattr(hl_ops, "HLOps"):
        pytest.skip("this Datumaro merges by intersection alone")
    parts = halves(rich, tmp_path)
    merged = hl_ops.HLOps.merge(*map(read, parts), merge_policy="union")
    ignored = ("ImageID", "MaskPath")  # it numbers ids that both have
    expected = contents(rich, kind, *ignored)
    if kind == "image":
        expected = sorted(expected * 2)
    out = save(merged, tmp_path / "out")
    assert contents(out, kind, *ignored) == expected
    classes = "annotations/class-descriptions.csv"
    assert sorted((out / classes).read_text().splitlines()) == sorted(
        (rich / classes).read_text().splitlines()
    )


# What the user changed


def box_rows(path: Path) -> list[dict[str, str]]:
    return list(rows(path, "bbox"))


def test_a_moved_box_is_computed_anew(rich, tmp_path):
    dataset = read(rich)
    item = dataset.get("a1", "train")
    at = next(i for i, a in enumerate(item.annotations) if a.type is AnnotationType.bbox)
    item.annotations[at] = item.annotations[at].wrap(x=10, y=11, w=10, h=11)
    dataset.put(item)
    before, after = box_rows(rich), box_rows(save(dataset, tmp_path / "out"))
    changed = [i for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert changed == [0]
    assert [float(after[0][name]) for name in ("XMin", "XMax", "YMin", "YMax")] == pytest.approx(
        [10 / 57, 20 / 57, 11 / 33, 22 / 33], abs=1e-8
    )
    assert {after[0][name] for name in rich_data.CLICKS.split(",")} == {"-1"}
    assert (after[0]["Source"], after[0]["IsOccluded"]) == ("xclick", "1")
    masks = [row["BoxXMin"] for row in rows(tmp_path / "out", "object-segmentation")]
    assert masks[0] == masks[1] == after[0]["XMin"] and masks[2] == ""
    back = read(tmp_path / "out").get("a1", "train").annotations
    assert [a.group for a in back] == [0, 0, 1, 2, 1, 1]


def test_a_box_moved_in_place_is_computed_anew(rich, tmp_path):
    dataset = read(rich)
    dataset.init_cache()
    item = dataset.get("a1", "train")
    box = next(a for a in item.annotations if a.type is AnnotationType.bbox)
    box.points[0] = 12.0
    after = box_rows(save(dataset, tmp_path / "out"))
    assert float(after[0]["XMin"]) == pytest.approx(12 / 57, abs=1e-8)
    assert after[0]["XClick1X"] == "-1"


def test_changed_attributes_are_written(rich, tmp_path):
    dataset = read(rich)
    dataset.init_cache()
    boxes = [a for item in dataset for a in item.annotations if a.type is AnnotationType.bbox]
    by_label = next(b for b in boxes if b.attributes["score"] == 0.25)
    by_label.attributes.update(score=0.75, occluded=True)
    del by_label.attributes["is_group_of"]
    before, after = box_rows(rich), box_rows(save(dataset, tmp_path / "out"))
    expected = {**before[2], "Confidence": "0.75", "IsOccluded": "1", "IsGroupOf": "-1"}
    assert after == [before[0], before[1], expected]


def test_a_drawn_mask_is_encoded_anew_and_the_others_are_copied(rich, tmp_path):
    dataset = read(rich)
    item = dataset.get("a1", "train")
    at = next(i for i, a in enumerate(item.annotations) if a.type is AnnotationType.mask)
    drawn = ~item.annotations[at].image
    item.annotations[at] = item.annotations[at].wrap(image=drawn)
    dataset.put(item)
    out = save(dataset, tmp_path / "out")
    back = [a for a in read(out).get("a1", "train").annotations if a.type is AnnotationType.mask]
    assert (back[0].image == drawn).all()
    old, new = bytes_below(rich, "masks"), bytes_below(out, "masks")
    assert sum(data in old.values() for data in new.values()) == 2 and len(new) == 3


def test_added_items_and_boxes_stand_beside_read_ones(rich, tmp_path):
    dataset = read(rich)
    item = dataset.get("b/2", "train")
    item.annotations.append(Bbox(7.7, 10.1, 7.7, 10.1, label=0))
    dataset.put(item)
    after = box_rows(save(dataset, tmp_path / "out"))
    assert after[:3] == box_rows(rich)
    assert after[3]["XClick1X"] == "-1" and after[3]["Source"] == ""
    assert float(after[3]["XMax"]) == pytest.approx(0.2, abs=1e-6)


def test_resize_scales_boxes_and_masks(rich, tmp_path):
    out = save(read(rich).transform("resize", width=20, height=10), tmp_path / "out")
    back = read(out).get("a1", "train")
    assert back.media.size == (10, 20) and back.media.data.shape[:2] == (10, 20)
    assert [a.image.shape for a in back.annotations if a.type is AnnotationType.mask] == [
        (10, 20),
        (10, 20),
    ]
    for old, new in zip(box_rows(rich), box_rows(out), strict=True):
        for name in ("XMin", "XMax", "YMin", "YMax"):
            assert float(new[name]) == pytest.approx(float(old[name]), abs=0.002)


def test_items_changed_by_hand_are_equal_after_the_way_round(rich, tmp_path):
    dataset = read(rich)
    dataset.remove("b/2", "train")
    out = save(dataset, tmp_path / "out")
    assert read(out).get("b/2", "train") is None
    assert {row["ImageID"] for row in box_rows(out)} == {"a1"}
    assert not list((out / "masks").rglob("b2*")) and not (out / "images/train/b").exists()
    assert_same_item(read(out).get("a1", "train"), read(rich).get("a1", "train"))

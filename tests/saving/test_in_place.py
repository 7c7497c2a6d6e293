"""`Dataset.save`: exactly the needed files, under the names they had."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import layouts
import numpy as np
import oi_files
import pytest
import rich_data
from compare import assert_same
from datumaro.components.annotation import AnnotationType, Bbox, Label
from datumaro.components.dataset import Dataset
from layouts import LAYOUTS, snapshot
from oi_files import mask_png, picture, write

from datumaro_openimages_plugin import _host
from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor
from datumaro_openimages_plugin.saving import _system

#: What an export always has, whether it was there or not.
ADDED = {"bbox_labels_600_hierarchy.json", "images.meta"}
EVERY_LAYOUT = pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS.keys())
SAVE_MEDIA = pytest.mark.parametrize("save_media", [False, True], ids=["", "media"])
FOREIGN = {"mine.txt": "mine", "images/train/unlisted.jpg": "?", "masks/train/unlisted.png": "?"}


@pytest.fixture(autouse=True)
def without_flush(monkeypatch):
    """Only a power failure tells the difference, and a busy disk needs long for it."""
    monkeypatch.setattr(_system, "flush", lambda path: None)


def read(path) -> Dataset:
    return Dataset.import_from(str(path), "open_images")


def base(root: Path) -> Path:
    oi_files.base(root)
    return root


def pixels(dataset: Dataset) -> dict[tuple[str, str], bytes]:
    """What pictures and masks show, by image."""
    found = {}
    for item in dataset:
        shown = b"" if item.media is None else np.asarray(item.media.data).tobytes()
        masks = [a.image.tobytes() for a in item.annotations if a.type is AnnotationType.mask]
        found[item.id, item.subset] = shown + b"".join(masks)
    return found


def renamed(dataset: Dataset, names: dict[tuple[str, str], tuple[str, str]]) -> Dataset:
    """Gives images other ids and subsets; those that are not named keep theirs."""
    items = list(dataset)
    for item in items:
        dataset.remove(item.id, item.subset)
    for item in items:
        image_id, subset = names.get((item.id, item.subset), (item.id, item.subset))
        dataset.put(item.wrap(id=image_id, subset=subset))
    return dataset


# Nothing changes that nobody changed


@SAVE_MEDIA
@EVERY_LAYOUT
def test_unchanged(make, save_media, tmp_path):
    data = write(make(tmp_path / "data"), FOREIGN)
    before = snapshot(data)
    read(data).save(save_media=save_media)
    after = snapshot(data)
    assert {name.rpartition("/")[2] for name in after.keys() - before.keys()} <= ADDED
    assert {name: after.get(name) for name in before} == before
    assert os.listdir(tmp_path) == ["data"]


@pytest.mark.parametrize("spelling", ["data", "data/", "./data", "x/../data", "link", "link/"])
@pytest.mark.parametrize("imported", ["data", "data/", "link"])
def test_spellings(imported, spelling, tmp_path, monkeypatch):
    data = base(tmp_path / "data")
    (tmp_path / "x").mkdir()
    (tmp_path / "link").symlink_to("data", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    before = snapshot(data)
    dataset = read(imported)
    dataset.export(spelling, "open_images")
    after = snapshot(data)
    assert {name: after.get(name) for name in before} == before
    assert os.readlink("link") == "data"


@pytest.mark.parametrize("kind", ["extractor", "added first", "filtered", "again"])
def test_recognised_by_what_the_items_say(kind, tmp_path):
    data = base(tmp_path / "data")
    before = snapshot(data)
    if kind == "added first":
        dataset = read(data)
        items = list(dataset)
        dataset = Dataset.from_iterable(
            [_host.DatasetItem("0", subset="train"), *items], categories=dataset.categories()
        )
    elif kind == "extractor":
        dataset = Dataset.from_extractors(OpenImagesExtractor(str(data)))
    else:
        dataset = read(data)
    if kind == "filtered":
        dataset.select(lambda item: item.id != "a")
    if kind == "again":
        dataset.export(str(tmp_path / "other"), "open_images")
    dataset.export(f"{data}/", "open_images")
    after = snapshot(data)
    lists = [name for name in after if "rotation" in name]
    assert lists == [name for name in before if "rotation" in name]
    assert ("images/train/a.jpg" in after) == (kind != "filtered")
    assert {n for n in after if n.startswith("images")} >= {"images/test/c.png"}


# Images that move


MOVES = {
    "renamed": {("a", "train"): ("new/a", "train")},
    "swapped": {("a", "train"): ("b", "train"), ("b", "train"): ("a", "train")},
    "moved": {("a", "train"): ("a", "test")},
    "exchanged": {("a", "train"): ("c", "test"), ("c", "test"): ("a", "train")},
    "new subset": {("b", "train"): ("b", "validation")},
}


@SAVE_MEDIA
@pytest.mark.parametrize("names", MOVES.values(), ids=MOVES.keys())
@pytest.mark.parametrize(
    "make", [base, layouts.fiftyone, layouts.full_list, layouts.packed, layouts.archives]
)
def test_moves(make, names, save_media, tmp_path):
    data = write(make(tmp_path / "data"), FOREIGN)
    for name in ("b", "c"):
        if make is not layouts.fiftyone:
            mask_png(data, f"masks/train/{name}_m1_0.png", (9, 9), slice(ord(name) % 7, 8))
    before = pixels(read(data))
    expected = {names.get(key, key): shown for key, shown in before.items()}
    dataset = renamed(read(data), names)
    dataset.save(save_media=save_media)
    assert pixels(read(data)) == expected
    first = snapshot(data)
    # What is in memory goes on being right, though its files have changed places.
    assert pixels(dataset) == expected
    dataset.save(save_media=save_media)
    assert snapshot(data) == first
    assert {name: first[name].decode() for name in FOREIGN} == FOREIGN
    assert len([name for name in first if name.endswith(("jpg", "png"))]) == len(
        [name for name in snapshot(data) if name.endswith(("jpg", "png"))]
    )


def test_moved_pictures_keep_the_pattern_of_their_place(tmp_path):
    data = layouts.fiftyone(tmp_path / "data")
    renamed(read(data), {("a", "train"): ("z", "test")}).save()
    assert (data / "test/data/z.jpg").exists() and not (data / "train/data/a.jpg").exists()


def test_moved_pictures_leave_the_folders_of_archives(tmp_path):
    """Such a folder is for ids that begin with its digit."""
    data = layouts.archives(tmp_path / "data")
    names = {("a", "train"): ("f", "train"), ("c", "test"): ("c", "validation")}
    renamed(read(data), names).save()
    pictures = {name for name in snapshot(data) if name.endswith(("jpg", "png"))}
    assert pictures - {"masks/train/a_m1_0.png", "masks/train/f_m1_0badcafe.png"} == {
        "images/train/f.jpg", "images/train_b/b.jpg", "validation/c.png"
    }  # fmt: skip


def test_one_picture_of_two_images(tmp_path):
    """A picture in no subset's folder may be that of an id in two subsets."""
    data = layouts.flat(tmp_path / "data")
    write(data, {"images.csv": oi_files.image_list(("a", "train"), ("a", "test"))})
    shown = pixels(read(data))
    for save_media in (False, True):
        read(data).save(save_media=save_media)
        assert pixels(read(data)) == shown and len(shown) == 2
        assert [name for name in snapshot(data) if name.endswith("jpg")] == ["images/a.jpg"]


# Images that go, and files that are not there


@SAVE_MEDIA
@pytest.mark.parametrize(
    "make", [rich_data.make, layouts.fiftyone, layouts.packed, layouts.archives]
)
def test_removing_an_image_removes_what_is_its_own(make, save_media, tmp_path):
    data = write(make(tmp_path / "data"), FOREIGN)
    before = snapshot(data)
    dataset = read(data)
    gone = next(item for item in dataset if item.subset == "train")
    files = {name for name in before if Path(name).stem.startswith(gone.id)}
    assert files
    expected = pixels(dataset)
    del expected[gone.id, gone.subset]
    dataset.remove(gone.id, gone.subset)
    dataset.save(save_media=save_media)
    after = snapshot(data)
    without_rows = {n for n in before if n not in after and n.endswith("csv")}
    assert before.keys() - after.keys() == files | without_rows
    back = read(data)
    assert pixels(back) == expected
    for name, content in after.items():
        if name.endswith(".csv") and "clas" not in name:
            assert (
                f"\n{gone.id},".encode() not in content and f",{gone.id},".encode() not in content
            )
    unconcerned = [name for name in before if "test" in name or name in FOREIGN]
    assert {name: after.get(name) for name in unconcerned} == {n: before[n] for n in unconcerned}


@SAVE_MEDIA
def test_what_was_not_downloaded_is_not_lost(save_media, tmp_path):
    data = rich_data.make(tmp_path / "data")
    for name in ("images/train/a1.jpg", "images/test/c 3.jpg", "masks/train/a1_m1_aa.png"):
        (data / name).unlink()
    write(data, {"annotations/images.meta": "a1 33 57\nother 5 6\n'c 3' 48 64\n"})
    tables = {name: text for name, text in snapshot(data).items() if name.endswith("csv")}
    dataset = read(data)
    item = dataset.get("b/2", "train")
    item.annotations.append(Label(0))
    dataset.put(item)
    dataset.save(save_media=save_media)
    after = snapshot(data)
    changed = [name for name, text in tables.items() if after.get(name) != text]
    assert changed == ["annotations/train-annotations-human-imagelabels.csv"]
    assert b"other 5 6" in after["annotations/images.meta"]
    assert read(data).get("a1", "train").origin.size == (33, 57)


def test_the_last_rows_of_a_table_take_its_file(tmp_path):
    data = base(tmp_path / "data")
    dataset = read(data)
    for item in list(dataset):
        dataset.put(item.wrap(annotations=[a for a in item.annotations if isinstance(a, Label)]))
    dataset.save()
    after = snapshot(data)
    assert not [name for name in after if "bbox." in name or "segmentation" in name]
    assert not [name for name in after if name.startswith("masks")]
    assert {a.type for item in read(data) for a in item.annotations} == {AnnotationType.label}


# Labels


@pytest.mark.parametrize("make", [base, layouts.fiftyone, layouts.LAYOUTS["v7"], rich_data.make])
def test_a_label_is_added(make, tmp_path):
    data = make(tmp_path / "data")
    lists = {name for name in snapshot(data) if "clas" in name and "classif" not in name}
    dataset = read(data)
    number = dataset.categories()[AnnotationType.label].add("/m/added")
    item = next(iter(dataset))
    item.annotations.insert(0, Label(number, attributes={"score": 1.0}))
    dataset.put(item)
    dataset.save()
    back = read(data)
    names = [category.name for category in back.categories()[AnnotationType.label]]
    assert names == [category.name for category in dataset.categories()[AnnotationType.label]]
    found = next(iter(back))
    labels = [a for a in item.annotations if a.type is AnnotationType.label]
    assert sorted(a.label for a in found.annotations if a.type is AnnotationType.label) == sorted(
        a.label for a in labels
    )
    assert {n for n in snapshot(data) if "clas" in n and "classif" not in n} <= lists


@pytest.mark.parametrize("changed", [False, True])
def test_dataset_meta_follows_the_labels(changed, tmp_path):
    data = base(tmp_path / "data")
    text = '{"labels": ["/m/4", "/m/0", "/m/1", "/m/2"]}'
    write(data, {"dataset_meta.json": text})
    dataset = read(data)
    if changed:
        dataset.transform("remap_labels", mapping={"/m/4": "/m/new"}, default="keep")
    dataset.save()
    assert_same(read(data), dataset)
    assert ((data / "dataset_meta.json").read_text() == text) != changed


def test_dataset_meta_has_the_names_of_the_tables(tmp_path):
    data = base(tmp_path / "data")
    expected = read(data)
    dataset = Dataset.import_from(str(data), "open_images", label_names="display")
    dataset.save(save_dataset_meta=True)
    back = read(data)
    assert [c.name for c in back.categories()[AnnotationType.label]] == [
        c.name for c in expected.categories()[AnnotationType.label]
    ]
    assert [item.annotations for item in back] == [item.annotations for item in expected]


# Pictures and masks that change


def test_other_pixels_in_the_same_place(tmp_path):
    data = layouts.fiftyone(tmp_path / "data")
    before = snapshot(data)
    dataset = read(data)
    dataset.transform("resize", width=15, height=10)
    dataset.save(save_media=True)
    after = snapshot(data)
    names = [name for name in after if name.endswith("jpg")]
    assert names == [name for name in before if name.endswith("jpg")]
    assert all(after[name] != before[name] for name in names)
    assert {item.media.size for item in read(data)} == {(10, 15)}


@pytest.mark.parametrize("make", [base, layouts.fiftyone])
def test_converted_pictures_replace_the_old_ones(make, tmp_path):
    data = make(tmp_path / "data")
    picture(data, "images/train/z.jpg", (5, 5))
    dataset = read(data)
    dataset.save(save_media=True, image_ext=".bmp")
    after = [n for n in snapshot(data) if n.endswith(("jpg", "bmp", "png")) and "mask" not in n]
    assert sorted(Path(n).name for n in after) == ["a.bmp", "b.bmp", "c.bmp", "z.jpg"]
    assert pixels(read(data)).keys() == pixels(dataset).keys()


def test_an_unlisted_picture_does_not_stand_in_for_a_saved_one(tmp_path):
    data = base(tmp_path / "data")
    picture(data, "images/train/z.bmp", (5, 5))
    dataset = read(data)
    image = _host.image_from_file(str(data / "images/test/c.png"), None)
    dataset.put(_host.DatasetItem("z", subset="train", media=image))
    dataset.save(save_media=True)
    assert read(data).get("z", "train").media.size == (16, 16)
    assert not (data / "images/train/z.bmp").exists()


def test_a_redrawn_mask_takes_the_place_of_the_old_one(tmp_path):
    data = layouts.fiftyone(tmp_path / "data")
    dataset = read(data)
    item = dataset.get("a", "train")
    mask = next(a for a in item.annotations if a.type is AnnotationType.mask)
    others = [a for a in item.annotations if a is not mask]
    dataset.put(item.wrap(annotations=[*others, mask.wrap(image=~mask.image)]))
    expected = pixels(dataset)
    dataset.save()
    assert pixels(read(data)) == expected
    assert len([name for name in snapshot(data) if Path(name).name.startswith("a_m1_")]) == 1


def test_masks_in_a_zip_stay_there_unless_they_move(tmp_path):
    data = layouts.masks_in_zip(tmp_path / "data")
    expected = {(("z" if i == "a1" else i), s): p for (i, s), p in pixels(read(data)).items()}
    dataset = renamed(read(data), {("a1", "train"): ("z", "train")})
    for _ in range(2):
        dataset.save()
        assert pixels(read(data)) == expected
        names = [Path(name).name for name in snapshot(data) if name.startswith("masks/")]
        assert "train-masks-a.zip" in names and len(names) == 3
        assert all(name[0] in "zt" for name in names)


# Packed tables


def test_packed_tables_are_packed_again(tmp_path):
    data = layouts.packed(tmp_path / "data")
    before = snapshot(data)
    dataset = read(data)
    for image_id in ("a", "b"):
        item = dataset.get(image_id, "train")
        item.annotations += [Label(3), Bbox(1, 1, 4, 4, label=3)]
        dataset.put(item)
    dataset.save()
    after = snapshot(data)
    assert {n for n in after if n.rpartition("/")[2] not in ADDED} == before.keys()
    boxes = gzip.decompress(after["annotations/oidv6-train-annotations-bbox.csv.gz"])
    assert boxes.count(b"\n") == 1 + 3 + 2
    labels = data / "annotations/train-annotations-human-imagelabels.csv.zip"
    with zipfile.ZipFile(labels) as archive:
        assert archive.namelist() == ["train-annotations-human-imagelabels.csv"]
        assert archive.read(archive.namelist()[0]).count(b"\n") == 1 + 3 + 2
    assert len([a for item in read(data) for a in item.annotations]) == 3 + 3 + 1 + 4


def test_another_version_of_a_changed_table_goes(tmp_path):
    data = layouts.two_versions(tmp_path / "data")
    dataset = read(data)
    item = dataset.get("a", "train")
    item.annotations.append(Bbox(1, 1, 4, 4, label=3))
    dataset.put(item)
    dataset.save()
    names = [Path(name).name for name in snapshot(data) if "bbox." in name]
    assert names == ["oidv6-train-annotations-bbox.csv"]
    assert (data / "annotations" / names[0]).read_bytes().count(b"\na,") == 3


# Tables that are read only on request

PEOPLE = "annotations/open_images_extended_miap_boxes_{}.csv"
PERSON = "{},/m/0,1,0.1,0.5,0.1,0.5,0,0,0,0,0,Unknown,Unknown\n"


def with_people(root: Path) -> dict[str, bytes]:
    """Writes people's boxes of images that are there and of one that is not."""
    for subset, ids in (("train", "axba"), ("test", "c")):
        header = ",".join(KINDS_BY_NAME["people"].fields) + "\n"
        write(root, {PEOPLE.format(subset): header + "".join(PERSON.format(i) for i in ids)})
    return snapshot(root)


def test_unread_tables_lose_only_rows_of_removed_images(tmp_path, caplog):
    data = base(tmp_path / "data")
    before = with_people(data)
    picture(data, "images/train/x.jpg", (5, 5))
    dataset = read(data)
    dataset.save()
    assert {name: snapshot(data).get(name) for name in before} == before
    dataset.remove("a", "train")
    dataset.save()
    lines = (data / PEOPLE.format("train")).read_text().splitlines()
    assert [line[:2] for line in lines[1:]] == ["x,", "b,"]
    assert snapshot(data)[PEOPLE.format("test")] == before[PEOPLE.format("test")]
    assert "2 rows of removed images" in caplog.text
    assert (data / "images/train/x.jpg").exists()


def test_tables_read_on_request_are_written(tmp_path):
    data = base(tmp_path / "data")
    with_people(data)
    kinds = [*(kind for kind in KINDS_BY_NAME if KINDS_BY_NAME[kind].by_default), "people"]
    for left in (1, 0):
        dataset = Dataset.import_from(str(data), "open_images", kinds=kinds)
        for item in list(dataset):
            labels = [a for a in item.annotations if a.type is AnnotationType.label]
            people = [a for a in item.annotations if "gender" in str(a.attributes)]
            assert people or item.id == "x" or not left
            dataset.put(item.wrap(annotations=labels + people[:left]))
        dataset.save()
        people = [name for name in snapshot(data) if "miap" in name]
        assert len(people) == 2 * left
        rows = [(data / name).read_text().count("\n") - 1 for name in sorted(people)]
        assert rows == [1, 3][: 2 * left]


# A part of a dataset


@pytest.mark.parametrize(
    "choice",
    [{"kinds": ["labels"]}, {"subsets": ["train"]}, {"image_ids": ["a"]}, {"max_images": 1}],
    ids=str,
)
def test_a_choice_does_not_replace_the_whole(choice, tmp_path):
    data = base(tmp_path / "data")
    before = snapshot(data)
    dataset = Dataset.import_from(str(data), "open_images", **choice)
    for target in (str(data), f"{data}/"):
        with pytest.raises(SaveError, match=r"only a part.*save it to another folder"):
            dataset.export(target, "open_images")
        assert snapshot(data) == before
    dataset.export(str(tmp_path / "other"), "open_images")
    assert len(read(tmp_path / "other")) == len(dataset)


def test_rows_that_were_left_out_are_not_deleted(tmp_path):
    data = base(tmp_path / "data")
    table = data / "annotations/train-annotations-bbox.csv"
    table.write_text(table.read_text().replace("0.0134", "nowhere"))
    before = snapshot(data)
    dataset = Dataset.import_from(str(data), "open_images", error_policy=_skipping())
    assert len([a for item in dataset for a in item.annotations]) == 3 + 2 + 1
    for target in (str(data), f"{data}/"):
        with pytest.raises(SaveError, match=r"delete the rest.*1 rows with errors"):
            dataset.export(target, "open_images")
        assert snapshot(data) == before
    dataset.export(str(tmp_path / "other"), "open_images")
    dataset.save()
    assert len([a for item in read(tmp_path / "other") for a in item.annotations]) == 3 + 2 + 1
    assert snapshot(data) == before


def _skipping():
    if hasattr(_host, "ImportErrorPolicy"):
        policy = _host.ImportErrorPolicy
    else:
        policy = _host.FailingImportErrorPolicy.__mro__[1]

    class Skipping(policy):  # type: ignore[misc, valid-type]
        def _handle_item_error(self, error):
            pass

        def _handle_annotation_error(self, error):
            pass

    return Skipping()


# Over another dataset


@SAVE_MEDIA
@EVERY_LAYOUT
def test_over_another_dataset_nothing_is_mixed(make, save_media, tmp_path):
    data = write(make(tmp_path / "data"), FOREIGN)
    with_people(data)
    other = rich_data.make(tmp_path / "other")
    alone = tmp_path / "alone"
    read(other).export(str(alone), "open_images", save_media=save_media)
    read(other).export(str(data), "open_images", save_media=save_media)
    assert snapshot(data) == {**snapshot(alone), **{n: t.encode() for n, t in FOREIGN.items()}}


def test_overwriting_can_be_refused(tmp_path):
    data, other = base(tmp_path / "data"), rich_data.make(tmp_path / "other")
    before = snapshot(data)
    with pytest.raises(SaveError, match="overwriting is switched off"):
        read(other).export(str(data), "open_images", overwrite=False)
    assert snapshot(data) == before
    write(tmp_path / "notes", {"mine.txt": "mine"})
    dataset = read(other)
    for target in ("new", "notes"):
        dataset.export(str(tmp_path / target), "open_images", overwrite=False)
    dataset.save()  # with the options of the last export; this is its own
    dataset.export(str(tmp_path / "zip"), "open_images", overwrite=False, zip=True)
    with pytest.raises(SaveError, match="overwriting is switched off"):
        read(data).export(str(tmp_path / "zip"), "open_images", overwrite=False, zip=True)


def test_somebody_elses_tables_stay(tmp_path):
    theirs = {
        "holiday-images.csv": "file,place\n1.jpg,Rome\n",
        "detections.csv": "time,what\n1,x\n",
    }
    data = write(tmp_path / "data", theirs)
    dataset = read(base(tmp_path / "in"))
    for overwrite in (False, True):
        dataset.export(str(data), "open_images", overwrite=overwrite)
        assert {name: snapshot(data)[name].decode() for name in theirs} == theirs


def test_a_zip_beside_its_source_takes_only_what_is_in_it(tmp_path):
    data = base(tmp_path / "data")
    expected = pixels(read(data))
    read(data).export(str(data), "open_images", zip=True)
    after = {name for name in snapshot(data) if "mask" not in name}
    assert after == {"data.zip", "images/train/a.jpg", "images/train/b.jpg", "images/test/c.png"}
    read(base(tmp_path / "data")).export(str(data), "open_images", zip=True, save_media=True)
    assert list(snapshot(data)) == ["data.zip"]
    assert pixels(read(data / "data.zip")) == expected


def test_export_class_is_accepted(tmp_path):
    """The format given as a class is in place, too."""
    data = base(tmp_path / "data")
    before = snapshot(data)
    read(data).export(str(data), OpenImagesExporter)
    assert {name: snapshot(data).get(name) for name in before} == before

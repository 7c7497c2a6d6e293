"""Every published layout is found whole: its tables, its pictures, its masks, each one's subset."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import layouts_data
import numpy as np
import oi_files
import pytest
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment
from datumaro.components.format_detection import apply_format_detector
from layouts_data import LAYOUTS, MASK_ZIPS, MASKS, PICTURES, SIZES, SUBSET_OF
from rich_data import bytes_below, read, rows, save
from test_names import NAMES

from datumaro_openimages_plugin.errors import MissingFileError
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.plugin import OpenImagesExtractor, OpenImagesImporter
from datumaro_openimages_plugin.reading.choose import missing_images
from datumaro_openimages_plugin.reading.reader import Reader
from datumaro_openimages_plugin.sources.archive import open_source
from datumaro_openimages_plugin.tools.check import check


def masks_of(item) -> list:
    return [a for a in item.annotations if a.type is AnnotationType.mask]


def described(path: Path) -> dict[tuple[str, str], tuple]:
    """What was read: of each item its size, its annotations without masks' pixels, its masks."""
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(path)))
    found = {}
    for item in dataset:
        masks = masks_of(item)
        found[item.id, item.subset] = (
            None if item.media is None else item.media.size,
            [
                (a.type.name, a.label, a.group, a.attributes, getattr(a, "points", None))
                for a in item.annotations
                if a.type is not AnnotationType.mask
            ],
            [(a.label, a.group, a.attributes, a.image.tolist()) for a in masks],
        )
    return found


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The dataset as the built-in format's names have it."""
    root = tmp_path_factory.mktemp("expected")
    oi_files.write(root, layouts_data.files("cvat"))
    layouts_data.draw_pictures(root, PICTURES["images/<subset>"])
    layouts_data.draw_masks(root, MASKS["masks/<subset>"])
    found = described(root)
    assert {key: item[0] for key, item in found.items()} == {
        (name, subset): SIZES[name] for name, subset in SUBSET_OF.items()
    }
    assert all(len(plain) == 2 and len(masks) == 1 for _, plain, masks in found.values())
    assert all(group == 1 for _, _, masks in found.values() for _, group, _, _ in masks)
    return found


def put(root: Path, layout: str = "cvat") -> Path:
    return oi_files.write(root, layouts_data.files(layout))


# Tables


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, expected, tmp_path, caplog):
    put(tmp_path, layout)
    layouts_data.draw_pictures(tmp_path, PICTURES["images/<subset>"])
    layouts_data.draw_masks(tmp_path, MASKS["masks/<subset>"])
    assert described(tmp_path) == expected
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_classes_and_hierarchies_of_layouts(layout, tmp_path):
    put(tmp_path, layout)
    classes = Reader(str(tmp_path), None, lambda error: None).classes
    assert classes.names == ("/m/0", "/m/1")
    assert dict(classes.display_names) == {"/m/0": "Zero", "/m/1": "One"}
    assert [edge[1:] for edge in classes.hierarchy.edges()] == [
        ("/m/0", "Subcategory"),
        ("/m/1", "Part"),
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_in_a_zip(layout, expected, tmp_path):
    put(tmp_path / "in", layout)
    layouts_data.draw_pictures(tmp_path / "in", PICTURES["images/<subset>"])
    layouts_data.draw_masks(tmp_path / "in", MASKS["masks/<subset>"])
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        for name, data in bytes_below(tmp_path / "in", ".").items():
            archive.writestr(name, data)
    assert described(tmp_path / "task.zip") == expected


@pytest.mark.parametrize("suffix", [".gz", ".zip", ".csv.zip"])
def test_packed_tables_class_lists_and_hierarchies(suffix, expected, tmp_path):
    pack = layouts_data.gzipped if suffix == ".gz" else layouts_data.zipped
    for name, text in layouts_data.files("cvat").items():
        packed = name.removesuffix(".csv") + suffix if suffix == ".csv.zip" else name + suffix
        path = tmp_path / packed
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(text))
    layouts_data.draw_pictures(tmp_path, PICTURES["images/<subset>"])
    layouts_data.draw_masks(tmp_path, MASKS["masks/<subset>"])
    assert described(tmp_path) == expected


def test_the_folder_of_fiftyone(expected, tmp_path):
    put(tmp_path, "fiftyone")
    layouts_data.draw_pictures(tmp_path, PICTURES["<subset>/data"])
    layouts_data.draw_masks(tmp_path, MASKS["<subset>/labels/masks/<DIGIT>"])
    assert described(tmp_path) == expected
    # A path to one split says which split it is.
    oi_files.write(tmp_path, {"validation/metadata/classes.csv": layouts_data.CLASSES})
    one = described(tmp_path / "validation")
    assert one == {key: item for key, item in expected.items() if key[1] == "validation"}


def test_a_dataset_in_a_folder_that_is_called_like_one_of_pictures(expected, tmp_path):
    put(tmp_path / "data")
    layouts_data.draw_pictures(tmp_path / "data", PICTURES["images/<subset>"])
    layouts_data.draw_masks(tmp_path / "data", MASKS["masks/<subset>"])
    assert described(tmp_path) == expected


# Pictures and masks


@pytest.mark.parametrize("place", PICTURES)
def test_places_of_pictures(place, tmp_path):
    put(tmp_path)
    layouts_data.draw_pictures(tmp_path, PICTURES[place])
    assert {key: item[0] for key, item in described_sizes(tmp_path).items()} == {
        (name, subset): SIZES[name] for name, subset in SUBSET_OF.items()
    }


def described_sizes(path: Path) -> dict[tuple[str, str], tuple]:
    return {
        (item.id, item.subset): (None if item.media is None else item.media.size,)
        for item in read(path)
    }


@pytest.mark.parametrize("place", ["images/<subset>", "<subset>", "<subset>/data", "data/<subset>"])
def test_pictures_of_one_id_in_two_subsets(place, tmp_path):
    files = layouts_data.files("cvat")
    name = "annotations/test-image_ids_and_rotation.csv"
    files[name] += "0a,test,,,,,,,,,,\n"
    oi_files.write(tmp_path, files)
    layouts_data.draw_pictures(tmp_path, PICTURES[place])
    oi_files.picture(tmp_path, PICTURES[place]("0a", "test"), (33, 44))
    sizes = described_sizes(tmp_path)
    assert sizes["0a", "train"] == (SIZES["0a"],) and sizes["0a", "test"] == ((33, 44),)


# Folders of archives


ARCHIVES = ["images/train/train_0/0a.jpg", "images/train_0/0a.jpg", "train/train_0/0a.jpg"]


@pytest.mark.parametrize("aside", ARCHIVES)
@pytest.mark.parametrize("taken", ["images/train/0a.jpg", "train/0a.jpg", "data/0a.jpg"])
def test_the_plain_place_comes_before_the_folder_of_an_archive(taken, aside, tmp_path, caplog):
    put(tmp_path)
    layouts_data.draw_masks(tmp_path, MASKS["masks/<subset>"])
    layouts_data.draw_pictures(tmp_path, PICTURES["images/<subset>"])
    (tmp_path / "images/train/0a.jpg").unlink()
    oi_files.picture(tmp_path, taken, (3, 4))
    oi_files.picture(tmp_path, aside, (5, 6))
    assert described_sizes(tmp_path)["0a", "train"] == ((3, 4),)
    told = f"1 pictures are left aside for another one of their image, such as {aside} for"
    assert f"{told} {taken}" in caplog.text
    (problem,) = check(str(tmp_path), DatasetFiles(open_source(str(tmp_path))))
    assert not problem.is_error and problem.error.file == aside
    assert f"is left aside, since its image has another picture, {taken}" in str(problem.error)
    (tmp_path / aside).unlink()
    assert not list(check(str(tmp_path), DatasetFiles(open_source(str(tmp_path)))))


def test_the_folder_of_an_ids_own_digit_comes_first(tmp_path, caplog):
    put(tmp_path)
    layouts_data.draw_pictures(tmp_path, PICTURES["images/<subset>/<subset>_<digit>"])
    oi_files.picture(tmp_path, "images/train/train_00/0a.jpg", (3, 4))
    assert described_sizes(tmp_path)["0a", "train"] == (SIZES["0a"],)
    assert "left aside" not in caplog.text
    for digit in "1f":
        oi_files.picture(tmp_path, f"images/train/train_{digit}/0a.jpg", (3, 4))
    assert described_sizes(tmp_path)["0a", "train"] == (SIZES["0a"],)
    assert "2 pictures are left aside" in caplog.text


def test_an_id_or_a_subset_may_look_like_an_archive(tmp_path, caplog):
    lists = oi_files.image_list(("0a", "train"), ("train_0/0a", "train"), ("0a", "train_0"))
    oi_files.write(tmp_path, {"images.csv": lists})
    oi_files.picture(tmp_path, "images/train/0a.jpg", (1, 2))
    oi_files.picture(tmp_path, "images/train/train_0/0a.jpg", (3, 4))
    oi_files.picture(tmp_path, "images/train_0/0a.jpg", (5, 6))
    assert described_sizes(tmp_path) == {
        ("0a", "train"): ((1, 2),),
        ("train_0/0a", "train"): ((3, 4),),
        ("0a", "train_0"): ((5, 6),),
    }
    assert "left aside" not in caplog.text


@pytest.mark.parametrize("place", [place for place in PICTURES if "digit>" in place])
def test_pictures_of_archives_are_not_missing(place, tmp_path):
    put(tmp_path)
    layouts_data.draw_masks(tmp_path, MASKS["masks/<subset>"])
    layouts_data.draw_pictures(tmp_path, PICTURES[place])
    assert list(missing_images(OpenImagesExtractor(str(tmp_path)))) == []
    assert not list(check(str(tmp_path), DatasetFiles(open_source(str(tmp_path)))))
    assert len(DatasetFiles(open_source(str(tmp_path))).media_names()[0]) == len(SUBSET_OF)


@pytest.mark.parametrize("place", MASKS)
def test_places_of_masks(place, expected, tmp_path):
    put(tmp_path)
    layouts_data.draw_pictures(tmp_path, PICTURES["images/<subset>"])
    layouts_data.draw_masks(tmp_path, MASKS[place])
    assert described(tmp_path) == expected


@pytest.mark.parametrize("place", MASK_ZIPS)
def test_masks_in_zips(place, expected, tmp_path):
    put(tmp_path / "in")
    layouts_data.draw_pictures(tmp_path / "in", PICTURES["images/<subset>"])
    layouts_data.zip_masks(tmp_path / "in", MASK_ZIPS[place], tmp_path / "scratch")
    assert described(tmp_path / "in") == expected
    out = save(read(tmp_path / "in"), tmp_path / "out")
    found = {path.name: path.read_bytes() for path in (out / "masks").rglob("*.png")}
    assert found == {p.name: p.read_bytes() for p in (tmp_path / "scratch").iterdir()}


def test_masks_in_zips_in_a_zip(expected, tmp_path):
    put(tmp_path / "in")
    layouts_data.draw_pictures(tmp_path / "in", PICTURES["images/<subset>"])
    layouts_data.zip_masks(tmp_path / "in", MASK_ZIPS["masks"], tmp_path / "scratch")
    with zipfile.ZipFile(tmp_path / "task.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in bytes_below(tmp_path / "in", ".").items():
            archive.writestr(name, data)
    assert described(tmp_path / "task.zip") == expected


def test_a_mask_that_lies_unpacked_comes_before_a_zip(tmp_path):
    put(tmp_path / "in")
    layouts_data.zip_masks(tmp_path / "in", MASK_ZIPS["masks"], tmp_path / "scratch")
    oi_files.mask_png(tmp_path / "in", "masks/train/0a_m1_aa.png", (5, 5), slice(0, 1))
    (mask,) = masks_of(read(tmp_path / "in").get("0a", "train"))
    assert mask.image.shape == (5, 5)


def test_a_mask_that_no_zip_has(tmp_path):
    put(tmp_path / "in")
    layouts_data.zip_masks(tmp_path / "in", MASK_ZIPS["masks"], tmp_path / "scratch")
    (tmp_path / "in/masks/train-masks-f.zip").unlink()
    dataset = read(tmp_path / "in")
    (mask,) = masks_of(dataset.get("fb", "train"))
    with pytest.raises(MissingFileError, match="fb_m1_aa"):
        np.asarray(mask.image)
    out = save(dataset, tmp_path / "out")
    assert len(list(rows(out, "object-segmentation"))) == 4
    assert len(list((out / "masks").rglob("*.png"))) == 3


# Several versions of one list


def messages(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if "several" in record.getMessage()]


def counts(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for item in read(path):
        for annotation in item.annotations:
            found[annotation.type.name] = found.get(annotation.type.name, 0) + 1
    return found


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("boxes", "v6/oidv6-train-annotations-bbox.csv"),
        ("boxes", "2017_11/train/annotations-human-bbox.csv"),
        ("boxes", "challenge-2018-train-annotations-bbox.csv"),
        ("boxes", "annotations/train-annotations-bbox.csv.gz"),
        ("labels", "oidv7-train-annotations-human-imagelabels.csv"),
        ("labels", "annotations/train-annotations-human-imagelabels-boxable.csv"),
        ("masks", "annotations/old/train-annotations-object-segmentation.csv"),
    ],
)
def test_two_versions_of_a_list(kind, other, tmp_path, caplog):
    put(tmp_path)
    expected = counts(tmp_path)
    data = layouts_data.table(kind, "train").encode()
    path = tmp_path / other
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(layouts_data.gzipped(data.decode()) if other.endswith(".gz") else data)
    caplog.set_level(logging.INFO)
    assert counts(tmp_path) == expected
    (message,) = messages(caplog)
    assert kind in message and other in message
    chosen, _, aside = message.partition("leaving aside")
    assert (other in chosen) is ("oidv" in other) and (other in aside) is ("oidv" not in other)
    caplog.clear()
    dataset = read(tmp_path)
    assert len(dataset) == 4
    assert len(messages(caplog)) == 1


def test_two_lists_of_classes(tmp_path, caplog):
    files = layouts_data.files("cvat")
    files["annotations/class-descriptions-boxable.csv"] = "/m/1,One\n"
    files["annotations/class-descriptions.csv"] += "/m/2,Two\n"
    oi_files.write(tmp_path, files)
    caplog.set_level(logging.INFO)
    reader = Reader(str(tmp_path), None, lambda error: None)
    # Labels of annotations that the first list lacks are kept, and have their names.
    assert reader.labels.names == ["/m/1", "/m/0"]
    assert dict(reader.classes.display_names) == {"/m/0": "Zero", "/m/1": "One", "/m/2": "Two"}
    (message,) = messages(caplog)
    boxable, full = (f"annotations/class-descriptions{suffix}.csv" for suffix in ("-boxable", ""))
    assert message.index(boxable) < message.index(full)


def test_two_hierarchies(tmp_path, caplog):
    """Every split of FiftyOne's folder has one; only others than the first are worth a word."""
    files = layouts_data.files("fiftyone")
    files["test/metadata/hierarchy.json"] = files["train/metadata/hierarchy.json"]
    oi_files.write(tmp_path, files)
    read(tmp_path)
    assert messages(caplog) == []
    oi_files.write(tmp_path, {"annotations/bbox_labels_600_hierarchy.json": '{"LabelName": "x"}'})
    Reader(str(tmp_path), None, lambda error: None)
    (message,) = messages(caplog)
    assert message.startswith("several versions of hierarchy: reading annotations/bbox_labels_600")


def test_a_full_list_of_images_and_lists_of_subsets(tmp_path, caplog):
    """Nothing is doubled, and what only one of the lists has is kept."""
    files = layouts_data.files("cvat")
    full = "ImageID,Subset\n0c,validation\n0a,train\nfb,train\nonly-full,test\n"
    files["annotations/image_ids_and_rotation.csv"] = full
    files["annotations/train-image_ids_and_rotation.csv"] += "only-train,train,,,,,Me,,,,,\n"
    oi_files.write(tmp_path / "in", files)
    caplog.set_level(logging.INFO)
    dataset = read(tmp_path / "in")
    assert [(item.id, item.subset) for item in dataset] == [
        ("0c", "validation"),
        ("0a", "train"),
        ("fb", "train"),
        ("only-full", "test"),
        ("ed", "test"),
        ("only-train", "train"),
    ]
    assert len(messages(caplog)) == 1
    assert [r for r in caplog.records if "left aside" in r.getMessage()] == []
    out = save(dataset, tmp_path / "out")
    authors = {row["ImageID"]: row["Author"] for row in rows(out, "image")}
    assert authors == {
        **{name: f"Author {name}" for name in SUBSET_OF},
        "only-full": "",
        "only-train": "Me",
    }


def test_lists_of_images_that_each_have_columns_of_their_own(tmp_path, caplog):
    files = layouts_data.files("cvat")
    files["annotations/image_ids_and_rotation.csv"] = "ImageID,Subset,Camera\n0a,train,my\n"
    oi_files.write(tmp_path / "in", files)
    out = save(read(tmp_path / "in"), tmp_path / "out")
    assert "Author 0a" in {row["Author"] for row in rows(out, "image")}
    (message,) = [m for m in (r.getMessage() for r in caplog.records) if "left aside" in m]
    assert message.endswith("left aside: Camera")


def test_two_lists_of_one_subset_give_all_images(tmp_path):
    put(tmp_path)
    more = oi_files.image_list(("0a", "train"), ("more", "train"))
    oi_files.write(tmp_path, {"annotations/train-images-boxable-with-rotation.csv": more})
    assert [item.id for item in read(tmp_path) if item.subset == "train"] == ["0a", "fb", "more"]


# Subsets


def test_a_subset_of_the_users_own_that_is_called_val(tmp_path):
    """Only V7's own files mean `validation` by it."""
    files = {
        name.replace("validation", "val"): text.replace(",validation,", ",val,")
        for name, text in layouts_data.files("cvat").items()
    }
    oi_files.write(tmp_path / "in", files)
    for names in ("cvat", "datumaro", "published"):
        dataset = read(save(read(tmp_path / "in"), tmp_path / names, names=names))
        assert {item.subset for item in dataset} == {"train", "val", "test"}
        assert len(dataset) == 4 and len(dataset.get("0c", "val").annotations) == 3


# Detection


TABLES = {
    name: kind
    for name, (kind, _) in NAMES.items()
    if kind in ("images", "labels", "boxes", "masks")
}


@pytest.mark.parametrize("name", TABLES)
def test_detection_claims_each_table_alone(name, tmp_path):
    text = layouts_data.table(TABLES[name], "train")
    data = text.encode()
    if name.endswith(".gz"):
        data = layouts_data.gzipped(text)
    elif name.endswith(".zip"):
        data = layouts_data.zipped(text)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    importer = OpenImagesImporter()
    assert importer.find_sources(str(tmp_path))
    # Raises where the detector refuses.
    assert apply_format_detector(str(tmp_path), importer.detect) is not None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_datumaro_detects_every_layout(layout, tmp_path, registered):
    put(tmp_path, layout)
    layouts_data.draw_pictures(tmp_path, PICTURES["images/<subset>"])
    assert Environment().detect_dataset(str(tmp_path)) == ["open_images"]


@pytest.mark.parametrize("kind", sorted(set(KINDS_BY_NAME)))
def test_detection_refuses_a_table_of_other_columns(kind, tmp_path):
    name = KINDS_BY_NAME[kind].patterns[0]
    name = name.format(subset="train", val="train", shard="00000-of-00001")
    oi_files.write(tmp_path, {name: "filename,width,height\na.jpg,1,2\n"})
    files = DatasetFiles(open_source(str(tmp_path)))
    assert files.has_table() and not files.has_telling_table()

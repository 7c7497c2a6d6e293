"""From Open Images to Open Images: nothing changes that nobody changed."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import dropin_data
import pytest
import rich_data
from compare import assert_same
from datumaro.components.dataset import Dataset
from oi_files import (
    BOX_HEADER,
    CLASSES,
    IMAGE_HEADER,
    LABEL_HEADER,
    MASK_HEADER,
    mask_png,
    picture,
    write,
)
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.files.layout import Layout
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.loader import register, unregister
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

FOLDERS = {**dropin_data.FOLDERS, "rich": rich_data.make}
EVERY_FOLDER = pytest.mark.parametrize("make", FOLDERS.values(), ids=FOLDERS.keys())


def there_and_back(path: Path, **options) -> Path:
    return save(read(path), path.with_name("out"), **options)


@pytest.fixture
def rich(tmp_path) -> Path:
    return rich_data.make(tmp_path / "in")


# Equal datasets


@pytest.mark.parametrize("names", ["cvat", "datumaro", "published"])
@EVERY_FOLDER
def test_equal_datasets(make, names, tmp_path):
    make(tmp_path / "in")
    meta = make is dropin_data.dataset_meta
    out = there_and_back(tmp_path / "in", names=names, save_dataset_meta=meta)
    assert_same(read(out), read(tmp_path / "in"))


@EVERY_FOLDER
def test_equal_datasets_through_a_zip(make, tmp_path):
    make(tmp_path / "in")
    meta = make is dropin_data.dataset_meta
    out = there_and_back(tmp_path / "in", zip=True, save_dataset_meta=meta)
    assert [path.name for path in out.iterdir()] == ["out.zip"]
    packed = read(out / "out.zip")
    assert_same(packed, read(tmp_path / "in"))
    assert_same(
        read(save(packed, tmp_path / "again", save_dataset_meta=meta)), read(tmp_path / "in")
    )


def test_the_hierarchy_is_kept_where_dataset_meta_shows_no_parents(tmp_path):
    dropin_data.dataset_meta(tmp_path / "in")
    out = there_and_back(tmp_path / "in")
    name = "annotations/bbox_labels_600_hierarchy.json"
    assert (out / name).read_bytes() == (tmp_path / "in" / name).read_bytes()


def test_a_zip_with_one_top_folder(rich, tmp_path):
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        for path in sorted(rich.rglob("*")):
            if path.is_file():
                archive.write(path, f"my task/{path.relative_to(rich)}")
    assert_same(read(tmp_path / "task.zip"), read(rich))


def test_saving_over_the_zip_that_was_read_is_refused(rich, tmp_path):
    out = there_and_back(rich, zip=True)
    before = (out / "out.zip").read_bytes()
    register()
    try:
        dataset = Dataset.import_from(str(out / "out.zip"), "open_images")
        dataset.remove("a1", "train")
        with pytest.raises(SaveError, match="another place"):
            dataset.save(save_media=True)
    finally:
        unregister()
    assert (out / "out.zip").read_bytes() == before


def test_written_twice_gives_equal_bytes(rich, tmp_path):
    for zipped in (False, True):
        one = save(read(rich), tmp_path / f"one{zipped}" / "x", zip=zipped)
        two = save(read(rich), tmp_path / f"two{zipped}" / "x", zip=zipped)
        assert bytes_below(one, ".") == bytes_below(two, ".")


# Equal text


def test_tables_and_pictures_come_back_byte_for_byte(rich):
    out = there_and_back(rich)
    expected = bytes_below(rich, ".")
    found = bytes_below(out, ".")
    meta = found.pop("annotations/images.meta").decode()
    assert found.keys() == expected.keys()
    for name, data in expected.items():
        assert found[name] == data, name
    lines = [line for line in meta.splitlines() if line and not line.startswith("#")]
    assert sorted(lines) == ["'c 3' 48 64", "a1 33 57", "b/2 101 77"]


def test_tables_come_back_byte_for_byte_from_a_zip(rich, tmp_path):
    packed = there_and_back(rich, zip=True)
    out = save(read(packed / "out.zip"), tmp_path / "again")
    expected = bytes_below(rich, ".")
    found = bytes_below(out, ".")
    assert {name: found.get(name) for name in expected} == expected


def test_line_ends_come_back(tmp_path):
    dropin_data.line_ends(tmp_path / "in")
    out = there_and_back(tmp_path / "in", names="datumaro")
    name = "annotations/train-annotations-bbox.csv"
    assert (out / name).read_bytes() == (tmp_path / "in" / name).read_bytes() + b"\r\n"


ASSETS = Path(__file__).parents[1] / "assets"


@pytest.mark.parametrize(
    ("name", "names"), [("open_images_v7", "published"), ("cvat_layout", "cvat")]
)
def test_sample_datasets_come_back_byte_for_byte(name, names, tmp_path):
    """Every file of them: tables, lists of images and classes, the hierarchy, pictures, masks."""
    shutil.copytree(ASSETS / name, tmp_path / "in")
    every = [kind.name for kind in KINDS]
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(tmp_path / "in"), kinds=every))
    out = save(dataset, tmp_path / "out", names=names)
    expected, found = bytes_below(ASSETS / name, "."), bytes_below(out, ".")
    if "annotations/images.meta" not in expected:
        del found["annotations/images.meta"]
    assert found.keys() == expected.keys()
    for file, data in expected.items():
        if file == "annotations/images.meta":  # it has a heading of its own
            assert set(found[file].splitlines()) == set(data.splitlines())
        else:
            assert found[file] == data, file


#: Texts that mean what others mean, and must come back as they are.
ODD_BOXES = """\
a,"with, comma",/m/1,1,0.1000,0.50000000000000000001,1e-3,.75,0,1,-1,True,false
a, padded , /m/0,1.00,0,1,0.0,1.000,0,0,0,0,0
a,"a ""quote"" here",/m/2,0.3000000000000001,-0.01,1.01,0.0,1.000,,,,,
b,Ünïcödé 箱,/m/none,0,0.022673031,0.9642005,0.07103825,0.80054647,1,1,1,1,1
b,,/m/1,1e-05,0.1,0.1,0.2,0.2,-1,-1,-1,-1,-1
"""
ODD_LABELS = """\
a,verification,/m/0,1
a,x,/m/1,1.0
b,"y,z",/m/2,0.00
b,,/m/3,0.30000000000000004
"""
ODD_IMAGES = (
    'a,train,u,l,c,p,"L, F","A ""title""\nin two lines",123,9IzEn38GRNsVpATuv7gzEA==,,0.0\n'
    "b,train,,,, , José  ,,007,,,\n"
)
ODD_MASKS = """\
a_m1_0.png,a,/m/1,9A041D52,0.8875,0.960938,0.454167,0.720833,0.86864,0.95498 0.65197 1;0.9 0.5 0
x.png,a,/m/2,,,,,,,
y.png,b,/m/none,b,0.1,0.10,0.2000000,0.2,0.80,
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("last", ["", "\n"], ids=["open", "ended"])
@pytest.mark.parametrize("names", ["published", "cvat"])
def test_odd_values_come_back_as_they_are_written(names, last, end, tmp_path):
    files = {
        "images": IMAGE_HEADER + ODD_IMAGES,
        "labels": LABEL_HEADER + ODD_LABELS,
        "boxes": BOX_HEADER + ODD_BOXES,
        "masks": MASK_HEADER + ODD_MASKS,
    }
    texts = {
        Layout(names).file(kind, "train"): (text[:-1] + last).replace("\n", end)
        for kind, text in files.items()
    }
    write(tmp_path / "in", {**texts, "annotations/class-descriptions.csv": CLASSES})
    for name in ("a", "b"):
        picture(tmp_path / "in", f"images/train/{name}.png", (40, 20))
    mask_png(tmp_path / "in", "masks/train/a_m1_0.png", (7, 7))
    out = there_and_back(tmp_path / "in", names=names)
    for name, text in texts.items():
        ended = text if last else text + end
        assert (out / name).read_bytes().decode() == ended, name


def test_unknown_columns_come_back(rich):
    name = "annotations/train-annotations-bbox.csv"
    header, *lines = rich_data.files()[name].splitlines()
    changed = [f"{header},Reviewer", *(f"{line},person {i}" for i, line in enumerate(lines))]
    write(rich, {name: "\n".join(changed) + "\n"})
    out = there_and_back(rich)
    assert (out / name).read_text() == (rich / name).read_text()

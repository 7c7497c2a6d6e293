"""From Open Images to Open Images: nothing changes that nobody changed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import dropin_data
import pytest
import rich_data
from compare import assert_same
from datumaro.components.dataset import Dataset
from oi_files import write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.loader import register, unregister

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


def test_unknown_columns_come_back(rich):
    name = "annotations/train-annotations-bbox.csv"
    header, *lines = rich_data.files()[name].splitlines()
    changed = [f"{header},Reviewer", *(f"{line},person {i}" for i, line in enumerate(lines))]
    write(rich, {name: "\n".join(changed) + "\n"})
    out = there_and_back(rich)
    assert (out / name).read_text() == (rich / name).read_text()

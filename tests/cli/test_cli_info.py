"""What `datum-openimages info` says."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import oi_files
import pytest

from datumaro_openimages_plugin.cli import main
from datumaro_openimages_plugin.cli.info import collect
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.kinds import KINDS_BY_NAME
from datumaro_openimages_plugin.sources.archive import open_source


@pytest.fixture
def root(tmp_path) -> Path:
    oi_files.base(tmp_path / "set")
    return tmp_path / "set"


def info(root: Path) -> dict:
    return collect(DatasetFiles(open_source(str(root))))


def test_counts_by_subset(root):
    found = info(root)
    assert found["subsets"] == {
        "test": {"images": 1},
        "train": {"boxes": 3, "labels": 3, "negative labels": 1, "masks": 1, "images": 2},
    }
    assert (found["classes"], found["image_files"], found["mask_files"]) == (5, 3, 1)


def test_one_list_of_all_subsets_and_versions(root):
    oi_files.write(
        root,
        {
            "image_ids_and_rotation.csv": oi_files.image_list(("a", "train"), ("z", "test")),
            "oidv6-train-annotations-bbox.csv": oi_files.BOX_HEADER,
        },
    )
    files = {file["name"]: file for file in info(root)["files"]}
    assert files["image_ids_and_rotation.csv"]["rows_by_subset"] == {"train": 1, "test": 1}
    newer = files["oidv6-train-annotations-bbox.csv"]
    assert (newer["version"], newer["used"], newer["rows"]) == ("V6", True, 0)
    assert files["annotations/train-annotations-bbox.csv"]["used"] is False


def test_damaged_rows_are_counted(root):
    name = "annotations/train-annotations-bbox.csv"
    (root / name).write_text(oi_files.BOX_HEADER + "a,b,c,d,e,f,g,h,i,j,k,l,m,n\n")
    file = next(file for file in info(root)["files"] if file["name"] == name)
    assert file["damaged_rows"] == 1


def test_a_zip_tells_the_same(root, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    one, other = info(root), info(Path(archive))
    assert one.pop("dataset") != other.pop("dataset")
    assert one == other


def test_a_packed_list_of_sizes(root):
    data = gzip.compress(b"a 20 40\nb 7 13\n")
    (root / "annotations/images.meta.gz").write_bytes(data)
    assert info(root)["sizes_in_images_meta"] == 2


def test_text_and_json(root, capsys):
    assert main(["info", str(root), "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "annotations/train-annotations-bbox.csv" in text and "5 classes" in text
    assert main(["info", str(root), "--format", "json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["subsets"]["test"] == {"images": 1}


def test_every_kind_of_the_sample_is_counted():
    found = info(Path(__file__).parents[2] / "assets/open_images_v7")
    counted = {file["kind"] for file in found["files"] if file.get("rows")}
    assert counted >= {"images", *KINDS_BY_NAME}
    assert found["subsets"]["train"]["negative points"] == 1
    versions = {file["name"].rpartition("/")[2]: file["version"] for file in found["files"]}
    assert versions["oidv7-class-descriptions.csv"] == "V7"
    assert versions["test-annotations-bbox.csv"] is None

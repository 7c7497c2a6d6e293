"""`datum-openimages sizes` and `missing`: what is known of pictures, without decoding any."""

from __future__ import annotations

import shutil
from pathlib import Path

import oi_files
import pytest
from oi_files import SIZES

from datumaro_openimages_plugin.cli import main
from datumaro_openimages_plugin.images.image_sizes import image_meta_from_text

META = "annotations/images.meta"


@pytest.fixture
def root(tmp_path) -> Path:
    oi_files.base(tmp_path / "set")
    return tmp_path / "set"


def meta(path: Path) -> dict[str, tuple[int, int]]:
    return dict(image_meta_from_text(path.read_bytes(), "images.meta"))


def test_sizes_come_from_headers_and_old_ones_stay(root, capsys):
    (root / META).write_text("# mine\na 1 1\n'only here' 5 6\n")
    assert main(["sizes", str(root), "-q"]) == 0
    assert meta(root / META) == {**SIZES, "only here": (5, 6)}
    assert "4 sizes, 3 from pictures" in capsys.readouterr().out
    assert not list(root.rglob("*.part"))


def test_images_without_pictures(root, capsys):
    (root / "images/train/a.jpg").unlink()
    (root / META).write_text("a 7 8\n")
    (root / "images/train/b.jpg").unlink()
    assert main(["sizes", str(root), "-q"]) == 0
    assert meta(root / META) == {"a": (7, 8), "c": SIZES["c"]}
    assert "1 images have neither" in capsys.readouterr().out


def test_damaged_pictures_are_named(root, capsys):
    (root / "images/train/a.jpg").write_bytes(b"no picture")
    assert main(["sizes", str(root), "-q"]) == 1
    assert "images/train/a.jpg: its header tells no size" in capsys.readouterr().out
    assert "a" not in meta(root / META)


def test_one_id_of_two_sizes(root, capsys):
    text = oi_files.image_list(("a", "test"))
    (root / "annotations/test-images-with-rotation.csv").write_text(text)
    oi_files.picture(root, "images/test/a.jpg", (3, 3))
    assert main(["sizes", str(root), "-q"]) == 0
    assert meta(root / META) == {"b": SIZES["b"]}
    assert "1 ids have different sizes in several subsets: a" in capsys.readouterr().out


def test_a_zip_needs_an_output(root, tmp_path, capsys):
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    assert main(["sizes", archive, "-q"]) == 2
    assert "say where the file is to be" in capsys.readouterr().err
    assert main(["sizes", archive, "-q", "-o", str(tmp_path / "out.meta")]) == 0
    assert meta(tmp_path / "out.meta") == SIZES


def test_a_place_that_cannot_be_written(root, tmp_path, capsys):
    assert main(["sizes", str(root), "-q", "-o", str(tmp_path / "none/x.meta")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_missing_images(root, tmp_path, capsys):
    (root / "images/train/a.jpg").unlink()
    (root / "images/test/c.png").unlink()
    assert main(["missing", str(root), "-q"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == ["test/c", "train/a"]
    out = tmp_path / "ids.txt"
    options = ["--subsets", "test", "--only-ids", "--output", str(out)]
    assert main(["missing", str(root), "-q", *options]) == 0
    assert out.read_bytes() == b"c\n"


def test_missing_of_an_unknown_subset(root, capsys):
    assert main(["missing", str(root), "-q", "--subsets", "tset"]) == 2
    assert "'test'" in capsys.readouterr().err

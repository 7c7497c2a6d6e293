"""`datum-openimages subset`: a smaller dataset of the same layout, byte for byte."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import oi_files
import pytest

from datumaro_openimages_plugin.cli import main
from datumaro_openimages_plugin.errors import OptionError, SaveError
from datumaro_openimages_plugin.plugin import OpenImagesExtractor
from datumaro_openimages_plugin.reading.choice import Choice
from datumaro_openimages_plugin.tools.subset import MARKER, Subset, cut

ASSETS = Path(__file__).parents[2] / "assets"


def files_of(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def lines_of(files: dict[str, bytes], part: str) -> list[bytes]:
    return [line for n, data in files.items() if part in n for line in data.splitlines()[1:]]


@pytest.fixture
def root(tmp_path) -> Path:
    oi_files.base(tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.parametrize("name", ["cvat_layout", "open_images_v7"])
def test_all_of_it_is_the_same_again(name, tmp_path):
    cut(Subset(str(ASSETS / name), str(tmp_path / "out"), Choice()))
    one, other = files_of(tmp_path / "out"), files_of(ASSETS / name)
    assert set(one) == set(other)
    for file in one:
        if not file.endswith("images.meta"):
            assert one[file] == other[file], file


@pytest.mark.parametrize(
    "choice",
    [
        {"subsets": ["validation"]},
        {"classes": ["Cat"]},
        {"classes": ["Animal"], "descendants": True, "only_matching": True},
        {"image_ids": ["0badc0ffee123456", "test/bead5bead5bead50"]},
        {"max_images": 3, "seed": 5},
        {"kinds": ["boxes", "masks"], "negatives": "drop"},
        {"negatives": "drop"},
    ],
    ids=str,
)
def test_what_is_cut_is_what_an_import_chooses(choice, tmp_path):
    source, target = str(ASSETS / "open_images_v7"), tmp_path / "out"
    done = cut(Subset(source, str(target), Choice(**choice)))
    expected = {(i.subset, i.id): i for i in OpenImagesExtractor(source, **choice)}
    found = {(i.subset, i.id): i for i in OpenImagesExtractor(str(target))}
    assert set(found) == set(expected) and done.images == len(found)
    for key, item in found.items():
        assert len(item.annotations) == len(expected[key].annotations), key
        # Boxes have ids where relationships are, and a cut may have none left.
        plain = [annotation.wrap(id=0) for annotation in item.annotations]
        assert plain == [annotation.wrap(id=0) for annotation in expected[key].annotations], key
        assert (item.media is None) == (expected[key].media is None)
    original, cut_out = files_of(Path(source)), files_of(target)
    for name, data in cut_out.items():
        if name.endswith(".csv"):
            assert set(data.splitlines(True)) <= set(original[name].splitlines(True)), name


def test_rows_stand_as_they_were_in_their_order(root, tmp_path):
    name = "annotations/train-annotations-bbox.csv"
    text = (root / name).read_text().replace("\n", "\r\n").replace("a,xclick", '"a",xclick')
    (root / name).write_bytes(text.encode() + b'b,"x\r\ny",/m/1,1,0.10,0.20,.3,4e-1,0,0,0,0,0')
    cut(Subset(str(root), str(tmp_path / "out"), Choice(image_ids=["b"])))
    rows = (tmp_path / "out" / name).read_bytes()
    lines = text.encode().split(b"\r\n")
    assert rows == b"\r\n".join(
        [lines[0], lines[3], b'b,"x\r\ny",/m/1,1,0.10,0.20,.3,4e-1,0,0,0,0,0', b""]
    )


def test_sizes_and_lists(root, tmp_path):
    (root / "annotations/images.meta").write_text("a 20 40\nb 7 13\nc 16 16\n")
    cut(Subset(str(root), str(tmp_path / "out"), Choice(subsets=["train"])))
    found = files_of(tmp_path / "out")
    assert "annotations/test-images-with-rotation.csv" not in found
    assert b"a 20 40\nb 7 13\n" in found["annotations/images.meta"]
    assert b"c 16" not in found["annotations/images.meta"]
    assert found["annotations/class-descriptions.csv"] == oi_files.CLASSES.encode()


def test_without_pictures_and_with_links(root, tmp_path):
    plain = cut(Subset(str(root), str(tmp_path / "plain"), Choice(), media=False))
    assert plain.files == 2 and not (tmp_path / "plain/images").exists()
    assert (tmp_path / "plain/masks/train/a_m1_0.png").is_file()
    cut(Subset(str(root), str(tmp_path / "linked"), Choice(), link=True))
    assert os.path.samefile(root / "images/train/a.jpg", tmp_path / "linked/images/train/a.jpg")


def test_out_of_a_zip_and_packed_tables(root, tmp_path):
    name = "annotations/train-annotations-bbox.csv"
    (root / (name + ".gz")).write_bytes(gzip.compress((root / name).read_bytes()))
    data = (root / name).read_bytes()
    (root / name).unlink()
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    cut(Subset(archive, str(tmp_path / "out"), Choice()))
    found = files_of(tmp_path / "out")
    assert found[name] == data
    assert found["images/train/a.jpg"] == (root / "images/train/a.jpg").read_bytes()


def test_going_on_where_it_stopped(root, tmp_path, monkeypatch):
    target = tmp_path / "out"
    subset = Subset(str(root), str(target), Choice(subsets=["train"]))
    replace, left = os.replace, iter([None] * 2)

    def stopping(one, other):
        next(left)
        replace(one, other)

    monkeypatch.setattr(os, "replace", stopping)
    with pytest.raises(StopIteration):
        cut(subset)
    monkeypatch.undo()
    assert (target / MARKER).is_file() and not list(target.rglob("*.csv"))
    with pytest.raises(SaveError, match="another cut was begun"):
        cut(Subset(str(root), str(target), Choice()))
    done = cut(subset)
    assert done.already_there == 2
    other = tmp_path / "other"
    cut(Subset(str(root), str(other), Choice(subsets=["train"])))
    assert files_of(target) == files_of(other)


def test_a_choice_of_nothing_leaves_nothing(root, tmp_path):
    target = tmp_path / "out"
    for choice in (Choice(classes=["Nothing"]), Choice(classes=["Dog"], subsets=["validation"])):
        with pytest.raises(OptionError):
            cut(Subset(str(root), str(target), choice))
        assert not target.exists()
    cut(Subset(str(root), str(target), Choice()))


def test_targets_that_hold_something(root, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(SaveError, match="not empty"):
        cut(Subset(str(root), str(tmp_path / "out"), Choice()))
    assert files_of(tmp_path / "out") == {"mine.txt": b"mine"}


def test_a_target_in_the_dataset_is_refused(root, tmp_path):
    before = files_of(root)
    (tmp_path / "link").symlink_to(root)
    for target in (root / "small", tmp_path / "link" / "images/small", root):
        with pytest.raises(SaveError, match=r"lies in the dataset|not empty"):
            cut(Subset(str(root), str(target), Choice()))
        assert files_of(root) == before and not (root / "small").exists()


def test_nothing_is_chosen(root, tmp_path):
    with pytest.raises(OptionError, match="no image is chosen"):
        cut(Subset(str(root), str(tmp_path / "out"), Choice(classes=["Three"])))


def test_the_command(root, tmp_path, capsys):
    with open(root / "annotations/train-annotations-bbox.csv", "a") as file:
        file.write("b,x,/m/1,y,0,1,0,1,0,0,0,0,0\n")
    (root / "images/train/a.jpg").unlink()
    target = str(tmp_path / "out")
    options = ["--classes", "One, first", "--only-matching"]
    assert main(["subset", str(root), target, "-q", *options]) == 1
    text = capsys.readouterr().out
    assert "2 images" in text and "1 images have no picture" in text
    assert "1 damaged rows" in text
    rows = lines_of(files_of(tmp_path / "out"), "bbox")
    assert [row.split(b",")[2] for row in rows] == [b"/m/1", b"/m/1"]
    assert main(["subset", str(tmp_path / "none"), target, "-q"]) == 2
    assert capsys.readouterr().err.endswith("none: there is no such folder or zip\n")

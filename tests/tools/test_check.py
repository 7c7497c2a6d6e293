"""`datum-openimages check`: every problem, where it is."""

from __future__ import annotations

import json
from pathlib import Path

import oi_files
import pytest

from datumaro_openimages_plugin.cli import main
from datumaro_openimages_plugin.cli.common import open_files
from datumaro_openimages_plugin.tools.check import check

LABELS = "annotations/train-annotations-human-imagelabels.csv"
BOXES = "annotations/train-annotations-bbox.csv"
MASKS = "annotations/train-annotations-object-segmentation.csv"


@pytest.fixture
def root(tmp_path) -> Path:
    oi_files.base(tmp_path / "set")
    return tmp_path / "set"


def problems(root: Path, **options) -> list[tuple[bool, str | None, int | None, str | None, str]]:
    return [
        (p.is_error, p.error.file, p.error.row, p.error.column, p.error.message)
        for p in check(str(root), open_files(str(root)), **options)
    ]


def append(root: Path, name: str, text: str) -> None:
    with open(root / name, "a", encoding="utf-8") as file:
        file.write(text)


def test_a_good_dataset_has_none(root):
    assert problems(root, media=True) == []


@pytest.mark.parametrize(
    ("name", "row", "number", "column", "text"),
    [
        (LABELS, "a,x,/m/2,2", 4, "Confidence", "from 0 to 1"),
        (LABELS, "a,x,,1", 4, "LabelName", "names no label"),
        (BOXES, "a,x,/m/1,1,y,1,0,1,0,0,0,0,0", 4, "XMin", "is not a number"),
        (BOXES, "a,x,/m/1,1,0,1,0,1,0,0,7,0,0", 4, "IsGroupOf", ""),
        (BOXES, "a,x,/m/1,1,0,1,0,1,0,0,0,0,0,0", 4, None, "14 fields"),
        ("annotations/test-images-with-rotation.csv", "../x,test", 2, "ImageID", "image id"),
    ],
)
def test_rows_that_no_import_reads(root, name, row, number, column, text):
    append(root, name, row + "\n")
    ((is_error, *found, message),) = problems(root)
    assert (is_error, found) == (True, [name, number, column])
    assert text in message


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (BOXES, b""),
        (LABELS, b"ImageID,Source\n"),
        (LABELS, b"ImageID,Source,LabelName,Confidence\n\xff,,/m/1,1\n"),
        ("annotations/class-descriptions.csv", b'/m/0,"Zero\n'),
        ("annotations/bbox_labels_600_hierarchy.json", b"{"),
        ("annotations/images.meta", b"a 1\n"),
    ],
)
def test_files_that_no_import_reads(root, name, data):
    append(root, LABELS, "a,x,/m/2,2\n")
    (root / name).write_bytes(data)
    found = problems(root)
    assert (True, name) in [problem[:2] for problem in found]
    assert len(found) == len(set(found))
    if name != LABELS:
        assert (True, LABELS, 4, "Confidence") in [problem[:4] for problem in found]


def test_images_and_classes_that_no_list_has(root):
    append(root, LABELS, "zz,x,/m/1,1\nzz,x,/m/new,1\nb,x,/m/new,1\n")
    assert problems(root) == [
        (False, LABELS, 4, "ImageID", "no image list has this image (2 rows)"),
        (False, LABELS, 5, "LabelName", "no class list has this class (2 rows)"),
        (False, None, None, None, "1 images of train have no picture; `missing` lists them"),
    ]


def test_rows_that_repeat_others(root):
    append(root, LABELS, "a,x,/m/0,0\nb,x,/m/4,1\n")
    append(root, BOXES, "b,other,/m/1,1,0.0134,0.94,0.123456,0.6543211,1,1,1,1,1\n")
    assert problems(root) == [
        (False, LABELS, 4, "LabelName", f"repeats row 1 of {LABELS}, with another confidence"),
        (False, LABELS, 5, "LabelName", f"repeats row 3 of {LABELS}"),
        (False, BOXES, 4, "LabelName", f"repeats row 3 of {BOXES}"),
    ]


def test_corners_of_boxes(root):
    append(root, BOXES, "a,x,/m/1,1,0.5,0.5,0.2,0.4,0,0,0,0,0\na,x,/m/1,1,-0.1,1.2,0,1,0,0,0,0,0\n")
    found = [(is_error, row, column) for is_error, _, row, column, _ in problems(root)]
    assert sorted(found) == [(False, 4, "XMin"), (False, 5, "XMax"), (False, 5, "XMin")]
    append(root, BOXES, "a,x,/m/1,1,0.5,0.4,0.2,0.4,0,0,0,0,0\na,x,/m/1,1,3,40,0,1,0,0,0,0,0\n")
    assert {row for is_error, _, row, _, _ in problems(root) if is_error} == {6, 7}


def test_pictures_and_masks(root):
    (root / "masks/train/a_m1_0.png").rename(root / "masks/train/other.png")
    (root / "images/train/a.jpg").unlink()
    (root / "images/train/b.jpg").write_bytes(b"")
    oi_files.picture(root, "images/train/surplus.jpg", (4, 4))
    (root / "annotations/images.meta").write_text("c 1 2\n")
    assert {problem[1:3] for problem in problems(root)} == {
        (MASKS, 1),
        ("masks/train/other.png", None),
        (None, None),
        ("images/train/surplus.jpg", None),
    }
    added = set(problems(root, media=True)) - set(problems(root))
    assert {problem[:2] for problem in added} == {
        (True, "images/train/b.jpg"),
        (False, "images/test/c.png"),
    }


def test_pictures_are_not_missed_where_there_are_none(root):
    for path in (root / "images").rglob("*.*"):
        path.unlink()
    assert problems(root) == []


def test_exit_codes_and_output(root, capsys):
    assert main(["check", str(root), "-q"]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings\n"
    append(root, LABELS, "a,x,/m/0,0\n")
    assert main(["check", str(root), "-q"]) == 0
    assert main(["check", str(root), "-q", "--strict"]) == 1
    append(root, LABELS, "a,x,/m/0,x\n")
    capsys.readouterr()
    assert main(["check", str(root), "-q", "--limit", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"error: {LABELS}, row 5, column Confidence, image 'a': ")
    assert lines[1:] == ["1 errors, 1 warnings"]
    assert main(["check", str(root), "-q", "--format", "json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["errors"], data["warnings"]) == (1, 1)
    assert data["problems"][0]["row"] == 5 and data["problems"][0]["severity"] == "error"

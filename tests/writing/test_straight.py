"""Rows that are copied without objects in between are those that objects would be written as."""

from __future__ import annotations

import pickle
from itertools import islice
from pathlib import Path

import pytest
from datumaro.components.dataset import Dataset
from oi_files import BOX_HEADER, CLASSES, LABEL_HEADER, base_files, image_list, picture, write
from rich_data import bytes_below

from datumaro_openimages_plugin import OpenImagesExtractor
from datumaro_openimages_plugin.reading import item_maker
from datumaro_openimages_plugin.reading.item_maker import ItemMaker
from datumaro_openimages_plugin.writing import exporting, straight

ASSETS = Path(__file__).parents[2] / "assets"
TEST = (0, 3, 5, 7, 9, 20)  # the subset changes often at first, then seldom
IMAGES = [(f"{n:016x}", "test" if n in TEST else "train") for n in range(40)]


def plain() -> dict[str, str]:
    """Forty images of two subsets, with labels and boxes, and nothing else."""
    files = {"class-descriptions.csv": CLASSES, "image_ids_and_rotation.csv": image_list(*IMAGES)}
    files["images.meta"] = "".join(f"{name} 20 40\n" for name, _ in IMAGES)
    for subset in ("train", "test"):
        names = [name for name, of in IMAGES if of == subset]
        labels = "".join(
            f"{name},verification,/m/{n % 5},{n % 2}\n" for n, name in enumerate(names)
        )
        boxes = "".join(
            f"{name},xclick,/m/{n % 4},1,0.{n:03},0.9,0.25,0.5{n:04},0,1,-1,0,0\n" * (n % 3)
            for n, name in enumerate(names)
        )
        files[f"{subset}-annotations-human-imagelabels.csv"] = LABEL_HEADER + labels
        files[f"{subset}-annotations-bbox.csv"] = BOX_HEADER + boxes
    return files


BOXES = "train-annotations-bbox.csv"
LABELS = "train-annotations-human-imagelabels.csv"


def changed(name, change):
    return lambda files: {**files, name: change(files[name])}


def rows_changed(name, change):
    """Other rows below the same header."""
    return changed(name, lambda text: "".join((text.splitlines(True)[0], *change(text))))


def body(text):
    return text.splitlines(True)[1:]


CASES = {
    "plain": lambda files: files,
    "windows": lambda files: {n: t.replace("\n", "\r\n") for n, t in files.items()},
    "mixed line ends": changed(BOXES, lambda text: text.replace("\n", "\r\n", 5)),
    "no line end": changed(LABELS, lambda text: text.rstrip("\n")),
    "empty lines": changed(LABELS, lambda text: text.replace("\n", "\n\n")),
    "not sorted": rows_changed(BOXES, lambda text: sorted(body(text), key=lambda r: r[::-1])),
    "quoted ids": changed(LABELS, lambda text: text.replace(IMAGES[1][0], f'"{IMAGES[1][0]}"')),
    "further column": changed(
        BOXES, lambda text: text.replace("\n", ",more\n").replace("more", "Extra", 1)
    ),
    "short header": lambda files: {
        **files,
        BOXES: "".join(row.rsplit(",", 1)[0] + "\n" for row in files[BOXES].splitlines()),
    },
    "other order": lambda files: {
        **files,
        LABELS: "".join(
            ",".join(row.split(",")[::-1]) + "\n" for row in files[LABELS].splitlines()
        ),
    },
    "no confidence": lambda files: {
        **files,
        BOXES: "".join(
            ",".join(row.split(",")[:3] + row.split(",")[4:]) + "\n"
            for row in files[BOXES].splitlines()
        ),
    },
    "image of another subset": changed(
        BOXES, lambda text: text + body(text)[-1].replace("0", "7", 1)
    ),
    "unlisted image": changed(LABELS, lambda text: f"{text}zz,,/m/1,1\n"),
    "image of the other subset": changed(LABELS, lambda text: f"{text}{IMAGES[20][0]},,/m/1,1\n"),
    "sizes unknown": changed("images.meta", lambda text: "".join(text.splitlines(True)[9:])),
    "odd ids": lambda files: {
        n: t.replace(IMAGES[22][0], "é").replace(IMAGES[24][0], "c\\d") for n, t in files.items()
    },
    "labels with space": changed(LABELS, lambda text: text.replace("/m/1", " /m/1 ")),
    "class that no list has": changed(LABELS, lambda text: text.replace("/m/1", "/m/new")),
    "machine labels": lambda files: {
        **files,
        "train-annotations-machine-imagelabels.csv": files[LABELS].replace(",1\n", ",0.5\n"),
    },
    "a column twice": lambda files: {
        **files,
        LABELS: "".join(
            f"{row},a{n},b\n" for n, row in enumerate(files[LABELS].splitlines())
        ).replace("a0,b", "More,More"),
    },
    "columns of another file": lambda files: boxes_in_two_files(files),
    "no lists": lambda files: {n: t for n, t in files.items() if n != "image_ids_and_rotation.csv"},
    "no rows": lambda files: {**files, BOXES: BOX_HEADER, LABELS: LABEL_HEADER},
    "other kinds": lambda files: {**files, **base_files()},
}


def exported(root, path, **options):
    dataset = Dataset.import_from(str(root), "open_images", **options)
    dataset.export(str(path), "open_images")
    return bytes_below(path, ".")


@pytest.mark.parametrize("case", CASES)
def test_both_ways_give_the_same(case, tmp_path, monkeypatch):
    monkeypatch.setattr(straight, "_FEW", 4)
    monkeypatch.setattr(straight, "_ROWS", 20)
    monkeypatch.setattr(item_maker, "_BATCH", 15)
    root = write(tmp_path / "root", CASES[case](plain()))
    picture(root, f"train/{IMAGES[1][0]}.jpg", (20, 40))
    found = exported(root, tmp_path / "straight")
    monkeypatch.setattr(exporting, "goes_straight", lambda reader: False)
    expected = exported(root, tmp_path / "items")
    assert found.keys() == expected.keys()
    for name, data in expected.items():
        assert found[name] == data, name


@pytest.mark.parametrize(
    "options", [{"show_columns": True}, {"label_names": "display"}, {"max_images": 9}]
)
def test_options_of_the_import(options, tmp_path, monkeypatch):
    root = write(tmp_path / "root", plain())
    found = exported(root, tmp_path / "straight", **options)
    monkeypatch.setattr(exporting, "goes_straight", lambda reader: False)
    assert found == exported(root, tmp_path / "items", **options)


def test_no_object_is_made_of_what_nobody_has_looked_at(tmp_path, monkeypatch, caplog):
    root = write(tmp_path / "root", plain())
    picture(root, f"train/{IMAGES[1][0]}.jpg", (20, 40))
    monkeypatch.setattr(straight, "_FEW", 100)
    monkeypatch.setattr(ItemMaker, "make_batch", None)
    exported(root, tmp_path / "out")
    assert "39 of 40 images have no file in the dataset" in caplog.text
    assert len(OpenImagesExtractor(str(tmp_path / "out"))) == len(IMAGES)


def test_a_damaged_row_is_told(tmp_path):
    files = plain()
    files[BOXES] = files[BOXES].replace("xclick,/m/1,1,", "xclick,/m/1,x,", 1)
    root = write(tmp_path / "root", files)
    with pytest.raises(Exception, match="Confidence"):
        exported(root, tmp_path / "out")
    assert not (tmp_path / "out" / "annotations").exists()


class Halved(OpenImagesExtractor):
    """An extractor that gives other items than it has read."""

    def __iter__(self):
        return islice(super().__iter__(), 20)


def test_an_extractor_with_items_of_its_own_is_asked_for_them(tmp_path):
    root = write(tmp_path / "root", plain())
    Dataset.from_extractors(Halved(str(root))).export(str(tmp_path / "out"), "open_images")
    assert len(OpenImagesExtractor(str(tmp_path / "out"))) == 20


@pytest.mark.parametrize("is_pickled", [False, True])
def test_rows_with_a_column_twice_fit_their_header(is_pickled, tmp_path, caplog):
    root = write(tmp_path / "root", CASES["a column twice"](plain()))
    items = list(OpenImagesExtractor(str(root)))
    assert "test-" not in caplog.text
    assert f"{LABELS} has a column 'more' twice; an export keeps the last one" in caplog.text
    if is_pickled:
        items = pickle.loads(pickle.dumps(items))
    categories = OpenImagesExtractor(str(root)).categories()
    Dataset.from_iterable(items, categories=categories).export(str(tmp_path / "out"), "open_images")
    rows = (tmp_path / "out" / "annotations" / LABELS).read_text().splitlines()
    assert rows[0] == LABEL_HEADER.strip() + ",More"
    assert {row.count(",") for row in rows} == {4}
    assert all(row.endswith(",b") for row in rows[1:])


def boxes_in_two_files(files):
    """Boxes of the same images in the files of two subsets, of which one has a column more."""
    rows = body(files[BOXES])
    more = [BOX_HEADER.replace("\n", ",XClick1X\n")]
    more += [row.replace("\n", ",0.5\n") for row in rows[1::2]]
    other = "test-annotations-bbox.csv"
    return {**files, BOXES: BOX_HEADER + "".join(rows[::2]), other: "".join(more)}


@pytest.mark.parametrize("goes", [True, False], ids=["straight", "items"])
def test_rows_of_files_of_other_columns_fit_the_header(goes, tmp_path, monkeypatch):
    root = write(tmp_path / "root", boxes_in_two_files(plain()))
    if not goes:
        monkeypatch.setattr(exporting, "goes_straight", lambda reader: False)
    rows = exported(root, tmp_path / "out")[f"annotations/{BOXES}"].decode().splitlines()
    assert rows[0] == f"{BOX_HEADER.strip()},XClick1X"
    assert {row.rsplit(",", 1)[1] for row in rows[1:]} == {"-1", "0.5"}
    assert {row.count(",") for row in rows} == {13}

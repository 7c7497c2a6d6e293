"""A download from top to bottom, from a mirror on the loopback interface with a small dataset."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile

import cv2
import numpy as np
import pytest
from bad_server import bad_server
from datumaro.components.dataset import Dataset
from doc_examples import commands, run_command
from oi_files import BOX_HEADER, LABEL_HEADER, MASK_HEADER, image_list

from datumaro_openimages_plugin import cli, register
from datumaro_openimages_plugin.download import download as module
from datumaro_openimages_plugin.download import published
from datumaro_openimages_plugin.download.download import Choice, download
from datumaro_openimages_plugin.errors import OptionError

IDS = ("00aa", "0bbb", "1ccc", "fddd")
OI = "openimages"
TABLES = {
    f"{OI}/v7/oidv7-class-descriptions.csv": "LabelName,DisplayName\n"
    "/m/1,Cat\n/m/2,Dog\n/m/3,Tree\n",
    f"{OI}/h/bbox_labels_600_hierarchy.json": '{"LabelName": "/m/0"}',
    f"{OI}/i/validation-images-with-rotation.csv": image_list(
        *((name, "validation") for name in IDS)
    ),
    f"{OI}/b/validation-annotations-bbox.csv": BOX_HEADER
    + "00aa,xclick,/m/1,1,0.1,0.2,0.1,0.2,0,0,0,0,0\n"
    + "1ccc,xclick,/m/2,1,0.1,0.2,0.1,0.2,0,0,0,0,0\n",
    f"{OI}/l/oidv7-val-annotations-human-imagelabels.csv": LABEL_HEADER
    + "0bbb,verification,/m/1,0\nfddd,verification,/m/1,1\nfddd,verification,/m/3,1\n",
    f"{OI}/m/validation-annotations-object-segmentation.csv": MASK_HEADER
    + "00aa_m1_0.png,00aa,/m/1,0,0.1,0.2,0.1,0.2,,\n1ccc_m2_0.png,1ccc,/m/2,0,0.1,0.2,0.1,0.2,,\n",
}
KINDS = {
    "v7": "classes",
    "h": "hierarchy",
    "i": "images",
    "b": "boxes",
    "l": "labels",
    "m": "masks",
}


def picture(ext):
    done, data = cv2.imencode(ext, np.full((20, 20), 255, np.uint8))
    assert done
    return data.tobytes()


def mask_zip(*names):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, picture(".png"))
    return data.getvalue()


@pytest.fixture
def mirror(monkeypatch):
    files = {path: text.encode() for path, text in TABLES.items()}
    rows = [(KINDS[path.split("/")[1]], path) for path in files]
    for digit, names in {"0": ["00aa_m1_0.png"], "1": ["1ccc_m2_0.png"], "f": []}.items():
        path = f"{OI}/m/validation-masks/validation-masks-{digit}.zip"
        files[path] = mask_zip(*names)
        rows.append(("mask_archives", path))
    table = ["kind,subset,versions,bytes,checksum,path"]
    for kind, path in rows:
        subset = "" if kind in ("classes", "hierarchy") else "validation"
        checksum = "md5:" + hashlib.md5(files[path]).hexdigest()
        table.append(f"{kind},{subset},7,{len(files[path])},{checksum},{path}")
    monkeypatch.setattr(published, "_table", lambda: "\n".join(table))
    for name in IDS:
        files[f"open-images-dataset/validation/{name}.jpg"] = picture(".jpg")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with bad_server() as server:
        server.files = {f"/{path}": data for path, data in files.items()}
        yield server


def choice(*kinds, **more):
    return Choice(kinds=kinds, subsets=("validation",), **more)


def run(mirror, folder, chosen, **options):
    options = {"retries": 2, "timeout_s": 0.5, "pause_s": 0.01, **options}
    return download(chosen, str(folder), base_url=mirror.url, **options)


def pictures(folder):
    return sorted(path.stem for path in folder.glob("images/validation/*.jpg"))


def archives(folder):
    return sorted(path.stem[-1] for path in folder.glob("masks/*.zip"))


def imported(folder):
    register()
    return Dataset.import_from(str(folder), "open_images")


def test_tables_alone(mirror, tmp_path):
    found = run(mirror, tmp_path, choice("boxes"))
    assert (found.parts["tables"].new, found.failed) == (4, [])
    assert [item.id for item in imported(tmp_path)] == list(IDS)
    asked = {path.split("/")[2] for path, _ in mirror.requests}
    assert asked == {"v7", "h", "i", "b"}


def test_everything(mirror, tmp_path):
    found = run(mirror, tmp_path, choice("boxes", "labels", "masks", images=True))
    assert not found.failed
    assert (pictures(tmp_path), archives(tmp_path)) == (list(IDS), ["0", "1", "f"])
    item = imported(tmp_path).get("00aa", "validation")
    assert item.media.data.shape[:2] == (20, 20)
    (mask,) = [a for a in item.annotations if a.type.name == "mask"]
    assert mask.image.all()


def test_again_nothing_is_fetched_anew(mirror, tmp_path):
    everything = choice("boxes", "labels", "masks", images=True)
    run(mirror, tmp_path, everything)
    mirror.requests.clear()
    found = run(mirror, tmp_path, everything)
    assert not mirror.requests
    assert {what: part.there for what, part in found.parts.items()} == {
        "tables": 6,
        "mask archives": 3,
        "pictures": 4,
    }


@pytest.mark.parametrize(
    ("kinds", "classes", "expected"),
    [
        (("boxes", "masks"), ("Cat",), (["00aa"], ["0"])),
        (("boxes", "masks"), ("/m/2",), (["1ccc"], ["1"])),
        # 0bbb is verified not to have one.
        (("boxes", "labels", "masks"), ("Cat",), (["00aa", "fddd"], ["0"])),
        (("boxes", "labels", "masks"), ("Tree", "Dog"), (["1ccc", "fddd"], ["1"])),
    ],
)
def test_images_and_archives_of_classes(mirror, tmp_path, kinds, classes, expected):
    found = run(mirror, tmp_path, choice(*kinds, images=True, classes=classes))
    assert not found.failed
    assert (pictures(tmp_path), archives(tmp_path)) == expected


def test_images_of_ids(mirror, tmp_path):
    found = run(mirror, tmp_path, choice("masks", images=True, ids=("1ccc", "0bbb", "ffff")))
    assert (pictures(tmp_path), archives(tmp_path)) == (["0bbb", "1ccc"], ["1"])
    assert found.unknown_ids == ("ffff",)


def test_ids_and_classes_both_narrow(mirror, tmp_path):
    run(
        mirror, tmp_path, choice("boxes", images=True, ids=("1ccc", "0bbb"), classes=("Dog", "Cat"))
    )
    assert pictures(tmp_path) == ["1ccc"]


def test_the_first_images(mirror, tmp_path):
    run(mirror, tmp_path, choice("boxes", images=True, most_images=2))
    assert pictures(tmp_path) == ["00aa", "0bbb"]


def test_what_cannot_be_had_is_told_and_the_rest_comes(mirror, tmp_path):
    gone = "/open-images-dataset/validation/0bbb.jpg"
    mirror.always[gone] = 404
    mirror.files["/open-images-dataset/validation/1ccc.jpg"] = b"<html>come back later</html>"
    for path in list(mirror.files)[::2]:
        mirror.faults[path] = ["hang up", 503]
    found = run(mirror, tmp_path, choice("boxes", "masks", images=True))
    assert pictures(tmp_path) == ["00aa", "fddd"]
    assert sorted((e.file, e.message) for _, e in found.failed) == [
        (mirror.url + gone, "is not there"),
        (mirror.url + gone.replace("0bbb", "1ccc"), "what came is another kind of file"),
    ]


def test_without_a_table_no_images_are_chosen(mirror, tmp_path):
    mirror.always[f"/{OI}/b/validation-annotations-bbox.csv"] = 403
    found = run(mirror, tmp_path, choice("boxes", images=True, classes=("Cat",)))
    assert len(found.failed) == 1
    assert not pictures(tmp_path)


def test_ids_that_would_leave_the_folder(mirror, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"hexadecimal digits \(found '\.\./x'\)"):
        run(mirror, tmp_path, choice("boxes", images=True, ids=("../x",)))
    path = f"/{OI}/i/validation-images-with-rotation.csv"
    hostile = mirror.files[path].replace(b"fddd", b"/../")
    mirror.files[path] = hostile
    table = published._table().splitlines()
    changed = [re.sub(r",\d+,md5:\w+", ",,", row) if path[1:] in row else row for row in table]
    monkeypatch.setattr(published, "_table", lambda: "\n".join(changed))
    with pytest.raises(OptionError, match="hexadecimal digits"):
        run(mirror, tmp_path / "other", choice("boxes", images=True))


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (choice("faces"), "kinds are labels, machine_labels"),
        (choice(), "at least one of the kinds"),
        (Choice(("boxes",), ("val",)), "subsets are train, validation, test"),
        (choice("boxes", version="4"), "versions are 5, 6, 7"),
        (choice("points"), "version 7 has no points"),  # of the small table
        (choice("boxes", classes=("Cow",)), "no class list has these classes"),
    ],
)
def test_unknown_names(mirror, tmp_path, chosen, message):
    with pytest.raises(OptionError, match=message):
        run(mirror, tmp_path, chosen)


# The command


def command(mirror, folder, *arguments):
    start = ["download", str(folder), "-q", "--base-url", mirror.url, "--timeout", "0.5"]
    return cli.main([*start, "--subsets", "validation", *arguments])


def test_the_command(mirror, tmp_path, capsys):
    (tmp_path / "ids.txt").write_text("1ccc\n\n00aa\n")
    arguments = ["--kinds", "boxes", "labels", "--images", "--ids", str(tmp_path / "ids.txt")]
    assert command(mirror, tmp_path / "oi", *arguments) == 0
    assert capsys.readouterr().out == (
        "tables: 5 fetched, 0 there already\npictures: 2 fetched, 0 there already\n"
    )
    assert pictures(tmp_path / "oi") == ["00aa", "1ccc"]


def test_the_command_says_what_failed(mirror, tmp_path, capsys):
    mirror.always["/open-images-dataset/validation/1ccc.jpg"] = 404
    (tmp_path / "ids.txt").write_text("1ccc\nabcd\n")
    arguments = ["--kinds", "boxes", "--images", "--ids", str(tmp_path / "ids.txt")]
    assert command(mirror, tmp_path / "oi", *arguments) == 1
    text = capsys.readouterr().out
    assert f"not to be had: {mirror.url}/open-images-dataset/validation/1ccc.jpg: is not" in text
    assert "in no image list: abcd" in text


def test_a_list_connects_to_nothing(mirror, tmp_path, capsys):
    assert command(mirror, tmp_path / "oi", "--kinds", "boxes", "masks", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 5 + 3
    assert any(
        line.endswith(f"{mirror.url}/{OI}/b/validation-annotations-bbox.csv") for line in lines
    )
    assert not mirror.requests and not (tmp_path / "oi").exists()


@pytest.mark.parametrize(
    "url",
    [
        *("nonsense", "", "ftp://host/x", "file:///x", "http://", "http://h:port", "http://["),
        *("/a/b", "//host", "http://h/x?y", "http://h/#x"),
    ],
)
@pytest.mark.parametrize("arguments", [(), ("--list",)])
def test_a_mirror_that_is_none(url, arguments, mirror, tmp_path, capsys):
    assert command(mirror, tmp_path / "oi", "--kinds", "boxes", "--base-url", url, *arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("datum-openimages download: the base URL is no address of a server")
    assert not said.out and not (tmp_path / "oi").exists()


def test_a_file_of_ids_that_is_no_text(mirror, tmp_path, capsys):
    path = tmp_path / "ids.png"
    path.write_bytes(b"\x89PNG\xff")
    assert command(mirror, tmp_path / "oi", "--kinds", "boxes", "--ids", str(path)) == 2
    assert "ids.png: is no text of ids, one a line" in capsys.readouterr().err


# The table of published files


def test_the_table_is_sound():
    files = published.published_files()
    assert len({file.path for file in files}) == len(files)
    kinds = {*published.KINDS, "images", "more_images", "classes", "hierarchy", "mask_archives"}
    for file in files:
        assert file.kind in kinds and file.subset in (None, *published.SUBSETS)
        assert file.versions and set(file.versions) <= {*published.VERSIONS}
        assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum)
        assert (file.size is None) == (not file.checksum)
        assert ".." not in file.path and not file.path.startswith("/")


def test_the_table_has_every_mask_archive():
    archives = [f for f in published.published_files() if f.kind == "mask_archives"]
    assert {(f.subset, f.path[-5]) for f in archives} == {
        (subset, digit) for subset in published.SUBSETS for digit in "0123456789abcdef"
    }
    assert len(archives) == 48


def test_what_the_import_makes_of_every_published_table():
    """Each table has a name that the import knows, with the subset that the table says."""
    from datumaro_openimages_plugin.files.names import recognise
    from datumaro_openimages_plugin.kinds import KINDS_BY_NAME

    for file in published.published_files():
        found = recognise(file.target)
        if file.kind not in (*KINDS_BY_NAME, "images", "more_images", "classes", "hierarchy"):
            continue
        if file.subset is None and file.kind in KINDS_BY_NAME:  # lists of its words
            continue
        assert found is not None, file.target
        assert found.subset == file.subset, file.target


def test_addresses(monkeypatch):
    assert published.image_url("00aa", "train", None) == (
        "https://open-images-dataset.s3.amazonaws.com/train/00aa.jpg"
    )
    (table,) = [w for w in module.planned(choice("boxes"), "oi") if "bbox.csv" in w.url]
    assert table.url == (
        "https://storage.googleapis.com/openimages/v5/validation-annotations-bbox.csv"
    )
    assert table.size == 25105048


def test_the_examples_of_the_page(mirror, tmp_path, monkeypatch, capsys):
    found = commands("docs/download.md", "download")
    assert len(found) == 4
    for arguments in found:
        # What the page shows is understood; nothing but the loopback interface is connected to.
        assert run_command([*arguments, "--list"], monkeypatch) == 0
    text = capsys.readouterr().out
    assert "openimages/b/validation-annotations-bbox.csv" in text
    monkeypatch.setattr("datumaro_openimages_plugin.download.download.ANNOTATIONS_URL", mirror.url)
    monkeypatch.setattr(published, "IMAGES_URL", f"{mirror.url}/open-images-dataset")
    monkeypatch.chdir(tmp_path)
    arguments = [value.replace("Traffic light", "Tree") for value in found[1]]
    assert cli.main([*arguments, "-q"]) == 0
    assert pictures(tmp_path / "oi") == ["00aa"]

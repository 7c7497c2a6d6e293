"""Every command of `datum` that takes a format takes ours."""

from __future__ import annotations

import argparse
import json
import logging
import pickle
import shutil
from pathlib import Path

import pytest
from datumaro.cli import __main__ as cli
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment
from datumaro.components.errors import DatasetNotFoundError

from datumaro_openimages_plugin.plugin import OpenImagesExtractor

ASSETS = Path(__file__).parents[1] / "assets"
#: The built-in does not know the name of this dataset's list of training images.
V7 = str(ASSETS / "open_images_v7")
ONLY_OURS_READS = "1f2e3d4c5b6a7988"
#: The built-in does not give this name to what it writes.
ONLY_OURS_WRITES = "annotations/train-image_ids_and_rotation.csv"

#: Commands that read or write datasets of a format, and so are tested here.
TESTED = {
    *("add", "compare", "convert", "detect", "detect-format", "diff", "dinfo", "export"),
    *("filter", "format", "import", "info", "merge", "patch", "stats", "transform", "validate"),
}
#: Commands that take no dataset of ours: of projects and models, of other sources of data.
NOT_OURS = {
    *("checkout", "commit", "create", "log", "remove", "status", "model", "project", "source"),
    *("describe-downloads", "download", "explain", "explore", "generate", "prune", "util"),
}


def known_commands() -> set[str]:
    actions = cli.make_parser()._actions
    (commands,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    return set(commands.choices)


KNOWN = known_commands()


def only(*commands: str):
    """Marks a test for a command that one generation of Datumaro lacks."""
    return pytest.mark.skipif(
        not KNOWN & set(commands), reason=f"this Datumaro has no `datum {commands[0]}`"
    )


@pytest.fixture
def datum(capsys):
    """Runs `datum` and gives what it printed."""
    level, handlers = logging.root.level, list(logging.root.handlers)

    def run(*arguments: str) -> str:
        assert cli.main(["--loglevel", "error", *arguments]) == 0
        return capsys.readouterr().out

    yield run
    logging.root.setLevel(level)
    logging.root.handlers[:] = handlers


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """Several commands write files beside what they are asked for."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ids_in_coco(folder: Path) -> set[str]:
    found = set()
    for path in (folder / "annotations").glob("*.json"):
        found |= {
            image["file_name"].rpartition(".")[0]
            for image in json.loads(path.read_text())["images"]
        }
    return found


def ids_of(folder: Path | str) -> list[str]:
    return [item.id for item in OpenImagesExtractor(str(folder))]


def test_every_command_is_thought_of():
    assert KNOWN <= TESTED | NOT_OURS, "say of a new command whether it takes a format"


def test_convert_from_ours(datum, in_tmp):
    datum("convert", "-if", "open_images", "-i", V7, "-f", "coco", "-o", "coco")
    assert ONLY_OURS_READS in ids_in_coco(in_tmp / "coco")


def test_convert_detects_ours(datum, in_tmp):
    datum("convert", "-i", V7, "-f", "coco", "-o", "coco")
    assert ONLY_OURS_READS in ids_in_coco(in_tmp / "coco")


def test_convert_to_ours(datum, in_tmp):
    # By another format: early versions of Datumaro 1.x refuse to convert a format into itself.
    between = ("-f", "datumaro", "-o", "between", "--", "--save-media")
    datum("convert", "-if", "open_images", "-i", V7, *between)
    options = ("--names", "published", "--zip")
    datum("convert", "-i", "between", "-f", "open_images", "-o", "out", "--", *options)
    assert ids_of("out/out.zip") == ids_of(V7)


@only("detect", "detect-format")
@pytest.mark.parametrize("name", ["open_images_v7", "cvat_layout"])
def test_detect(name, datum, in_tmp):
    command = "detect" if "detect" in KNOWN else "detect-format"
    datum(command, "--json-report", "report.json", str(ASSETS / name))
    report = json.loads((in_tmp / "report.json").read_text())
    assert report["detected_formats"] == ["open_images"]


@only("dinfo", "info")
def test_info(datum):
    printed = datum("dinfo" if "dinfo" in KNOWN else "info", f"{V7}:open_images")
    assert "length: 8" in printed


@only("compare", "diff")
def test_compare(datum, in_tmp):
    command = "compare" if "compare" in KNOWN else "diff"
    datum(command, "-m", "equality", "-o", "diff", f"{V7}:open_images", f"{V7}:open_images")
    (report,) = (in_tmp / "diff").rglob("*.json")
    found = json.loads(report.read_text())
    assert not found["mismatches"] and not found["a_extra_items"]


def test_filter(datum, in_tmp):
    arguments = ("-e", f'/item[id="{ONLY_OURS_READS}"]', "-o", "out", f"{V7}:open_images")
    datum("filter", *arguments)
    assert ids_of("out") == [ONLY_OURS_READS]


def test_transform(datum, in_tmp):
    datum("transform", "-t", "rename", "-o", "out", f"{V7}:open_images", "--", "-e", "|^|new-|")
    assert ids_of("out") == [f"new-{name}" for name in ids_of(V7)]


def test_merge(datum, in_tmp):
    # Datumaro merges no captions of datasets that have other labels.
    without_captions = shutil.ignore_patterns("*.jsonl")
    shutil.copytree(V7, in_tmp / "v7", ignore=without_captions)
    sources = [f"{path}:open_images" for path in (ASSETS / "cvat_layout", "v7")]
    datum("merge", "-f", "open_images", "-o", "out", *sources)
    assert set(ids_of("out")) == {*ids_of(V7), *ids_of(ASSETS / "cvat_layout")}
    assert (in_tmp / "out" / ONLY_OURS_WRITES).is_file()


def test_patch(datum, in_tmp):
    datum("filter", "-e", "/item[subset!='test']", "-o", "some", f"{V7}:open_images")
    datum("patch", "-o", "out", "some:open_images", f"{V7}:open_images")
    assert set(ids_of("out")) == set(ids_of(V7))


def test_stats(datum, in_tmp):
    datum("stats", "--image-stats", "no", f"{V7}:open_images")
    (report,) = in_tmp.glob("statistics*.json")
    assert json.loads(report.read_text())["annotations count"] == sum(
        len(item.annotations) for item in OpenImagesExtractor(V7)
    )


def test_validate(datum, in_tmp):
    datum("validate", "-t", "detection", f"{ASSETS / 'cvat_layout'}:open_images")
    (report,) = in_tmp.glob("*.json")
    counts = json.loads(report.read_text())["statistics"]["label_distribution"]["defined_labels"]
    assert sum(counts.values()) == 11  # its boxes


@only("format")
def test_format(datum):
    lists = [datum("format", option) for option in ("--list-import", "--list-export")]
    assert all("open_images" in text for text in lists)


@only("add", "import")
@pytest.mark.parametrize("command", ["add", "import"])
def test_projects(command, datum, in_tmp):
    for module in ("dvc", "git"):
        pytest.importorskip(module, reason="projects need datumaro[default]")
    datum("create")
    # `add` takes a folder inside of the project, `import` copies one into it.
    source = V7 if command == "import" else shutil.copytree(V7, "oi")
    datum(command, "-f", "open_images", source)
    datum("export", "-f", "open_images", "-o", "out")
    assert set(ids_of("out")) == set(ids_of(V7))
    assert (in_tmp / "out" / ONLY_OURS_WRITES).is_file()


def test_help_of_the_export_is_ours(datum, capsys):
    with pytest.raises(SystemExit) as stop:
        datum("convert", "-i", V7, "-f", "open_images", "--", "--help")
    assert stop.value.code == 0
    assert "--names" in capsys.readouterr().out


def test_the_class_in_use_is_ours():
    assert Environment().extractors["open_images"] is OpenImagesExtractor


# Datasets that are not there


@pytest.mark.parametrize("format", ["open_images", "open_images_coco"])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("nowhere", "there is no such folder or zip"),
        ("folder", "no file here has a name that Open Images uses; give the folder that holds the"),
        ("note.txt", "is neither a folder nor a zip"),
        ("damaged.zip", "not a readable zip, perhaps cut short"),
    ],
)
def test_a_wrong_path_is_told_in_one_line(wrong, reason, format, in_tmp, caplog):
    (in_tmp / "folder").mkdir()
    for name in ("note.txt", "folder/note.txt", "damaged.zip"):
        (in_tmp / name).write_text("note")
    assert cli.main(["convert", "-if", format, "-i", wrong, "-f", "coco", "-o", "out"]) == 1
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert f"{wrong}: {reason}" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_wrong_path_in_python(in_tmp):
    with pytest.raises(DatasetNotFoundError) as caught:
        Dataset.import_from("nowhere", "open_images")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.path) == ("nowhere: there is no such folder or zip", "nowhere")
    assert "no such folder" in repr(again) and len({again, caught.value, again}) == 2


# Damaged files


def told(capsys, root: Path) -> str:
    """What `datum convert` says of a dataset that it refuses."""
    with pytest.raises(BaseException) as caught:  # 0.3.1 and 1.x end differently
        code = cli.main(["convert", "-if", "open_images", "-i", str(root), "-f", "coco"])
        raise SystemExit(code)
    assert str(caught.value) != "0"
    said = capsys.readouterr().err
    chain, error = "", caught.value
    while error is not None:
        chain += f"\n{error}"
        error = error.__cause__
    return said + chain


@pytest.fixture
def damaged(in_tmp):
    shutil.copytree(V7, in_tmp / "damaged")
    return in_tmp / "damaged" / "annotations/oidv6-train-annotations-bbox.csv"


def test_a_damaged_row_is_told_in_one_line(damaged, capsys, caplog):
    damaged.write_text(damaged.read_text().replace("0.166667", "wide", 1))
    text = told(capsys, damaged.parents[1]) + caplog.text
    assert "row 1, column XMin, image '0a1b2c3d4e5f6071': is not a number" in text
    assert "Traceback" not in text


def test_a_damaged_file_is_told_with_what_to_do(damaged, capsys, caplog):
    damaged.write_text("")
    text = told(capsys, damaged.parents[1]) + caplog.text
    assert f"{damaged.name}: the file is empty; a header row is needed" in text

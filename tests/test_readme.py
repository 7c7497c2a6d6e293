"""The README runs, and what its tables say is what the code has."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from datumaro.components.dataset import Dataset
from doc_examples import ROOT, blocks

from datumaro_openimages_plugin import cli, declared
from datumaro_openimages_plugin._host import Exporter
from datumaro_openimages_plugin.files.layout import NAMES
from datumaro_openimages_plugin.files.names import recognise
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor
from datumaro_openimages_plugin.reading.choice import Choice

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]


def marked_command(mark: str) -> str:
    """The one line of shell under an invisible mark."""
    (command,) = re.findall(rf"^<!-- {mark} -->\n```sh\n(.+)\n```$", README, re.MULTILINE)
    return command


def table(first: str) -> dict[str, str]:
    """Rows of the table whose head begins with ``first``: first cell -> the others."""
    body = README.split(f"| {first} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    rows = [re.split(r"(?<!\\)\|", line.strip("|")) for line in body]
    return {row[0].strip(): "|".join(row[1:]) for row in rows}


def in_code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def names_in(first: str) -> set[str]:
    """Everything in code letters in the first column of a table."""
    return {name for cell in table(first) for name in in_code(cell)}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the assets, as a clone has them."""
    shutil.copytree(ROOT / "assets", tmp_path / "assets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Commands and examples


def test_the_first_command_does_its_main_job(clone):
    venv, install, convert = marked_command("main").split(" && ")
    assert venv == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install '.[cli]'"
    program, *arguments = shlex.split(convert)
    assert program == ".venv/bin/datum"
    # The venv is the one that the tests run in.
    datum = Path(sys.executable).parent / "datum"
    command = [str(datum), *arguments]
    if not datum.exists():
        command = [sys.executable, "-m", "datumaro.cli", *arguments]
    subprocess.run(command, check=True, cwd=clone, capture_output=True)
    found = json.loads((clone / "coco/annotations/instances_train.json").read_text())
    names = {image["file_name"] for image in found["images"]}
    assert names == {"balls.jpg", "cat, asleep.jpg", "empty.jpg", "park/walk.jpg"}
    assert {c["name"] for c in found["categories"]} >= {"Cat", "Dog", "Person"}
    boxes = (clone / "assets/cvat_layout/annotations/train-annotations-bbox.csv").read_text()
    assert len(found["annotations"]) == len(boxes.splitlines()) - 1
    assert {path.name for path in (clone / "coco/images/train").rglob("*.jpg")} == {
        name.rpartition("/")[2] for name in names
    }


def test_the_second_command_is_what_ci_runs_and_tox_wants():
    venv, install, tox = marked_command("test").split(" && ")
    assert venv == "python3 -m venv .venv" and tox == ".venv/bin/tox"
    wanted = re.findall(r"^    (tox>=.+)$", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    assert shlex.split(install) == [".venv/bin/pip", "install", *wanted]
    assert "<!-- test -->" in (ROOT / ".ci/run").read_text()


def test_the_python_runs(clone, registered):
    for code in blocks("README.md", "python"):
        exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    dataset = Dataset.import_from(str(clone / "split"), "open_images")
    assert set(dataset.subsets()) == {"train", "test"} and len(dataset) == 8
    assert len(list((clone / "split/images").rglob("*.jpg"))) == 7


def test_no_command_is_left_untried():
    """Whoever adds an example to the README adds its test here."""
    marked = {marked_command("main"), marked_command("test")}
    assert {line for block in blocks("README.md", "sh") for line in block.splitlines()} == marked


# Tables


def options_of(plugin) -> set[str]:
    actions = plugin.build_cmdline_parser()._actions
    return {option for a in actions for option in a.option_strings if option.startswith("--")}


def test_options_of_the_export():
    told = {text.split()[0]: text for text in names_in("option")}
    of_the_host = options_of(Exporter)
    assert set(told) - of_the_host == options_of(OpenImagesExporter) - of_the_host
    assert set(told) & of_the_host == of_the_host - {"--help", "--save-images"}
    choices = told["--names"].split()[1].replace("\\", "")
    assert choices.split("|") == list(NAMES)


def test_arguments_of_the_import():
    told = names_in('argument of `Dataset.import_from(path, "open_images", …)`')
    told = {text.partition("=")[0] for text in told if "(" not in text}
    parameters = inspect.signature(OpenImagesExtractor).parameters
    of_datumaro = {"path", "stream", "ctx", "merge_policy", "choice"}
    assert told <= set(parameters) | set(Choice.__dataclass_fields__)
    assert set(parameters) - of_datumaro <= told
    choosing = (ROOT / "docs/choosing.md").read_text(encoding="utf-8")
    for name in Choice.__dataclass_fields__:
        assert re.search(rf"`{name}\b", choosing), name


def test_environment_variables():
    code = "".join(p.read_text() for p in (ROOT / "datumaro_openimages_plugin").rglob("*.py"))
    rows = [line for page in PAGES for line in (ROOT / page).read_text().splitlines()]
    told = re.findall(r"^\| `(DATUMARO_OPENIMAGES_[A-Z_]+)", "\n".join(rows), re.MULTILINE)
    assert set(told) == set(re.findall(r"\bDATUMARO_OPENIMAGES_[A-Z_]+", code))


def plugins_named(kind: str) -> set[str]:
    plugins = [EntryPoint.load(entry_point) for entry_point in declared._OWN]
    return {plugin.NAME for plugin in plugins if declared.kind_of(plugin) == kind}


def test_transforms():
    assert names_in("transform") == plugins_named("Transform")


def test_formats_to_convert_from():
    assert names_in("`-if`") - {"-if"} == plugins_named("Importer") - {"open_images"}


def test_commands_of_ours():
    told = re.findall(r"^- `((?!datum )[a-z-]+) [^`]*` ", README, re.MULTILINE)
    assert told == list(cli.COMMANDS)


def test_files_that_are_read_are_recognised():
    """Names are given as `…-rest.csv`, with `…` or `<subset>` for what comes before."""
    files = {name for cells in table("kind").values() for name in in_code(cells.split("|")[0])}
    tables = {name for name in files if name.endswith((".csv", ".jsonl", ".json", ".meta"))}
    assert len(tables) > 10
    for name in tables:
        filled = re.sub("^(…|<subset>)", "train", name)
        assert recognise(f"annotations/{filled}") is not None, name


# Links


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            assert (ROOT / page).parent.joinpath(target).exists(), target

"""The pages of the documentation: what they say to run runs, and their links lead somewhere.

Commands run in one process from a folder that has what the pages name: a dataset, a download of
FiftyOne, a zip from CVAT, predictions.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from datumaro.cli.__main__ import main as datum
from datumaro.components.environment import Environment

from datumaro_openimages_plugin import cli

pytestmark = pytest.mark.usefixtures("registered")

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"
DOCS = ROOT / "docs"
PAGES = ("recipes", "command", "other_formats", "migrating", "api")
_BLOCK = re.compile(
    r"(?:<!-- needs (?P<format>\w+) -->\n)?^```(?P<language>sh|python)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def fiftyone(root: Path) -> None:
    """The validation subset as FiftyOne lays it out."""
    source, target = ASSETS / "open_images_v7", root / "validation"
    names = {
        "validation-annotations-bbox.csv": "labels/detections.csv",
        "validation-annotations-object-segmentation.csv": "labels/segmentations.csv",
        "oidv7-val-annotations-human-imagelabels.csv": "labels/classifications.csv",
        "oidv7-class-descriptions.csv": "metadata/classes.csv",
        "bbox_labels_600_hierarchy.json": "metadata/hierarchy.json",
        "validation-images-with-rotation.csv": "metadata/image_ids.csv",
    }
    for old, new in names.items():
        (target / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / "annotations" / old, target / new)
    shutil.copytree(source / "images/validation", target / "data")
    for mask in (source / "masks/validation").iterdir():
        folder = target / "labels/masks" / mask.name[0].upper()
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mask, folder / mask.name)


def predictions(path: Path) -> None:
    """The validation boxes as predictions of the challenge."""
    columns = ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"]
    boxes = ASSETS / "open_images_v7/annotations/validation-annotations-bbox.csv"
    with open(boxes, newline="") as source, open(path, "w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["ImageID", "LabelName", "Score", *columns[2:]])
        for row in csv.DictReader(source):
            writer.writerow(
                [row["ImageID"], row["LabelName"], "0.9", *(row[c] for c in columns[2:])]
            )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("docs")
    shutil.copytree(ASSETS / "open_images_v7", root / "my_dataset")
    shutil.copytree(ASSETS, root / "assets", ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    shutil.make_archive(str(root / "task"), "zip", ASSETS / "cvat_layout")
    fiftyone(root / "fiftyone/open-images-v7")
    predictions(root / "predictions.csv")
    return root


def run_shell(code: str) -> None:
    for line in code.splitlines():
        program, *arguments = shlex.split(line)
        run = {"datum": datum, "datum-openimages": cli.main}[program]
        output = io.StringIO()
        if ">" in arguments:
            *arguments, _, target = arguments
        else:
            target = None
        with contextlib.redirect_stdout(output):
            assert run(arguments) == 0, line
        if target is not None:
            Path(target).write_text(output.getvalue())


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_runs(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    blocks = list(_BLOCK.finditer((DOCS / f"{page}.md").read_text(encoding="utf-8")))
    assert blocks
    namespace: dict[str, object] = {}
    for block in blocks:
        if block["format"] and block["format"] not in exporters():
            continue
        if block["language"] == "sh":
            run_shell(block["code"])
        else:
            exec(compile(block["code"], f"{page}.md", "exec"), namespace)


def exporters() -> set[str]:
    environment = Environment()
    return set(getattr(environment, "exporters", None) or environment.converters)


def test_every_command_is_on_its_page():
    text = (DOCS / "command.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE) == list(cli.COMMANDS)


def test_every_transform_is_on_its_page():
    text = (DOCS / "other_formats.md").read_text(encoding="utf-8")
    ours = {name for name in Environment().transforms if name.startswith("open_images_")}
    table = text[text.index("## All transforms") :]
    assert set(re.findall(r"^\| `(open_images_\w+)` \|", table, re.MULTILINE)) == ours


@pytest.mark.parametrize("path", sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")]), ids=str)
def test_links_lead_somewhere(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file) if file else path
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings]


def test_every_page_is_in_the_contents():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert pages == set(re.findall(r"^([a-z_]+)$", text, re.MULTILINE)) - {"index"}


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ("404 Client Error: Not Found for url: https://x", 1),
        ("Max retries exceeded (Failed to resolve 'x')", 0),
    ],
)
def test_only_answers_of_servers_break_links(info, code, tmp_path):
    link = {"filename": "a.md", "lineno": 1, "status": "broken", "uri": "https://x", "info": info}
    (tmp_path / "output.json").write_text(json.dumps(link) + "\n")
    script = [sys.executable, str(DOCS / "check_links.py"), str(tmp_path / "output.json")]
    assert subprocess.run(script, capture_output=True).returncode == code

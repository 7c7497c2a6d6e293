"""Every kind of annotation is complete: declared, read, written, shown, tested."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import golden
import pytest
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, save

from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.files.layout import NAMES, Layout
from datumaro_openimages_plugin.files.names import recognise
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.kinds._kind import Kind, Labels
from datumaro_openimages_plugin.plugin import OpenImagesExtractor
from datumaro_openimages_plugin.sources.archive import open_source

ROOT = Path(__file__).parents[1]
EVERY_KIND = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def sample_files(kind: Kind, dataset: str) -> list[str]:
    """The kind's files in a sample dataset."""
    files = DatasetFiles(open_source(str(golden.ASSETS / dataset)))
    return [file.name for file in files.best(kind.name)]


@EVERY_KIND
def test_columns_are_among_the_published_ones(kind):
    published = {name.casefold() for name in kind.fields}
    required = {column.name for column in kind.columns(Labels([])) if column.required}
    assert "ImageID" in required
    if kind.name == "narratives":
        published.add("imageid")  # their key is image_id
    assert {name.casefold() for name in required | set(kind.telling)} <= published


@EVERY_KIND
@pytest.mark.parametrize("subset", ["train", "validation", "test", "mine"])
@pytest.mark.parametrize("names", NAMES)
def test_exported_names_are_recognised(kind, names, subset):
    file = recognise(Layout(names).file(kind.name, subset))
    assert file is not None
    assert (file.kind, file.subset) == (kind.name, subset)


@EVERY_KIND
def test_a_sample_has_rows(kind):
    names = [(dataset, name) for dataset in golden.DATASETS for name in sample_files(kind, dataset)]
    assert any(
        len((golden.ASSETS / dataset / name).read_bytes().splitlines()) > 1
        for dataset, name in names
    )


@EVERY_KIND
def test_the_samples_are_read_as_before(kind):
    expected = (golden.FOLDER / f"{kind.name}.txt").read_text(encoding="utf-8")
    assert expected
    assert golden.golden_text(kind) == expected


@pytest.mark.parametrize(
    ("dataset", "names"), [("cvat_layout", "cvat"), ("open_images_v7", "published")]
)
def test_the_samples_come_back_byte_for_byte(dataset, names, tmp_path):
    every = [kind.name for kind in KINDS]
    extractor = OpenImagesExtractor(str(golden.ASSETS / dataset), kinds=every)
    out = save(Dataset.from_extractors(extractor), tmp_path / "out", names=names)
    found = bytes_below(out, ".")
    for kind in KINDS:
        for name in sample_files(kind, dataset):
            assert found[name] == (golden.ASSETS / dataset / name).read_bytes(), name


@EVERY_KIND
def test_the_readme_has_a_row(kind):
    name = kind.file_name.replace("{subset}", "…").replace("{val}", "…")
    rows = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert any(row.startswith("|") and f"`{name}`" in row for row in rows), name


@EVERY_KIND
def test_there_are_tests(kind):
    path = ROOT / "tests/kinds" / f"test_{kind.name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for what in ("there_and_back", "malformed"):
        assert any(name.startswith("test_") and what in name for name in names), what


def test_the_tree_in_contributing_is_true():
    """The package's modules and folders, and a folder's if any of it are told, each have a line."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tree = text.split("\n```\n", 2)[1].split("\ntests/", 1)[0]
    told, folder = {"": []}, ""
    for indent, name in re.findall(r"^(  |    )(\w+(?:\.py|/)) ", tree, re.MULTILINE):
        if indent == "  ":
            folder = name
        told.setdefault("" if indent == "  " else folder, []).append(name)
    assert len(told) > 5
    for folder, names in told.items():
        package = ROOT / "datumaro_openimages_plugin" / folder
        modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
        folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
        assert sorted(names) == sorted(modules | folders), folder

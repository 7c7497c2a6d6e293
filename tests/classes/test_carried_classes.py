"""Classes of several lists and of several imports, on their way into an export."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import oi_files
import pytest
from datumaro.components.dataset import Dataset
from rich_data import read, save

from datumaro_openimages_plugin.classes.carried_classes import merged_classes
from datumaro_openimages_plugin.classes.classes import ClassList
from datumaro_openimages_plugin.classes.hierarchy import hierarchy_from_json
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor

FULL = "annotations/oidv7-class-descriptions.csv"
BOXABLE = "annotations/class-descriptions-boxable.csv"
PLAIN = "annotations/class-descriptions.csv"


def tree(root: str, *edges: tuple[str, str, str]):
    """A hierarchy one level deep, or two where a parent is not the root."""

    def node(name: str) -> dict:
        found: dict = {"LabelName": name}
        for parent, child, kind in edges:
            if parent == name:
                found.setdefault(kind, []).append(node(child))
        return found

    return hierarchy_from_json(json.dumps(node(root)).encode(), file="tree.json")


def classes(*names: str, **options) -> ClassList:
    return ClassList(names, {name: f"name of {name}" for name in names}, **options)


def edges(found: ClassList | None) -> set[tuple[str, str, str]]:
    assert found is not None and found.hierarchy is not None
    return set(found.hierarchy.edges())


def test_no_import():
    assert merged_classes([]) is None


def test_one_import_stays_as_it_is():
    one = classes("a", "b", source=b"a,name of a\nb,name of b\n", others=(("x.csv", b"c,C\n"),))
    assert merged_classes([one]) == one


def test_equal_imports_keep_the_file():
    one = classes("a", "b", source=b"one")
    assert merged_classes([one, classes("b", "a", source=b"two")]) == one


def test_names_and_display_names_are_joined_and_the_first_counts():
    one = ClassList(("a", "b"), {"a": "A", "b": "B"}, source=b"one")
    two = ClassList(("c", "b"), {"c": "C", "b": "other", "d": "D"}, source=b"two")
    found = merged_classes([one, two])
    assert found is not None
    assert found.names == ("a", "b", "c") and found.source is None
    assert dict(found.display_names) == {"a": "A", "b": "B", "c": "C", "d": "D"}


def test_hierarchies_are_joined():
    one = tree("r", ("r", "a", "Subcategory"), ("a", "b", "Part"))
    two = tree("s", ("s", "c", "Subcategory"), ("s", "a", "Subcategory"), ("a", "b", "Subcategory"))
    found = merged_classes([classes("a", hierarchy=one), classes("c", hierarchy=two)])
    assert edges(found) == {
        ("r", "a", "Subcategory"),
        ("a", "b", "Part"),
        ("a", "b", "Subcategory"),
        ("r", "c", "Subcategory"),
    }


def test_a_hierarchy_that_has_all_edges_stays_as_it_is():
    one = tree("r", ("r", "a", "Subcategory"), ("a", "b", "Part"))
    for two in (one, tree("r", ("r", "a", "Subcategory"))):
        found = merged_classes([classes("a", hierarchy=one), classes("a", hierarchy=two)])
        assert found is not None and found.hierarchy is one


def test_hierarchies_that_contradict_each_other_end():
    one = tree("r", ("r", "a", "Subcategory"), ("a", "b", "Subcategory"))
    two = tree("r", ("r", "b", "Subcategory"), ("b", "a", "Subcategory"))
    found = edges(merged_classes([classes("a", hierarchy=one), classes("a", hierarchy=two)]))
    assert not {("a", "b", "Subcategory"), ("b", "a", "Subcategory")} <= found
    assert {child for _, child, _ in found} == {"a", "b"}


# Through files


def two_lists(root: Path) -> Path:
    """The boxable list and, as published with V7, all classes; and one that no list has."""
    files = oi_files.base_files()
    del files[PLAIN]
    files[FULL] = "LabelName,DisplayName\n/m/9,Nine\n" + oi_files.CLASSES
    files[BOXABLE] = "/m/2,Two\r\n/m/1,Uno\n"
    files["annotations/train-annotations-bbox.csv"] += "b,,/m/none,1,0,1,0,1,0,0,0,0,0\n"
    oi_files.write(root, files)
    oi_files.base_media(root)
    return root


def test_further_lists_come_back_in_the_published_layout(tmp_path):
    two_lists(tmp_path / "in")
    out = save(read(tmp_path / "in"), tmp_path / "out", names="published")
    assert (out / BOXABLE).read_bytes() == (tmp_path / "in" / BOXABLE).read_bytes()
    assert (out / FULL).read_text() == (tmp_path / "in" / FULL).read_text() + "/m/none,/m/none\n"
    again = save(read(out), tmp_path / "again", names="published")
    for name in (FULL, BOXABLE):
        assert (again / name).read_bytes() == (out / name).read_bytes()


@pytest.mark.parametrize("names", ["cvat", "datumaro", "published"])
def test_names_of_further_lists_are_kept_or_counted(names, tmp_path, caplog):
    files = oi_files.base_files()
    files[BOXABLE] = oi_files.CLASSES
    files[PLAIN] += "/m/7,Seven\n/m/8,Eight\n"
    oi_files.write(tmp_path / "in", files)
    caplog.set_level(logging.WARNING)
    out = save(read(tmp_path / "in"), tmp_path / "out", names=names)
    counted = [r.getMessage() for r in caplog.records if "names of classes" in r.getMessage()]
    text = "open_images cannot hold names of classes beside its labels: 2 not written"
    assert counted == ([] if names == "published" else [text])
    if names == "published":
        assert (out / PLAIN).read_text() == files[PLAIN]
    reread = read(out)
    assert [c.name for c in reread.categories()[next(iter(reread.categories()))]] == [
        f"/m/{i}" for i in range(5)
    ]


def test_saving_in_place_keeps_further_lists(tmp_path):
    root = two_lists(tmp_path / "in")
    before = (root / BOXABLE).read_bytes()
    dataset = read(root)
    dataset.transform("remap_labels", mapping={"/m/4": "/m/new"}, default="keep")
    dataset.export(str(root), OpenImagesExporter, save_media=True)
    assert (root / BOXABLE).read_bytes() == before
    assert "/m/new,/m/new" in (root / FULL).read_text().splitlines()


def test_two_imports_merged(tmp_path):
    """Classes, names and edges of both are there after a union of their labels."""
    for name, rows in {"one": "/m/a,Aye\n/m/b,Bee\n", "two": "/m/c,Sea\n/m/b,Bee\n"}.items():
        top = "/m/a" if name == "one" else "/m/c"
        part = {"LabelName": top, "Part": [{"LabelName": "/m/b"}]}
        oi_files.write(
            tmp_path / name,
            {
                PLAIN: rows,
                "annotations/bbox_labels_600_hierarchy.json": json.dumps(
                    {"LabelName": "/m/root", "Subcategory": [part]}
                ),
                f"annotations/{name}-annotations-human-imagelabels.csv": oi_files.LABEL_HEADER
                + f"{name},verification,/m/b,1\n{name},verification,{top},0\n",
            },
        )
    sources = [
        Dataset.from_extractors(OpenImagesExtractor(str(tmp_path / name)))
        for name in ("one", "two")
    ]
    out = save(union(*sources), tmp_path / "out")
    assert sorted((out / PLAIN).read_text().splitlines()) == ["/m/a,Aye", "/m/b,Bee", "/m/c,Sea"]
    written = (out / "annotations/bbox_labels_600_hierarchy.json").read_bytes()
    assert set(hierarchy_from_json(written, file="out").edges()) == {
        ("/m/root", "/m/a", "Subcategory"),
        ("/m/root", "/m/c", "Subcategory"),
        ("/m/a", "/m/b", "Part"),
        ("/m/c", "/m/b", "Part"),
    }


def union(*datasets: Dataset) -> Dataset:
    """The union of datasets and of their labels, where this Datumaro has it, else their labels'."""
    try:
        from datumaro.components.hl_ops import HLOps

        return HLOps.merge(*datasets, merge_policy="union")
    except ImportError:  # the 0.3 line merges by intersection alone
        names = dict.fromkeys(
            category.name for d in datasets for cats in d.categories().values() for category in cats
        )
        for dataset in datasets:
            dataset.transform("project_labels", dst_labels=list(names))
        return Dataset.from_extractors(*datasets)

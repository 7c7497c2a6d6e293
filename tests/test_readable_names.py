"""Labels by display name on request, and back to ids; ids that no list has; Datumaro's own list."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import oi_files
import pytest
from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset
from rich_data import bytes_below, read, rows, save

from datumaro_openimages_plugin.errors import FormatError, OptionError
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

CLASSES = '/m/0,Ball\n/m/1,"One, first"\n/m/2,Ball\n/m/3,Three\n/m/4,Ünïcödé\n'
HIERARCHY = {
    "LabelName": "/m/root",
    "Subcategory": [
        {
            "LabelName": "/m/0",
            "Subcategory": [{"LabelName": "/m/1"}],
            "Part": [{"LabelName": "/m/2"}],
        },
        {"LabelName": "/m/3", "Subcategory": [{"LabelName": "/m/1"}]},
    ],
}
LISTS = "annotations/class-descriptions.csv"
TREE = "annotations/bbox_labels_600_hierarchy.json"
SHOWN = ["Ball (/m/0)", "One, first", "Ball (/m/2)", "Three", "Ünïcödé", "/m/none"]
IDS = ["/m/0", "/m/1", "/m/2", "/m/3", "/m/4", "/m/none"]


@pytest.fixture
def root(tmp_path) -> Path:
    """Two classes share a name; one label of the boxes is in no list."""
    files = oi_files.base_files()
    files[LISTS] = CLASSES
    files[TREE] = json.dumps(HIERARCHY)
    files["annotations/train-annotations-bbox.csv"] += (
        "b,,/m/none,1,0,1,0,1,0,0,0,0,0\nb,,/m/2,1,0,1,0,1,0,0,0,0,0\n"
    )
    oi_files.write(tmp_path / "in", files)
    oi_files.base_media(tmp_path / "in")
    return tmp_path / "in"


def by_display(root: Path) -> Dataset:
    return Dataset.from_extractors(OpenImagesExtractor(str(root), label_names="display"))


def names(dataset: Dataset) -> list[str]:
    return [category.name for category in dataset.categories()[AnnotationType.label]]


def parents(dataset: Dataset) -> dict[str, str]:
    return {c.name: c.parent for c in dataset.categories()[AnnotationType.label] if c.parent}


def test_names_are_ids_by_default(root, caplog):
    dataset = read(root)
    assert names(dataset) == IDS
    assert parents(dataset) == {"/m/1": "/m/3"}
    (message,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert "1 labels are in no class list" in message and "/m/none" in message


def test_display_names(root):
    dataset = by_display(root)
    assert names(dataset) == SHOWN
    assert parents(dataset) == {"One, first": "Three"}
    box = dataset.get("b", "train").annotations[-1]
    assert names(dataset)[box.label] == "Ball (/m/2)"


def test_another_choice_is_refused(root):
    with pytest.raises(OptionError, match="label_names"):
        OpenImagesExtractor(str(root), label_names="mid")


@pytest.mark.parametrize("layout", ["cvat", "published"])
def test_an_export_takes_them_back_to_ids(layout, root, tmp_path):
    expected = save(read(root), tmp_path / "by id", names=layout)
    found = save(by_display(root), tmp_path / "by name", names=layout)
    assert bytes_below(found, ".") == bytes_below(expected, ".")
    assert (expected / TREE).read_bytes() == (root / TREE).read_bytes()


def test_a_label_that_no_list_has_is_listed_then(root, tmp_path):
    out = save(read(root), tmp_path / "out")
    assert (out / LISTS).read_text(encoding="utf-8") == CLASSES + "/m/none,/m/none\n"
    assert names(read(out)) == IDS
    assert len(list(rows(out, "bbox"))) == len(list(rows(root, "bbox")))


def test_without_any_list_labels_come_from_the_annotations(root, tmp_path):
    (root / LISTS).unlink()
    (root / TREE).unlink()
    dataset = read(root)
    assert sorted(names(dataset)) == ["/m/0", "/m/1", "/m/2", "/m/4", "/m/none"]
    out = save(dataset, tmp_path / "out")
    for kind in ("bbox", "human-imagelabels", "object-segmentation"):
        assert list(rows(out, kind)) == list(rows(root, kind))


@pytest.mark.parametrize("choice", ["id", "display"])
def test_labels_that_are_renamed_keep_their_new_names(choice, root, tmp_path):
    old = "/m/3" if choice == "id" else "Three"
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root), label_names=choice))
    dataset.transform("remap_labels", mapping={old: "mine"}, default="keep")
    out = save(dataset, tmp_path / "out")
    assert "mine,mine" in (out / LISTS).read_text(encoding="utf-8").splitlines()
    assert names(read(out)) == [{"/m/3": "mine"}.get(name, name) for name in IDS]


def test_labels_in_another_order(root, tmp_path):
    order = [SHOWN[i] for i in (5, 2, 0, 4, 1, 3)]
    dataset = by_display(root).transform("project_labels", dst_labels=order)
    out = save(dataset, tmp_path / "out")
    assert names(read(out)) == [IDS[i] for i in (5, 2, 0, 4, 1, 3)]
    assert names(by_display(out)) == order
    for kind in ("bbox", "human-imagelabels", "object-segmentation"):
        assert list(rows(out, kind)) == list(rows(root, kind))


def test_every_name_of_a_class_twice(tmp_path):
    """Also where a class is called what another one's name and id would be."""
    rows_of = ["/m/0,Ball", "/m/1,Ball", "/m/2,Ball (/m/0)", "/m/3,/m/0"]
    labels = "".join(f"a,,/m/{i},1\n" for i in range(4))
    oi_files.write(
        tmp_path / "in",
        {
            LISTS: "\n".join(rows_of) + "\n",
            "annotations/x-annotations-human-imagelabels.csv": oi_files.LABEL_HEADER + labels,
        },
    )
    dataset = by_display(tmp_path / "in")
    assert len(set(names(dataset))) == 4
    out = save(dataset, tmp_path / "out")
    assert names(read(out)) == ["/m/0", "/m/1", "/m/2", "/m/3"]
    assert (out / LISTS).read_text() == "\n".join(rows_of) + "\n"


# dataset_meta.json


ORDER = ["/m/4", "/m/2", "/m/1", "/m/0", "/m/3"]


@pytest.mark.parametrize(
    "meta",
    [{"labels": ORDER}, {"label_map": {str(i): name for i, name in enumerate(ORDER)}}],
    ids=["labels", "label_map"],
)
@pytest.mark.parametrize("choice", ["id", "display"])
def test_datumaros_own_list_goes_first(choice, meta, root, tmp_path):
    oi_files.write(root, {"dataset_meta.json": json.dumps(meta)})
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root), label_names=choice))
    shown = IDS if choice == "id" else SHOWN
    assert names(dataset) == [shown[IDS.index(name)] for name in (*ORDER, "/m/none")]
    assert parents(dataset) == {}
    out = save(dataset, tmp_path / "out", save_dataset_meta=True)
    assert json.loads((out / "dataset_meta.json").read_text())["labels"] is not None
    assert names(read(out)) == [*ORDER, "/m/none"]
    assert (out / TREE).read_bytes() == (root / TREE).read_bytes()
    text = (out / LISTS).read_text(encoding="utf-8")
    assert '/m/1,"One, first"' in text.splitlines()
    for kind in ("bbox", "human-imagelabels", "object-segmentation"):
        assert list(rows(out, kind)) == list(rows(root, kind))


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": [1]}', '{"labels": 5}', "\xff"])
def test_a_damaged_list_of_datumaro_is_named(text, root):
    (root / "dataset_meta.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=r"dataset_meta\.json"):
        read(root)


# Two datasets that call labels differently


def test_one_name_for_two_classes_is_reported(tmp_path, caplog):
    for number in (0, 1):
        oi_files.write(
            tmp_path / f"in{number}",
            {
                LISTS: f"/m/{number},Ball\n",
                f"annotations/s{number}-annotations-human-imagelabels.csv": oi_files.LABEL_HEADER
                + f"a{number},,/m/{number},1\n",
            },
        )
    merged = Dataset.from_extractors(
        *(OpenImagesExtractor(str(tmp_path / f"in{n}"), label_names="display") for n in (0, 1))
    )
    out = save(merged, tmp_path / "out")
    assert {row["LabelName"] for row in rows(out, "human-imagelabels")} == {"/m/0"}
    (message,) = [r.getMessage() for r in caplog.records if "label names stand" in r.getMessage()]
    assert message.startswith("1 label names")

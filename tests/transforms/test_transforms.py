"""Datumaro's transforms for Open Images, by name, as `datum` and the Python API use them."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import textwrap
from pathlib import Path

import oi_files
import pytest
from datumaro.components.annotation import AnnotationType, Label, LabelCategories
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment

from datumaro_openimages_plugin._host import CAN_STREAM, DatasetItem, Image
from datumaro_openimages_plugin.errors import OptionError

pytestmark = pytest.mark.usefixtures("registered")

ASSETS = Path(__file__).parents[2] / "assets"
V7 = ASSETS / "open_images_v7"
NAMES = (
    "open_images_crowds",
    "open_images_drop_boxes",
    "open_images_drop_negatives",
    "open_images_expand",
    "open_images_keep_classes",
    "open_images_names",
    "open_images_sizes",
)


def read(path: Path = V7) -> Dataset:
    return Dataset.import_from(str(path), "open_images")


def rows(folder: Path, pattern: str) -> list[dict[str, str]]:
    found = []
    for path in sorted((folder / "annotations").glob(pattern)):
        with open(path, encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    return found


def key(row: dict[str, str]) -> list[str]:
    """What a row says, whatever other columns its file has."""
    return [row["ImageID"], row["LabelName"], row.get("XMin", ""), row.get("MaskPath", "")]


def saved(dataset, path: Path) -> Path:
    dataset.export(str(path), "open_images")
    return path


def label_names(dataset) -> list[str]:
    return [label.name for label in dataset.categories()[AnnotationType.label]]


def items_of(dataset):
    return {item.id: item for item in dataset}


def labels_of(dataset, image_id: str, *, kind=AnnotationType.label) -> list:
    names = label_names(dataset)
    found = [a for a in items_of(dataset)[image_id].annotations if a.type is kind]
    return [(names[a.label], a.attributes["score"]) for a in found]


# Expanding


def official(value: dict) -> tuple[dict, dict]:
    """Label -> ancestors and descendants, by paths over the nested file."""
    above: dict[str, set] = {}
    below: dict[str, set] = {}

    def walk(node, path):
        name = node["LabelName"]
        above.setdefault(name, set()).update(path)
        for label in path:
            below.setdefault(label, set()).add(name)
        for part in node.get("Subcategory", []):
            walk(part, [*path, name] if node is not value else [])

    walk(value, [])
    return above, below


def test_rows_are_those_of_the_challenge_script(tmp_path):
    out = saved(read().transform("open_images_expand"), tmp_path / "out")
    above, below = official(
        json.loads((V7 / "annotations/bbox_labels_600_hierarchy.json").read_text())
    )
    for pattern in ("*-bbox.csv", "*human-imagelabels.csv"):
        expected = {}
        for row in rows(V7, pattern):
            name = row["LabelName"]
            absent = row["Confidence"] == "0"
            for label in [name, *((below if absent else above).get(name, ()))]:
                copy = {**row, "LabelName": label}
                # What is there already is not repeated, whatever its source is.
                key = {k: v for k, v in copy.items() if k != "Source" and "Click" not in k}
                expected.setdefault(json.dumps(key), copy)
        found = rows(out, pattern)
        keys = [
            json.dumps({k: v for k, v in row.items() if k != "Source" and "Click" not in k})
            for row in found
        ]
        assert sorted(keys) == sorted(expected)
        assert len(found) > len(rows(V7, pattern))


def test_clicks_and_sources_come_along_and_a_second_run_adds_nothing(tmp_path):
    dataset = read().transform("open_images_expand")
    out = saved(dataset, tmp_path / "out")
    cats = [row for row in rows(out, "*train-annotations-bbox.csv") if row["XMin"] == "0.076923"]
    assert [row.pop("LabelName") for row in cats] == ["/m/0zz02", "/m/0zz01"]
    assert cats[0] == cats[1] and cats[0]["Source"] == "xclick"
    again = saved(read(out).transform("open_images_expand"), tmp_path / "again")
    for pattern in ("*-bbox.csv", "*human-imagelabels.csv"):
        assert rows(again, pattern) == rows(out, pattern)


def test_masks_are_expanded_when_asked(tmp_path):
    plain = saved(read().transform("open_images_expand"), tmp_path / "plain")
    assert len(rows(plain, "*segmentation.csv")) == len(rows(V7, "*segmentation.csv"))
    dataset = read().transform("open_images_expand", kinds=["boxes", "masks"])
    item = items_of(dataset)["0badc0ffee123456"]
    names = label_names(dataset)
    groups = [
        {(names[a.label], a.group) for a in item.annotations if a.type is kind}
        for kind in (AnnotationType.mask, AnnotationType.bbox)
    ]
    assert {name for name, _ in groups[0]} == {"/m/0zz01", "/m/0zz02"}
    assert groups[0] <= groups[1]
    out = saved(dataset, tmp_path / "out")
    added = [row for row in rows(out, "*segmentation.csv") if row["LabelName"] == "/m/0zz01"]
    pictures = {path.name for path in (out / "masks").rglob("*.png")}
    assert added and {row["MaskPath"] for row in added} <= pictures
    assert len(rows(out, "*human-imagelabels.csv")) == len(rows(V7, "*human-imagelabels.csv"))


def test_without_hierarchy_nothing_is_added_and_that_is_said(tmp_path, caplog):
    oi_files.base(tmp_path / "set")
    dataset = read(tmp_path / "set").transform("open_images_expand")
    assert len(labels_of(dataset, "a")) == 2
    assert "no hierarchy" in caplog.text


def test_unknown_kinds_are_refused():
    with pytest.raises(OptionError, match="kinds must be one of"):
        list(read().transform("open_images_expand", kinds=["points"]))


# Dropping


def test_negative_labels_go_and_all_else_stays(tmp_path):
    out = saved(read().transform("open_images_drop_negatives"), tmp_path / "out")
    assert {row["Confidence"] for row in rows(out, "*human-imagelabels.csv")} == {"1"}
    positive = [row for row in rows(V7, "*human-imagelabels.csv") if row["Confidence"] == "1"]
    assert len(rows(out, "*human-imagelabels.csv")) == len(positive)
    assert len(rows(out, "*bbox.csv")) == len(rows(V7, "*bbox.csv"))


@pytest.mark.parametrize(
    ("score", "stays"),
    [
        (None, True),
        ("0", False),
        (0.0, False),
        ("x", True),
        pytest.param(10**400, True, id="huge"),
    ],
)
def test_scores_of_any_type(score, stays):
    attributes = {} if score is None else {"score": score}
    item = DatasetItem("a", annotations=[Label(0, attributes=attributes)])
    dataset = Dataset.from_iterable([item], categories=["x"])
    dataset.transform("open_images_drop_negatives")
    assert bool(items_of(dataset)["a"].annotations) is stays


@pytest.mark.parametrize(
    ("option", "column"),
    [
        ("group_of", "IsGroupOf"),
        ("depiction", "IsDepiction"),
        ("inside", "IsInside"),
        ("occluded", "IsOccluded"),
        ("truncated", "IsTruncated"),
    ],
)
def test_boxes_are_dropped_by_flag(option, column, tmp_path):
    out = saved(read().transform("open_images_drop_boxes", **{option: True}), tmp_path / "out")
    before, after = rows(V7, "*bbox.csv"), rows(out, "*bbox.csv")
    assert [row[column] for row in after].count("1") == 0
    assert len(before) - len(after) == [row[column] for row in before].count("1")


def test_masks_go_with_their_box(tmp_path):
    root = tmp_path / "set"
    oi_files.base(root)
    dataset = read(root).transform("open_images_drop_boxes", occluded=True)
    assert {a.type.name for a in items_of(dataset)["a"].annotations} == {"label", "bbox"}


def test_saying_nothing_is_refused():
    with pytest.raises(OptionError, match="say which boxes"):
        list(read().transform("open_images_drop_boxes"))


# Names


def test_display_names_and_back(tmp_path):
    dataset = read().transform("open_images_names")
    names = label_names(dataset)
    assert names[:3] == ["Animal", "Cat", "Dog"]
    assert {"Ball (/m/0zz07)", "Ball (/m/0zz08)"} <= set(names)
    parents = {c.name: c.parent for c in dataset.categories()[AnnotationType.label]}
    assert parents["Cat"] == "Animal"
    out = saved(dataset, tmp_path / "out")
    plain = saved(read(), tmp_path / "plain")
    assert len(list(out.rglob("*.csv"))) == len(list(plain.rglob("*.csv")))
    for path in plain.rglob("*.*"):
        assert (out / path.relative_to(plain)).read_bytes() == path.read_bytes(), path
    dataset = read().transform("open_images_names")
    dataset.transform("open_images_names", to="id")
    assert label_names(dataset) == label_names(read())


def test_names_of_a_dataset_imported_with_display_names():
    dataset = Dataset.import_from(str(V7), "open_images", label_names="display")
    assert label_names(dataset.transform("open_images_names", to="id")) == label_names(read())


def test_names_stay_where_none_are_known(caplog):
    dataset = Dataset.from_iterable([DatasetItem("a")], categories=["x"])
    assert label_names(dataset.transform("open_images_names")) == ["x"]
    assert "no display names" in caplog.text


def test_groups_of_labels_keep_their_members():
    labels = LabelCategories.from_iterable(["x", "y"])
    if not hasattr(labels, "label_groups"):
        pytest.skip("this Datumaro has no groups of labels")
    labels.add_label_group("g", ["x"], 0)
    dataset = Dataset.from_iterable(
        [DatasetItem("a")], categories={AnnotationType.label: labels}, media_type=Image
    )
    group = dataset.transform("open_images_names").categories()[AnnotationType.label].label_groups
    assert [(g.name, g.labels) for g in group] == [("g", ["x"])]


# Classes


def test_classes_with_descendants(tmp_path):
    dataset = read().transform("open_images_keep_classes", classes=["animal"])
    assert label_names(dataset) == ["/m/0zz01", "/m/0zz02", "/m/0zz03"]
    assert labels_of(dataset, "0a1b2c3d4e5f6071")[:2] == [("/m/0zz03", 1.0), ("/m/0zz02", 0.0)]
    assert len(dataset) == len(read())
    out = saved(dataset, tmp_path / "out")
    wanted = {"/m/0zz01", "/m/0zz02", "/m/0zz03"}
    for pattern in ("*bbox.csv", "*human-imagelabels.csv", "*segmentation.csv"):
        kept = [row for row in rows(V7, pattern) if row["LabelName"] in wanted]
        found = rows(out, pattern)
        assert sorted(map(key, found)) == sorted(map(key, kept))
    text = (out / "annotations/class-descriptions.csv").read_text(encoding="utf-8")
    assert text.splitlines() == ["/m/0zz01,Animal", "/m/0zz02,Cat", "/m/0zz03,Dog"]


def test_exact_classes_and_images_without(tmp_path):
    dataset = read()
    dataset.transform("open_images_keep_classes", classes="/m/0zz03", exact=True, drop_empty=True)
    assert label_names(dataset) == ["/m/0zz03"]
    with_dog = {
        row.get("ImageID") or row.get("ImageId")
        for row in rows(V7, "*annotations*.csv")
        if "/m/0zz03" in (row.get("LabelName"), row.get("Label"))
    }
    assert {item.id for item in dataset} == with_dog
    assert len(dataset) == len(with_dog) > 0


def test_a_display_name_of_several_classes_means_all():
    dataset = read().transform("open_images_keep_classes", classes=["Ball"])
    assert label_names(dataset) == ["/m/0zz07", "/m/0zz08"]


@pytest.mark.parametrize("classes", [None, [], ["Unicorn"]])
def test_unknown_or_no_classes_are_refused(classes):
    with pytest.raises(OptionError):
        read().transform("open_images_keep_classes", classes=classes).categories()


# All of them


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
@pytest.mark.parametrize("name", NAMES)
def test_streams_give_the_same(name, tmp_path):
    from datumaro.components.dataset import StreamDataset

    options = {
        "open_images_drop_boxes": {"group_of": True},
        "open_images_keep_classes": {"classes": ["Animal"], "drop_empty": True},
    }.get(name, {})
    stream = StreamDataset.import_from(str(V7), "open_images")
    stream.transform(name, **options)
    assert stream.is_stream
    out = saved(stream, tmp_path / "stream")
    plain = saved(read().transform(name, **options), tmp_path / "plain")
    assert sorted(p.name for p in out.rglob("*")) == sorted(p.name for p in plain.rglob("*"))
    for path in plain.rglob("*.csv"):
        assert (out / path.relative_to(plain)).read_bytes() == path.read_bytes()


def test_classes_can_be_named_together_and_one_by_one():
    parser = Environment().transforms["open_images_keep_classes"].build_cmdline_parser()
    for line in ("-c A -c B", "-c A B", "--classes A B", "--class A --classes B"):
        assert parser.parse_args(line.split()).classes == ["A", "B"]


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples_that_run(name, tmp_path, monkeypatch):
    """Runs each example of the help as it stands, on a dataset of the name that it uses."""
    from datumaro.cli.__main__ import main

    text = Environment().transforms[name].build_cmdline_parser().format_help()
    text = text[text.index("Examples:") :].partition("\noptions:")[0]
    examples = [part.partition(":\n")[2] for part in text.split("\n- ")[1:]]
    assert examples and all(name in example for example in examples)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(V7, "my_dataset")
    for example in examples:
        before = set(tmp_path.iterdir())
        if "datum transform" in example:
            assert main(shlex.split(example)[1:]) == 0
        else:
            exec(textwrap.dedent(example), {"Dataset": Dataset})
        (out,) = set(tmp_path.iterdir()) - before
        assert any(path.is_file() for path in out.rglob("*"))
        shutil.rmtree(out)

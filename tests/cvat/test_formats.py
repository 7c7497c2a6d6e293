"""Our own format in CVAT: registered once, exported and imported by CVAT's calls."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import zipfile
from collections import Counter

import numpy as np
import oi_files
import pytest
from cvat_tasks import (
    FLAGS,
    HEIGHT,
    OURS,
    WIDTH,
    answer,
    assert_same,
    full_label,
    packed,
    pixels,
    run_export,
    run_import,
    texts,
    there_and_back,
)  # fmt: skip

from datumaro_openimages_plugin import plugin
from datumaro_openimages_plugin.cvat import formats

try:
    from datumaro.plugins.data_formats.open_images import OpenImagesBase as BuiltIn
except ImportError:  # the 0.3 line
    from datumaro.plugins.open_images_format import OpenImagesExtractor as BuiltIn


def cvat_transforms():
    return sys.modules["cvat.apps.dataset_manager.formats.transformations"]


# Registration


def test_the_format_is_registered_once(cvat):
    from django.apps.registry import Apps

    for _ in range(2):
        apps = Apps(["datumaro_openimages_plugin.cvat"])
        apps.get_app_config("datumaro_openimages").ready()
    made = cvat.registry.EXPORT_FORMATS[OURS], cvat.registry.IMPORT_FORMATS[OURS]
    for format_class in made:
        assert (format_class.NAME, format_class.VERSION) == ("Open Images V7", "1.0")
        assert (format_class.EXT, format_class.ENABLED) == ("ZIP", True)
        assert format_class.DIMENSION == "2d"
    assert set(cvat.registry.EXPORT_FORMATS) == {"Open Images V6 1.0", OURS}


def test_an_environment_that_was_there_before_gets_our_classes(cvat):
    class Other(plugin.OpenImagesImporter):
        pass

    cvat.registry.dm_env.importers.register("open_images", Other)
    formats.register()
    assert cvat.registry.dm_env.importers.get("open_images") is plugin.OpenImagesImporter


def test_nothing_of_cvat_or_django_is_imported_without_them():
    code = (
        "import pkgutil, importlib, sys, datumaro_openimages_plugin as p\n"
        "for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.'):\n"
        "    if not m.name.endswith(('.apps', '__main__')): importlib.import_module(m.name)\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in ('cvat', 'django')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Round trips


@pytest.mark.parametrize("state", ["false", "true"])
@pytest.mark.parametrize("flag", FLAGS)
def test_flags_come_back_in_each_state(ours, make_task, tmp_path, flag, state):
    b = ours.bindings
    occluded = flag == "occluded" and state == "true"
    task = make_task(
        b.record("rectangle", "cat", 0, {flag: state}, points=[1, 2, 9, 8], occluded=occluded)
    )
    (found,) = there_and_back(ours, task, tmp_path)
    assert texts(task, found)[flag] == state
    assert found["occluded"] is occluded
    assert_same(task, [found])


def test_all_at_once_comes_back(ours, make_task, tmp_path):
    b = ours.bindings
    hole = np.ones((9, 9), bool)
    hole[3:6, 3:6] = False
    blobs = np.zeros((8, 20), bool)
    blobs[:3, :4] = blobs[5:, 15:] = True
    border = np.ones((HEIGHT, 2), bool)
    frames = [
        ("a.jpg", HEIGHT, WIDTH, "train"),
        ("größe, 1/b c.d.png", HEIGHT, WIDTH, "validation"),
        ('say "b".jpg', HEIGHT, WIDTH, "test"),
        ("empty.jpg", HEIGHT, WIDTH, "test"),
    ]
    extra = [b.attribute("colour", "select", ["red", "blue, dark"], "red"),
             b.attribute("age", "number", ["0", "9", "1"], "3"),
             b.attribute("source", "text"), b.attribute("clicks", "text")]  # fmt: skip
    task_labels = [full_label(b, "cat", *extra), full_label(b, "/m/1"),
                   {"name": "bare", "type": "any", "attributes": []}]  # fmt: skip
    every = {"score": "0.25", "truncated": "true", "is_depiction": "true"}
    of_mask = {"box_id": "0a1b2c3d", "predicted_iou": "0.87654", "colour": "blue, dark"}
    task = make_task(
        b.record("tag", "cat", 0, {"score": "0"}),
        b.record("tag", "/m/1", 0, {"score": "0.5"}),
        b.record("tag", "bare", 1),
        b.record("rectangle", "cat", 0, every, points=[1.5, 2, 30.25, 28], group=3),
        b.record("rectangle", "bare", 0, points=[1, 1, 5, 5], occluded=True, group=4),
        b.record("rectangle", "cat", 0, {"colour": "blue, dark", "source": "auto", "age": "5"},
                 points=[0, 0, WIDTH, HEIGHT], group=4, z_order=2),
        b.record("rectangle", "cat", 0, points=[0, 0, WIDTH, HEIGHT]),
        b.record("mask", "cat", 0, of_mask, points=(hole, 5, 6), group=3),
        b.record("mask", "cat", 0, points=(blobs, 20, 20), occluded=True, z_order=-1),
        b.record("mask", "cat", 0, {"clicks": "1 2"}, points=(border, 0, 0)),
        b.record("mask", "/m/1", 1, points=(np.ones((1, 1), bool), WIDTH - 1, HEIGHT - 1)),
        b.record("mask", "bare", 2, points=(np.ones((HEIGHT, WIDTH), bool), 0, 0)),
        b.record("rectangle", "/m/1", 1, points=[2, 3, 9, 8]),
        b.record("rectangle", "/m/1", 2, points=[2, 3, 9, 8]),
        frames=frames,
        labels=task_labels,
    )  # fmt: skip
    assert_same(task, there_and_back(ours, task, tmp_path))


@pytest.mark.parametrize("kind", ["text", "number"])
@pytest.mark.parametrize("score", ["0", "0.5", "0.50", "1", "1.0"])
def test_scores_come_back_as_numbers_and_as_typed(ours, make_task, tmp_path, kind, score):
    b = ours.bindings
    label = {"name": "cat", "type": "any", "attributes": [b.attribute("score", kind, default="1")]}
    task = make_task(
        b.record("tag", "cat", 0, {"score": score}),
        b.record("rectangle", "cat", 0, {"score": score}, points=[1, 2, 9, 8]),
        labels=[label],
    )
    found = there_and_back(ours, task, tmp_path)
    assert_same(task, found)
    if kind == "text":
        assert [record["attributes"]["score"] for record in found] == [score, score]


@pytest.mark.parametrize("name", ["gender_presentation", "source", "text_label", "relationships"])
def test_attributes_that_other_kinds_have_stay_attributes(ours, make_task, tmp_path, name):
    b = ours.bindings
    label = {"name": "cat", "type": "any", "attributes": [b.attribute(name, "text")]}
    value = {name: "machine" if name == "source" else "Unknown"}
    task = make_task(
        b.record("tag", "cat", 0, value),
        b.record("rectangle", "cat", 0, value, points=[1, 2, 9, 8]),
        b.record("mask", "cat", 0, value, points=(np.ones((3, 3), bool), 1, 1)),
        labels=[label],
    )
    found = there_and_back(ours, task, tmp_path)
    assert [record["attributes"] for record in found] == [value] * 3


@pytest.mark.parametrize("value", ["", "maybe", "0.5", "True", "yes\nno", 'a "b", c'])
def test_texts_where_the_format_has_something_else_come_back(ours, make_task, tmp_path, value):
    b = ours.bindings
    names = ("score", "truncated", "box_id", "predicted_iou")
    label = {"name": "cat", "type": "any", "attributes": [b.attribute(n, "text") for n in names]}
    attributes = dict.fromkeys(names, value)
    task = make_task(
        b.record("tag", "cat", 0, attributes),
        b.record("rectangle", "cat", 0, attributes, points=[1, 2, 9, 8]),
        b.record("mask", "cat", 0, attributes, points=(np.ones((3, 3), bool), 1, 1)),
        labels=[label],
    )
    for record in there_and_back(ours, task, tmp_path):
        assert record["attributes"] == attributes, record["type"]


def test_outlines_come_back_as_masks(ours, make_task, tmp_path):
    b = ours.bindings
    attributes = {"truncated": "true", "predicted_iou": "0.5"}
    task = make_task(
        b.record("polygon", "cat", 0, attributes, points=[1, 1, 20, 1, 20, 20], occluded=True),
        b.record("ellipse", "cat", 0, attributes, points=[20, 15, 30, 10], rotation=30),
        b.record("rectangle", "cat", 0, attributes, points=[5, 5, 20, 12], rotation=45),
    )
    found = there_and_back(ours, task, tmp_path)
    assert [record["type"] for record in found] == ["mask"] * 3
    assert sorted(record["occluded"] for record in found) == [False, False, True]
    for record in found:
        values = texts(task, record)
        assert (values["truncated"], values["predicted_iou"]) == ("true", "0.5")
    extractor = b.CvatTaskOrJobDataExtractor(task, False)
    (item,) = list(extractor)
    item = cvat_transforms().EllipsesToMasks(extractor).transform_item(item)
    ellipse = next(a for a in item.annotations if a.type.name == "mask").image
    assert ellipse.any()
    assert any(np.array_equal(pixels(record), ellipse) for record in found)


def test_masks_become_polygons_where_cvat_asks(ours, make_task, tmp_path):
    b = ours.bindings
    task = make_task(
        b.record("polygon", "cat", 0, {"truncated": "true"}, points=[1, 1, 20, 1, 20, 20])
    )
    (found,) = there_and_back(ours, task, tmp_path, conv_mask_to_poly=True)
    assert found["type"] == "polygon"
    assert texts(task, found)["truncated"] == "true"


# Export


def test_every_frame_has_its_size(ours, make_task, tmp_path):
    task = make_task(frames=["a.jpg", ("x/b, c.png", 7, 9)])
    with zipfile.ZipFile(run_export(ours, task, tmp_path, OURS)) as archive:
        lines = archive.read("annotations/images.meta").decode().splitlines()
    assert [line for line in lines if line and line[0] != "#"] == ["a 30 44", "'x/b, c' 7 9"]


def test_datumaros_own_format_reads_it(ours, make_task, tmp_path):
    b = ours.bindings
    task = make_task(
        b.record("tag", "cat", 0, {"score": "0"}),
        b.record("rectangle", "cat", 0, {"truncated": "true"}, points=[1, 2, 9, 8], z_order=3),
        b.record("mask", "cat", 0, points=(np.ones((3, 3), bool), 1, 1), occluded=True),
    )
    archive = run_export(ours, task, tmp_path, OURS, save_images=True)
    zipfile.ZipFile(archive).extractall(tmp_path / "out")
    assert BuiltIn.__module__.startswith("datumaro.")
    (item,) = list(BuiltIn(str(tmp_path / "out")))
    found = {a.type.name: a for a in item.annotations}
    assert set(found) == {"label", "bbox", "mask"}
    assert found["bbox"].attributes["truncated"] is True
    assert found["mask"].image.sum() == 9


def test_what_cannot_be_kept_is_logged(ours, make_task, tmp_path, caplog):
    b = ours.bindings
    boxes = [b.record("rectangle", "cat", f, points=[1, 2, 9, 8], track=4) for f in range(3)]
    boxes += [b.record("rectangle", "cat", f, points=[1, 9, 9, 18], track=5) for f in range(2)]
    points = [1, 1, 9, 9]
    kinds = ["points", "polyline", "polyline", "skeleton"]
    others = [b.record(kind, "cat", 0, points=points) for kind in kinds]
    task = make_task(*boxes, *others, frames=["a.jpg", "b.jpg", "c.jpg"])
    with caplog.at_level(logging.WARNING):
        archive = run_export(ours, task, tmp_path, OURS)
    messages = [r.getMessage() for r in caplog.records if "cannot" in r.getMessage()]
    assert messages == ["Open Images cannot keep: 1 points, 2 polylines, 1 skeletons, 2 track ids"]
    empty = b.TaskData(task.labels, task.frames)
    found = run_import(ours, empty, archive, tmp_path, OURS).records
    assert Counter(record["frame"] for record in found) == {0: 2, 1: 2, 2: 1}


def test_frames_that_differ_in_their_extensions_stay_apart(ours, make_task, tmp_path, caplog):
    b = ours.bindings
    task = make_task(
        b.record("rectangle", "cat", 0, points=[1, 2, 9, 8]),
        b.record("rectangle", "cat", 1, points=[2, 2, 9, 8]),
        frames=["a.jpg", "a.png"],
    )
    archive = run_export(ours, task, tmp_path, OURS)
    assert {item.id for item in plugin.OpenImagesExtractor(str(archive))} == {"a", "a.png"}
    assert "1 frames share their names" in caplog.text


def test_an_export_can_go_to_an_open_file(ours, make_task, tmp_path):
    target = io.BytesIO()
    folder = tmp_path / "export"
    folder.mkdir()
    ours.registry.make_exporter(OURS)(target, str(folder), make_task(), save_images=True)
    names = zipfile.ZipFile(target).namelist()
    assert "images/default/a.jpg" in names


# Import: what fits


def image_list(*ids):
    return oi_files.image_list(*((name, "train") for name in ids))


def box_rows(*rows):
    return oi_files.BOX_HEADER + "".join(row + "\n" for row in rows)


BOX = "a,xclick,/m/1,1,0.1,0.5,0.2,0.6,1,0,-1,0,1"
FILES = {
    "annotations/class-descriptions.csv": oi_files.CLASSES,
    "annotations/train-annotations-bbox.csv": box_rows(BOX),
}


@pytest.mark.parametrize("top", ["", "my dataset/"])
def test_a_published_layout_is_imported(ours, make_task, tmp_path, top):
    files = {
        "oidv7-class-descriptions.csv": "LabelName,DisplayName\n" + oi_files.CLASSES,
        "train-images-boxable-with-rotation.csv": image_list("a", "elsewhere"),
        "oidv6-train-annotations-bbox.csv": box_rows(BOX),
        "oidv7-train-annotations-human-imagelabels.csv": oi_files.LABEL_HEADER
        + "a,verification,/m/1,1\na,verification,/m/2,0\n",
    }
    task = make_task(labels=[full_label(ours.bindings, "One, first")])
    archive = packed(files, tmp_path / "in.zip", top)
    assert answer(ours, task, archive, tmp_path) == (200, "")
    tag, box = sorted(task.records, key=lambda record: record["type"], reverse=True)
    assert (tag["label"], box["label"]) == ("One, first", "One, first")
    assert box["points"] == pytest.approx([4.4, 6, 22, 18])
    states = {name: box["attributes"].get(name) for name in FLAGS}
    assert states == {
        "occluded": "true",
        "truncated": "false",
        "is_group_of": None,
        "is_depiction": "false",
        "is_inside": "true",
    }
    assert box["occluded"] is True


def test_a_label_of_the_id_comes_before_one_of_the_display_name(ours, make_task, tmp_path):
    b = ours.bindings
    files = {**FILES, "annotations/class-descriptions.csv": "/m/1,/m/2\n/m/2,/m/1\n"}
    task = make_task(labels=[full_label(b, "/m/2"), full_label(b, "/m/1")])
    assert answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path)[0] == 200
    assert [record["label"] for record in task.records] == ["/m/1"]


LABELS = oi_files.LABEL_HEADER + "a,verification,/m/1,0\na,verification,/m/2,1\n"


@pytest.mark.parametrize(
    ("setting", "with_score", "expected"),
    [
        (None, False, ["/m/2"]),
        (None, True, ["/m/1", "/m/2"]),
        ("keep", False, ["/m/1", "/m/2"]),
        ("drop", True, ["/m/2"]),
    ],
)
def test_negative_labels_are_tags_where_a_score_tells_them(
    ours, make_task, tmp_path, monkeypatch, caplog, setting, with_score, expected
):
    b = ours.bindings
    if setting is not None:
        monkeypatch.setenv("DATUMARO_OPENIMAGES_NEGATIVES", setting)
    attributes = [b.attribute("score", "text")] if with_score else []
    names = ("/m/1", "/m/2")
    task = make_task(labels=[{"name": n, "type": "any", "attributes": attributes} for n in names])
    files = {**FILES, "annotations/train-annotations-human-imagelabels.csv": LABELS}
    del files["annotations/train-annotations-bbox.csv"]
    assert answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path) == (200, "")
    assert [record["label"] for record in task.records] == expected
    is_told = "left out 1 labels of classes that are verified absent" in caplog.text
    assert is_told is (len(expected) == 1)
    if with_score and setting is None:
        assert task.records[0]["attributes"] == {"score": "0"}


def test_a_setting_that_is_none_is_refused(ours, make_task, tmp_path, monkeypatch):
    monkeypatch.setenv("DATUMARO_OPENIMAGES_NEGATIVES", "maybe")
    status, message = answer(ours, make_task(), packed(FILES, tmp_path / "in.zip"), tmp_path)
    assert status == 400 and "scored, keep, drop" in message


def test_machine_labels_bring_their_score_and_no_other_attribute(ours, make_task, tmp_path):
    task = make_task()
    task.soft_attribute_import = True
    name = "annotations/train-annotations-machine-imagelabels.csv"
    files = {**FILES, name: oi_files.LABEL_HEADER + "a,machine,/m/1,0.7\n"}
    assert answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path) == (200, "")
    tag = next(record for record in task.records if record["type"] == "tag")
    assert tag["attributes"] == {"score": "0.7"}
    assert task.labels == make_task().labels


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("number", ["0", "1", "1"], {"truncated": "0", "is_inside": "1"}),
        ("text", [], {"truncated": "False", "is_inside": "True"}),
        ("select", ["true", "false"], {"truncated": "false", "is_inside": "true"}),
    ],
)
def test_flags_land_in_attributes_of_other_types(ours, make_task, tmp_path, kind, values, expected):
    b = ours.bindings
    attributes = [b.attribute(name, kind, values, "0") for name in FLAGS[1:]]
    task = make_task(labels=[{"name": "/m/1", "type": "any", "attributes": attributes}])
    assert answer(ours, task, packed(FILES, tmp_path / "in.zip"), tmp_path) == (200, "")
    assert task.records[0]["attributes"] == {**expected, "is_depiction": expected["truncated"]}


def test_an_attribute_that_is_called_occluded_and_is_no_checkbox(ours, make_task, tmp_path, caplog):
    b = ours.bindings
    attributes = [b.attribute("occluded", "select", ["little", "much"], "little")]
    label = {"name": "cat", "type": "any", "attributes": attributes}
    records = [
        b.record("rectangle", "cat", 0, {"occluded": "much"}, points=[1, 2, 9, 8], occluded=state)
        for state in (True, False)
    ]
    found = there_and_back(ours, make_task(*records, labels=[label]), tmp_path)
    assert [record["attributes"] for record in found] == [{}, {}]
    assert "left out 1 states of the switch occluded" in caplog.text


def test_files_of_other_kinds_are_passed_by(ours, make_task, tmp_path, caplog):
    task = make_task()
    points = "ImageId,X,Y,Label,EstimatedYesNo\na,0.5,0.5,/m/1,yes\n"
    files = {**FILES, "annotations/train-annotations-point-labels.csv": points}
    with caplog.at_level(logging.WARNING):
        assert answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path) == (200, "")
    assert [record["type"] for record in task.records] == ["rectangle"]
    assert "does not import points" in caplog.text


def test_what_a_label_lacks_is_left_out_and_logged(ours, make_task, tmp_path, caplog):
    task = make_task(labels=[{"name": "/m/1", "type": "any", "attributes": []}])
    with caplog.at_level(logging.WARNING):
        assert answer(ours, task, packed(FILES, tmp_path / "in.zip"), tmp_path) == (200, "")
    (record,) = task.records
    assert (record["attributes"], record["occluded"]) == ({}, True)
    assert "left out 1 values of 'is_inside', which a label lacks" in caplog.text


def test_a_mask_without_a_pixel_is_left_out(ours, make_task, tmp_path, caplog):
    task = make_task()
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
        archive.writestr(
            "annotations/train-annotations-object-segmentation.csv",
            oi_files.MASK_HEADER + "m.png,a,/m/1,b,,,,,,\n",
        )
        oi_files.mask_png(tmp_path, "m.png", (HEIGHT, WIDTH), slice(0, 0))
        archive.write(tmp_path / "m.png", "masks/train/m.png")
    assert answer(ours, task, tmp_path / "in.zip", tmp_path) == (200, "")
    assert [record["type"] for record in task.records] == ["rectangle"]
    assert "1 masks without a pixel" in caplog.text


# Import: what does not fit


@pytest.mark.parametrize(
    ("image_id", "frame", "hint"),
    [
        ("a.jpg", "a.jpg", "(the frame is 'a': ids have no extension)"),
        ("a", "x/a.jpg", "(the frame is 'x/a': folders are part of ids)"),
        ("y/a", "a.jpg", "(the frame is 'a': folders are part of ids)"),
        ("A", "a.jpg", "(the frame is 'a': upper and lower case differ)"),
        ("X/A", "y/a.jpg", "(the frame is 'y/a': folders are part of ids, upper and lower case"),
        ("A.JPG", "a.jpg", "(the frame is 'a': upper and lower case differ)"),
        ("7", "a.jpg", "'7'. In the CSV files"),
        ("0", "a.jpg", "'0'. In the CSV files"),
    ],
)
def test_an_id_that_is_no_frame_is_named(ours, make_task, tmp_path, image_id, frame, hint):
    rows = box_rows(BOX.replace("a,", f"{image_id},", 1))
    files = {**FILES, "annotations/train-annotations-bbox.csv": rows}
    task = make_task(frames=[frame])
    status, message = answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path)
    assert status == 400 and "\n" not in message
    assert f"'{image_id}'" in message and hint in message
    assert "call them as the frames are called" in message
    assert task.records == []


def test_a_class_that_is_no_label_is_named(ours, make_task, tmp_path):
    task = make_task(labels=[full_label(ours.bindings, "one, first")])
    status, message = answer(ours, task, packed(FILES, tmp_path / "in.zip"), tmp_path)
    assert status == 400
    assert "'/m/1' (One, first), where the task has 'one, first'." in message
    assert "datum-openimages labels" in message
    assert task.records == []


def test_all_that_does_not_fit_is_one_message(ours, make_task, tmp_path):
    rows = [BOX.replace("/m/1", "/m/2")] + [BOX.replace("a,", f"b{n},", 1) for n in range(8)]
    name = "annotations/train-annotations-object-segmentation.csv"
    mask = oi_files.MASK_HEADER + "m.png,a,/m/1,b,,,,,,\n"
    files = {**FILES, "annotations/train-annotations-bbox.csv": box_rows(*rows), name: mask}
    status, message = answer(ours, make_task(), packed(files, tmp_path / "in.zip"), tmp_path)
    assert status == 400 and "\n" not in message
    assert "'b0', 'b1', 'b2', 'b3', 'b4' and 3 more" in message
    assert "'/m/2' (Two)" in message and "Masks without a picture: 'm.png'" in message


@pytest.mark.parametrize(
    ("name", "kind", "values", "shown"),
    [
        ("score", "checkbox", [], "0.5"),
        ("score", "select", ["high", "low"], "0.5"),
        ("colour", "number", [], "'red'"),
        ("colour", "checkbox", [], "'red'"),
    ],
)
def test_a_value_that_an_attribute_does_not_take_is_named(
    ours, make_task, tmp_path, name, kind, values, shown
):
    b = ours.bindings
    extra = json.dumps({"attributes": {"colour": "red"}}).replace('"', '""')
    rows = oi_files.BOX_HEADER.replace("\n", ",Extra\n")
    rows += BOX.replace("/m/1,1", "/m/1,0.5") + f',"{extra}"\n' + BOX + ",\n"
    files = {**FILES, "annotations/train-annotations-bbox.csv": rows}
    attributes = [b.attribute(name, kind, values)]
    task = make_task(labels=[{"name": "/m/1", "type": "any", "attributes": attributes}])
    status, message = answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path)
    assert status == 400
    assert f"label '/m/1', attribute '{name}', which is a {kind}: {shown}" in message


@pytest.mark.parametrize("value", ["nan", "inf", "", "x"])
def test_coordinates_that_are_no_numbers_are_refused(ours, make_task, tmp_path, value):
    rows = box_rows(BOX.replace(",0.1,", f",{value},"))
    files = {**FILES, "annotations/train-annotations-bbox.csv": rows}
    task = make_task()
    status, message = answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path)
    assert status == 400
    assert "train-annotations-bbox.csv, row 1, column XMin" in message
    assert task.records == []


@pytest.mark.parametrize("as_project", [False, True])
@pytest.mark.parametrize(
    "members",
    [
        {"notes.txt": b"nothing"},
        {"../a.csv": b"x", **{name: text.encode() for name, text in FILES.items()}},
        {"annotations/class-descriptions.csv": b"\xff\xfe\0", "annotations/train-images.csv": b""},
        {"annotations/train-annotations-bbox.csv": b'ImageID\n"', "images/a": b"", "images": b""},
    ],
)
def test_a_bad_zip_is_a_clean_error(ours, make_task, tmp_path, members, as_project):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    callback = (lambda dataset, instance_data: None) if as_project else None
    status, message = answer(
        ours, make_task(), tmp_path / "in.zip", tmp_path, load_data_callback=callback
    )
    assert status == 400 and "\n" not in message
    assert "Failed to import dataset" not in message


def test_a_file_that_is_no_zip_is_a_clean_error(ours, make_task, tmp_path):
    (tmp_path / "in.zip").write_bytes(b"no zip")
    assert answer(ours, make_task(), tmp_path / "in.zip", tmp_path)[0] == 400
    callback = lambda dataset, instance_data: None  # noqa: E731
    status, _ = answer(
        ours, make_task(), tmp_path / "in.zip", tmp_path, load_data_callback=callback
    )
    assert status == 400

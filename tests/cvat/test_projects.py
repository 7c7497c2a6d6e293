"""Datasets that are imported into a project, which makes tasks of their pictures."""

from __future__ import annotations

import cv2
import numpy as np
import oi_files
import pytest
from cvat_tasks import (
    FLAGS,
    HEIGHT,
    OURS,
    WIDTH,
    answer,
    full_label,
    run_export,
    run_import,
)  # fmt: skip

ROW = "a,xclick,/m/1,1,0.1,0.5,0.2,0.6,1,0,-1,0,1\n"


def project_files(rows, *listed, **more):
    """A dataset with pictures for the ids in ``more``, which has their subsets."""
    picture = cv2.imencode(".png", np.full((HEIGHT, WIDTH, 3), 7, np.uint8))[1].tobytes()
    subsets = {subset for _, subset in listed}
    lists = {
        f"annotations/{subset}-images-with-rotation.csv": oi_files.image_list(
            *(pair for pair in listed if pair[1] == subset)
        )
        for subset in subsets
    }
    return {
        "annotations/class-descriptions.csv": oi_files.CLASSES,
        "annotations/train-annotations-bbox.csv": oi_files.BOX_HEADER + "".join(rows),
        **lists,
        **{f"images/{subset}/{name}.png": picture for name, subset in more.items()},
    }


def imported(ours, files, tmp_path, labels=()):
    import zipfile

    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    project = ours.bindings.ProjectData(labels)
    callback = {"load_data_callback": project.load}
    return project, answer(ours, project, tmp_path / "in.zip", tmp_path, **callback)


def test_tasks_are_made_of_the_pictures(ours, make_task, tmp_path):
    b = ours.bindings
    frames = [
        ("a.jpg", HEIGHT, WIDTH, "train"),
        ("x/b.png", HEIGHT, WIDTH, "test"),
        ("a.jpg", HEIGHT, WIDTH, "test"),
    ]
    task = make_task(
        b.record("rectangle", "cat", 0, {"truncated": "true"}, points=[1, 2, 9, 8]),
        b.record("tag", "cat", 1, {"score": "0"}),
        b.record("mask", "cat", 2, points=(np.ones((3, 3), bool), 4, 5)),
        frames=frames,
        labels=[full_label(b, "cat", b.attribute("colour", "text", default="red")),
                full_label(b, "unused")],
    )  # fmt: skip
    archive = run_export(ours, task, tmp_path, OURS, save_images=True)
    project = b.ProjectData()
    run_import(ours, project, archive, tmp_path, OURS, load_data_callback=project.load)
    assert [label["name"] for label in project.labels] == ["cat"]
    made = {a["name"]: a["input_type"] for a in project.labels[0]["attributes"]}
    flags = dict.fromkeys(FLAGS[1:], "checkbox")
    assert made == {"score": "text", "colour": "text", "box_id": "text", "predicted_iou": "text",
                    **flags}  # fmt: skip
    names = {name: [frame.path for frame in made.frames] for name, made in project.tasks.items()}
    assert names == {"train": ["a.jpg"], "test": ["a.jpg", "x/b.png"]}
    (box,) = project.tasks["train"].records
    assert (box["type"], box["attributes"]["colour"], box["frame"]) == ("rectangle", "red", 0)
    found = {record["type"]: record for record in project.tasks["test"].records}
    assert (found["tag"]["attributes"]["score"], found["tag"]["frame"]) == ("0", 1)
    assert found["mask"]["frame"] == 0


def test_images_without_picture_and_annotations_do_not_matter(ours, tmp_path, caplog):
    listed = [("a", "train"), ("missing", "train"), ("0", "train"), ("other", "test")]
    project, (status, message) = imported(ours, project_files([ROW], *listed, a="train"), tmp_path)
    assert (status, message) == (200, "")
    assert {name: len(task.records) for name, task in project.tasks.items()} == {"train": 1}
    assert "left out 3 images without annotations and picture" in caplog.text


@pytest.mark.parametrize("image_id", ["missing", "0"])
def test_images_with_annotations_need_a_picture(ours, tmp_path, image_id):
    rows = [ROW, ROW.replace("a,", f"{image_id},", 1)]
    project, (status, message) = imported(ours, project_files(rows, a="train"), tmp_path)
    assert status == 400 and project.tasks == {}
    assert f"without a picture: '{image_id}'. Put their pictures into the zip" in message


def test_an_attribute_whose_name_is_too_long_is_not_created(ours, tmp_path, caplog):
    files = project_files([], a="train")
    extra = '{""attributes"":{""' + "n" * 65 + '"":""x"",""short"":""y""}}'
    table = oi_files.BOX_HEADER.replace("\n", ",Extra\n") + ROW.replace("\n", f',"{extra}"\n')
    files["annotations/train-annotations-bbox.csv"] = table
    project, (status, _) = imported(ours, files, tmp_path)
    assert status == 200
    names = {attribute["name"] for attribute in project.labels[0]["attributes"]}
    assert "short" in names and "n" * 65 not in names
    assert "which a label lacks" in caplog.text


def test_labels_of_absent_classes_need_a_score_that_is_created(ours, tmp_path, monkeypatch, caplog):
    b = ours.bindings
    files = project_files([ROW], a="train")
    name = "annotations/train-annotations-human-imagelabels.csv"
    files[name] = oi_files.LABEL_HEADER + "a,verification,/m/1,1\na,verification,/m/2,0\n"
    project, _ = imported(ours, files, tmp_path)
    tags = [r for r in project.tasks["train"].records if r["type"] == "tag"]
    assert [(r["label"], r["attributes"]) for r in tags] == [
        ("/m/1", {"score": "1"}),
        ("/m/2", {"score": "0"}),
    ]
    newer = {*b.CVAT_INTERNAL_ATTRIBUTES, "score", "source"}
    monkeypatch.setattr(b, "CVAT_INTERNAL_ATTRIBUTES", newer)
    files["annotations/train-annotations-bbox.csv"] = oi_files.BOX_HEADER + ROW.replace(
        "/m/1,1", "/m/1,0.5"
    )
    project, (status, _) = imported(ours, files, tmp_path)
    found = {r["type"]: (r["label"], r["attributes"]) for r in project.tasks["train"].records}
    assert status == 200 and set(found) == {"tag", "rectangle"}
    assert found["tag"] == ("/m/1", {})
    assert "score" not in found["rectangle"][1]
    assert "left out 1 values of 'score', which a label lacks" in caplog.text

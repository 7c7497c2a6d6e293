"""Each image lands on its own frame, whatever else the task's frames are called."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import oi_files
import pytest
from cvat_tasks import OURS, answer, assert_same, packed, run_export, run_import

from datumaro_openimages_plugin.cvat import server


def task_of(ours, make_task, frames, annotated):
    b = ours.bindings
    boxes = [b.record("rectangle", "cat", n, points=[n, 1, n + 8, 9]) for n in annotated]
    return make_task(*boxes, frames=frames)


@pytest.mark.parametrize(
    "frames",
    [
        ["a.jpg", "a.png", "b.jpg"],
        ["a.jpg.png", "a.png", "a.jpg"],
        ["a.png", "a.jpg", "a.jpg.jpg"],
        ["a.jpg.jpg", "a.jpg", "a.png", "a.jpg.png"],
    ],
)
@pytest.mark.parametrize("save_images", [False, True])
def test_frames_that_differ_in_their_extensions(ours, make_task, tmp_path, frames, save_images):
    for number in range(len(frames)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for annotated in ((number,), range(len(frames))):
            task = task_of(ours, make_task, frames, annotated)
            archive = run_export(ours, task, folder, OURS, save_images=save_images)
            again = ours.bindings.TaskData(task.labels, task.frames)
            assert_same(task, run_import(ours, again, archive, folder, OURS).records)
            shutil.rmtree(folder / "export")


@pytest.mark.parametrize(
    "others",
    [
        # CVAT looks for x/a, finds y/x/a first and takes all other images to be in y, too.
        ["y/x/a.jpg", "y/b.jpg"],
        ["y/x/a.jpg"],
        ["b.jpg.png"],
    ],
)
def test_folders_that_may_be_mistaken(ours, make_task, tmp_path, others):
    row = "{},xclick,cat,1,0,0.5,0,0.5,0,0,0,0,0\n".format
    files = {
        "annotations/class-descriptions.csv": "cat,cat\n",
        "annotations/train-annotations-bbox.csv": oi_files.BOX_HEADER + row("b") + row("x/a"),
    }
    frames = ["b.jpg", *others, "x/a.jpg"]
    task = task_of(ours, make_task, frames, ())
    assert answer(ours, task, packed(files, tmp_path / "in.zip"), tmp_path) == (200, "")
    assert [frames[record["frame"]] for record in task.records] == ["b.jpg", "x/a.jpg"]


def test_a_video_has_frames_without_extensions():
    info = {number: {"path": f"frame_{number:06d}", "height": 3, "width": 4} for number in (0, 1)}
    frames = server.frames_of(SimpleNamespace(frame_info=info))
    assert frames == {
        "frame_000000": (0, "frame_000000", (3, 4)),
        "frame_000001": (1, "frame_000001", (3, 4)),
    }

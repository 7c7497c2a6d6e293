"""Each image lands on its own frame, whatever else the task's frames are called."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from cvat_tasks import assert_same, there_and_back

from datumaro_openimages_plugin.cvat import server


def task_of(ours, make_task, frames, annotated):
    b = ours.bindings
    boxes = [b.record("rectangle", "cat", n, points=[n, 1, n + 8, 9]) for n in annotated]
    return make_task(*boxes, frames=frames)


@pytest.mark.parametrize("annotated", [(0,), (1,), (0, 1), (0, 1, 2)])
def test_frames_that_differ_in_their_extensions(ours, make_task, tmp_path, annotated):
    task = task_of(ours, make_task, ["a.jpg", "a.png", "b.jpg"], annotated)
    assert_same(task, there_and_back(ours, task, tmp_path))


@pytest.mark.parametrize(
    "frames",
    [
        # CVAT looks for x/a, finds y/x/a first and takes all other images to be in y, too.
        ["b.jpg", "y/x/a.jpg", "x/a.jpg", "y/b.jpg"],
        ["b.jpg", "y/x/a.jpg", "x/a.jpg", "c.jpg"],
        ["a.jpg", "a.jpg.png", "x/a.jpg"],
        ["1.jpg", "0.jpg", "x/2.jpg"],
    ],
)
def test_folders_that_may_be_mistaken(ours, make_task, tmp_path, frames):
    task = task_of(ours, make_task, frames, (0, 2))
    assert_same(task, there_and_back(ours, task, tmp_path))


def test_a_video_has_frames_without_extensions():
    info = {
        number: {"path": f"frame_{number:06d}", "height": 3, "width": 4} for number in (0, 1)
    }
    frames = server.frames_of(SimpleNamespace(frame_info=info))
    assert frames == {
        "frame_000000": (0, "frame_000000", (3, 4)),
        "frame_000001": (1, "frame_000001", (3, 4)),
    }

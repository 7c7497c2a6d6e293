"""Tasks with whatever a task may have come back as they were."""

from __future__ import annotations

import random

import numpy as np
import pytest
from cvat_tasks import FLAGS, HEIGHT, WIDTH, assert_same, there_and_back

LABELS = ("cat", "/m/1", "größe", "a,b", ' "q" ', "1")
FRAMES = ("a", "b c", "ü/ß", "x,y", 'q"t', "007", "d.e", "frame_000001", "UP/low", "it's", "#c")
ATTRIBUTES = (
    *FLAGS, "score", "box_id", "predicted_iou", "colour", "source", "clicks", "license",
    "attributes", "group", "extra_column", "id", "label", "frame", "text_label",
)  # fmt: skip
NUMBERS = (0, 1, 0.5, -3, 0.123456789, 1e-7, 12345678)
OPTIONS = ("x", "y z")


def text(chance):
    made = [chance.choice("ab ,\"'\n;0.1é\\{}[]/:\t") for _ in range(chance.randrange(6))]
    return "".join(made).strip()  # as CVAT keeps it


def value(chance, input_type):
    if input_type == "checkbox":
        return chance.choice(("true", "false"))
    if input_type == "number":
        return str(chance.choice(NUMBERS))
    return chance.choice(OPTIONS) if input_type == "select" else text(chance)


def a_label(chance, bindings, name):
    attributes = []
    for attribute in chance.sample(ATTRIBUTES, chance.randrange(9)):
        kinds = ["text", "number", "checkbox", "select"]
        if attribute == "occluded":
            kinds.remove("select")  # takes no state of the switch
        kind = chance.choice(kinds)
        values = OPTIONS if kind == "select" else ()
        attributes.append(bindings.attribute(attribute, kind, values, value(chance, kind)))
    return {"name": name, "type": "any", "attributes": attributes}


def a_record(chance, bindings, label, frame):
    attributes = {
        spec["name"]: value(chance, spec["input_type"])
        for spec in label["attributes"]
        if chance.random() < 0.7
    }
    kind = chance.choice(("tag", "rectangle", "mask"))
    rest = {"group": chance.choice((0, 0, 1, 2, 3))}
    if kind != "tag":
        rest |= {"occluded": chance.random() < 0.5, "z_order": chance.choice((0, 0, -2, 3))}
    if kind == "rectangle":
        x, y = (round(chance.uniform(0, 20), 1) for _ in "xy")
        rest["points"] = [x, y, round(x + chance.randrange(1, 9), 1), y + 1]
    if kind == "mask":
        height, width = chance.randrange(1, 9), chance.randrange(1, 9)
        pixels = np.array([[chance.random() < 0.5] * width for _ in range(height)])
        # A mask reaches to all sides of its rectangle.
        pixels[[0, -1]] = True
        pixels[:, [0, -1]] = True
        rest["points"] = pixels, chance.randrange(20), chance.randrange(20)
    return bindings.record(kind, label["name"], frame, attributes, **rest)


@pytest.mark.parametrize("seed", range(12))
def test_a_random_task_comes_back(ours, make_task, tmp_path, seed):
    chance, bindings = random.Random(seed), ours.bindings
    names = chance.sample(LABELS, chance.randrange(1, 5))
    labels = [a_label(chance, bindings, name) for name in names]
    frames = [
        (f"{name}.jpg", HEIGHT, WIDTH, chance.choice(("train", "test", "default")))
        for name in chance.sample(FRAMES, chance.randrange(1, 6))
    ]
    records = [
        a_record(chance, bindings, chance.choice(labels), chance.randrange(len(frames)))
        for _ in range(chance.randrange(3, 16))
    ]
    task = make_task(*records, frames=frames, labels=labels)
    assert_same(task, there_and_back(ours, task, tmp_path))

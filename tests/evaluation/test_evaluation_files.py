"""Prediction CSVs, sizes of masks, the command, and a plain second implementation."""

from __future__ import annotations

import base64
import csv
import json
import random
import zlib

import numpy as np
import pytest
from doc_examples import ROOT, commands, run_command, run_python
from evaluation_data import LABELS, SIZE, box, dataset, strip, verified
from oi_files import BOX_HEADER, CLASSES, LABEL_HEADER, image_list, write
from pycocotools import mask as coco_mask

from datumaro_openimages_plugin import cli
from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.evaluation import Rules, evaluate
from datumaro_openimages_plugin.evaluation.rle import (
    rle_from_mask,
    rle_from_text,
    rle_to_text,
)
from datumaro_openimages_plugin.evaluation.rules import CHOICES

TRUTH = {"i": [box(0, 0, 0.2, 0.2), box(0.4, 0, 0.6, 0.2)], "j": [verified("cat", 0)]}
BOXES = "ImageID,LabelName,Score,XMin,XMax,YMin,YMax\n"
MASKS = "ImageID,ImageWidth,ImageHeight,LabelName,Score,Mask\n"


def csv_file(tmp_path, text):
    path = tmp_path / "predictions.csv"
    path.write_text(text)
    return str(path)


def test_boxes_from_a_csv_score_as_those_of_a_dataset(tmp_path):
    rows = "i,cat,0.9,0,0.2,0,0.2\ni,cat,0.8,0.8,1,0,0.2\ni,cat,0.7,0.4,0.6,0,0.2\n"
    path = csv_file(tmp_path, BOXES + rows + "j,cat,0.75,0,1,0,1\nx,cat,1,0,1,0,1\n")
    predictions = {
        "i": [
            box(0, 0, 0.2, 0.2, score=0.9),
            box(0.8, 0, 1, 0.2, score=0.8),
            box(0.4, 0, 0.6, 0.2, score=0.7),
        ],
        "j": [box(0, 0, 1, 1, score=0.75)],
        "x": [box(0, 0, 1, 1, score=1)],
    }
    found = evaluate(dataset(TRUTH), path)
    assert found == evaluate(dataset(TRUTH), dataset(predictions))
    # Precision 1, 1/2, 1/3, 2/4.
    assert found.mean_average_precision == pytest.approx(1 / 2 + 1 / 4)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("i,cat,0.9,0,80,0,20\n", r"predictions.csv, row 1: coordinates must be fractions"),
        ("i,cat,high,0,1,0,1\n", r"predictions.csv, row 1, column Score"),
        ("i,,1,0,1,0,1\n", r"predictions.csv, row 1, column LabelName"),
    ],
)
def test_damaged_rows_of_boxes(rows, message, tmp_path):
    with pytest.raises(FormatError, match=message):
        evaluate(dataset(TRUTH), csv_file(tmp_path, BOXES + rows))


def test_the_wrong_kind_of_csv(tmp_path):
    with pytest.raises(FormatError, match="column ImageWidth: there is no such column"):
        evaluate(dataset(TRUTH), csv_file(tmp_path, BOXES), masks=True)


def mask_row(image, mask, score, label="cat"):
    height, width = mask.shape
    return f"{image},{width},{height},{label},{score},{rle_to_text(rle_from_mask(mask))}\n"


def test_masks_from_a_csv(tmp_path):
    truth = dataset({"i": [strip(0, 10)], "j": [strip(3, 8)]})
    rows = mask_row("i", strip(1, 10).image, 0.5) + mask_row("j", strip(12, 20).image, 0.9)
    found = evaluate(truth, csv_file(tmp_path, MASKS + rows), masks=True)
    assert found.mean_average_precision == pytest.approx(0.5 * 0.5)
    assert found.metric == "OpenImagesInstanceSegmentationChallenge_Precision/mAP@0.5IOU"


def test_masks_of_another_size_are_brought_to_the_truths(tmp_path):
    double = np.kron(strip(0, 10).image, np.ones((2, 2), bool))
    assert double.shape == (2 * SIZE[0], 2 * SIZE[1])
    path = csv_file(tmp_path, MASKS + mask_row("i", double, 0.5))
    found = evaluate(dataset({"i": [strip(0, 10)]}), path, masks=True, rules=Rules(iou=1.0))
    assert found.mean_average_precision == 1


def packed(counts):
    return base64.b64encode(zlib.compress(counts)).decode()


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [
        ("", (2, 2), "is cut off"),
        ("####", (2, 2), "is not base64 of zlib"),
        (base64.b64encode(b"plain").decode(), (2, 2), "is not base64 of zlib"),
        (packed(b"4")[:-6] + "A=", (2, 2), "base64|cut off"),
        (packed(b""), (2, 2), "none of COCO's"),
        (packed(b"\x01"), (2, 2), "none of COCO's"),
        (packed(b"T"), (2, 2), "none of COCO's"),  # says that more follows, and nothing does
        (packed(b"5"), (2, 2), "does not fill"),
        (packed(b"O5"), (2, 2), "negative run"),
        (packed(b"oooooooo0"), (2, 2), "longer than any mask"),
        (packed(b"4"), (0, 2), "impossible size"),
        (packed(b"4"), (1 << 20, 1 << 20), "impossible size"),
        (packed(b"4" * (1 << 26) + b"4"), (2, 2), "cut off or too large"),
    ],
)
def test_hostile_masks(text, size, message):
    with pytest.raises(ValueError, match=message):
        rle_from_text(text, size)


def test_a_hostile_mask_has_its_row_in_the_message(tmp_path):
    path = csv_file(tmp_path, MASKS + "i,2,2,cat,0.5,####\n")
    with pytest.raises(FormatError, match=r"predictions.csv, row 1, column Mask: the mask is not"):
        evaluate(dataset({"i": [strip(0, 3)]}), path, masks=True)


@pytest.mark.parametrize("seed", range(5))
def test_run_lengths_come_back(seed):
    random_mask = np.random.default_rng(seed).random((37, 300)) > (0.5, 0.01, 0.99, 0, 1)[seed]
    rle = rle_from_mask(random_mask)
    assert rle_from_text(rle_to_text(rle), (37, 300)) == rle
    assert np.array_equal(coco_mask.decode(rle), random_mask)


# The command


@pytest.fixture
def truth_folder(tmp_path):
    files = {
        "class-descriptions.csv": CLASSES,
        "train-images-with-rotation.csv": image_list(("a", "train"), ("b", "train")),
        "train-annotations-bbox.csv": BOX_HEADER
        + "a,xclick,/m/1,1,0.1,0.3,0.2,0.4,0,0,0,0,0\n"
        + "b,xclick,/m/2,1,0.1,0.3,0.2,0.4,0,0,1,0,0\n",
        "train-annotations-human-imagelabels.csv": LABEL_HEADER + "b,verification,/m/1,0\n",
        "bbox_labels_600_hierarchy.json": json.dumps(
            {
                "LabelName": "/m/r",
                "Subcategory": [{"LabelName": "/m/3", "Subcategory": [{"LabelName": "/m/1"}]}],
            }
        ),
    }
    return str(write(tmp_path / "truth", files))


ROWS = "a,/m/1,0.9,0.1,0.3,0.2,0.4\na,/m/3,0.8,0.1,0.3,0.2,0.4\nb,/m/1,0.95,0,1,0,1\n"


def test_the_command_takes_the_hierarchy_of_the_dataset(truth_folder, tmp_path, capsys):
    path = csv_file(tmp_path, BOXES + ROWS + "b,/m/2,0.5,0.1,0.2,0.2,0.3\n")
    assert cli.main(["evaluate", truth_folder, path, "-q"]) == 0
    text = capsys.readouterr().out
    # /m/1: half of 1 (a false one first); /m/3 and /m/2: 1.
    assert text.endswith("OpenImagesDetectionChallenge_Precision/mAP@0.5IOU: 0.833333\n")
    assert "One, first (/m/1)" in text
    command = ["evaluate", truth_folder, path, "--format", "json", "-q"]
    assert cli.main([*command, "--expand", "none", "--group-of-weight", "0"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["mean_average_precision"] == 0.5
    assert value["rules"]["expand"] == "none"


def test_the_command_scores_a_dataset_against_itself(truth_folder, capsys):
    assert cli.main(["evaluate", truth_folder, truth_folder, "-q"]) == 0
    # /m/3 is only in the truth, by expansion.
    assert capsys.readouterr().out.endswith("IOU: 0.666667\n")
    expanded = ["evaluate", truth_folder, truth_folder, "-q", "--expand", "both"]
    assert cli.main(expanded) == 0
    assert capsys.readouterr().out.endswith("IOU: 1.000000\n")


def test_the_command_refuses_what_it_cannot_use(truth_folder, tmp_path, capsys):
    path = csv_file(tmp_path, BOXES)
    assert cli.main(["evaluate", truth_folder, path, "--iou", "2", "-q"]) == 2
    assert "iou must be over 0" in capsys.readouterr().err
    assert cli.main(["evaluate", str(tmp_path / "nowhere"), path, "-q"]) == 2
    assert "there is no such dataset" in capsys.readouterr().err
    nowhere = str(tmp_path / "nowhere")
    assert cli.main(["evaluate", truth_folder, nowhere, "-q"]) == 2
    assert "nowhere: there are no predictions" in capsys.readouterr().err
    assert cli.main(["evaluate", truth_folder, path, "--subset", "x", "-q"]) == 2
    assert "the truth has no images of this subset (found 'x')" in capsys.readouterr().err


# A second implementation, image by image and detection by detection


def plain_average_precision(truth, predictions, least):
    """Of one class: truth and predictions are image -> lists of (box, …)."""
    entries, total = [], 0
    for image, objects in truth.items():
        total += len(objects)
        singles = [corners for corners, group in objects if not group]
        groups = [corners for corners, group in objects if group]
        taken, inside = set(), {}
        for score, corners in sorted(predictions.get(image, ()), key=lambda p: -p[0]):
            found = max(range(len(singles)), key=lambda g: iou(corners, singles[g]), default=None)
            if found is not None and iou(corners, singles[found]) >= least and found not in taken:
                taken.add(found)
                entries.append((score, 1))
                continue
            group = max(range(len(groups)), key=lambda g: ioa(corners, groups[g]), default=None)
            if group is not None and ioa(corners, groups[group]) >= least:
                inside.setdefault(group, score)
            else:
                entries.append((score, 0))
        entries += [(score, 1) for score in inside.values()]
    entries.sort(key=lambda entry: -entry[0])
    curve, found = [], 0
    for number, (_, hit) in enumerate(entries, 1):
        found += hit
        curve.append((found / total, found / number))
    area, before = 0.0, 0.0
    for at, (recall, _) in enumerate(curve):
        area += (recall - before) * max(precision for _, precision in curve[at:])
        before = recall
    return area


def shared(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def area(a):
    return (a[2] - a[0]) * (a[3] - a[1])


def iou(a, b):
    return shared(a, b) / (area(a) + area(b) - shared(a, b))


def ioa(a, b):
    return shared(a, b) / area(a)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chunk", [7, 2_000_000])
def test_agrees_with_a_plain_implementation(seed, chunk, monkeypatch):
    monkeypatch.setattr("datumaro_openimages_plugin.evaluation.matching._PAIRS", chunk)
    rng = random.Random(seed)

    def corners():
        x, y = rng.uniform(0, 0.6), rng.uniform(0, 0.6)
        return x, y, x + rng.uniform(0.1, 0.4), y + rng.uniform(0.1, 0.4)

    images = [f"image{n}" for n in range(8)]
    truth = {n: [(corners(), rng.random() < 0.2) for _ in range(rng.randint(1, 6))] for n in images}
    predictions = {
        n: [(rng.random(), corners()) for _ in range(rng.randint(0, 5))]
        + [(rng.random(), moved(rng, c)) for c, _ in truth[n]]
        for n in images
    }
    found = evaluate(
        dataset({n: [box(*c, group=g) for c, g in found] for n, found in truth.items()}),
        dataset({n: [box(*c, score=s) for s, c in found] for n, found in predictions.items()}),
        rules=Rules(iou=0.4),
    )
    # A Bbox rounds its points to two digits.
    expected = plain_average_precision(
        {n: [(rounded(c), g) for c, g in found] for n, found in truth.items()},
        {n: [(s, rounded(c)) for s, c in found] for n, found in predictions.items()},
        0.4,
    )
    assert 0 < expected < 1
    assert found.mean_average_precision == pytest.approx(expected)


def moved(rng, corners):
    return tuple(value + rng.uniform(-0.04, 0.04) for value in corners)


def rounded(corners):
    return box(*corners).points


def test_a_table_prints_names_on_one_line():
    truth = dataset({"i": [box(0, 0, 1, 1)]}, ["c\nat", *LABELS[1:]])
    text = str(evaluate(truth, dataset({"i": []})))
    assert "c?at" in text
    assert len(list(csv.reader(text.splitlines()))) == 3


def test_the_examples_of_the_page(monkeypatch, capsys):
    namespace = run_python("docs/evaluate.md", monkeypatch)
    assert namespace["scores"].masks
    assert "Challenge_Precision/mAP@0.75IOU 1.0" in capsys.readouterr().out
    (command,) = commands("docs/evaluate.md", "evaluate")
    assert run_command(command, monkeypatch) == 0
    assert "IOU: 0." in capsys.readouterr().out


def test_the_page_names_every_rule():
    text = (ROOT / "docs/evaluate.md").read_text(encoding="utf-8")
    for name in ("iou", "group_of_weight", *CHOICES):
        assert f"`--{name.replace('_', '-')}`" in text


def test_boxes_that_only_a_relationship_names_are_neither_truth_nor_prediction(capsys):
    sample = str(ROOT / "assets/open_images_v7")
    command = ["evaluate", sample, sample, "--subset", "train", "--format", "json", "-q"]
    assert cli.main([*command, "--expand", "none"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["mean_average_precision"] == 1
    for side in ("truth", "predictions"):
        assert value["left_out"][f"annotations of type bbox from relationships in the {side}"] == 1
    assert "/m/0zz0d" not in {found["label"] for found in value["classes"]}

"""The metric, against values worked out by hand: one small case for each rule."""

from __future__ import annotations

import json
import math

import pytest
from evaluation_data import LABELS, box, dataset, strip, verified

from datumaro_openimages_plugin.classes.hierarchy import SUBCATEGORY, Hierarchy, Node
from datumaro_openimages_plugin.errors import AnnotationError, FormatError
from datumaro_openimages_plugin.evaluation import Rules, evaluate

# Three boxes that do not meet, and one that overlaps the first by exactly a half.
A, B, C = (0.0, 0.0, 0.2, 0.2), (0.4, 0.0, 0.6, 0.2), (0.8, 0.0, 1.0, 0.2)
HALF_A = (0.0, 0.0, 0.2, 0.1)


def scores(truth, predictions, **rules):
    return evaluate(dataset(truth), dataset(predictions), rules=Rules(**rules))


def class_score(found, label="cat"):
    return next(c for c in found.classes if c.label == label)


def ap(truth, predictions, label="cat", **rules):
    return class_score(scores(truth, predictions, **rules), label).average_precision


def test_everything_found():
    assert ap({"i": [box(*A)]}, {"i": [box(*A, score=0.1)]}) == 1


def test_nothing_found():
    found = scores({"i": [box(*A)]}, {"i": []})
    assert found.mean_average_precision == 0
    assert class_score(found).objects == 1


def test_precision_falls_with_a_false_positive_between_two_true_ones():
    # Precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1: one half at 1, one half at 2/3.
    predictions = [box(*A, score=0.9), box(*C, score=0.8), box(*B, score=0.7)]
    assert ap({"i": [box(*A), box(*B)]}, {"i": predictions}) == pytest.approx(1 / 2 + 1 / 3)


def test_a_later_better_precision_counts_for_the_recall_before_it():
    # Precision 0, 1/2, 2/3: interpolated, all of it is 2/3.
    predictions = [box(*C, score=0.9), box(*A, score=0.8), box(*B, score=0.7)]
    assert ap({"i": [box(*A), box(*B)]}, {"i": predictions}) == pytest.approx(2 / 3)


def test_at_eleven_recalls():
    # Precision 1 at recall 0 … 0.5 (six of them), 2/3 at 0.6 … 1 (five).
    predictions = [box(*A, score=0.9), box(*C, score=0.8), box(*B, score=0.7)]
    value = ap({"i": [box(*A), box(*B)]}, {"i": predictions}, interpolation="11-point")
    assert value == pytest.approx((6 + 5 * 2 / 3) / 11)


def test_images_share_one_list_of_scores():
    truth = {"i": [box(*A)], "j": [box(*A)]}
    # By score: false of j, true of i, true of j.
    predictions = {"i": [box(*A, score=0.5)], "j": [box(*B, score=0.9), box(*A, score=0.2)]}
    assert ap(truth, predictions) == pytest.approx(2 / 3)


def test_an_overlap_of_just_the_threshold_is_enough():
    assert ap({"i": [box(*A)]}, {"i": [box(*HALF_A, score=1)]}) == 1
    assert ap({"i": [box(*A)]}, {"i": [box(*HALF_A, score=1)]}, iou=0.51) == 0


def test_an_object_is_found_once_by_the_best_score():
    predictions = [box(*HALF_A, score=0.4), box(*A, score=0.8), box(*A, score=0.6)]
    found = class_score(scores({"i": [box(*A)]}, {"i": predictions}))
    assert (found.found, found.false, found.average_precision) == (1, 2, 1)


def test_a_prediction_can_find_only_what_it_overlaps_best_unless_matching_is_free():
    # Overlap with the first: 1 and 0.9; the second prediction has 0.8/1.1 with the other object.
    truth = {"i": [box(0, 0, 0.5, 1), box(0.05, 0, 0.55, 1)]}
    predictions = {"i": [box(0, 0, 0.5, 1, score=0.9), box(0, 0, 0.51, 1, score=0.8)]}
    found = class_score(scores(truth, predictions))
    assert (found.found, found.false, found.average_precision) == (1, 1, 0.5)
    found = class_score(scores(truth, predictions, matching="free"))
    assert (found.found, found.false, found.average_precision) == (2, 0, 1)


def test_other_classes_and_other_images_do_not_count():
    truth = {"i": [box(*A), box(*B, label="dog")], "j": [box(*B)]}
    predictions = {"i": [box(*B, score=0.9)], "j": [box(*B, score=0.8)]}
    found = scores(truth, predictions)
    assert class_score(found).average_precision == pytest.approx(0.5 * 0.5)
    assert class_score(found, "dog").average_precision == 0


def test_the_mean_is_over_classes_with_something_to_find():
    truth = {"i": [box(*A), box(*B, label="dog"), verified("tree", 0)]}
    predictions = {"i": [box(*A, score=1), box(*C, label="tree", score=1)]}
    found = scores(truth, predictions)
    assert found.mean_average_precision == 0.5
    assert math.isnan(class_score(found, "tree").average_precision)
    assert class_score(found, "tree").false == 1


def test_classes_that_nobody_verified_in_an_image_are_ignored():
    truth = {"i": [box(*A)], "j": [verified("cat", 0)], "k": []}
    predictions = {
        "i": [box(*A, score=0.5)],
        "j": [box(*A, score=0.6)],  # verified absent: false
        "k": [box(*A, score=0.7)],  # nobody looked: ignored
    }
    found = scores(truth, predictions)
    assert class_score(found).average_precision == 0.5
    assert found.left_out["predictions of classes that nobody verified there"] == 1
    assert ap(truth, predictions, unverified="count") == pytest.approx(1 / 3)


def test_a_class_verified_present_counts_without_a_box():
    truth = {"i": [box(*A)], "j": [verified("cat", 1)]}
    assert ap(truth, {"i": [box(*A, score=0.5)], "j": [box(*A, score=0.6)]}) == 0.5


def test_what_a_machine_says_verifies_nothing():
    machine = verified("cat", 1)
    machine.attributes.update(source="machine")
    unsure = verified("cat", 0.7)
    truth = {"i": [box(*A)], "j": [machine], "k": [unsure]}
    predictions = {name: [box(*A, score=0.6)] for name in "ijk"}
    assert ap(truth, predictions) == 1


# Group-of boxes: B stands for a group; two detections lie inside it.
INSIDE, INSIDE_TOO = (0.4, 0.0, 0.5, 0.1), (0.5, 0.1, 0.6, 0.2)
GROUP = {"i": [box(*A), box(*B, group=True)]}


def test_a_group_counts_once_with_the_best_score_inside():
    # By score: group 0.9 (its best one), A 0.8; all of 2 found.
    predictions = {"i": [box(*INSIDE, score=0.3), box(*INSIDE_TOO, score=0.9), box(*A, score=0.8)]}
    found = class_score(scores(GROUP, predictions))
    assert (found.average_precision, found.found, found.groups_found, found.false) == (1, 1, 1, 0)


def test_a_group_without_a_detection_is_missed():
    assert ap(GROUP, {"i": [box(*A, score=0.8)]}) == 0.5
    assert ap(GROUP, {"i": [box(*A, score=0.8)]}, group_of_weight=0) == 1


def test_half_a_weight():
    # To find: 1 + 1/2. The group first: precision 0.5/0.5 at 1/3; then C false: 0.5/1.5; then
    # A: 1.5/2.5 at 1. So 1/3 at 1 and 2/3 at 3/5.
    predictions = {"i": [box(*INSIDE, score=0.9), box(*C, score=0.8), box(*A, score=0.7)]}
    assert ap(GROUP, predictions, group_of_weight=0.5) == pytest.approx(1 / 3 + 2 / 3 * 3 / 5)


def test_without_weight_detections_inside_a_group_are_ignored():
    predictions = {"i": [box(*INSIDE, score=0.9), box(*A, score=0.8)]}
    found = class_score(scores(GROUP, predictions, group_of_weight=0))
    assert (found.average_precision, found.found, found.false) == (1, 1, 0)


def test_inside_is_by_the_area_of_the_detection_or_by_iou():
    predictions = {"i": [box(*A, score=0.8), box(*INSIDE, score=0.9)]}
    assert ap(GROUP, predictions) == 1
    # A quarter of the group: by IoU not inside, so false, and the group is missed.
    assert ap(GROUP, predictions, group_overlap="iou") == pytest.approx(0.5 * 0.5)


def test_ordinary_objects_come_before_groups():
    # The object lies in the group; its detection is its own, not the group's.
    truth = {"i": [box(*INSIDE), box(*B, group=True)]}
    found = class_score(scores(truth, {"i": [box(*INSIDE, score=0.9)]}))
    assert (found.found, found.groups_found, found.average_precision) == (1, 0, 0.5)


def test_a_second_detection_of_an_object_inside_a_group_is_the_groups():
    truth = {"i": [box(*INSIDE), box(*B, group=True)]}
    found = class_score(scores(truth, {"i": [box(*INSIDE, score=0.9), box(*INSIDE, score=0.8)]}))
    assert (found.found, found.groups_found, found.false) == (1, 1, 0)


def tree(*nodes):
    return Hierarchy(tuple(Node(*node) for node in nodes))


# animal is above cat and dog; pet too is above cat.
TREE = tree(
    ("root", -1, ""),
    ("animal", 0, SUBCATEGORY),
    ("cat", 1, SUBCATEGORY),
    ("dog", 1, SUBCATEGORY),
    ("pet", 0, SUBCATEGORY),
    ("cat", 4, SUBCATEGORY),
    ("paw", 5, "Part"),
)
WITH_ABOVE = [*LABELS, "animal", "pet", "paw"]


def expanded(truth, predictions, hierarchy=TREE, **rules):
    predicted = dataset(predictions, WITH_ABOVE)
    return evaluate(dataset(truth), predicted, hierarchy=hierarchy, rules=Rules(**rules))


def as_label(annotation, label):
    return annotation.wrap(label=WITH_ABOVE.index(label))


def test_a_box_is_one_of_every_class_above_it():
    truth = {"i": [box(*A)]}
    predictions = {"i": [as_label(box(*A, score=0.9), name) for name in ("cat", "animal", "pet")]}
    found = expanded(truth, predictions)
    assert {c.label: c.average_precision for c in found.classes} == {
        "cat": 1,
        "animal": 1,
        "pet": 1,
    }
    assert class_score(expanded(truth, {"i": []}), "pet").objects == 1
    found = expanded(truth, predictions, expand="none")
    assert {c.label for c in found.classes} == {"cat"}


def test_predictions_can_be_expanded_too():
    found = expanded({"i": [box(*A)]}, {"i": [box(*A, score=0.9)]}, expand="both")
    assert {c.label: c.average_precision for c in found.classes} == {
        "cat": 1,
        "animal": 1,
        "pet": 1,
    }


def test_what_is_absent_is_absent_below_and_what_is_present_is_present_above():
    truth = dataset({"i": [as_label(verified("cat", 0), "animal")], "j": []}, WITH_ABOVE)
    predictions = dataset({"i": [box(*A, label="dog", score=0.5)]}, WITH_ABOVE)
    found = evaluate(truth, predictions, hierarchy=TREE)
    assert class_score(found, "dog").false == 1
    present = dataset({"i": [verified("dog", 1)]}, WITH_ABOVE)
    predictions = dataset({"i": [as_label(box(*A, score=0.5), "animal")]}, WITH_ABOVE)
    assert class_score(evaluate(present, predictions, hierarchy=TREE), "animal").false == 1
    # Absence does not climb, presence does not sink.
    truth = dataset({"i": [verified("dog", 0)]}, WITH_ABOVE)
    assert not evaluate(truth, predictions, hierarchy=TREE).classes


def test_parts_are_not_of_the_kind_of_the_whole():
    truth = dataset({"i": [as_label(box(*A), "paw")]}, WITH_ABOVE)
    found = evaluate(truth, dataset({"i": []}), hierarchy=TREE)
    assert [c.label for c in found.classes] == ["paw"]


def test_a_class_with_two_places_below_one_class_makes_a_copy_for_each_place():
    # cat is in pet, and pet stands in animal and in thing: a cat is two pets to the challenge.
    repeated = tree(
        ("root", -1, ""),
        ("animal", 0, SUBCATEGORY),
        ("pet", 1, SUBCATEGORY),
        ("cat", 2, SUBCATEGORY),
        ("thing", 0, SUBCATEGORY),
        ("pet", 4, SUBCATEGORY),
        ("cat", 5, SUBCATEGORY),
    )
    predictions = {"i": [as_label(box(*A, score=0.9), "pet")]}
    found = class_score(expanded({"i": [box(*A)]}, predictions, repeated), "pet")
    assert (found.objects, found.found, found.average_precision) == (2, 1, 0.5)
    found = expanded({"i": [box(*A)]}, predictions, repeated, repeats="drop")
    assert class_score(found, "pet").average_precision == 1
    assert class_score(found, "animal").objects == 1


def test_two_places_that_meet_below_one_place_are_one_copy():
    # cat is in pet and in wild, both in the one place of animal: a cat is one animal.
    both = tree(
        ("root", -1, ""),
        ("animal", 0, SUBCATEGORY),
        ("pet", 1, SUBCATEGORY),
        ("cat", 2, SUBCATEGORY),
        ("wild", 1, SUBCATEGORY),
        ("cat", 4, SUBCATEGORY),
    )
    assert class_score(expanded({"i": [box(*A)]}, {"i": []}, both), "animal").objects == 1


def test_masks_are_compared_by_their_pixels():
    # 8 of 12 columns, then 4 of 12: the boxes of the masks would overlap in the same way.
    truth = {"i": [strip(0, 10)]}
    good = evaluate(dataset(truth), dataset({"i": [strip(2, 12, score=0.9)]}), masks=True)
    assert class_score(good).average_precision == 1
    bad = evaluate(dataset(truth), dataset({"i": [strip(6, 16, score=0.9)]}), masks=True)
    assert class_score(bad).average_precision == 0


def test_masks_of_one_extent_and_different_pixels():
    crossed = strip(0, 20)
    image = crossed.image.copy()
    image[2:8, 1:19] = False  # a frame: its box is the whole image
    frame = crossed.wrap(image=image)
    predictions = {"i": [strip(0, 20, score=0.9)]}
    assert image.sum() / image.size < 0.5
    found = evaluate(dataset({"i": [frame]}), dataset(predictions), masks=True)
    assert class_score(found).average_precision == 0


def test_boxes_without_a_mask_are_no_masks_to_find():
    whole = box(0, 0, 1, 1, tie=1)
    left = box(0, 0, 0.5, 1)  # nobody drew its mask
    truth = {"i": [left, box(0.5, 0, 1, 1, tie=1), strip(10, 20, tie=1)]}
    predictions = [strip(10, 20, score=0.5), strip(0, 10, score=0.9), strip(0, 10, score=0.8)]
    found = class_score(evaluate(dataset(truth), dataset({"i": predictions}), masks=True))
    # The first to find the bare box is left out, the second is false.
    assert (found.objects, found.found, found.false) == (1, 1, 1)
    assert found.average_precision == 0.5
    truth = {"i": [whole, strip(0, 20, tie=1), box(0, 0, 0.2, 1, group=True)]}
    inside = [strip(0, 20, score=0.5), strip(0, 2, score=0.9), strip(1, 3, score=0.8)]
    found = class_score(evaluate(dataset(truth), dataset({"i": inside}), masks=True))
    # Both lie in the group's box, which has no mask to compare with: left out.
    assert (found.objects, found.groups, found.false, found.average_precision) == (1, 0, 0, 1)


def test_masks_inside_the_mask_of_a_group():
    group = box(0, 0, 0.5, 1, tie=1, group=True)
    truth = {"i": [group, strip(0, 10, tie=1), strip(12, 20)]}
    predictions = [strip(0, 2, score=0.9), strip(4, 6, score=0.3), strip(12, 20, score=0.5)]
    found = class_score(evaluate(dataset(truth), dataset({"i": predictions}), masks=True))
    assert (found.objects, found.groups, found.groups_found) == (1, 1, 1)
    assert found.average_precision == 1


def test_a_score_may_stand_with_the_box_of_a_mask():
    predicted = dataset({"i": [box(0, 0, 0.5, 1, score=0.25, tie=1), strip(0, 10, tie=1)]})
    found = evaluate(dataset({"i": [strip(0, 10)]}), predicted, masks=True)
    assert class_score(found).average_precision == 1


def test_predictions_need_scores_and_classes():
    with pytest.raises(AnnotationError, match=r"image 'i'.*bbox has no score"):
        scores({"i": [box(*A)]}, {"i": [box(*A)]})
    with pytest.raises(AnnotationError, match="must be a number"):
        scores({"i": [box(*A)]}, {"i": [box(*A, score="high")]})
    with pytest.raises(AnnotationError, match="must be a number"):
        scores({"i": [box(*A)]}, {"i": [box(*A, score=10**400)]})
    with pytest.raises(AnnotationError, match="has no label"):
        scores({"i": [box(*A).wrap(label=None)]}, {"i": []})


def test_what_is_left_out_is_counted():
    truth = {"i": [box(*A), strip(0, 3)]}
    predictions = {
        "i": [box(0.3, 0, 0.3, 0.5, score=1), strip(0, 3, score=1)],
        "nowhere": [box(*A, score=1)],
    }
    found = scores(truth, predictions)
    assert {reason: count for reason, count in found.left_out.items() if count} == {
        "annotations of type mask in the truth": 1,
        "annotations of type mask in the predictions": 1,
        "predictions without an area": 1,
        "predictions for images that the truth lacks": 1,
    }
    assert "left out: 1 predictions without an area" in str(found)


def test_one_subset():
    truth = dataset({"i": [box(*A)]}, subset="train")
    truth.put(dataset({"j": [box(*B)]}, subset="test").get("j", "test"))
    predictions = dataset({"i": [box(*A, score=1)], "j": []})
    assert evaluate(truth, predictions).mean_average_precision == 0.5
    assert evaluate(truth, predictions, subset="train").mean_average_precision == 1
    truth.put(dataset({"i": []}, subset="test").get("i", "test"))
    with pytest.raises(FormatError, match="two subsets of the truth"):
        evaluate(truth, predictions)
    with pytest.raises(FormatError, match="no images"):
        evaluate(truth, predictions, subset="none")


def test_rules_are_checked():
    with pytest.raises(ValueError, match="matching must be one of best, free"):
        Rules(matching="any")
    with pytest.raises(ValueError, match="iou"):
        Rules(iou=0)
    with pytest.raises(ValueError, match="group_of_weight"):
        Rules(group_of_weight=2)


def test_json_has_everything_and_no_nan():
    truth = {"i": [box(*A), verified("dog", 0)]}
    found = scores(truth, {"i": [box(*A, score=1), box(*A, label="dog", score=1)]})
    value = json.loads(found.to_json())
    assert value["mean_average_precision"] == 1
    assert value["metric"] == "OpenImagesDetectionChallenge_Precision/mAP@0.5IOU"
    assert [c["average_precision"] for c in value["classes"]] == [1, None]
    assert value["rules"]["matching"] == "best"

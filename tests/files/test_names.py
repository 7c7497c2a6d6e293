"""Every name that the published dataset and its tools give a file: its kind and its subset."""

from __future__ import annotations

import fnmatch

import pytest

from datumaro_openimages_plugin.files.names import PATTERNS, is_mask_place, recognise

TRAIN, VALIDATION, TEST = "train", "validation", "test"

KINDS = ("images", "labels", "boxes", "masks", "classes", "hierarchy")

# name -> (kind, subset), by the version that published it
NAMES: dict[str, tuple[str, str | None]] = {
    # V2 and V3
    "2017_11/train/images.csv": ("images", TRAIN),
    "2017_11/validation/images.csv": ("images", VALIDATION),
    "2017_11/train/annotations-human.csv": ("labels", TRAIN),
    "2017_11/test/annotations-human-bbox.csv": ("boxes", TEST),
    "2017_11/validation/annotations-machine.csv": ("machine_labels", VALIDATION),
    "2017_11/class-descriptions.csv": ("classes", None),
    "train-annotations-human.csv": ("labels", TRAIN),
    "train-annotations-human-bbox.csv": ("boxes", TRAIN),
    "oidv7-classes.txt": ("classes", None),
    # V4
    "2018_04/image_ids_and_rotation.csv": ("images", None),
    "2018_04/train/train-images-boxable-with-rotation.csv": ("images", TRAIN),
    "2018_04/train/train-images-boxable.csv": ("images", TRAIN),
    "2018_04/validation/validation-images-with-rotation.csv": ("images", VALIDATION),
    "2018_04/test/test-images.csv": ("images", TEST),
    "2018_04/train/train-annotations-bbox.csv": ("boxes", TRAIN),
    "2018_04/validation/validation-annotations-human-imagelabels.csv": ("labels", VALIDATION),
    "2018_04/test/test-annotations-human-imagelabels-boxable.csv": ("labels", TEST),
    "2018_04/train/train-annotations-machine-imagelabels.csv": ("machine_labels", TRAIN),
    "2018_04/class-descriptions-boxable.csv": ("classes", None),
    "2018_04/bbox_labels_600_hierarchy.json": ("hierarchy", None),
    "class-ids-human-body-parts-and-mammal.txt": ("selections of classes", None),
    "train-image-ids-with-human-parts-and-mammal-boxes.txt": ("selections of images", None),
    # V5
    "v5/validation-annotations-bbox.csv": ("boxes", VALIDATION),
    "v5/train-annotations-human-imagelabels-boxable.csv": ("labels", TRAIN),
    "v5/test-annotations-human-imagelabels.csv": ("labels", TEST),
    "v5/train-annotations-object-segmentation.csv": ("masks", TRAIN),
    "v5/validation-annotations-vrd.csv": ("relationships", VALIDATION),
    "v5/class-descriptions-boxable.csv": ("classes", None),
    "v5/classes-segmentation.txt": ("selections of classes", None),
    "train-images-with-labels-with-rotation.csv": ("images", TRAIN),
    # V6
    "v6/oidv6-train-images-with-labels-with-rotation.csv": ("images", TRAIN),
    "v6/oidv6-train-images-with-labels.csv": ("images", TRAIN),
    "v6/oidv6-train-annotations-bbox.csv": ("boxes", TRAIN),
    "v6/oidv6-train-annotations-human-imagelabels.csv": ("labels", TRAIN),
    "v6/oidv6-train-annotations-machine-imagelabels.csv": ("machine_labels", TRAIN),
    "v6/oidv6-test-annotations-vrd.csv": ("relationships", TEST),
    "v6/oidv6-class-descriptions.csv": ("classes", None),
    "v6/oidv6-class-descriptions-boxable.csv": ("classes", None),
    "v6/oidv6-classes.txt": ("classes", None),
    "v6/oidv6-classes-trainable.txt": ("selections of classes", None),
    # V7
    "v7/oidv7-val-annotations-human-imagelabels.csv": ("labels", VALIDATION),
    "v7/oidv7-train-annotations-human-imagelabels.csv": ("labels", TRAIN),
    "v7/oidv7-val-annotations-machine-imagelabels.csv": ("machine_labels", VALIDATION),
    "v7/oidv7-val-annotations-point-labels.csv": ("points", VALIDATION),
    "v7/oidv7-class-descriptions.csv": ("classes", None),
    "v7/oidv7-class-descriptions-boxable.csv": ("classes", None),
    # The challenges
    "2019_01/challenge-2018-train-annotations-bbox.csv": ("boxes", TRAIN),
    "2019_01/challenge-2018-class-descriptions-500.csv": ("classes", None),
    "2019_01/challenge-2018-image-ids-valset-od.csv": ("images", VALIDATION),
    "2019_01/train/challenge-2018-train-vrd.csv": ("relationships", TRAIN),
    "challenge_2019/challenge-2019-train-detection-bbox.csv": ("boxes", TRAIN),
    "challenge_2019/challenge-2019-validation-detection-human-imagelabels.csv": (
        "labels",
        VALIDATION,
    ),
    "challenge_2019/challenge-2019-validation-segmentation-bbox.csv": ("boxes", VALIDATION),
    "challenge_2019/challenge-2019-validation-segmentation-labels.csv": ("labels", VALIDATION),
    "challenge_2019/challenge-2019-train-segmentation-masks.csv": ("masks", TRAIN),
    "challenge_2019/challenge-2019-train-vrd.csv": ("relationships", TRAIN),
    "challenge_2019/challenge-2019-train-vrd-bbox.csv": ("boxes", TRAIN),
    "challenge_2019/challenge-2019-train-vrd-labels.csv": ("labels", TRAIN),
    "challenge_2019/challenge-2019-classes-vrd.csv": ("classes", None),
    "challenge_2019/challenge-2019-classes-description-500.csv": ("classes", None),
    "challenge_2019/challenge-2019-classes-description-segmentable.csv": ("classes", None),
    "challenge_2019/challenge-2019-label500-hierarchy.json": ("hierarchy", None),
    "challenge_2019/challenge-2019-label300-segmentable-hierarchy.json": ("hierarchy", None),
    # Datumaro and CVAT
    "annotations/my set-image_ids_and_rotation.csv": ("images", "my set"),
    "annotations/a-b-images-with-rotation.csv": ("images", "a-b"),
    "annotations/images.meta": ("images_meta", None),
    "dataset_meta.json": ("dataset_meta", None),
    # FiftyOne
    "train/labels/classifications.csv": ("labels", TRAIN),
    "validation/labels/detections.csv": ("boxes", VALIDATION),
    "test/labels/segmentations.csv": ("masks", TEST),
    "test/labels/relationships.csv": ("relationships", TEST),
    "test/labels/points.csv": ("points", TEST),
    "train/metadata/image_ids.csv": ("images", TRAIN),
    "train/metadata/classes.csv": ("classes", None),
    "train/metadata/hierarchy.json": ("hierarchy", None),
    "train/metadata/segmentation_classes.csv": ("selections of classes", None),
    "labels/detections.csv": ("boxes", None),
    # Packed, in other folders, in other case
    "train-annotations-bbox.csv.gz": ("boxes", TRAIN),
    "train-annotations-bbox.csv.zip": ("boxes", TRAIN),
    "challenge-2018-train-annotations-bbox.zip": ("boxes", TRAIN),
    "class-descriptions.csv.gz": ("classes", None),
    "bbox_labels_600_hierarchy.json.gz": ("hierarchy", None),
    "a/b/c/test-annotations-bbox.csv": ("boxes", TEST),
    "TRAIN-ANNOTATIONS-BBOX.CSV": ("boxes", TRAIN),
    "OIDV7-VAL-ANNOTATIONS-HUMAN-IMAGELABELS.CSV": ("labels", VALIDATION),
    "Annotations/CLASS-DESCRIPTIONS.CSV": ("classes", None),
    "VALIDATION/LABELS/DETECTIONS.CSV": ("boxes", "VALIDATION"),
    # `val` of the user's own; only published files mean `validation` by it
    "annotations/val-annotations-bbox.csv": ("boxes", "val"),
    "annotations/val-image_ids_and_rotation.csv": ("images", "val"),
    "val/labels/detections.csv": ("boxes", "val"),
    "annotations/Train-annotations-bbox.csv": ("boxes", "Train"),
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name):
    found = recognise(name)
    assert found is not None
    assert (found.kind, found.subset) == NAMES[name]
    assert found.name == name


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "bbox.csv",
        "train-annotations-bbox.txt",
        "classes.txt",
        "train-annotations-bbox.csv.bak",
        "-annotations-bbox.csv",
        "masks/train-masks-0.zip",
        "detections.json",
        "annotations.csv",
        "my-class-descriptions.csv",
    ],
)
def test_other_names(name):
    assert recognise(name) is None


def test_every_pattern_stands_in_the_table():
    bases = [name.rpartition("/")[2].lower() for name in NAMES]
    for kind in KINDS:
        for pattern in PATTERNS[kind]:
            glob = pattern.replace("{track}", "*").replace("{subset}", "*").replace("{val}", "*")
            assert any(fnmatch.fnmatch(base, f"*{glob}") for base in bases), pattern


BETTER = [
    ("v6/oidv6-train-annotations-bbox.csv", "2018_04/train/train-annotations-bbox.csv"),
    ("v5/validation-annotations-bbox.csv", "2018_04/validation/validation-annotations-bbox.csv"),
    ("2018_04/test/test-annotations-bbox.csv", "2017_11/test/annotations-human-bbox.csv"),
    ("train-annotations-bbox.csv", "challenge-2018-train-annotations-bbox.csv"),
    ("oidv7-train-annotations-human-imagelabels.csv", "train-annotations-human-imagelabels.csv"),
    (
        "train-annotations-human-imagelabels.csv",
        "train-annotations-human-imagelabels-boxable.csv",
    ),
    ("train-images-with-labels-with-rotation.csv", "train-images-boxable-with-rotation.csv"),
    ("oidv7-class-descriptions.csv", "class-descriptions-boxable.csv"),
    ("class-descriptions-boxable.csv", "class-descriptions.csv"),
    ("oidv7-class-descriptions.csv", "oidv6-class-descriptions.csv"),
    ("v5/class-descriptions-boxable.csv", "2018_04/class-descriptions-boxable.csv"),
    ("annotations/test-annotations-bbox.csv", "annotations/old/test-annotations-bbox.csv"),
]


@pytest.mark.parametrize("better, other", BETTER)
def test_which_of_two_versions_comes_first(better, other):
    first, second = recognise(better), recognise(other)
    assert first is not None and second is not None
    assert (first.kind, first.subset) == (second.kind, second.subset)
    assert first.rank < second.rank


@pytest.mark.parametrize(
    "name", ["masks", "Masks", "train-masks", "train-masks-0", "train-masks-0.zip", "masks.zip"]
)
def test_places_of_masks(name):
    assert is_mask_place(name)


@pytest.mark.parametrize("name", ["images", "unmasked", "masksets", "train", "bitmasks"])
def test_other_places(name):
    assert not is_mask_place(name)

"""Choosing at import: by kinds, subsets, classes, images and number."""

from __future__ import annotations

import argparse
import doctest
import json
import pickle
from pathlib import Path
from random import Random

import pytest
from datumaro.components.dataset import Dataset
from oi_files import BOX_HEADER, LABEL_HEADER, image_list, picture, write
from rich_data import bytes_below, save

from datumaro_openimages_plugin._host import CAN_STREAM
from datumaro_openimages_plugin.errors import FormatError, OptionError, SaveError
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.loader import register, unregister
from datumaro_openimages_plugin.plugin import OpenImagesExtractor, OpenImagesImporter
from datumaro_openimages_plugin.reading.choice import Choice, add_arguments
from datumaro_openimages_plugin.reading.choose import missing_images
from datumaro_openimages_plugin.reading.line_scan import LineScan

ROOT = Path(__file__).parents[2]
CLASSES = (
    "/m/animal,Animal\n/m/cat,Cat\n/m/dog,Dog\n/m/car,Car\n/m/ball1,Ball\n/m/ball2,Ball\n"
    '/m/kite,"Kite, paper"\n'
)
HIERARCHY = {
    "LabelName": "/m/0bl9f",
    "Subcategory": [
        {
            "LabelName": "/m/animal",
            "Subcategory": [{"LabelName": "/m/cat"}, {"LabelName": "/m/dog"}],
        },
        {"LabelName": "/m/car"},
    ],
}
LABELS = "annotations/{}-annotations-human-imagelabels.csv"
MACHINE = "annotations/{}-annotations-machine-imagelabels.csv"
BOXES = "annotations/{}-annotations-bbox.csv"


def box(image: str, label: str) -> str:
    return f"{image},xclick,/m/{label},1,0.25,0.5,0.25,0.5,0,0,0,0,0\n"


@pytest.fixture
def root(tmp_path) -> Path:
    """t1: cat, dog, car; t2: car twice; t3: nothing but a dog denied; v1: cat; v2: balls."""
    return write(
        tmp_path / "in",
        {
            "annotations/class-descriptions.csv": CLASSES,
            "annotations/bbox_labels_600_hierarchy.json": json.dumps(HIERARCHY),
            "annotations/train-images-with-rotation.csv": image_list(
                ("t1", "train"), ("t2", "train"), ("t3", "train")
            ),
            "annotations/validation-images-with-rotation.csv": image_list(
                ("v1", "validation"), ("v2", "validation")
            ),
            LABELS.format("train"): LABEL_HEADER
            + "t1,verification,/m/cat,1\nt3,verification,/m/dog,0\nt1,verification,/m/car,0\n",
            LABELS.format("validation"): LABEL_HEADER + "v1,verification,/m/cat,1\n",
            MACHINE.format("train"): LABEL_HEADER + "t2,machine,/m/animal,0.5\n",
            BOXES.format("train"): BOX_HEADER
            + box("t2", "car") + box("t1", "cat") + box("t1", "dog") + box("t2", "car"),
            BOXES.format("validation"): BOX_HEADER + box("v2", "ball1") + box("v2", "ball2"),
            "annotations/images.meta": "t1 20 40\nt2 20 40\nt3 20 40\nv1 20 40\nv2 20 40\n",
        },
    )  # fmt: skip


def chosen(root, **choice) -> dict[str, list[str]]:
    """Image id -> what is on it: the label and the kind's first letter, - before the denied."""
    extractor = OpenImagesExtractor(str(root), **choice)
    labels = [category.name[3:] for category in next(iter(extractor.categories().values()))]
    found = {}
    for item in extractor:
        found[item.id] = [
            ("-" if a.attributes["score"] == 0 else "") + f"{labels[a.label]}:{a.origin.kind[0]}"
            for a in item.annotations
        ]
    return found


@pytest.fixture
def registered():
    register()
    yield
    unregister()


EVERYTHING = {
    "t1": ["cat:l", "-car:l", "cat:b", "dog:b"],
    "t2": ["animal:m", "car:b", "car:b"],
    "t3": ["-dog:l"],
    "v1": ["cat:l"],
    "v2": ["ball1:b", "ball2:b"],
}


def of(*names: str) -> dict[str, list[str]]:
    return {name: EVERYTHING[name] for name in names}


def test_without_a_choice_everything_is_there(root):
    assert chosen(root) == EVERYTHING


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"kinds": ["boxes"]}, {k: [a for a in v if a[-1] == "b"] for k, v in EVERYTHING.items()}),
        ({"kinds": "machine_labels"}, {k: ["animal:m"] * (k == "t2") for k in EVERYTHING}),
        ({"kinds": []}, {k: [] for k in EVERYTHING}),
        ({"subsets": ["validation"]}, of("v1", "v2")),
        ({"subsets": ("train", "validation")}, EVERYTHING),
        ({"classes": ["/m/cat"]}, of("t1", "v1")),
        ({"classes": ["Cat"]}, of("t1", "v1")),
        ({"classes": ["cat"]}, of("t1", "v1")),
        ({"classes": ["Kite, paper"]}, {}),
        ({"classes": ["Ball"]}, of("v2")),  # two classes of that name
        ({"classes": ["Dog"]}, of("t1")),  # t3 has none, as it says
        ({"classes": ["Cat", "Car"]}, of("t1", "t2", "v1")),
        ({"classes": ["Animal"]}, of("t2")),
        ({"classes": ["Animal"], "descendants": True}, of("t1", "t2", "v1")),
        ({"classes": ["/m/0bl9f"], "descendants": True}, of("t1", "t2", "v1")),
        ({"classes": ["Car"], "kinds": ["labels"]}, {}),
        ({"image_ids": ["v2", "t1"]}, of("t1", "v2")),
        ({"image_ids": ["train/t1", "validation/v2", "t3"]}, of("t1", "t3", "v2")),
        ({"image_ids": []}, {}),
        ({"max_images": 99}, EVERYTHING),
    ],
    ids=str,
)
def test_a_choice(choice, expected, root):
    assert chosen(root, **choice) == expected


def test_choices_combine(root):
    found = chosen(
        root,
        subsets=["train"],
        classes=["Dog", "Car"],
        only_matching=True,
        negatives="drop",
        kinds=["labels", "boxes"],
        image_ids=["t1", "v1", "t3"],
    )
    assert found == {"t1": ["dog:b"]}


def test_only_matching_keeps_what_denies_a_chosen_class(root):
    assert chosen(root, classes=["Car"], only_matching=True) == {"t2": ["car:b", "car:b"]}
    expected = {"t1": ["cat:l", "-car:l", "cat:b"], "t2": ["car:b", "car:b"], "v1": ["cat:l"]}
    assert chosen(root, classes=["Car", "Cat"], only_matching=True) == expected


def test_negatives_can_be_dropped(root):
    expected = {name: [a for a in all_ if a[0] != "-"] for name, all_ in EVERYTHING.items()}
    assert chosen(root, negatives="drop") == expected


# How many


def test_images_with_most_of_the_classes_come_first(root):
    for seed in range(10):
        choice = {"classes": ["Cat", "Dog", "Car"], "seed": seed}
        assert chosen(root, max_images=1, **choice) == of("t1")
        assert len(chosen(root, max_images=2, **choice)) == 2
        assert chosen(root, max_images=3, **choice) == of("t1", "t2", "v1")


def test_then_those_with_most_of_the_kinds(root):
    found = chosen(root, max_images=1, kinds=["machine_labels", "boxes"])
    assert list(found) == ["t2"]


def test_then_chance_decides_the_same_each_time(root):
    drawn = [tuple(chosen(root, max_images=2, seed=seed)) for seed in range(20)]
    assert drawn == [tuple(chosen(root, max_images=2, seed=seed)) for seed in range(20)]
    assert len(set(drawn)) > 3
    assert {name for pair in drawn for name in pair} == set(EVERYTHING)


def test_no_more_than_there_are_of_a_class(root):
    assert chosen(root, max_images=5, classes=["Ball"]) == of("v2")


# Shards


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_are_disjoint_and_complete(count, root):
    shards = [chosen(root, shard=(part, count)) for part in range(count)]
    assert sorted(name for shard in shards for name in shard) == sorted(EVERYTHING)
    assert {name: rows for shard in shards for name, rows in shard.items()} == EVERYTHING


def test_shards_have_about_as_many_annotations(tmp_path):
    rows = "".join(box(f"i{number:03}", "cat") * (number % 37) for number in range(200))
    root = write(tmp_path, {BOXES.format("train"): BOX_HEADER + rows})
    sizes = [
        sum(len(annotations) for annotations in chosen(root, shard=(part, 4)).values())
        for part in range(4)
    ]
    assert sum(sizes) == rows.count("\n")
    assert max(sizes) - min(sizes) <= 37


def test_shards_of_a_choice(root):
    shards = [chosen(root, shard=(part, 2), classes=["Cat"]) for part in range(2)]
    assert sorted(map(list, shards)) == [["t1"], ["v1"]]


# Names


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"kinds": ["boxs"]}, "no kind 'boxs'; did you mean 'boxes'?"),
        ({"kinds": ["zzz"]}, "no kind 'zzz'; there are: boxes, labels, machine_labels"),
        ({"subsets": ["val"]}, "no subset 'val'; did you mean 'validation'?"),
        ({"subsets": ["x"]}, "no subset 'x'; there are: train, validation"),
        ({"classes": ["Catt"]}, "no class 'Catt'; did you mean 'Cat'"),
        ({"classes": ["/m/dgo"]}, "no class '/m/dgo'; did you mean '/m/dog'"),
        ({"classes": ["#"]}, "no class '#'; no name is close to it"),
        ({"image_ids": ["t1", "t9"]}, "1 of 2 image_ids are not in the dataset: t9; close"),
        ({"image_ids": ["train/v1"]}, "1 of 1 image_ids are not in the dataset: train/v1; close"),
        ({"image_ids": "nowhere.txt"}, "nowhere.txt: image_ids is a list of ids or the name of"),
        ({"max_images": 0}, "max_images must be a number from 1"),
        ({"max_images": "3"}, "max_images must be a number from 1"),
        ({"seed": -1}, "seed must be a number from 0"),
        ({"shard": (2, 2)}, "shard must be"),
        ({"shard": 3}, "shard must be"),
        ({"negatives": "remove"}, "negatives must be 'keep' or 'drop'"),
        ({"only_matching": True}, "only_matching needs classes"),
        ({"descendants": True}, "descendants needs classes"),
        ({"classes": [3]}, "classes must be a list of names"),
    ],
    ids=str,
)
def test_a_wrong_choice_says_what_is_right(choice, message, root):
    with pytest.raises(OptionError) as caught:
        OpenImagesExtractor(str(root), **choice)
    assert message in str(caught.value)


def test_descendants_need_a_hierarchy(root):
    (root / "annotations/bbox_labels_600_hierarchy.json").unlink()
    with pytest.raises(OptionError, match="needs a hierarchy"):
        OpenImagesExtractor(str(root), classes=["Cat"], descendants=True)


def test_an_unknown_option_is_no_choice(root):
    with pytest.raises(TypeError, match="no option 'klasses'; did you mean 'classes'"):
        OpenImagesExtractor(str(root), klasses=["Cat"])
    with pytest.raises(TypeError, match="no option 'label_name'; did you mean 'label_names'"):
        OpenImagesExtractor(str(root), label_name="display")


def test_classes_are_also_found_by_the_names_that_labels_are_given(root):
    names = {"label_names": "display"}
    extractor = OpenImagesExtractor(str(root), classes=["Ball (/m/ball1)"], **names)
    shown = [category.name for category in next(iter(extractor.categories().values()))]
    ball = next(name for name in shown if name.startswith("Ball") and "ball1" in name)
    (item,) = OpenImagesExtractor(str(root), classes=[ball], only_matching=True, **names)
    assert [shown[a.label] for a in item.annotations] == [ball]


# Lists of ids


@pytest.mark.parametrize(
    "text",
    [
        "t1\nvalidation/v2\n",
        "# chosen by hand\n\nvalidation/v2\r\n  t1  \r\n",
        "\ufefft1\nvalidation/v2",
        "ImageID,Subset\nt1,train\nv2,validation\n",
        "ImageID\nt1\nv2\n",
        "Subset,ImageID\r\ntrain,t1\r\nvalidation,v2\r\n",
        "ImageId,X,Y\nt1,0.5,0.5\nt1,0.1,0.5\nv2,0.5,0.5\n",
        'ImageID,Title\nt1,line\u2028separator\nv2,"two\nlines"\n',
    ],
)
def test_ids_from_a_file(text, root, tmp_path):
    path = tmp_path / "ids.txt"
    path.write_bytes(text.encode("utf-8"))
    assert chosen(root, image_ids=str(path)) == of("t1", "v2")
    assert chosen(root, image_ids=path) == of("t1", "v2")


def test_ids_with_slashes_are_whole_before_they_are_split(tmp_path):
    images = image_list(("train/a", "train"), ("a", "train"))
    root = write(tmp_path, {"annotations/train-images-with-rotation.csv": images})
    assert list(chosen(root, image_ids=["train/a"])) == ["train/a"]
    assert list(chosen(root, image_ids=["train/train/a", "a"])) == ["train/a", "a"]


def test_ids_of_subsets_that_are_not_chosen_are_no_error(root, caplog):
    assert chosen(root, image_ids=["t1", "v1"], subsets=["train"]) == of("t1")
    assert "1 of 2 image_ids" in caplog.text


# What becomes of it


def test_files_of_other_subsets_are_not_opened(root):
    (root / BOXES.format("train")).write_bytes(b"\xff\xfe damaged")
    assert chosen(root, subsets=["validation"]) == of("v1", "v2")


def test_a_file_of_no_listed_subset_is_read(root):
    name = BOXES.format("all")
    write(root, {name: BOX_HEADER + box("v1", "dog") + box("t1", "dog")})
    found = chosen(root, subsets=["validation"])
    assert found == {**of("v2"), "v1": ["cat:l", "dog:b"]}


def test_rows_that_stay_are_written_as_they_stood(root, tmp_path):
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root), classes=["Car"]))
    found = bytes_below(save(dataset, tmp_path / "out"), ".")
    assert found[BOXES.format("train")].decode() == BOX_HEADER + box("t2", "car") * 2
    assert found[MACHINE.format("train")].decode() == LABEL_HEADER + "t2,machine,/m/animal,0.5\n"
    meta = found["annotations/images.meta"].decode().splitlines()
    assert [line for line in meta if line and line[0] != "#"] == ["t2 20 40"]


def test_labels_that_the_human_file_lacks_are_kept_with_their_source(root, tmp_path):
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(root), image_ids=["t1"]))
    found = bytes_below(save(dataset, tmp_path / "out"), ".")
    expected = LABEL_HEADER + "t1,verification,/m/cat,1\nt1,verification,/m/car,0\n"
    assert found[LABELS.format("train")].decode() == expected


def test_a_pickled_choice_is_the_same_choice(root):
    extractor = OpenImagesExtractor(
        str(root), classes=iter(["Cat"]), image_ids=(name for name in ("t1", "t2"))
    )
    again = pickle.loads(pickle.dumps(extractor))
    assert [item.id for item in again] == [item.id for item in extractor] == ["t1"]


@pytest.mark.parametrize(
    ("choice", "partial"),
    [
        ({}, False),
        ({"kinds": ["labels", "boxes", "machine_labels"]}, False),
        ({"kinds": ["labels", "boxes"]}, True),
        ({"subsets": ["train", "validation"]}, False),
        ({"subsets": ["train"]}, True),
        ({"max_images": 5}, False),
        ({"max_images": 4}, True),
        ({"negatives": "drop"}, True),
        ({"shard": (0, 1)}, False),
        ({"classes": ["Cat"]}, True),
    ],
    ids=str,
)
def test_an_import_knows_that_it_is_a_part(choice, partial, root):
    item = next(iter(OpenImagesExtractor(str(root), **choice)))
    reason = item.origin.dataset.partial
    assert (reason is not None) is partial
    if partial:
        assert next(iter(choice)) in reason


def test_a_part_is_not_saved_over_the_whole(root, registered):
    before = bytes_below(root, ".")
    dataset = Dataset.import_from(str(root), "open_images", classes=["Cat"])
    with pytest.raises(SaveError, match="classes"):
        dataset.save(save_media=True)
    assert bytes_below(root, ".") == before


def test_nothing_chosen_is_said(root, caplog):
    extractor = OpenImagesExtractor(str(root), classes=["Kite, paper"])
    assert (list(extractor), extractor.subsets()) == ([], {})
    assert "nothing is chosen" in caplog.text


def test_get_finds_only_what_is_chosen(root):
    extractor = OpenImagesExtractor(str(root), image_ids=["t2"])
    assert extractor.get("t1", "train") is None
    assert extractor.get("t2", "train").annotations
    assert len(extractor) == 1


# Rows that are not chosen are not taken apart


def many_boxes(*bad: str) -> str:
    """Rows of 40 images, some of them replaced."""
    rows = [box(f"i{number % 40:02}", "cat") for number in range(400)]
    for row in bad:
        number, _, text = row.partition(":")
        rows[int(number)] = text + "\n"
    return BOX_HEADER + "".join(rows)


@pytest.mark.parametrize("ids", [["i03"], [f"i{number:02}" for number in range(30)]])
def test_an_error_in_a_chosen_row_has_its_place_in_the_file(ids, tmp_path):
    bad = "i03,xclick,/m/cat,1,x,0.5,0.25,0.5,0,0,0,0,0"
    write(tmp_path, {BOXES.format("train"): many_boxes(f"43:{bad}", f"39:i39{bad[3:]}")})
    with pytest.raises(FormatError, match=r"row 44, column XMin, image 'i03'.*found 'x'"):
        list(OpenImagesExtractor(str(tmp_path), image_ids=ids))


@pytest.mark.parametrize("ids", [["i03"], [f"i{number:02}" for number in range(30)]])
def test_rows_that_arrow_cannot_read_are_chosen_too(ids, tmp_path):
    short = "i03,xclick,/m/cat,1,0,1,0,1"
    quoted = 'i03,"x\nclick",/m/cat,1,0.5,1,0,1,0,0,0,0,0'
    write(tmp_path, {BOXES.format("train"): many_boxes(f"3:{quoted}", f"43:{short}")})
    found = chosen(tmp_path, image_ids=ids)
    assert found["i03"] == ["cat:b"] * 10
    (first, second, *_) = (
        OpenImagesExtractor(str(tmp_path), image_ids=["i03"]).get("i03", "train").annotations
    )
    assert first.origin.fields["Source"] == "x\nclick"
    assert second.origin.fields["IsInside"] == ""


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("published_ids", [True, False])
def test_a_choice_is_what_filtering_everything_gives(published_ids, seed, tmp_path, monkeypatch):
    random = Random(seed)
    scanned = []
    of = LineScan.of
    monkeypatch.setattr(LineScan, "of", lambda *args: scanned.append(of(*args)) or scanned[-1])
    labels = ["cat", "dog", "car", "kite", *(f"o{letter}" for letter in "abcdefghijkl")]
    images = [f"{number:016x}" if published_ids else f"i{number:03}" for number in range(400)]
    lines = [box(random.choice(images), random.choice(labels)) for _ in range(600)]
    human = [
        f"{random.choice(images)},,/m/{random.choice(labels)},{random.choice('01')}\n"
        for _ in range(90)
    ]
    files = {
        "annotations/class-descriptions.csv": "".join(f"/m/{name},{name}\n" for name in labels),
        BOXES.format("train"): BOX_HEADER + "".join(lines),
        LABELS.format("train"): LABEL_HEADER + "".join(human),
    }
    if seed % 2:
        listed = [(image, random.choice(["train", "test"])) for image in images]
        files["annotations/image_ids_and_rotation.csv"] = image_list(*listed)
    root = write(tmp_path, files)
    everything = chosen(root)
    assert not scanned
    wanted = random.sample(labels, 1 + seed % 3)
    expected = {
        image: [a for a in found if a.strip("-")[:-2] in wanted]
        for image, found in everything.items()
        if any(a[:-2] in wanted for a in found)
    }
    choice = {"classes": [f"/m/{label}" for label in wanted]}
    assert chosen(root, only_matching=True, **choice) == expected
    assert chosen(root, **choice) == {image: everything[image] for image in expected}
    assert any(scanned) is published_ids or len(wanted) == 3  # which may be too many rows
    ids = random.sample(sorted(everything), random.choice([1, 5, 50]))
    some = {image: everything[image] for image in expected if image in ids}
    assert chosen(root, image_ids=ids, **choice) == some


# All kinds, in the sample

SAMPLE = ROOT / "assets/open_images_v7"
EVERY_KIND = [kind.name for kind in KINDS]


def sample(**choice) -> tuple[list[str], list]:
    extractor = OpenImagesExtractor(str(SAMPLE), **{"kinds": EVERY_KIND, **choice})
    names = [category.name for category in next(iter(extractor.categories().values()))]
    return names, list(extractor)


def denies(annotation) -> bool:
    attributes = annotation.attributes
    return attributes.get("score") == 0 or attributes.get("estimated_yes_no") == "no"


def test_an_image_of_the_sample_is_chosen_by_each_class_that_it_has():
    names, everything = sample()
    expected: dict[str, set[str]] = {name: set() for name in names}
    for item in everything:
        for annotation in item.annotations:
            if getattr(annotation, "label", None) is not None and not denies(annotation):
                expected[names[annotation.label]].add(item.id)
    assert sum(map(bool, expected.values())) > 5
    for name in names:
        assert {item.id for item in sample(classes=[name])[1]} == expected[name], name


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_one_kind_of_the_sample(kind):
    _, everything = sample()
    _, items = sample(kinds=[kind])
    assert [item.id for item in items] == [item.id for item in everything]
    found = [a for item in items for a in item.annotations]
    same = [a for item in everything for a in item.annotations if a.origin.kind == kind]
    if kind == "relationships":  # without the box files, all ends are boxes of its own
        assert len(found) > len(same)
        assert any("relationships" in item.attributes for item in items)
        return
    assert found
    assert [a.origin.fields for a in found] == [a.origin.fields for a in same]


def test_only_matching_keeps_what_has_no_class_and_both_ends_of_a_relationship():
    names, items = sample(classes=["Cat"], only_matching=True)
    cat = names.index("/m/0zz02")
    made = [a for item in items for a in item.annotations]
    others = [a for a in made if not is_caption(a) and a.label != cat]
    assert {a.origin.kind for a in others} == {"relationships"}
    captions = [a.caption for item in sample()[1] for a in item.annotations if is_caption(a)]
    assert {a.caption for a in made if is_caption(a)} <= set(captions)


def is_caption(annotation) -> bool:
    return annotation.type.name == "caption"


# Ways in


def test_through_import_from(root, registered):
    dataset = Dataset.import_from(str(root), "open_images", classes=["Cat"], subsets=["train"])
    assert [item.id for item in dataset] == ["t1"]
    assert set(dataset.subsets()) == {"train"}


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
def test_through_a_stream(root, registered):
    from datumaro.components.dataset import StreamDataset

    stream = StreamDataset.import_from(str(root), "open_images", classes=["Cat"])
    assert [item.id for item in stream] == ["t1", "v1"]
    assert len(stream) == 2


def test_through_the_command_line(root):
    parser = OpenImagesImporter.build_cmdline_parser()
    line = (
        "--kinds boxes labels --subsets train --classes Cat Dog --descendants --only-matching "
        "--image-ids ids.txt --negatives drop --max-images 3 --seed 4 --shard 1/2"
    )
    options = vars(parser.parse_args(line.split()))
    assert Choice(**{name: options[name] for name in vars(Choice())}) == Choice(
        kinds=("boxes", "labels"),
        subsets=("train",),
        classes=("Cat", "Dog"),
        descendants=True,
        only_matching=True,
        image_ids="ids.txt",
        negatives="drop",
        max_images=3,
        seed=4,
        shard=(1, 2),
    )


def test_every_choice_has_an_option_with_the_same_default():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert vars(parser.parse_args([])) == vars(Choice())


@pytest.mark.parametrize("shard", ["2/2", "1", "a/b", "-1/2"])
def test_a_wrong_shard_is_refused_by_the_parser(shard, capsys):
    with pytest.raises(SystemExit):
        OpenImagesImporter.build_cmdline_parser().parse_args([f"--shard={shard}"])
    assert "shard" in capsys.readouterr().err


# Missing images


def test_missing_images_in_the_form_of_the_downloader(root):
    picture(root, "images/train/t2.jpg", (20, 40))
    picture(root, "images/validation/v1.jpg", (20, 40))
    extractor = OpenImagesExtractor(str(root))
    expected = ["train/t1", "train/t3", "validation/v2"]
    assert list(missing_images(extractor)) == expected
    assert list(missing_images(Dataset.from_extractors(extractor))) == expected
    assert list(missing_images(OpenImagesExtractor(str(root), classes=["Cat"]))) == ["train/t1"]


def test_the_list_of_missing_images_is_a_choice(root, tmp_path):
    picture(root, "images/train/t2.jpg", (20, 40))
    names = list(missing_images(OpenImagesExtractor(str(root))))
    (tmp_path / "missing.txt").write_text("\n".join(names))
    assert chosen(root, image_ids=str(tmp_path / "missing.txt")) == of("t1", "t3", "v1", "v2")


# The examples


def test_the_examples_of_the_documents(monkeypatch, registered):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs/choosing.md").read_text(encoding="utf-8")
    blocks = text.split("```python\n")[1:]
    source = "\n".join(block.split("```")[0] for block in blocks)
    test = doctest.DocTestParser().get_doctest(source, {}, "choosing.md", "choosing.md", 0)
    assert len(test.examples) >= 8
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert result.failed == 0

"""Localized narratives: captions with words, times and traces, to the letter."""

from __future__ import annotations

import json
import pickle

import pytest
from datumaro.components.annotation import Caption
from datumaro.components.dataset import Dataset
from oi_files import image_list, picture, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.errors import AnnotationError, FormatError

FILE = "annotations/open_images_train_localized_narratives.jsonl"
#: Numbers and escapes as no JSON writer of ours would write them.
FULL = (
    '{"dataset_id": "open_images_train", "image_id": "a", "annotator_id": 41, '
    '"caption": "A d\\u00f6ner a \\"good\\" one.", '
    '"timed_caption": [{"utterance": "A dog", "start_time": 0.0, "end_time": 0.40}], '
    '"traces": [[{"x": 0.30750, "y": -4.25e-2, "t": 0.031}], []], '
    '"voice_recording": "train/a_41.ogg"}\n'
)
SHORT = '{"caption":"Again.","image_id":"a","dataset_id":"x","annotator_id":1}\n'
OTHER = '{"dataset_id": "x", "image_id": "b", "annotator_id": 2, "caption": "Sky."}\n'


def files(lines: str = FULL + SHORT + OTHER, name: str = FILE) -> dict[str, str]:
    return {
        "annotations/class-descriptions.csv": "/m/0,Zero\n",
        "annotations/train-image_ids_and_rotation.csv": image_list(("a", "train"), ("b", "train")),
        name: lines,
    }


def captions(dataset, image_id: str = "a"):
    return dataset.get(image_id, "train").annotations


def test_captions_with_words_and_traces(tmp_path):
    one, two = captions(read(write(tmp_path, files())))
    assert one == Caption(
        'A döner a "good" one.',
        attributes={
            "annotator_id": 41,
            "timed_caption": [{"utterance": "A dog", "start_time": 0.0, "end_time": 0.4}],
            "traces": [[{"x": 0.3075, "y": -0.0425, "t": 0.031}], []],
            "voice_recording": "train/a_41.ogg",
        },
    )
    assert (two.caption, two.attributes) == ("Again.", {"annotator_id": 1})


def test_shards_are_read_together_and_the_whole_ones_preferred(tmp_path):
    name = "annotations/open_images_train_v6_localized_narratives-0000{}-of-00002.jsonl"
    made = {
        **files(FULL, name.format(0)),
        name.format(1): OTHER,
        "annotations/open_images_train_v6_captions.jsonl": SHORT + OTHER,
    }
    dataset = read(write(tmp_path, made))
    assert [a.attributes["annotator_id"] for a in captions(dataset)] == [41]
    assert [a.caption for a in captions(dataset, "b")] == ["Sky."]


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        ("annotations/open_images_validation_localized_narratives.jsonl", "validation"),
        ("localized-narratives/annotations/open_images_test_captions.jsonl", "test"),
        ("open_images_train_v6_captions.jsonl", "train"),
    ],
)
def test_every_published_name_is_read(name, subset, tmp_path):
    items = list(read(write(tmp_path, {name: FULL + SHORT})))
    assert [(item.subset, len(item.annotations)) for item in items] == [(subset, 2)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_there_and_back(line_end, tmp_path):
    source = write(tmp_path / "in", files((FULL + SHORT + OTHER).replace("\n", line_end)))
    assert (save(read(source), tmp_path / "out") / FILE).read_bytes() == (
        source / FILE
    ).read_bytes()


def test_there_and_back_through_pickles_and_subsets(tmp_path):
    dataset = pickle.loads(pickle.dumps(read(write(tmp_path / "in", files()))))
    dataset.transform("map_subsets", mapping={"train": "validation"})
    found = save(dataset, tmp_path / "out", names="published")
    name = "annotations/open_images_validation_localized_narratives.jsonl"
    assert (found / name).read_text(encoding="utf-8") == FULL + SHORT + OTHER


def test_a_renamed_image_changes_nothing_else(tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    dataset.transform("rename", regex="|^a$|z|")
    lines = (save(dataset, tmp_path / "out") / FILE).read_text(encoding="utf-8").splitlines(True)
    assert lines[0] == FULL.replace('"image_id": "a"', '"image_id": "z"')
    assert json.loads(lines[1]) == {**json.loads(SHORT), "image_id": "z"}


def test_what_is_changed_or_taken_away_is(tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    caption, again = captions(dataset)
    del caption.attributes["traces"]
    caption.attributes["timed_caption"] = []
    again.caption = "Once more."
    found = (save(dataset, tmp_path / "out") / FILE).read_text(encoding="utf-8").splitlines()
    kept = {k: v for k, v in json.loads(FULL).items() if k != "traces"}
    assert json.loads(found[0]) == {**kept, "timed_caption": []}
    assert '"A d\\u00f6ner a' in found[0]
    assert json.loads(found[1]) == {**json.loads(SHORT), "caption": "Once more."}


def test_the_dataset_id_is_shown_on_request(tmp_path):
    source = write(tmp_path / "in", files())
    dataset = Dataset.import_from(str(source), "open_images", show_columns=True)
    caption, again = captions(dataset)
    assert caption.attributes["dataset_id"] == "open_images_train"
    assert (save(dataset, tmp_path / "same") / FILE).read_text(encoding="utf-8") == (
        FULL + SHORT + OTHER
    )
    caption.attributes["dataset_id"] = "mine"
    del again.attributes["dataset_id"]
    found = (save(dataset, tmp_path / "out") / FILE).read_text(encoding="utf-8").splitlines(True)
    assert found[0] == FULL.replace("open_images_train", "mine")
    assert json.loads(found[1]) == {"caption": "Again.", "image_id": "a", "annotator_id": 1}


def test_new_ones(tmp_path, caplog):
    caption = Caption("New: ä", attributes={"annotator_id": 5, "mood": "good"})
    dataset = Dataset.from_iterable([DatasetItem("x", subset="train", annotations=[caption])])
    found = bytes_below(save(dataset, tmp_path, names="published"), ".")
    name = "annotations/open_images_train_v6_localized_narratives-00000-of-00001.jsonl"
    assert json.loads(found[name]) == {
        "dataset_id": "open_images_train",
        "image_id": "x",
        "annotator_id": 5,
        "caption": "New: ä",
    }
    assert "'mood' attributes of captions: 1 not written" in caplog.text
    assert captions(read(tmp_path), "x") == [Caption("New: ä", attributes={"annotator_id": 5})]


@pytest.mark.parametrize("value", [float("nan"), object(), "\ud800"], ids=["nan", "object", "text"])
def test_what_is_no_json_is_refused(value, tmp_path):
    caption = Caption("x", attributes={"traces": [value]})
    dataset = Dataset.from_iterable([DatasetItem("x", subset="train", annotations=[caption])])
    with pytest.raises(AnnotationError, match="cannot be written as JSON"):
        save(dataset, tmp_path / "out")


def test_coco_gets_the_captions(tmp_path):
    picture(tmp_path / "in", "images/train/a.jpg", (10, 20))
    dataset = read(write(tmp_path / "in", files()))
    dataset.export(str(tmp_path / "coco"), "coco_captions", save_media=True)
    found = json.loads((tmp_path / "coco/annotations/captions_train.json").read_text())
    assert [a["caption"] for a in found["annotations"]] == [
        'A döner a "good" one.',
        "Again.",
        "Sky.",
    ]


def test_datumaro_s_own_format_keeps_all_of_them(tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    dataset.export(str(tmp_path / "dm"), "datumaro")
    back = Dataset.import_from(str(tmp_path / "dm"), "datumaro")
    assert captions(back) == captions(dataset)
    again = read(save(back, tmp_path / "out"))
    assert captions(again) == captions(dataset)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"image_id": "a", "caption": "x"\n', "no JSON object"),
        ("[1, 2]\n", "no JSON object"),
        ('{"image_id": "a", "caption": NaN}\n', "NaN"),
        ('{"caption": "x"}\n', "column image_id: .*names no image"),
        ('{"image_id": 5}\n', "column image_id: .*names no image"),
        ('{"image_id": "a", "traces": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "nested"),
    ],
    ids=["cut off", "list", "nan", "no image", "number", "deep"],
)
def test_a_malformed_line_is_named(line, reason, tmp_path):
    root = write(tmp_path, files(FULL + line + OTHER))
    with pytest.raises(FormatError, match=f"{FILE}, row 2.*{reason}"):
        list(read(root))


def test_an_error_policy_skips_malformed_lines(tmp_path):
    from datumaro_openimages_plugin._host import ImportContext
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    class Policy:
        def __init__(self):
            self.errors = []

        def report_annotation_error(self, error, *, item_id):
            self.errors.append(error.row)

    policy = Policy()
    root = write(tmp_path, files(FULL + "{}\n" + OTHER))
    extractor = OpenImagesExtractor(str(root), ctx=ImportContext(error_policy=policy))
    assert [len(item.annotations) for item in extractor] == [1, 1]
    assert policy.errors == [2]


def test_gzipped_files_and_a_byte_order_mark(tmp_path):
    import gzip

    root = write(tmp_path, files("\ufeff" + FULL))
    assert len(captions(read(root))) == 1
    (root / FILE).unlink()
    (root / f"{FILE}.gz").write_bytes(gzip.compress((FULL + SHORT).encode()))
    assert len(captions(read(root))) == 2

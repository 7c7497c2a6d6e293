"""Labels of classifiers: a file of their own, and one attribute that tells them apart."""

from __future__ import annotations

import pickle

import pytest
from datumaro.components.annotation import AnnotationType, Label
from datumaro.components.dataset import Dataset
from oi_files import LABEL_HEADER, image_list, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.errors import FormatError

HUMAN = "annotations/train-annotations-human-imagelabels.csv"
MACHINE = "annotations/train-annotations-machine-imagelabels.csv"
ROWS = LABEL_HEADER + "a,machine,/m/0,0.70\na,machine,/m/1,0.5\n"


def files(machine: str = ROWS, name: str = MACHINE) -> dict[str, str]:
    return {
        "annotations/train-image_ids_and_rotation.csv": image_list(("a", "train"), ("b", "train")),
        HUMAN: LABEL_HEADER + "a,verification,/m/0,1\n",
        name: machine,
    }


def labels_of(dataset, image_id: str = "a"):
    names = [c.name for c in dataset.categories()[AnnotationType.label]]
    item = dataset.get(image_id, "train")
    return [(names[a.label], a.attributes) for a in item.annotations]


def test_they_stand_after_the_human_labels_and_say_that_they_are_machine(tmp_path):
    assert labels_of(read(write(tmp_path, files()))) == [
        ("/m/0", {"score": 1.0}),
        ("/m/0", {"score": 0.7, "source": "machine"}),
        ("/m/1", {"score": 0.5, "source": "machine"}),
    ]


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        ("annotations/oidv7-val-annotations-machine-imagelabels.csv", "validation"),
        ("annotations/oidv6-train-annotations-machine-imagelabels.csv", "train"),
        ("train/annotations-machine.csv", "train"),
        ("2018_04/test/test-annotations-machine-imagelabels.csv", "test"),
    ],
)
def test_every_published_name_is_read(name, subset, tmp_path):
    dataset = read(write(tmp_path, {name: ROWS}))
    (item,) = dataset
    assert (item.subset, len(item.annotations)) == (subset, 2)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_there_and_back(line_end, tmp_path):
    source = write(tmp_path / "in", files(ROWS.replace("\n", line_end)))
    found = bytes_below(save(read(source), tmp_path / "out"), ".")
    for name in (HUMAN, MACHINE):
        assert found[name] == (source / name).read_bytes()


def test_there_and_back_whatever_the_source_is_called(tmp_path):
    source = write(tmp_path / "in", files(LABEL_HEADER + "a,,/m/0,0.70\na,net 2,/m/1,.5\n"))
    found = bytes_below(save(read(source), tmp_path / "out"), ".")
    assert found[MACHINE] == (source / MACHINE).read_bytes()


def test_there_and_back_through_a_pickle_and_a_changed_score(tmp_path):
    source = write(tmp_path / "in", files(LABEL_HEADER + "a,net 2,/m/0,0.70\na,,/m/1,0.5\n"))
    items = pickle.loads(pickle.dumps(list(read(source))))
    items[0].annotations[1].attributes["score"] = 0.25
    dataset = Dataset.from_iterable(items, categories=read(source).categories())
    found = bytes_below(save(dataset, tmp_path / "out"), ".")
    assert found[MACHINE].decode() == LABEL_HEADER + "a,net 2,/m/0,0.25\na,,/m/1,0.5\n"
    assert found[HUMAN].decode() == LABEL_HEADER + "a,verification,/m/0,1\n"


def test_the_source_decides_the_file(tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    human, machine, _ = dataset.get("a", "train").annotations
    human.attributes["source"] = "machine"
    machine.attributes["source"] = "verification"
    found = bytes_below(save(dataset, tmp_path / "out"), ".")
    assert found[HUMAN].decode() == LABEL_HEADER + "a,verification,/m/0,0.70\n"
    assert found[MACHINE].decode() == LABEL_HEADER + "a,machine,/m/0,1\na,machine,/m/1,0.5\n"


def test_new_ones_are_written_as_published(tmp_path):
    annotations = [
        Label(0, attributes={"score": 0.5, "source": "machine"}),
        Label(0, attributes={"source": "verification"}),
        Label(0),
    ]
    dataset = Dataset.from_iterable(
        [DatasetItem("a", subset="validation", annotations=annotations)], categories=["/m/0"]
    )
    found = bytes_below(save(dataset, tmp_path, names="published"), ".")
    machine = "annotations/oidv7-val-annotations-machine-imagelabels.csv"
    assert found[machine].decode() == LABEL_HEADER + "a,machine,/m/0,0.5\n"
    human = found[machine.replace("machine", "human")].decode()
    assert human == LABEL_HEADER + "a,verification,/m/0,1\na,,/m/0,1\n"


def test_columns_shown_on_request_change_nothing(tmp_path):
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    source = write(tmp_path / "in", files())
    shown = Dataset.from_extractors(OpenImagesExtractor(str(source), show_columns=True))
    found = bytes_below(save(shown, tmp_path / "out"), ".")
    for name in (HUMAN, MACHINE):
        assert found[name] == (source / name).read_bytes()


def test_a_malformed_row_is_named(tmp_path):
    source = write(tmp_path, files(ROWS + "b,machine,/m/1,1.5\n"))
    with pytest.raises(FormatError, match=f"{MACHINE}, row 3, column Confidence, image 'b'"):
        list(read(source))

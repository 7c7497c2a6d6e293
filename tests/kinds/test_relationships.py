"""Relationships: tied to boxes by label and corners, kept through transforms, written back."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
from datumaro.components.annotation import Bbox
from datumaro.components.dataset import Dataset
from oi_files import BOX_HEADER, image_list, picture, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin._host import DatasetItem, image_from_file
from datumaro_openimages_plugin.errors import AnnotationError, FormatError
from datumaro_openimages_plugin.kinds.relationships import FIELDS, Relationship

BOXES = "annotations/train-annotations-bbox.csv"
VRD = "annotations/train-annotations-vrd.csv"
HEADER = ",".join(FIELDS) + "\n"
FLAGS = "0,0,0,0,0"
PERSON, DOG, TOY = "0.1,0.300000,0.2,0.9", "0.4,0.912345678,0.5,0.95", "0.25,0.5,0.25,0.75"
#: As the box, but with as many decimals as these files have.
SHORT_PERSON, SHORT_DOG = "0.1,0.3,0.2,0.9", "0.4,0.912346,0.5,0.95"
ROWS = (
    f"a,/m/0,/m/1,{SHORT_PERSON},{SHORT_DOG},interacts_with\n"
    f"a,/m/0,/m/attribute,{SHORT_PERSON},{SHORT_PERSON},is\n"
    f"a,/m/0,/m/2,{SHORT_PERSON},{TOY},holds\n"
    f"a,/m/2,/m/1,{TOY},{SHORT_DOG},at\n"
)
FOUND = [
    [1, "interacts_with", 2],
    [1, "is", "/m/attribute"],
    [1, "holds", 3],
    [3, "at", 2],
]


def files(rows: str = ROWS) -> dict[str, str]:
    return {
        "annotations/class-descriptions.csv": "/m/0,Person\n/m/1,Dog\n/m/2,Toy\n",
        "annotations/train-image_ids_and_rotation.csv": image_list(("a", "train"), ("b", "train")),
        BOXES: BOX_HEADER
        + f"a,xclick,/m/0,1,{PERSON},{FLAGS}\n"
        + f"a,xclick,/m/1,1,{DOG},{FLAGS}\n"
        + f"b,xclick,/m/0,1,{PERSON},{FLAGS}\n",
        VRD: HEADER + rows,
        "annotations/images.meta": "a 100 200\nb 100 200\n",
    }


@pytest.fixture
def source(tmp_path):
    root = write(tmp_path / "in", files())
    picture(root, "images/train/a.jpg", (100, 200))
    return root


def relationships(dataset, image_id: str = "a"):
    return dataset.get(image_id, "train").attributes.get("relationships")


def boxes(dataset, image_id: str = "a"):
    return {a.id: a for a in dataset.get(image_id, "train").annotations}


def written(dataset, tmp_path, name: str = VRD) -> str:
    out = save(dataset, tmp_path / "out")
    return (out / name).read_text(encoding="utf-8") if (out / name).exists() else ""


# What is read


def test_ends_are_the_ids_of_boxes(source):
    dataset = read(source)
    assert relationships(dataset) == FOUND
    assert {number: box.label for number, box in boxes(dataset).items()} == {1: 0, 2: 1, 3: 2}
    assert boxes(dataset)[3].points == pytest.approx([50, 25, 100, 75])


def test_attributes_of_a_subject_are_no_labels(source):
    names = [c.name for c in next(iter(read(source).categories().values()))]
    assert names == ["/m/0", "/m/1", "/m/2"]


def test_images_without_any_have_numbered_boxes_only(source):
    dataset = read(source)
    assert relationships(dataset, "b") is None
    assert list(boxes(dataset, "b")) == [1]


def test_nothing_shows_where_there_is_no_such_file(source):
    (source / VRD).unlink()
    dataset = read(source)
    assert [box.id for box in dataset.get("a", "train").annotations] == [0, 0]
    assert dataset.get("a", "train").attributes == {}


def test_without_a_box_file_every_end_is_added(source):
    (source / BOXES).unlink()
    dataset = read(source)
    assert relationships(dataset) == [[1, "interacts_with", 2], *FOUND[1:]]
    assert len(boxes(dataset)) == 3


def test_equal_boxes_of_other_images_and_labels_stay_apart(tmp_path):
    rows = f"a,/m/2,/m/1,{TOY},{TOY},at\nb,/m/2,/m/2,{TOY},{TOY},at\n"
    dataset = read(write(tmp_path, files(rows)))
    assert relationships(dataset) == [[3, "at", 4]]
    assert relationships(dataset, "b") == [[2, "at", 2]]


# There and back


def test_there_and_back(source, tmp_path):
    before = bytes_below(source, "annotations")
    out = save(read(source), tmp_path / "out")
    after = bytes_below(out, "annotations")
    assert after[VRD] == before[VRD]
    assert after[BOXES] == before[BOXES]
    assert relationships(read(out)) == FOUND


def test_lists_come_back(source, tmp_path):
    lists = {
        "annotations/oidv6-attributes-description.csv": "/m/attribute,Wooden\r\n",
        "annotations/challenge-2018-relationships-description.csv": "at,at\non,on (top of)\n",
        "annotations/oidv6-relationship-triplets.csv": "/m/0,/m/1,at\n",
    }
    write(source, lists)
    found = bytes_below(save(read(source), tmp_path / "out"), "annotations")
    for name, text in lists.items():
        base = name.rsplit("-", 2)
        assert found[f"annotations/{base[-2]}-{base[-1]}"] == text.encode()


@pytest.mark.parametrize(
    "changed",
    [
        lambda dataset: dataset,
        lambda dataset: pickle.loads(pickle.dumps(dataset)),
        copy.deepcopy,
        lambda dataset: dataset.transform("random_split", splits=[("train", 1.0)]),
        lambda dataset: dataset.transform("map_subsets", mapping={"none": "some"}),
        lambda dataset: Dataset.from_extractors(dataset, dataset),
    ],
    ids=["nothing", "pickle", "deepcopy", "split", "map", "merge with itself"],
)
def test_what_does_not_touch_them_keeps_their_rows(changed, source, tmp_path):
    dataset = read(source)
    dataset = changed(dataset) or dataset
    assert sorted(written(dataset, tmp_path).splitlines()) == sorted((HEADER + ROWS).splitlines())


def test_renamed(source, tmp_path):
    dataset = read(source).transform("rename", regex="|^a$|z|")
    assert written(dataset, tmp_path) == HEADER + ROWS.replace("a,/m/", "z,/m/")


def test_remapped_labels(source, tmp_path):
    dataset = read(source).transform("remap_labels", mapping={"/m/1": "/m/new"}, default="keep")
    assert written(dataset, tmp_path) == HEADER + ROWS.replace("/m/1", "/m/new")


def test_resized(source, tmp_path):
    dataset = read(source).select(lambda item: item.id == "a")
    dataset.transform("resize", width=100, height=50)
    assert read(save(dataset, tmp_path / "out")).get("a", "train").attributes == {
        "relationships": FOUND
    }
    kept = ROWS.splitlines(keepends=True)
    # Datumaro rounds points, so corners of many digits move a little.
    found = (tmp_path / "out" / VRD).read_text().splitlines(keepends=True)
    assert found[2:4] == kept[1:3]


def test_merged_with_another_dataset(source, tmp_path):
    one = read(source).select(lambda item: item.id == "a")
    other = read(source).select(lambda item: item.id == "b")
    assert written(Dataset.from_extractors(other, one), tmp_path) == HEADER + ROWS


def test_filtered_boxes_take_their_relationships_along(source, tmp_path, caplog):
    dataset = read(source)
    dataset.filter("/item/annotation[label != '/m/1']", filter_annotations=True)
    lines = ROWS.splitlines(keepends=True)
    assert written(dataset, tmp_path) == HEADER + lines[1] + lines[2]
    assert "relationships whose boxes are gone: 2 not written" in caplog.text


def test_a_moved_box_is_computed_anew(source, tmp_path):
    dataset = read(source)
    item = dataset.get("a", "train")
    moved = boxes(dataset)[1].wrap(x=10, y=10, w=20, h=30)
    others = [a for a in item.annotations if a.id != 1]
    dataset.put(item.wrap(annotations=[moved, *others]))
    row = written(dataset, tmp_path).splitlines()[2]
    assert row == "a,/m/0,/m/attribute,0.05,0.15,0.1,0.4,0.05,0.15,0.1,0.4,is"


def test_a_box_that_lost_its_relationships_is_a_box_like_any_other(source, tmp_path):
    dataset = read(source)
    item = dataset.get("a", "train")
    dataset.put(item.wrap(attributes={"relationships": item.attributes["relationships"][:2]}))
    assert "holds" not in written(dataset, tmp_path)
    rows = (tmp_path / "out" / BOXES).read_text().splitlines()
    assert rows[3] == "a,,/m/2,1,0.25,0.5,0.25,0.75,-1,-1,-1,-1,-1"


def test_new_relationships(tmp_path):
    picture(tmp_path, "x.jpg", (100, 200))
    item = DatasetItem(
        "x",
        subset="train",
        media=image_from_file(str(tmp_path / "x.jpg"), None),
        annotations=[Bbox(10, 20, 30, 40, label=0, id=7), Bbox(50, 20, 50, 80, label=1, id=9)],
        attributes={"relationships": [(7, "wears", 9), [9, "is", "/m/hat"]]},
    )
    dataset = Dataset.from_iterable([item], categories=["/m/0", "/m/1"])
    assert written(dataset, tmp_path).splitlines()[1:] == [
        "x,/m/0,/m/1,0.05,0.2,0.2,0.6,0.25,0.5,0.2,1.0,wears",
        "x,/m/1,/m/hat,0.25,0.5,0.2,1.0,0.25,0.5,0.2,1.0,is",
    ]


def test_through_datumaro_s_own_format(source, tmp_path):
    dataset = read(source)
    dataset.export(str(tmp_path / "dm"), "datumaro", save_media=True)
    back = Dataset.import_from(str(tmp_path / "dm"), "datumaro")
    assert relationships(back) == FOUND
    out = save(back, tmp_path / "out")
    assert relationships(read(out)) == FOUND


def test_they_are_lists_to_everybody_else():
    one = Relationship([1, "at", 2])
    assert one == [1, "at", 2] and one == [1, "at", 2]
    assert json.dumps(one) == '[1, "at", 2]'
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one


# What is refused


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (f"a,/m/0,/m/1,x,0.3,0.2,0.9,{DOG},at\n", "XMin1"),
        (f"a,/m/0,/m/1,{PERSON},nan,0.9,0.5,0.95,at\n", "XMin2"),
        (f"a,,/m/1,{PERSON},{DOG},at\n", "LabelName1"),
        (f"a,/m/0,/m/1,{PERSON},{DOG},\n", "RelationshipLabel"),
    ],
)
def test_a_malformed_row_is_named(row, column, tmp_path):
    root = write(tmp_path, files(ROWS + row))
    with pytest.raises(FormatError, match=f"{VRD}, row 5, column {column}, image 'a'"):
        list(read(root))


@pytest.mark.parametrize(
    "relationship",
    [
        [1, "at"],
        "1 at 2",
        [1.5, "at", 2],
        [1, "", 2],
        [1, None, 2],
        [1, "at", None],
        [1, "is", 2],
        [1, "at", "/m/attribute"],
    ],
    ids=str,
)
def test_what_is_no_relationship_is_refused(relationship, source, tmp_path):
    dataset = read(source)
    item = dataset.get("a", "train")
    dataset.put(item.wrap(attributes={"relationships": [relationship]}))
    with pytest.raises(AnnotationError, match="the item's relationships"):
        written(dataset, tmp_path)
    assert not (tmp_path / "out" / "annotations").exists()


def test_an_id_of_several_boxes_is_refused(source, tmp_path):
    dataset = read(source)
    item = dataset.get("a", "train")
    dataset.put(item.wrap(annotations=[a.wrap(id=1) for a in item.annotations]))
    with pytest.raises(AnnotationError, match="several boxes"):
        written(dataset, tmp_path)

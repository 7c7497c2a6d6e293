"""Point labels: one point, one class, one answer."""

from __future__ import annotations

import pytest
from datumaro.components.annotation import AnnotationType, Points
from datumaro.components.dataset import Dataset
from oi_files import image_list, picture, write
from rich_data import bytes_below, read, save

from datumaro_openimages_plugin._host import DatasetItem, image_from_file
from datumaro_openimages_plugin.errors import AnnotationError, FormatError
from datumaro_openimages_plugin.kinds.points import FIELDS

FILE = "annotations/train-annotations-point-labels.csv"
HEADER = ",".join(FIELDS) + "\n"
ROWS = (
    "a,0.1,0.25,/m/0,yes,ih,3,0,1,\n"
    'a,0.123456789,0.9999999,/m/1,no,cf,0,3,0,"a word, two"\n'
    "a,0.5,0.5,/m/1,unsure,,,,,\n"
)


def files(rows: str = ROWS, header: str = HEADER, name: str = FILE) -> dict[str, str]:
    return {
        "annotations/class-descriptions.csv": "/m/0,Zero\n/m/1,One\n",
        "annotations/train-image_ids_and_rotation.csv": image_list(("a", "train"), ("b", "train")),
        name: header + rows,
        "annotations/images.meta": "a 100 200\nb 50 50\n",
    }


def points(dataset, image_id: str = "a"):
    return dataset.get(image_id, "train").annotations


def test_they_are_points_with_their_answers(tmp_path):
    one, two, three = points(read(write(tmp_path, files())))
    assert one == Points(
        [20, 25],
        label=0,
        attributes={"estimated_yes_no": "yes", "yes_votes": 3, "no_votes": 0, "unsure_votes": 1},
    )
    assert two.attributes["text_label"] == "a word, two"
    assert three.attributes == {"estimated_yes_no": "unsure"}


def test_made_as_the_constructor_makes_them(tmp_path):
    for made in points(read(write(tmp_path, files()))):
        again = Points(made.points, label=made.label, attributes=made.attributes)
        assert made == again and again == made
        assert made.visibility == again.visibility
        assert [repr(value) for value in made.points] == [repr(value) for value in again.points]
        for field in ("id", "group", "z_order", "object_id"):
            assert getattr(made, field, None) == getattr(again, field, None)


def test_columns_are_found_by_name(tmp_path):
    header = "Label,Y,X,ImageID,EstimatedYesNo\n"
    (point,) = points(read(write(tmp_path, files("/m/1,0.5,0.25,a,No\n", header))))
    assert point == Points([50, 50], label=1, attributes={"estimated_yes_no": "no"})


@pytest.mark.parametrize(
    ("name", "subset"),
    [
        ("annotations/oidv7-val-annotations-point-labels.csv", "validation"),
        ("v7/oidv7-test-annotations-point-labels.csv", "test"),
        ("train/labels/points.csv", "train"),
    ],
)
def test_every_known_name_is_read(name, subset, tmp_path):
    (item,) = read(write(tmp_path, {name: HEADER + ROWS}))
    assert (item.subset, len(item.annotations)) == (subset, 3)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [HEADER, HEADER.replace("ImageId", "ImageID")])
def test_there_and_back(header, line_end, tmp_path):
    made = files(ROWS.replace("\n", line_end), header.replace("\n", line_end))
    source = write(tmp_path / "in", made)
    found = bytes_below(save(read(source), tmp_path / "out"), ".")[FILE]
    assert found.split(b"\n", 1)[1] == (source / FILE).read_bytes().split(b"\n", 1)[1]


def test_changed_ones_keep_what_still_holds(tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    item = dataset.get("a", "train")
    item.annotations[0].attributes["yes_votes"] = 4
    item.annotations[1] = item.annotations[1].wrap(points=[100, 50])
    dataset.put(item)
    found = save(dataset.transform("rename", regex="|^a$|z|"), tmp_path / "out") / FILE
    assert found.read_text().splitlines()[1:] == [
        "z,0.1,0.25,/m/0,yes,ih,4,0,1,",
        'z,0.5,0.5,/m/1,no,cf,0,3,0,"a word, two"',
        "z,0.5,0.5,/m/1,unsure,,,,,",
    ]


def test_new_ones_and_those_that_have_no_place(tmp_path, caplog):
    picture(tmp_path, "x.jpg", (100, 200))
    item = DatasetItem(
        "x",
        subset="validation",
        media=image_from_file(str(tmp_path / "x.jpg"), None),
        annotations=[
            Points([50, 25], label=0, attributes={"estimated_yes_no": "no", "colour": "red"}),
            Points([1, 2, 3, 4], label=0),
        ],
    )
    dataset = Dataset.from_iterable([item], categories=["/m/0"])
    found = bytes_below(save(dataset, tmp_path / "out", names="published"), ".")
    rows = found["annotations/oidv7-val-annotations-point-labels.csv"].decode()
    assert rows == HEADER + "x,0.25,0.25,/m/0,no,,,,,\n"
    assert "points annotations: 1 not written" in caplog.text
    assert "'colour' attributes of point annotations: 1 not written" in caplog.text


def test_points_of_images_of_unknown_size_keep_their_rows(tmp_path):
    made = files()
    del made["annotations/images.meta"]
    source = write(tmp_path / "in", made)
    assert points(read(source))[0].points == pytest.approx([0.1, 0.25])
    found = bytes_below(save(read(source), tmp_path / "out"), ".")[FILE]
    assert found == (source / FILE).read_bytes()


def test_columns_shown_on_request(tmp_path):
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    source = write(tmp_path / "in", files())
    shown = Dataset.from_extractors(OpenImagesExtractor(str(source), show_columns=True))
    assert points(shown)[0].attributes["source"] == "ih"
    assert (save(shown, tmp_path / "out") / FILE).read_bytes() == (source / FILE).read_bytes()


def test_formats_with_points_get_them(tmp_path):
    picture(tmp_path / "in", "images/train/a.jpg", (100, 200))
    dataset = read(write(tmp_path / "in", files()))
    dataset.export(str(tmp_path / "dm"), "datumaro", save_media=True)
    back = Dataset.import_from(str(tmp_path / "dm"), "datumaro")
    assert points(back)[:2] == points(dataset)[:2]
    found = save(back, tmp_path / "out") / FILE
    assert [row.split(",")[4] for row in found.read_text().splitlines()[1:]] == [
        "yes",
        "no",
        "unsure",
    ]


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("b,0.1,,/m/0,yes,,,,,\n", "Y"),
        ("b,inf,0.1,/m/0,yes,,,,,\n", "X"),
        ("b,0.1,0.1,/m/0,maybe,,,,,\n", "EstimatedYesNo"),
        ("b,0.1,0.1,/m/0,yes,,-1,,,\n", "YesVotes"),
        ("b,0.1,0.1,,yes,,,,,\n", "Label"),
    ],
)
def test_a_malformed_row_is_named(row, column, tmp_path):
    with pytest.raises(FormatError, match=f"{FILE}, row 4, column {column}, image 'b'"):
        list(read(write(tmp_path, files(ROWS + row))))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("estimated_yes_no", "maybe"),
        ("estimated_yes_no", 1),
        ("no_votes", -1),
        ("no_votes", 10**9),
        ("no_votes", "²"),
        ("no_votes", True),
    ],
)
def test_values_without_a_text_are_refused(attribute, value, tmp_path):
    dataset = read(write(tmp_path / "in", files()))
    item = dataset.get("a", "train")
    item.annotations[0].attributes[attribute] = value
    dataset.put(item)
    with pytest.raises(AnnotationError, match=attribute):
        save(dataset, tmp_path / "out")


def test_their_type_is_known(tmp_path):
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    extractor = OpenImagesExtractor(str(write(tmp_path, files())))
    assert extractor._reader.annotation_types == {AnnotationType.points}


def test_choosing_knows_their_classes_and_negatives(tmp_path):
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    root = str(write(tmp_path, files()))
    (item,) = OpenImagesExtractor(root, classes=["One"], negatives="drop", only_matching=True)
    assert [a.attributes["estimated_yes_no"] for a in item.annotations] == ["unsure"]

"""Pictures that nobody touched are copied or linked, byte for byte."""

import os

import cv2
import numpy as np
import pytest
from datumaro.components.dataset import Dataset

from datumaro_openimages_plugin._host import Bbox, DatasetItem, Image, image_from_file
from datumaro_openimages_plugin.errors import SaveError
from datumaro_openimages_plugin.plugin import OpenImagesExporter, OpenImagesExtractor


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    items = []
    for number in range(3):
        path = str(folder / f"p{number}.jpg")
        cv2.imwrite(path, np.full((4 + number, 6, 3), 60 * number, np.uint8))
        # Bytes after the picture's end, which encoding again would lose.
        with open(path, "ab") as file:
            file.write(b"left by a camera")
        items.append(DatasetItem(f"i{number}", subset="train", media=image_from_file(path, None)))
    return Dataset.from_iterable(items)


def placed(tmp_path, dataset, **options):
    target = tmp_path / "out"
    OpenImagesExporter.convert(dataset, str(target), save_media=True, **options)
    return [
        (item.media.path, str(target / "images" / "train" / f"{item.id}.jpg")) for item in dataset
    ]


def test_pictures_are_copied(tmp_path, dataset):
    for src, to in placed(tmp_path, dataset):
        with open(src, "rb") as one, open(to, "rb") as two:
            assert one.read() == two.read()
        assert not os.path.samefile(src, to)


def test_pictures_are_linked_where_asked(tmp_path, dataset):
    for src, to in placed(tmp_path, dataset, link_media=True):
        assert os.path.samefile(src, to)


def test_pictures_to_convert_are_not_linked(tmp_path, dataset):
    target = tmp_path / "out"
    OpenImagesExporter.convert(
        dataset, str(target), save_media=True, link_media=True, image_ext=".png"
    )
    for number in range(3):
        picture = cv2.imread(str(target / "images" / "train" / f"i{number}.png"))
        assert picture.shape == (4 + number, 6, 3)


def test_an_extension_that_nothing_encodes(tmp_path, dataset):
    with pytest.raises(SaveError, match=r"i0\.xyz cannot be written as '\.xyz'; give an image_ext"):
        OpenImagesExporter.convert(
            dataset, str(tmp_path / "out"), save_media=True, image_ext=".xyz"
        )
    assert not (tmp_path / "out").exists()


def test_a_zip_holds_copies(tmp_path, dataset):
    import zipfile

    target = tmp_path / "out"
    OpenImagesExporter.convert(dataset, str(target), save_media=True, link_media=True, zip=True)
    with zipfile.ZipFile(target / "out.zip") as packed:
        for item in dataset:
            with open(item.media.path, "rb") as file:
                assert packed.read(f"images/train/{item.id}.jpg") == file.read()


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3)])
@pytest.mark.parametrize("attributes", [{}, {"source": "x"}])
def test_a_picture_without_pixels_has_no_size(shape, attributes, tmp_path, caplog):
    made = getattr(Image, "from_numpy", None) or (lambda data: Image(data=data))
    items = [
        DatasetItem(
            name,
            subset="train",
            media=made(data=np.zeros(size, np.uint8)),
            annotations=[Bbox(1, 1, 2, 2, label=0, attributes=attributes)],
        )
        for name, size in (("a", shape), ("b", (4, 8, 3)))
    ]
    dataset = Dataset.from_iterable(items, categories=["x"])
    OpenImagesExporter.convert(dataset, str(tmp_path / "out"))
    assert "cannot hold boxes on images of unknown size: 1" in caplog.text
    back = {item.id: len(item.annotations) for item in OpenImagesExtractor(str(tmp_path / "out"))}
    assert back == {"a": 0, "b": 1}

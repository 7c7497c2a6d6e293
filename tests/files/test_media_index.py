"""Where pictures are found, from names alone."""

from __future__ import annotations

import pytest

from datumaro_openimages_plugin.files.media_index import MediaIndex
from datumaro_openimages_plugin.sources.archive import Folder


def index(*names: str) -> MediaIndex:
    return MediaIndex(Folder("."), sorted(names))


class Counting(dict):
    """A dict that counts what it is asked."""

    asked = 0

    def __getitem__(self, key):
        self.asked += 1
        return super().__getitem__(key)

    def get(self, key, default=None):
        self.asked += 1
        return super().get(key, default)


@pytest.mark.parametrize(
    "name",
    ["downloads/train/x/{}.jpg", "downloads/TRAIN/X/{}.jpg", "d/e/train_0/x/{}.jpg"],
)
def test_deeper_pictures_are_found_by_all_parts_of_their_ids(name):
    # The ids of many videos' frames differ in their first parts alone.
    names = [name.format(f"v{n}/0") for n in range(500)]
    found = index(*names)
    found.images = Counting(found.images)
    assert [found.image(f"x/v{n}/0", "train") for n in range(500)] == names
    assert found.images.asked < 20 * 500
    assert found.image("x/v0/0", "test") is None and found.image("v0/0", "train") is None


def test_cases_of_an_id_whose_lengths_differ_in_lower_case():
    # One character is two of them in lower case.
    names = ["a/b/İİİİ/x.jpg", "a/train/İ/y.jpg"]
    found = index(*names)
    assert found.image("İİİİ".lower() + "/x", "train") is None
    assert found.image("İ".lower() + "/y", "train") == names[1]


def test_the_shallowest_of_deeper_pictures_comes_first():
    names = ["a/b/c/train/0.jpg", "b/c/train/0.jpg", "c/d/train_0/0.jpg"]
    assert index(*names).image("0", "train") == names[1]
    assert index(names[0], names[2]).image("0", "train") == names[0]
    assert index(names[2]).image("0", "train") == names[2]


@pytest.mark.parametrize("subset", ["val", "validation"])
def test_folders_of_a_subset_by_their_names(subset):
    names = ["VALIDATION/0.jpg", "val/1.jpg", "val_2/2.jpg", "Val/Val_3/3.jpg", "val_x/4.jpg"]
    found = index(*names)
    found._folders = []  # what looks into folders of other subsets, too
    assert [found.image(str(n), subset) for n in range(5)] == [*names[:4], None]
    assert index("val_0/5.jpg", "val_5/5.jpg").image("5", subset) == "val_5/5.jpg"


def test_the_ranks_of_folders_are_as_few_as_digits():
    found = index("train_0/a.jpg", "train_f/f.jpg")
    for number in range(200):
        found.image(chr(0x4E00 + number), "train")
    assert found.image("f", "train") == "train_f/f.jpg"
    assert len(found._ranked["train"]) == 2

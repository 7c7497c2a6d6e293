"""Sizes of images that were written."""

from __future__ import annotations

import pytest

from datumaro_openimages_plugin.images.image_sizes import image_meta_from_text, image_meta_line
from datumaro_openimages_plugin.writing import written_sizes
from datumaro_openimages_plugin.writing.written_sizes import WrittenSizes, image_meta_lines


@pytest.fixture(params=[2, 1000], ids=["few together", "all together"], autouse=True)
def gathered(request, monkeypatch):
    monkeypatch.setattr(written_sizes, "_GATHERED", request.param)


def known(pairs, others=None):
    sizes = WrittenSizes()
    for image_id, size in pairs:
        sizes.add_all([image_id], [size])
    names, columns, unlike = sizes.known(others or {})
    return dict(zip(names.to_pylist(), map(tuple, columns.tolist()), strict=True)), unlike


def test_each_id_has_its_size():
    pairs = [(f"{n:016x}", (n + 1, 2 * n + 1)) for n in range(7)]
    assert known(pairs) == (dict(pairs), 0)
    assert known([]) == ({}, 0)
    assert known([("a", (1, 2)), ("b", None)]) == ({"a": (1, 2)}, 0)


def test_ids_of_several_sizes_have_none():
    pairs = [("b", (1, 2)), ("a", (3, 4)), ("b", (1, 2)), ("c", (5, 6)), ("a", (3, 5))]
    assert known(pairs) == ({"b": (1, 2), "c": (5, 6)}, 1)
    assert list(known(pairs)[0]) == ["b", "c"]


def test_what_was_written_comes_before_others():
    pairs = [("b", (1, 2)), ("a", (3, 4)), ("a", (4, 3))]
    others = {"a": (7, 7), "b": (8, 8), "x": (9, 9)}
    assert known(pairs, others) == ({"b": (1, 2), "x": (9, 9)}, 1)


@pytest.mark.parametrize("ids", [["a", "b1", "c"], ["a b", "ü", "x'y", "d", "/e.f"], ["é1"]])
def test_lines_are_those_of_single_images(ids):
    pairs = {image_id: (n + 1, 70_000 * (n + 1)) for n, image_id in enumerate(ids)}
    sizes = WrittenSizes()
    sizes.add_all(list(pairs), list(pairs.values()))
    names, columns, _ = sizes.known({})
    data = b"".join(bytes(block) for block in image_meta_lines(names, columns))
    head, lines = data.decode().split("\n\n", 1)
    assert head.startswith("#")
    assert lines == "".join(f"{image_meta_line(*pair)}\n" for pair in pairs.items())
    assert dict(image_meta_from_text(data, "images.meta")) == pairs

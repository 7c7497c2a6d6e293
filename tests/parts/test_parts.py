"""Parts of a dataset: joined, they are what one process writes, to the byte."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from datumaro.components.dataset import Dataset
from doc_examples import ROOT, run_python
from oi_files import BOX_HEADER, base_files, base_media, image_list, write

from datumaro_openimages_plugin import register
from datumaro_openimages_plugin.errors import FormatError, SaveError
from datumaro_openimages_plugin.parts import convert, convert_part, merge_parts
from datumaro_openimages_plugin.parts.order import Order, order_path
from datumaro_openimages_plugin.plugin import OpenImagesExtractor


def one_process(source, folder, transforms=(), choose=None, **export):
    register()
    dataset = Dataset.from_extractors(OpenImagesExtractor(str(source), **(choose or {})))
    for name, arguments in transforms:
        dataset.transform(name, **arguments)
    dataset.export(str(folder), "open_images", **export)
    return content(folder)


def content(folder):
    folder = Path(folder)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def in_parts(source, folder, count, transforms=(), choose=None, **export):
    parts = [
        convert_part(
            str(source),
            f"{folder}-parts/{number}",
            (number, count),
            choose=choose,
            transforms=transforms,
            export=export,
        )
        for number in range(count)
    ]
    merge_parts(parts, str(folder))
    return content(folder)


RESIZE = [("resize", {"width": 40, "height": 30})]


@pytest.mark.parametrize("asset", ["open_images_v7", "cvat_layout"])
@pytest.mark.parametrize("count", [3])
@pytest.mark.parametrize(
    ("transforms", "export"),
    [
        ((), {"save_media": True}),
        (RESIZE, {"save_media": True, "names": "published"}),
        ([("rename", {"regex": r"|(\w)(\w*)|\2\1|"})], {}),
        ([("map_subsets", {"mapping": {"train": "all", "validation": "all"}})], {}),
    ],
    ids=["media", "resize", "rename", "map"],
)
def test_joined_parts_are_what_one_process_writes(tmp_path, asset, count, transforms, export):
    if transforms == RESIZE and asset == "open_images_v7":
        # Datumaro cannot resize an image without a picture.
        shutil.copytree(ROOT / "assets" / asset, tmp_path / "in")
        for name in ("1f2e3d4c5b6a7988",):
            shutil.copy(
                tmp_path / "in/images/train/0badc0ffee123456.jpg",
                tmp_path / f"in/images/train/{name}.jpg",
            )
        source = tmp_path / "in"
    else:
        source = ROOT / "assets" / asset
    whole = one_process(source, tmp_path / "whole", transforms, **export)
    joined = in_parts(source, tmp_path / "joined", count, transforms, **export)
    assert list(joined) == list(whole)
    for name in whole:
        assert joined[name] == whole[name], name
    assert not any((tmp_path / "joined-parts").iterdir())


def test_more_parts_than_images(tmp_path):
    source = ROOT / "assets/cvat_layout"
    assert in_parts(source, tmp_path / "joined", 9) == one_process(source, tmp_path / "whole")


@pytest.mark.parametrize("always", [False, True])
def test_sizes_where_no_table_needs_them(tmp_path, always):
    source, choose = ROOT / "assets/cvat_layout", {"kinds": ["labels"]}
    options = {"choose": choose, "save_image_meta": always}
    whole = one_process(source, tmp_path / "whole", **options)
    assert ("annotations/images.meta" in whole) == always
    assert in_parts(source, tmp_path / "joined", 2, **options) == whole


def test_parts_of_a_choice(tmp_path):
    source = ROOT / "assets/open_images_v7"
    choose = {"classes": ["Cat", "Person"], "kinds": ["boxes", "labels", "narratives"]}
    whole = one_process(source, tmp_path / "whole", choose=choose)
    assert in_parts(source, tmp_path / "joined", 3, choose=choose) == whole


def test_tables_of_different_width(tmp_path):
    """One file of boxes has more columns than the other; the rows that lack them are filled up."""
    files = base_files()
    wide = BOX_HEADER.rstrip("\n") + ",Grade\n"
    ids = [f"{n:04}" for n in range(6)]
    files["annotations/train-images-with-rotation.csv"] = image_list(
        *((name, "train") for name in (*ids, "a", "b"))
    )
    files["annotations/dev-annotations-bbox.csv"] = wide + "".join(
        f'{name},x,/m/1,1,0.1,0.2,0.1,0.2,0,0,0,0,0,"good, {name}"\n' for name in ids
    )
    files["annotations/dev-images-with-rotation.csv"] = image_list(*((n, "dev") for n in ids))
    source = write(tmp_path / "in", files)
    base_media(source)
    together = [("map_subsets", {"mapping": {"dev": "train"}})]
    files["annotations/train-images-with-rotation.csv"] = image_list(("a", "train"), ("b", "train"))
    write(source, files)
    whole = one_process(source, tmp_path / "whole", together)
    boxes = whole["annotations/train-annotations-bbox.csv"].decode()
    assert boxes.splitlines()[0].endswith(",Grade") and '"good, 0003"' in boxes
    for count in (2, 5):
        assert in_parts(source, tmp_path / f"joined{count}", count, together) == whole


def test_sizes_come_from_the_part_that_has_the_image(tmp_path):
    files = base_files()
    files["annotations/images.meta"] = "a 20 40\nb 7 13\nc 16 16\nnobody 5 6\n"
    source = write(tmp_path / "in", files)
    base_media(source)
    whole = one_process(source, tmp_path / "whole", RESIZE, save_media=True)
    assert b"a 30 40\n" in whole["annotations/images.meta"]
    assert b"nobody 5 6\n" in whole["annotations/images.meta"]
    assert in_parts(source, tmp_path / "joined", 3, RESIZE, save_media=True) == whole


def test_images_that_a_transform_leaves_out(tmp_path):
    """Their places are not known then: the same rows come, part after part."""
    source = ROOT / "assets/open_images_v7"
    drop = [("rename", {"regex": "|x|y|"})]
    parts = [convert_part(str(source), f"{tmp_path}/{n}", (n, 2), transforms=drop) for n in (0, 1)]
    for part in parts:
        order = Order.read(part)
        Order(order.made_of, order.subsets, order.subset_codes, order.ids, None).write(part)
    merge_parts(parts, str(tmp_path / "joined"), keep=True)
    whole, joined = one_process(source, tmp_path / "whole", drop), content(tmp_path / "joined")
    assert list(joined) == list(whole)
    for name, data in whole.items():
        assert sorted(joined[name].splitlines()) == sorted(data.splitlines()), name
    assert all(os.path.isdir(part) for part in parts)


def test_a_complete_part_is_not_made_again(tmp_path, monkeypatch):
    source, folder = str(ROOT / "assets/cvat_layout"), str(tmp_path / "part")
    convert_part(source, folder, (0, 2))
    before = os.stat(folder).st_ino, os.stat(order_path(folder)).st_ino
    convert_part(source, folder, (0, 2))
    assert (os.stat(folder).st_ino, os.stat(order_path(folder)).st_ino) == before
    # Another shard, or other options, are another part.
    first = content(folder)
    convert_part(source, folder, (1, 2))
    assert content(folder) != first


@pytest.mark.parametrize("turned", [False, True])
def test_items_are_not_made_again_to_know_their_ids(turned, tmp_path, monkeypatch):
    """Unless Datumaro changes ids: it turns backslashes around."""
    source = ROOT / "assets/cvat_layout"
    if turned:
        source = write(tmp_path / "in", {"images.csv": image_list(("a", "t"), ("x\\b", "t"))})
    asked, ask = [], convert._images
    monkeypatch.setattr(convert, "_images", lambda dataset: asked.append(1) or ask(dataset))
    for folder, transforms in (("read", []), ("made", [("rename", {"regex": "|-|-|"})])):
        folder = str(tmp_path / folder)
        convert_part(str(source), folder, (0, 1), transforms=transforms)
    first, second = (Order.read(str(tmp_path / folder)) for folder in ("read", "made"))
    assert (first.ids, first.subsets, first.subset_codes) == (
        second.ids, second.subsets, second.subset_codes
    )  # fmt: skip
    assert ("x/b" in first.ids) == turned
    assert len(asked) == 1 + turned


def test_a_part_that_is_not_complete_is_refused(tmp_path):
    source = str(ROOT / "assets/cvat_layout")
    parts = [convert_part(source, str(tmp_path / str(n)), (n, 2)) for n in (0, 1)]
    os.remove(order_path(parts[1]))
    with pytest.raises(FormatError, match="not complete"):
        merge_parts(parts, str(tmp_path / "joined"))
    assert not (tmp_path / "joined").exists() and os.path.isdir(parts[0])
    (tmp_path / "1.order.json").write_text("[1]")
    with pytest.raises(FormatError, match="no file of a part"):
        merge_parts(parts, str(tmp_path / "joined"))
    # It is then made again.
    assert (
        merge_parts([parts[0], convert_part(source, parts[1], (1, 2))], str(tmp_path / "j")) is None
    )


def test_parts_that_do_not_belong_together(tmp_path):
    source = str(ROOT / "assets/cvat_layout")
    parts = [convert_part(source, str(tmp_path / str(n)), (0, 2)) for n in (0, 1)]
    with pytest.raises(FormatError, match="two parts have one image"):
        merge_parts(parts, str(tmp_path / "joined"))


def test_masks_of_one_file_name_are_refused(tmp_path):
    source = ROOT / "assets/cvat_layout"
    parts = [convert_part(str(source), str(tmp_path / str(n)), (n, 2)) for n in (0, 1)]
    for part in parts:
        (Path(part) / "masks/train").mkdir(parents=True, exist_ok=True)
        (Path(part) / "masks/train/same.png").write_bytes(part.encode())
    with pytest.raises(SaveError, match=r"masks/train/same\.png: parts have different files"):
        merge_parts(parts, str(tmp_path / "joined"))
    assert not (tmp_path / "joined").exists()
    assert all(os.path.isdir(part) for part in parts)


def test_places_are_those_of_the_whole():
    whole = [item.id for item in OpenImagesExtractor(str(ROOT / "assets/open_images_v7"))]
    found = np.full(len(whole), -1)
    for number in range(3):
        part = OpenImagesExtractor(str(ROOT / "assets/open_images_v7"), shard=(number, 3))
        assert [whole[n] for n in part.numbers_before] == [item.id for item in part]
        found[part.numbers_before] = number
    assert (found >= 0).all()
    every = OpenImagesExtractor(str(ROOT / "assets/open_images_v7"))
    assert every.numbers_before.tolist() == list(range(len(whole)))


def test_the_order_is_written_as_json(tmp_path):
    folder = convert_part(str(ROOT / "assets/cvat_layout"), str(tmp_path / "p"), (0, 2))
    value = json.loads(Path(order_path(folder)).read_text())
    assert set(value) == {"made_of", "subsets", "subset_codes", "ids", "numbers", "always_meta"}


def test_pictures_can_be_read_in_any_thread(tmp_path):
    """Tasks run in threads, where Datumaro 1.x does not know how to decode a picture."""
    source, found = str(ROOT / "assets/cvat_layout"), []
    arguments = {"transforms": RESIZE, "export": {"save_media": True}}
    folder = str(tmp_path / "part")
    thread = threading.Thread(
        target=lambda: found.append(convert_part(source, folder, (0, 2), **arguments))
    )
    thread.start()
    thread.join()
    assert found == [folder]


def test_the_examples_of_the_page(monkeypatch, capsys):
    namespace = run_python("docs/many_machines.md", monkeypatch)
    sizes = capsys.readouterr().out.splitlines()[0]
    assert sum(json.loads(sizes)) == 8
    assert any(name.startswith("images/") for name in content(namespace["target"]))

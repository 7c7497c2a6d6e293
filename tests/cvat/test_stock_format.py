"""CVAT's stock format on our engine: its own steps, against a stand-in of its registry."""

from __future__ import annotations

import zipfile
from types import SimpleNamespace

import numpy as np
import oi_files
import pytest
from cvat_tasks import packed, run_export, run_import
from datumaro.components.annotation import AnnotationType

from datumaro_openimages_plugin import plugin
from datumaro_openimages_plugin._host import CAN_STREAM

IDS = ("a", 'say "b", c', "folder/d e", "größe")


@pytest.fixture
def task(cvat):
    """A frame for each of `IDS` and a label with all that a box has."""
    b = cvat.bindings
    flags = ("occluded", "truncated", "is_group_of", "is_depiction", "is_inside")
    label = {
        "name": "/m/1",
        "type": "any",
        "attributes": [
            b.attribute("score", "number", ["0", "1", "0.1"], "1"),
            *(b.attribute(flag, "checkbox", ["false"], "false") for flag in flags),
        ],
    }
    frames = [(f"{name}.jpg", 20 + number, 40) for number, name in enumerate(IDS)]
    return b.TaskData([label], frames)


def quoted(name):
    return '"' + name.replace('"', '""') + '"' if {",", '"'} & set(name) else name


def annotation_files(image_list: str) -> dict[str, str]:
    rows = [f"{quoted(name)},xclick,/m/1,1,0.1,0.5,0.2,0.6,1,0,-1,0,1\n" for name in IDS]
    return {
        "annotations/class-descriptions.csv": oi_files.CLASSES,
        f"annotations/{image_list}": oi_files.IMAGE_HEADER
        + "".join(f"{quoted(name)},train{',' * 10}\n" for name in IDS),
        "annotations/train-annotations-bbox.csv": oi_files.BOX_HEADER + "".join(rows),
    }


def corners(task):
    return {
        task.frames[r["frame"]].path[:-4]: r["points"]
        for r in task.records
        if r["type"] == "rectangle"
    }


EXPECTED = {
    name: pytest.approx([4, (20 + number) * 0.2, 20, (20 + number) * 0.6], abs=0.01)
    for number, name in enumerate(IDS)
}


def test_the_environment_has_our_classes(cvat):
    environment = cvat.registry.dm_env
    exporters = environment.exporters if hasattr(environment, "exporters") else None
    exporters = environment.converters if exporters is None else exporters
    assert environment.importers.get("open_images") is plugin.OpenImagesImporter
    assert environment.extractors.get("open_images") is plugin.OpenImagesExtractor
    assert exporters.get("open_images") is plugin.OpenImagesExporter


@pytest.mark.parametrize("save_images", [False, True])
def test_a_task_comes_back(cvat, task, tmp_path, save_images):
    b = cvat.bindings
    flags = {"truncated": "true", "is_group_of": "false", "is_inside": "true"}
    task.records += [
        b.record("rectangle", "/m/1", n, flags, points=[1, 2, 11, 12], occluded=n == 1)
        for n in range(len(IDS))
    ]
    task.records.append(b.record("rectangle", "/m/1", 0, points=[5, 5, 15, 9], rotation=30))
    task.records.append(b.record("polygon", "/m/1", 2, points=[1, 1, 9, 1, 9, 9]))
    archive = run_export(cvat, task, tmp_path, save_images=save_images)
    names = zipfile.ZipFile(archive).namelist()
    assert "annotations/images.meta" in names
    assert any(name.startswith("images/") for name in names) is save_images
    empty = b.TaskData(task.labels, task.frames)
    run_import(cvat, empty, archive, tmp_path)
    assert corners(empty) == {name: pytest.approx([1, 2, 11, 12], abs=0.01) for name in IDS}
    boxes = [r for r in empty.records if r["type"] == "rectangle"]
    for box in boxes:
        assert {name: box["attributes"][name] for name in flags} == flags
        assert box["occluded"] is (box["frame"] == 1)
        assert float(box["attributes"]["score"]) == 1
    assert [r["type"] for r in empty.records if r["type"] != "rectangle"] == ["mask", "mask"]


@pytest.mark.skipif(not CAN_STREAM, reason="this Datumaro has no streams")
def test_a_task_is_exported_from_a_stream(cvat, task, tmp_path):
    from datumaro.components.dataset import StreamDataset

    b = cvat.bindings
    task.records.append(b.record("rectangle", "/m/1", 1, points=[1, 2, 11, 12]))
    with b.GetCVATDataExtractor(task, include_images=True) as extractor:
        dataset = StreamDataset.from_extractors(extractor, env=cvat.registry.dm_env)
        dataset.export(str(tmp_path / "out"), "open_images", save_media=True)
    found = {item.id: item for item in plugin.OpenImagesExtractor(str(tmp_path / "out"))}
    assert set(found) == set(IDS)
    assert found[IDS[1]].annotations[0].points == pytest.approx([1, 2, 11, 12], abs=0.01)


def test_what_cvat_adds_to_every_box_is_no_loss(cvat, task, tmp_path, caplog):
    b = cvat.bindings
    task.records.append(b.record("rectangle", "/m/1", 1, points=[1, 2, 11, 12]))
    run_export(cvat, task, tmp_path)
    assert "box" not in caplog.text


@pytest.mark.parametrize(
    "image_list",
    [
        "train-image_ids_and_rotation.csv",
        "train-images-with-rotation.csv",
        "image_ids_and_rotation.csv",
    ],
)
def test_sizes_come_from_the_frames_where_no_file_tells_them(cvat, task, tmp_path, image_list):
    archive = packed(annotation_files(image_list), tmp_path / "in.zip")
    assert corners(run_import(cvat, task, archive, tmp_path)) == EXPECTED


@pytest.mark.parametrize("top", ["", "my dataset/"])
def test_sizes_come_from_the_frames_where_no_list_names_the_images(cvat, task, tmp_path, top):
    files = annotation_files("train-images-with-rotation.csv")
    del files["annotations/train-images-with-rotation.csv"]
    archive = packed(files, tmp_path / "in.zip", top)
    assert corners(run_import(cvat, task, archive, tmp_path)) == EXPECTED


def test_sizes_come_from_images_meta_where_it_is(cvat, task, tmp_path):
    files = annotation_files("train-image_ids_and_rotation.csv")
    files["annotations/images.meta"] = "".join(
        f"'{name}' {20 + n} 40\n" for n, name in enumerate(IDS)
    )
    archive = packed(files, tmp_path / "in.zip")
    assert corners(run_import(cvat, task, archive, tmp_path)) == EXPECTED


def test_images_meta_completes_the_sizes_that_cvat_gives(tmp_path):
    files = annotation_files("train-image_ids_and_rotation.csv")
    files["annotations/images.meta"] = "a 20 40\n'größe' 99 99\n"
    oi_files.write(tmp_path, files)
    extractor = plugin.OpenImagesExtractor(str(tmp_path), image_meta={"größe": (23, 40)})
    found = {item.id: item.annotations[0].points for item in extractor}
    assert found["a"] == pytest.approx([4, 4, 20, 12])
    assert found["größe"] == pytest.approx([4, 4.6, 20, 13.8], abs=0.01)


def test_masks_are_converted_where_cvat_asks(cvat, task, tmp_path):
    b = cvat.bindings
    task.records.append(b.record("mask", "/m/1", 0, points=(np.ones((4, 5), bool), 3, 2)))
    archive = run_export(cvat, task, tmp_path)
    empty = b.TaskData(task.labels, task.frames)
    run_import(cvat, empty, archive, tmp_path, conv_mask_to_poly=True)
    assert [r["type"] for r in empty.records] == ["polygon"]


def test_a_folder_of_something_else_is_not_detected(cvat, task, tmp_path):
    archive = packed({"notes.csv": "a,b\n1,2\n"}, tmp_path / "in.zip")
    with pytest.raises(cvat.bindings.CvatDatasetNotFoundError):
        run_import(cvat, task, archive, tmp_path)


def test_the_project_sees_a_dataset_with_media(cvat, task, tmp_path):
    seen = []

    def load_data_callback(dataset, instance_data):
        seen.append((dataset.categories()[AnnotationType.label], instance_data))

    task.records.append(cvat.bindings.record("rectangle", "/m/1", 0, points=[1, 2, 11, 12]))
    archive = run_export(cvat, task, tmp_path, save_images=True)
    empty = cvat.bindings.TaskData(task.labels, task.frames)
    run_import(cvat, empty, archive, tmp_path, load_data_callback=load_data_callback)
    assert [label.name for label in seen[0][0]] == ["/m/1"]
    assert seen[0][1] is empty


def test_nothing_of_cvats_names_is_needed_for_the_hook():
    from datumaro_openimages_plugin import loader

    loader.on_import(SimpleNamespace(__name__="cvat.apps.dataset_manager.formats.openimages"))

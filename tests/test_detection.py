"""Detection: datasets of other formats are not claimed, and each kind of ours is, alone."""

from __future__ import annotations

import damage_data
import numpy as np
import pytest
from datumaro.components.annotation import AnnotationType, Bbox, Label, LabelCategories, Mask
from datumaro.components.dataset import Dataset
from datumaro.components.environment import Environment
from datumaro.components.format_detection import apply_format_detector
from oi_files import picture

from datumaro_openimages_plugin._host import DatasetItem, Image, image_from_file
from datumaro_openimages_plugin.plugin import OpenImagesImporter

SIZE = (20, 30)
OTHERS = (
    "coco", "coco_instances", "coco_labels", "voc", "voc_detection", "yolo", "datumaro", "cvat",
    "imagenet", "imagenet_txt", "label_me", "widerface", "cityscapes", "camvid", "kitti",
    "vgg_face2", "market1501", "lfw", "mots_png", "tf_detection_api", "icdar_text_localization",
    "ade20k2017", "celeba", "vott_csv", "datumaro_binary", "yolo_ultralytics", "segment_anything",
    "image_dir",
)  # fmt: skip


def claimed(path) -> bool:
    try:
        apply_format_detector(str(path), OpenImagesImporter.detect)
    except Exception:
        return False
    return True


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> dict[str, object]:
    """Format -> a folder that Datumaro's own exporter wrote; those that could be written."""
    root = tmp_path_factory.mktemp("others")
    items = []
    mask = np.zeros(SIZE, bool)
    mask[2:9, 3:12] = True
    for subset in ("train", "validation"):
        picture(root, f"{subset}.jpg", SIZE)
        media = image_from_file(str(root / f"{subset}.jpg"), SIZE)
        found = [Label(0), Bbox(3, 2, 9, 7, label=0, group=1), Mask(mask, label=0, group=1)]
        items.append(DatasetItem(subset, subset=subset, media=media, annotations=found))
    categories = {AnnotationType.label: LabelCategories.from_iterable(["cat", "dog"])}
    dataset = Dataset.from_iterable(items, categories=categories, media_type=Image)
    written: dict[str, object] = {}
    exporters = getattr(Environment(), "exporters", None) or Environment().converters
    for name in OTHERS:
        if name not in exporters:
            continue
        try:
            dataset.export(str(root / name), name, save_media=True)
        except Exception:
            continue  # some formats need what this dataset does not have
        written[name] = root / name
    return written


def test_no_other_format_is_claimed(others):
    assert {"coco", "voc", "yolo", "datumaro", "cvat", "imagenet"} <= set(others)
    assert len(others) >= 12
    assert [name for name, folder in others.items() if claimed(folder)] == []


FOREIGN = {
    "annotations.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,1,2,x,0,0,1,1\n",
    "train-annotations-bbox.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\n",
    "train/detections.csv": "filename,width,height,class\na.jpg,1,2,x\n",
    "images.csv": "id,path\n1,a.jpg\n",
    "train/labels/detections.csv": "image_id,PredictionString\na,x\n",
    "labels.csv": "image,label\na.jpg,cat\n",
    "classes.csv": "id,name\n0,cat\n",
    "class-descriptions.csv": "/m/0,Cat\n",
    "train.csv": "ImageId,EncodedPixels\na.jpg,1 2\n",
    "hierarchy.json": '{"LabelName": "/m/0"}',
    "annotations/images.meta": "a 1 2\n",
    "open_images_train_localized_narratives.jsonl": '{"id": 1, "text": "x"}\n',
    "train-annotations-vrd.csv": "subject,predicate,object\na,b,c\n",
    "point_labels.csv": "image,x,y\na,1,2\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_tables_of_others_are_not_claimed(name, tmp_path):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(FOREIGN[name])
    assert not claimed(tmp_path)


@pytest.mark.parametrize("kind", damage_data.FILES)
@pytest.mark.parametrize("case", [str, str.upper])
def test_each_kind_is_claimed_alone(case, kind, tmp_path):
    name = damage_data.FILES[kind]
    (tmp_path / case(name)).parent.mkdir(parents=True)
    (tmp_path / case(name)).write_bytes(damage_data.whole()[name])
    assert claimed(tmp_path)

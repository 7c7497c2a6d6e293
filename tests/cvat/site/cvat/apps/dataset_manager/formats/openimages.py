"""Stand-in of CVAT's stock format: the same calls of Datumaro and of CVAT in the same order."""

import glob
import os
import zipfile

from datumaro.components.dataset import Dataset
from datumaro.util.image import DEFAULT_IMAGE_META_FILE_NAME

from cvat.apps.dataset_manager.bindings import (
    GetCVATDataExtractor,
    detect_dataset,
    find_dataset_root,
    import_dm_annotations,
    match_dm_item,
)
from cvat.apps.dataset_manager.util import make_zip_archive
from datumaro_openimages_plugin._host import DatasetItem

from .registry import dm_env, exporter, importer
from .transformations import MaskToPolygonTransformation, RotatedBoxesToPolygons

try:
    from datumaro.plugins.data_formats.open_images import OpenImagesPath
except ImportError:  # the 0.3 line
    from datumaro.plugins.open_images_format import OpenImagesPath


def find_item_ids(path):
    patterns = (
        OpenImagesPath.FULL_IMAGE_DESCRIPTION_FILE_NAME,
        *OpenImagesPath.SUBSET_IMAGE_DESCRIPTION_FILE_PATTERNS,
    )
    for pattern in patterns:
        for name in glob.glob(os.path.join(path, OpenImagesPath.ANNOTATIONS_DIR, pattern)):
            with open(name) as file:
                next(file)
                for row in file:
                    yield row.split(",")[0]


@exporter(name="Open Images V6", ext="ZIP", version="1.0")
def _export(dst_file, temp_dir, instance_data, save_images=False):
    with GetCVATDataExtractor(instance_data, include_images=save_images) as extractor:
        dataset = Dataset.from_extractors(extractor, env=dm_env)
        dataset.transform(RotatedBoxesToPolygons)
        dataset.transform("polygons_to_masks")
        dataset.transform("merge_instance_segments")
        dataset.export(temp_dir, "open_images", save_images=save_images)
    make_zip_archive(temp_dir, dst_file)


@importer(name="Open Images V6", ext="ZIP", version="1.0")
def _import(src_file, temp_dir, instance_data, load_data_callback=None, **kwargs):
    zipfile.ZipFile(src_file.name).extractall(temp_dir)
    meta = os.path.join(temp_dir, OpenImagesPath.ANNOTATIONS_DIR, DEFAULT_IMAGE_META_FILE_NAME)
    image_meta = None
    if not os.path.isfile(meta):
        image_meta = {}
        ids = list(find_item_ids(temp_dir))
        root_hint = find_dataset_root([DatasetItem(id=name) for name in ids], instance_data)
        for name in ids:
            try:
                frame = match_dm_item(DatasetItem(id=name), instance_data, root_hint)
            except Exception:  # as there: what matches nothing has no size
                continue
            info = instance_data.frame_info[frame]
            image_meta[name] = (info["height"], info["width"])
    detect_dataset(
        temp_dir, format_name="open_images", importer=dm_env.importers.get("open_images")
    )
    dataset = Dataset.import_from(temp_dir, "open_images", image_meta=image_meta, env=dm_env)
    dataset = MaskToPolygonTransformation.convert_dataset(dataset, **kwargs)
    if load_data_callback is not None:
        load_data_callback(dataset, instance_data)
    import_dm_annotations(dataset, instance_data)

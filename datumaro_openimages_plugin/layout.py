"""How an exported dataset's files are called."""

from __future__ import annotations

from datumaro_openimages_plugin.files import DatasetFiles

__all__ = ["ANNOTATIONS_DIR", "IMAGES_DIR", "MASKS_DIR", "NAMES", "Layout", "OpenImagesPath"]

ANNOTATIONS_DIR = "annotations"
IMAGES_DIR = "images"
MASKS_DIR = "masks"

_CVAT = {
    "images": "{subset}-image_ids_and_rotation.csv",
    "labels": "{subset}-annotations-human-imagelabels.csv",
    "boxes": "{subset}-annotations-bbox.csv",
    "masks": "{subset}-annotations-object-segmentation.csv",
    "classes": "class-descriptions.csv",
    "hierarchy": "bbox_labels_600_hierarchy.json",
    "images_meta": "images.meta",
}

#: Choice of names -> kind of file -> name. ``cvat``: those of CVAT's page for this format;
#: ``datumaro``: those of Datumaro's built-in exporter; ``published``: those of the dataset.
NAMES: dict[str, dict[str, str]] = {
    "cvat": _CVAT,
    "datumaro": {**_CVAT, "images": "{subset}-images-with-rotation.csv"},
    "published": {
        **_CVAT,
        "images": "{subset}-images-with-rotation.csv",
        "labels": "oidv7-{val}-annotations-human-imagelabels.csv",
        "classes": "oidv7-class-descriptions.csv",
    },
}

#: Where the published names of the train split differ from those of the others.
_TRAIN = {
    "images": "train-images-boxable-with-rotation.csv",
    "boxes": "oidv6-train-annotations-bbox.csv",
}


class Layout:
    """Names of one export's files, relative to its folder.

    Args:
        names: A key of `NAMES`.
        existing: The files that are saved in place; they keep their names.
    """

    def __init__(self, names: str, existing: DatasetFiles | None = None) -> None:
        self._names = names
        self._existing: dict[tuple[str, str | None], str] = {}
        if existing is not None:
            for kind in _CVAT:
                for file in existing.best(kind):
                    packed = file.name.lower().endswith((".gz", ".zip"))
                    if not packed:
                        self._existing.setdefault((kind, file.subset), file.name)

    def file(self, kind: str, subset: str | None = None) -> str:
        """The name of the file of a kind and subset."""
        existing = self._existing.get((kind, subset))
        if existing is not None:
            return existing
        name = NAMES[self._names][kind]
        if self._names == "published" and subset == "train":
            name = _TRAIN.get(kind, name)
        val = "val" if subset == "validation" else subset
        return f"{ANNOTATIONS_DIR}/{name.format(subset=subset, val=val)}"

    def has_class_header(self) -> bool:
        """Whether the class list of this layout has a header row, as published since V6."""
        return "oidv" in self.file("classes").rpartition("/")[2].lower()


class OpenImagesPath:
    """Names of files and folders, by the attributes of the built-in's class of this name."""

    ANNOTATIONS_DIR = ANNOTATIONS_DIR
    IMAGES_DIR = IMAGES_DIR
    MASKS_DIR = MASKS_DIR
    FULL_IMAGE_DESCRIPTION_FILE_NAME = "image_ids_and_rotation.csv"
    SUBSET_IMAGE_DESCRIPTION_FILE_PATTERNS = (
        "*-images-with-rotation.csv",
        "*-images-with-labels-with-rotation.csv",
        "*-image_ids_and_rotation.csv",
    )
    V5_CLASS_DESCRIPTION_FILE_NAME = "class-descriptions.csv"
    V5_CLASS_DESCRIPTION_BBOX_FILE_NAME = "class-descriptions-boxable.csv"
    HIERARCHY_FILE_NAME = "bbox_labels_600_hierarchy.json"
    LABEL_DESCRIPTION_FILE_SUFFIX = "-annotations-human-imagelabels.csv"
    BBOX_DESCRIPTION_FILE_SUFFIX = "-annotations-bbox.csv"
    MASK_DESCRIPTION_FILE_SUFFIX = "-annotations-object-segmentation.csv"

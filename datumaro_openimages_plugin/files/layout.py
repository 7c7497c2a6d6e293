"""How an exported dataset's files are called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from datumaro_openimages_plugin.saving.repack import plain_name
from datumaro_openimages_plugin.saving.target import ANNOTATIONS_DIR, IMAGES_DIR, MASKS_DIR

if TYPE_CHECKING:
    from datumaro_openimages_plugin.files.names import FoundFile

__all__ = ["NAMES", "Layout", "OpenImagesPath"]

#: Choices of names. ``cvat``: those of CVAT's page for this format; ``datumaro``: those of
#: Datumaro's built-in exporter; ``published``: those of the dataset.
NAMES = ("cvat", "datumaro", "published")

#: Names of the files that are of no kind of annotation: of all choices, then where others differ.
_FILES = {
    "images": "{subset}-image_ids_and_rotation.csv",
    "classes": "class-descriptions.csv",
    "hierarchy": "bbox_labels_600_hierarchy.json",
    "attribute_list": "attributes-description.csv",
    "relationship_list": "relationships-description.csv",
    "triplet_list": "relationship-triplets.csv",
    "images_meta": "images.meta",
}
_DATUMARO = {"images": "{subset}-images-with-rotation.csv"}
_PUBLISHED = {
    **_DATUMARO,
    "classes": "oidv7-class-descriptions.csv",
    "attribute_list": "oidv6-attributes-description.csv",
    "relationship_list": "oidv6-relationships-description.csv",
    "triplet_list": "oidv6-relationship-triplets.csv",
}
_PUBLISHED_TRAIN = {"images": "train-images-boxable-with-rotation.csv"}


def _templates(names: str) -> tuple[dict[str, str], dict[str, str]]:
    """Kind of file -> name, and the same for the train split where it differs."""
    from datumaro_openimages_plugin.kinds import KINDS  # what names the format stays light

    every = {**_FILES, **{kind.name: kind.file_name for kind in KINDS}}
    if names == "datumaro":
        return {**every, **_DATUMARO}, {}
    if names == "cvat":
        return every, {}
    published = {kind.name: kind.published for kind in KINDS if kind.published}
    train = {kind.name: kind.published_train for kind in KINDS if kind.published_train}
    return {**every, **_PUBLISHED, **published}, {**_PUBLISHED_TRAIN, **train}


class Layout:
    """Names of one export's files, relative to its folder.

    Args:
        names: One of `NAMES`.
        existing: Gives the files of a kind that are saved in place, the best of a subset first;
            they keep their names.
        only_subset: The one subset that all of them are of; None where there are several.

    Attributes:
        packed: The names of files that are to be packed -> what they are called then.
    """

    def __init__(
        self,
        names: str,
        existing: Callable[[str], list[FoundFile]] | None = None,
        only_subset: str | None = None,
    ) -> None:
        self._choice = names
        self._names, self._train_names = _templates(names)
        self._existing: dict[tuple[str, str | None], str] = {}
        self._only_subset = only_subset
        self._class_lists: set[str] = set()
        self.packed: dict[str, str] = {}
        if existing is not None:
            self._class_lists = {file.name for file in existing("classes")}
            for kind in self._names:
                for file in existing(kind):
                    # One of several shards would pass for all of them.
                    if file.series is None and (kind, file.subset) not in self._existing:
                        self._existing[kind, file.subset] = self._plain(file.name)

    def _plain(self, name: str) -> str:
        plain = plain_name(name)
        if plain != name:
            self.packed[plain] = name
        return plain

    def file(self, kind: str, subset: str | None = None) -> str:
        """The name of the file of a kind and subset."""
        existing = self._of_all_subsets(kind, subset) or self._existing.get((kind, subset))
        if existing is not None:
            return existing
        name = self._names[kind]
        if subset == "train":
            name = self._train_names.get(kind, name)
        if subset == "val" and "{val}" in name:
            # Under the published name it would be read as `validation`.
            name = _templates("cvat")[0][kind]
        val = "val" if subset == "validation" else subset
        return f"{ANNOTATIONS_DIR}/{name.format(subset=subset, val=val)}"

    def further_class_list(self, name: str) -> str | None:
        """Where a class list that was read beside the first goes; None where it has no place.

        Args:
            name: What it was called. Readers find out the first by its name, so it may only stay
                where the first has the published name, or its own.
        """
        if self._class_lists:
            return self._plain(name) if name in self._class_lists else None
        if self._choice != "published":
            return None
        base = re.sub(r"\.(?:gz|zip)$", "", name.rpartition("/")[2], flags=re.IGNORECASE)
        return None if base == self._names["classes"] else f"{ANNOTATIONS_DIR}/{base}"

    def _of_all_subsets(self, kind: str, subset: str | None) -> str | None:
        """The file that has the rows of a subset among others, if there is one."""
        found = self._existing.get((kind, None))
        if subset is None or found is None:
            return None
        if kind == "images":
            # A list tells its rows' subsets in a column. Beside the one of all splits no other
            # is read.
            full = found.rpartition("/")[2].lower() == "image_ids_and_rotation.csv"
            return found if full or (kind, subset) not in self._existing else None
        # In other tables only the image's id tells its subset.
        return found if subset == self._only_subset else None

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

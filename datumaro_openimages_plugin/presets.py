"""Open Images as other formats mean it: formats to convert *from*, each a chain of transforms.

``datum convert`` has no options for reading, so each chain is a format of its own, for use by name:
``datum convert -if open_images_coco -i my_dataset -f coco -o out``. They are read only; detection
always finds ``open_images``.

Datumaro imports this module whenever it lists its formats, so it imports little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from datumaro.components.format_detection import FormatDetectionConfidence, FormatDetectionContext

from datumaro_openimages_plugin._host import (
    AnnotationType,
    DatasetBase,
    DatasetItem,
    renamed_labels,
)
from datumaro_openimages_plugin.plugin import OpenImagesExtractor, OpenImagesImporter
from datumaro_openimages_plugin.transforms import (
    OpenImagesCrowds,
    OpenImagesDropNegatives,
    OpenImagesNames,
    OpenImagesSizes,
)
from datumaro_openimages_plugin.transforms.drop import FLAGS

__all__ = [
    "OpenImagesCocoExtractor",
    "OpenImagesCocoImporter",
    "OpenImagesReadableExtractor",
    "OpenImagesReadableImporter",
    "OpenImagesYoloExtractor",
    "OpenImagesYoloImporter",
]

Step = tuple[type[Any], Mapping[str, Any]]

_ATTRIBUTES = ("score", "box_id", "predicted_iou", *FLAGS)

_READABLE: tuple[Step, ...] = (
    (OpenImagesNames, {"to": "file"}),
    (OpenImagesDropNegatives, {"unverified": True}),
)


class _Chain(DatasetBase):  # type: ignore[misc]
    """What a chain of transforms makes of a dataset, or of one subset of it."""

    def __init__(self, source: Any, steps: tuple[Step, ...], renamed: Mapping[str, str]) -> None:
        super().__init__(subsets=[renamed.get(name, name) for name in source.subsets()])
        self._source = self._result = source
        self._steps = steps
        self._renamed = renamed
        for step, arguments in steps:
            self._result = step(self._result, **arguments)

    def __iter__(self) -> Iterator[DatasetItem]:
        for item in self._result:
            subset = self._renamed.get(item.subset)
            yield item if subset is None else item.wrap(subset=subset)

    def __len__(self) -> int:
        return len(self._result)

    def categories(self) -> Any:
        """The labels under their new names, with the attributes that their boxes have."""
        found = dict(self._result.categories())
        # CVAT's exporter leaves out attributes that are not declared, each with a warning.
        found[AnnotationType.label] = labels = renamed_labels(found[AnnotationType.label], str)
        labels.attributes.update(_ATTRIBUTES)
        return found

    def get_subset(self, name: str) -> Any:
        """One subset; no other is read for it."""
        sources = {self._renamed.get(old, old): old for old in self._source.subsets()}
        return _Chain(self._source.get_subset(sources[name]), self._steps, self._renamed)

    @property
    def is_stream(self) -> bool:
        """Whether items are made anew by each iteration."""
        return bool(getattr(self._source, "is_stream", False))


class OpenImagesReadableExtractor(_Chain):
    """Open Images for formats that have no ids, no absent labels and no unknown sizes.

    Labels have display names that can be names of files; labels and points that say that a class is
    absent, and those of a classifier, are left out; images that are not here have a size where it
    is known.

    Args:
        path: A folder or zip.
        options: Those of `OpenImagesExtractor`.
    """

    NAME = "open_images_readable"
    STEPS: tuple[Step, ...] = (*_READABLE, (OpenImagesSizes, {"unknown": "shapes"}))
    RENAMED: Mapping[str, str] = {}

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__(OpenImagesExtractor(path, **options), self.STEPS, self.RENAMED)


class OpenImagesCocoExtractor(OpenImagesReadableExtractor):
    """`OpenImagesReadableExtractor`, with group-of boxes as crowds and all else as none."""

    NAME = "open_images_coco"
    STEPS = (*OpenImagesReadableExtractor.STEPS, (OpenImagesCrowds, {}))


class OpenImagesYoloExtractor(OpenImagesReadableExtractor):
    """`OpenImagesReadableExtractor` for YOLO: `validation` is called `val`, and images without a
    file and of unknown size are left out, since YOLO cannot say where a box is in them.
    """  # noqa: D205

    NAME = "open_images_yolo"
    STEPS = (*_READABLE, (OpenImagesSizes, {"unknown": "items"}))
    RENAMED = {"validation": "val"}  # noqa: RUF012 (never changed)


class OpenImagesReadableImporter(OpenImagesImporter):
    """Finds Open Images datasets for `OpenImagesReadableExtractor`; never by detection."""

    NAME = OpenImagesReadableExtractor.NAME

    @classmethod
    def detect(cls, context: FormatDetectionContext) -> FormatDetectionConfidence:
        """Claims nothing: a dataset is open_images unless its user says otherwise."""
        context.fail(f"{cls.NAME} is only used by name")

    @classmethod
    def find_sources(cls, path: str) -> list[dict[str, Any]]:
        """The dataset at ``path``, to be read as this format."""
        return [{**source, "format": cls.NAME} for source in super().find_sources(path)]

    @classmethod
    def get_file_extensions(cls) -> list[str]:
        """None, so that detection does not ask."""
        return []


class OpenImagesCocoImporter(OpenImagesReadableImporter):
    """Finds Open Images datasets for `OpenImagesCocoExtractor`."""

    NAME = OpenImagesCocoExtractor.NAME


class OpenImagesYoloImporter(OpenImagesReadableImporter):
    """Finds Open Images datasets for `OpenImagesYoloExtractor`."""

    NAME = OpenImagesYoloExtractor.NAME

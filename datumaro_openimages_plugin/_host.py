"""The names that differ between the generations of Datumaro; nothing else asks which one it is.

Datumaro 1.x calls its base classes ``DatasetBase`` and ``Exporter``; the 0.3 line, which CVAT
runs, calls them ``Extractor`` and ``Converter``. Features are tested, never version numbers.
"""

from __future__ import annotations

import os
from typing import Any

import attr
import numpy as _np
from datumaro.components import annotation as _annotation
from datumaro.components import media as _media
from datumaro.components.annotation import (
    AnnotationType,
    Bbox,
    Caption,
    Label,
    LabelCategories,
    Mask,
    Points,
)
from datumaro.components.media import Image, MediaElement
from datumaro.util.image import lazy_image as _lazy_image
from datumaro.util.scope import Scope

try:
    from datumaro.components.dataset_base import DatasetBase, DatasetItem
    from datumaro.components.exporter import (
        ExportContext,
        Exporter,
        FailingExportErrorPolicy,
        NullExportContext,
    )
    from datumaro.components.importer import (
        FailingImportErrorPolicy,
        ImportContext,
        Importer,
        NullImportContext,
    )
    from datumaro.components.transformer import ItemTransform
except ImportError:  # the 0.3 line
    from datumaro.components.converter import Converter as Exporter
    from datumaro.components.converter import (
        ExportContext,
        FailingExportErrorPolicy,
        NullExportContext,
    )
    from datumaro.components.extractor import (
        DatasetItem,
        FailingImportErrorPolicy,
        ImportContext,
        Importer,
        ItemTransform,
        NullImportContext,
    )
    from datumaro.components.extractor import Extractor as DatasetBase

try:
    from datumaro.components.dataset_item_storage import ItemStatus
except ImportError:  # the 0.3 line
    from datumaro.components.dataset import ItemStatus

__all__ = [
    "ANNOTATIONS_FIELD",
    "CAN_STREAM",
    "OBJECT_ID",
    "AnnotationType",
    "Bbox",
    "Caption",
    "DatasetBase",
    "DatasetItem",
    "ExportContext",
    "Exporter",
    "FailingExportErrorPolicy",
    "FailingImportErrorPolicy",
    "Image",
    "ImportContext",
    "Importer",
    "ItemStatus",
    "ItemTransform",
    "Label",
    "LabelCategories",
    "Mask",
    "MediaElement",
    "NullExportContext",
    "NullImportContext",
    "Points",
    "annotation_type",
    "annotations_list",
    "encoded_bytes",
    "holds_pixels",
    "image_from_bytes",
    "image_from_file",
    "is_plain_file",
    "keep_target",
    "ready_thread",
    "renamed_labels",
    "round_points",
    "untouched_source",
]

CAN_STREAM: bool = hasattr(Importer, "can_stream")
"""Whether this Datumaro has ``StreamDataset``."""

_HAS_FACTORIES = hasattr(Image, "from_file")
_IMAGE_FROM_FILE: Any = getattr(_media, "ImageFromFile", None)

#: Datumaro 1.x: what annotations have as ``object_id`` until they are told; None on the 0.3 line.
OBJECT_ID = getattr(getattr(attr.fields(Label), "object_id", None), "default", None)

#: The field of a ``DatasetItem`` that has its annotations. It is private where they may be made
#: when they are asked for, as in newer builds of CVAT's, and ``annotations`` is a property.
ANNOTATIONS_FIELD: str = next(
    field.name for field in attr.fields(DatasetItem) if field.name.strip("_") == "annotations"
)

#: The container that a ``DatasetItem`` keeps its annotations in.
annotations_list: type[list[Any]] = getattr(_annotation, "Annotations", list)

#: What ``Shape`` does to coordinates: (n, k) array in pixels -> n lists of k floats.
round_points: Any = attr.fields(Bbox).points.converter


def annotation_type(name: str) -> AnnotationType | None:
    """The annotation type of this name, or None where this Datumaro does not have it."""
    return AnnotationType.__members__.get(name)


def image_from_file(path: str, size: tuple[int, int] | None) -> Image:
    """An image in a file; ``size`` is (height, width) in pixels, None where it is not known."""
    if _FILE_IMAGE is None:
        return _constructed_image(path, size)
    # Four levels of constructors take several times as long; a test holds the result against
    # theirs.
    image = _FILE_IMAGE.__new__(_FILE_IMAGE)
    image._dtype = _np.uint8
    image._ext = os.path.splitext(path)[1]
    image._size = size
    image._path = path
    setattr(image, _IMAGE_DATA, _lazy_image(path.replace("\\", "/")))
    return image


def _constructed_image(path: str, size: tuple[int, int] | None) -> Image:
    if _HAS_FACTORIES:
        return Image.from_file(path=path, size=size)
    return Image(path=path, size=size)


_IMAGE_DATA = "_ImageFromFile__data"


def _file_image() -> Any:
    """The class of images in files, None where it keeps another state than is known here."""
    example = _constructed_image("a.jpg", (1, 1))
    known = {"_dtype", "_ext", "_size", "_path", _IMAGE_DATA}
    if set(vars(example)) != known or example._dtype is not _np.uint8:
        return None
    return type(example)


_FILE_IMAGE = _file_image()


def image_from_bytes(reader: Any, path: str, size: tuple[int, int] | None) -> Image:
    """An image whose encoded bytes ``reader`` (a callable, any arguments) gives when asked.

    ``path`` only lends its extension: the bytes are inside an archive.
    """
    ext = os.path.splitext(path)[1]
    if _HAS_FACTORIES:
        return Image.from_bytes(data=reader, ext=ext, size=size)
    from datumaro.components.media import ByteImage

    return ByteImage(data=reader, ext=ext, size=size)


def is_plain_file(media: Any) -> bool:
    """Whether an image is a file that nobody has put other pixels in place of."""
    path = getattr(media, "path", "")
    if not path or not os.path.isfile(path):
        return False
    if _HAS_FACTORIES:
        return type(media) is _IMAGE_FROM_FILE
    from datumaro.util.image import lazy_image, load_image

    data = media._data
    if type(media) is not Image or not isinstance(data, lazy_image):
        return False
    return data._path == path and data._loader is load_image


def holds_pixels(media: Any) -> bool:
    """Whether something has a picture in memory, other than one that is read from a file."""
    if media is None:
        return False
    if _HAS_FACTORIES:
        return type(media) is not _IMAGE_FROM_FILE
    return not hasattr(getattr(media, "_data", None), "_path")  # a lazy image


def encoded_bytes(media: Any) -> bytes | None:
    """The encoded bytes of an image that is made of them, None for other images."""
    if _HAS_FACTORIES:
        from datumaro.components.media import ImageFromBytes

        data = media.bytes if type(media) is ImageFromBytes else None
    else:
        from datumaro.components.media import ByteImage

        data = media.get_bytes() if type(media) is ByteImage else None
    return data if isinstance(data, bytes) else None


def renamed_labels(labels: LabelCategories, rename: Any) -> LabelCategories:
    """A copy of label categories under other names.

    Args:
        labels: The categories.
        rename: A callable name -> new name; a name that is given twice is refused by Datumaro.
    """
    renamed = LabelCategories(attributes=set(labels.attributes))
    for label in labels:
        parent = rename(label.parent) if label.parent else label.parent
        renamed.add(rename(label.name), parent, set(label.attributes))
    for group in getattr(labels, "label_groups", ()):  # Datumaro 1.x
        members = [rename(name) for name in group.labels]
        renamed.add_label_group(group.name, members, group.group_type)
    return renamed


def untouched_source(dataset: Any) -> Any:
    """What a ``Dataset`` goes through as long as nobody has asked it for an item or changed it.

    None for every other dataset. A ``Dataset`` keeps each item that it gives.
    """
    from datumaro.components import dataset as host

    plain = type(dataset) in (host.Dataset, getattr(host, "StreamDataset", host.Dataset))
    storage: Any = getattr(dataset, "_data", None) if plain else None
    return storage._source if getattr(storage, "_is_unchanged_wrapper", False) else None


def keep_target(path: str) -> None:
    """Calls off that Datumaro deletes a folder if the export that goes on in this thread fails.

    It does so with a target that was missing when the export began: where two begin together, the
    one that is refused would delete what the other one writes.
    """
    scope = getattr(Scope._thread_locals, "current", None)
    callbacks: Any = getattr(getattr(scope, "_stack", None), "_exit_callbacks", [])
    for entry in list(callbacks):
        called = getattr(getattr(entry[-1], "__self__", None), "callback", None)
        args = getattr(called, "args", ())
        if args and os.path.realpath(args[0]) == os.path.realpath(path):
            callbacks.remove(entry)


def ready_thread() -> None:
    """Lets this thread read pictures.

    Datumaro 1.x keeps its image library in a context variable that only the thread has which
    imported it; in any other one ``media.data`` raises a LookupError.
    """
    from datumaro.util import image

    backend = getattr(image, "IMAGE_BACKEND", None)
    if backend is not None and backend.get(None) is None:
        backend.set(image.ImageBackend.cv2)

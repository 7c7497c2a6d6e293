"""Making one part: import of a shard, transforms, export."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datumaro_openimages_plugin.errors import FormatError
from datumaro_openimages_plugin.parts.order import Order, order_path

if TYPE_CHECKING:
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

__all__ = ["Transform", "convert_part"]

Transform = tuple[str, Mapping[str, Any]]
"""Datumaro's name of a transform, and its arguments."""


def convert_part(
    source: str,
    folder: str,
    shard: tuple[int, int],
    *,
    choose: Mapping[str, Any] | None = None,
    transforms: Sequence[Transform] = (),
    export: Mapping[str, Any] | None = None,
) -> str:
    """Imports one shard of an Open Images dataset, transforms it, and exports it as Open Images.

    A part that is complete already is left as it is, so that a task that is run again, on whatever
    machine, costs what was not done yet. A process that is killed leaves no part or a whole one.

    Args:
        source: The dataset: a folder or zip.
        folder: Where the part is to be; ``<folder>.order.json`` beside it says what is in it.
        shard: (i, n) for the i-th of n parts, i from 0.
        choose: Further arguments of the import, such as ``kinds`` or ``classes``.
        transforms: Transforms, in order. Each must treat every image by itself; one that deals
            images out, such as ``random_split``, would do so within each part.
        export: Arguments of the export, such as ``save_media``. Not ``zip``.

    Returns:
        The folder.

    Raises:
        FormatError: The source is damaged.
        SaveError: The folder cannot be written.
    """
    made_of = _made_of(source, shard, choose or {}, transforms, export or {})
    with contextlib.suppress(FileNotFoundError, FormatError):
        if Order.read(folder).made_of == made_of and os.path.isdir(folder):
            return folder
    with contextlib.suppress(FileNotFoundError):
        os.remove(order_path(folder))  # it is of another part

    from datumaro.components.dataset import Dataset

    from datumaro_openimages_plugin._host import ready_thread
    from datumaro_openimages_plugin.loader import register
    from datumaro_openimages_plugin.plugin import OpenImagesExtractor

    register()
    ready_thread()  # tasks run in threads of their workers
    extractor = OpenImagesExtractor(source, shard=shard, **(choose or {}))
    dataset = Dataset.from_extractors(extractor)
    for name, arguments in transforms:
        dataset.transform(name, **arguments)
    options = {**(export or {}), "save_image_meta": True}
    dataset.export(folder, "open_images", **options)
    known = None if transforms else _images_read(extractor)
    ids, subsets = known or _images(dataset)
    names = sorted(set(subsets))
    numbers = extractor.numbers_before
    Order(
        made_of,
        names,
        [names.index(subset) for subset in subsets],
        ids,
        numbers if len(numbers) == len(ids) else None,
        bool((export or {}).get("save_image_meta")),
    ).write(folder)
    return folder


def _images_read(extractor: OpenImagesExtractor) -> tuple[list[str], list[str]] | None:
    """What `_images` gives for what was read, without items; None if Datumaro changes ids."""
    images = extractor.reader().images
    ids = images.ids.to_pylist()
    if any("\\" in image_id for image_id in ids):
        return None
    return ids, [images.subset_names[code] for code in images.subset_codes.tolist()]


def _images(dataset: Iterable[Any]) -> tuple[list[str], list[str]]:
    ids, subsets = [], []
    for item in dataset:
        ids.append(item.id)
        subsets.append(item.subset)
    return ids, subsets


def _made_of(
    source: str,
    shard: tuple[int, int],
    choose: Mapping[str, Any],
    transforms: Sequence[Transform],
    export: Mapping[str, Any],
) -> str:
    value = [os.path.abspath(source), list(shard), choose, list(transforms), export]
    return json.dumps(value, sort_keys=True, default=str)

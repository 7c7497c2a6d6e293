"""From a task to a dataset: what CVAT adds to annotations goes, what has no place is counted."""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from datumaro_openimages_plugin.cvat.server import own_id
from datumaro_openimages_plugin.cvat.specs import LabelSpec
from datumaro_openimages_plugin.kinds._extra_column import group_numbers, pack

__all__ = ["TaskItems"]

log = logging.getLogger(__name__)

#: What CVAT's extractors add to attributes, unless a label has attributes of these names.
_INTERNAL = ("track_id", "keyframe", "outside")

#: Types of Datumaro that the format has no place for -> what CVAT calls them.
_UNHELD = {
    "skeleton": "skeletons",
    "polyline": "polylines",
    "points": "points",
    "cuboid_3d": "cuboids",
    "cuboid_2d": "cuboids",
}


class TaskItems:
    """A task's dataset as it is exported; in all but its items like the one it is made of.

    Args:
        extractor: CVAT's extractor.
        specs: The task's labels by name.
    """

    def __init__(self, extractor: Any, specs: Mapping[str, LabelSpec]) -> None:
        self._extractor = extractor
        categories = next(iter(extractor.categories().values()))
        names = [category.name for category in categories]
        self._declared = [
            frozenset(specs[name].attributes if name in specs else ()) for name in names
        ]
        self._unheld: Counter[str] = Counter()
        self._tracks: set[Any] = set()
        self._renamed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def __iter__(self) -> Iterator[Any]:
        given: defaultdict[str, set[str]] = defaultdict(set)  # by subset
        for item in self._extractor:
            made = [self._annotation(annotation) for annotation in item.annotations]
            held = [annotation for annotation in made if annotation is not None]
            groups = group_numbers(held)
            changes: dict[str, Any] = {
                "annotations": [pack(annotation, groups, ordinary=True) for annotation in held],
                # The number of the frame, which CVAT knows by its name.
                "attributes": {},
            }
            name = own_id(item.id, _extension(item.media), given[item.subset])
            given[item.subset].add(name)
            if name != item.id:
                changes["id"] = name
                self._renamed += 1
            yield item.wrap(**changes)

    def _annotation(self, annotation: Any) -> Any:
        kind = annotation.type.name
        if kind in _UNHELD:
            self._unheld[_UNHELD[kind]] += 1
            return None
        attributes = dict(annotation.attributes)
        declared = self._declared[annotation.label]
        track = attributes.get("track_id")
        # A number that a label's attribute has is a float.
        is_tracked = type(track) is int
        if is_tracked:
            self._tracks.add(track)
        for name in _INTERNAL:
            if is_tracked or name not in declared:
                attributes.pop(name, None)
        if kind == "mask" and "rotation" not in declared:
            attributes.pop("rotation", None)  # of the ellipse that it was
        # Only boxes have a column for CVAT's switch, which is off on most shapes.
        if kind != "bbox" and attributes.get("occluded") is False and "occluded" not in declared:
            del attributes["occluded"]
        return annotation.wrap(attributes=attributes)

    def report(self) -> None:
        """Logs what the format could not keep, in one line each."""
        unheld = {**self._unheld, "track ids": len(self._tracks)}
        listed = ", ".join(f"{count} {what}" for what, count in sorted(unheld.items()) if count)
        if listed:
            log.warning("Open Images cannot keep: %s", listed)
        if self._renamed:
            log.warning(
                "%d frames share their names but for the extension, which is part of their ids now",
                self._renamed,
            )


def _extension(media: Any) -> str:
    path = getattr(media, "path", "")
    return os.path.splitext(path)[1] if path else getattr(media, "ext", None) or ""

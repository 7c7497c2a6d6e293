"""Adding to an image's annotations what follows from them by the hierarchy of classes."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem, annotations_list
from datumaro_openimages_plugin.transforms.base import Transform, chosen, is_machine, texts
from datumaro_openimages_plugin.transforms.expansion import Expansion

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.imported import ImportedFrom

__all__ = ["KINDS", "OpenImagesExpand", "expanded"]

log = logging.getLogger(__name__)

_LABEL, _BBOX, _MASK = AnnotationType.label, AnnotationType.bbox, AnnotationType.mask

#: What can be expanded, as it is called elsewhere too.
KINDS = ("labels", "machine_labels", "boxes", "masks")
_SHAPES = {_BBOX: "boxes", _MASK: "masks"}


class OpenImagesExpand(Transform):
    """
    Adds what follows from the hierarchy of classes, as the script of the Open Images challenge
    does: a box or a present image label also counts for the ancestors of its class, an absent
    image label for its descendants. Only 'Subcategory' edges count, and the root is left out.|n
    |n
    What is there already is not added again, so a second run changes nothing. With '--repeats' a
    label is added as often as the script adds it: once for each place that it has in the
    hierarchy.|n
    |n
    Copies have everything of their original but its group, since a group is one object.|n
    |n
    Examples:|n
    - Expand image labels and boxes:|n |n
    |s|sdatum transform -t open_images_expand -o expanded my_dataset:open_images|n
    - Expand boxes and their masks:|n |n
    |s|sdatum transform -t open_images_expand -o expanded my_dataset:open_images -- \
--kinds boxes masks
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_expand"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--kinds",
            nargs="+",
            choices=KINDS,
            default=["labels", "boxes"],
            help="What to expand (default: labels boxes)",
        )
        parser.add_argument(
            "--repeats",
            action="store_true",
            help="Add a label once for each of its places in the hierarchy",
        )
        return parser

    def __init__(
        self, extractor: Any, kinds: Sequence[str] = ("labels", "boxes"), repeats: bool = False
    ) -> None:
        super().__init__(extractor)
        self._length = "parent"
        self._kinds = kinds
        self._repeats = repeats
        self._expansions: list[tuple[ImportedFrom | None, Expansion]] = []

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item with what follows from its annotations."""
        origin = getattr(item, "origin", None)
        expansion = self._expansion(None if origin is None else origin.dataset)
        kinds = {chosen(KINDS, kind, "kinds") for kind in texts(self._kinds)}
        annotations = expanded(item.annotations, expansion, kinds, repeats=self._repeats)
        return self.wrap_item(item, annotations=annotations_list(annotations))

    def _expansion(self, imported: ImportedFrom | None) -> Expansion:
        for known, expansion in self._expansions:
            if known is imported:
                return expansion
        expansion = Expansion(self._labels(), imported, repeats=self._repeats)
        self._expansions.append((imported, expansion))
        if expansion.is_empty:
            log.warning("the dataset has no hierarchy of classes, so nothing is expanded")
        missing = expansion.without_category()
        if missing:
            shown = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
            log.warning(
                "%d classes of the hierarchy are no labels of the dataset and are not added: %s",
                len(missing),
                shown,
            )
        return expansion


def expanded(
    annotations: Sequence[Any],
    expansion: Expansion,
    kinds: Collection[str],
    *,
    repeats: bool = False,
) -> list[Any]:
    """The annotations of one image, each followed by its copies for other labels.

    Args:
        annotations: What the image has.
        expansion: Which labels follow from which.
        kinds: Those of `KINDS` to expand.
        repeats: Whether copies are made of what is there already too.
    """
    groups = _Groups(annotations)
    known: dict[tuple[Any, ...], int] = {}
    if not repeats:
        known = {_identity(a, a.label): a.group for a in annotations if _kind(a) in kinds}
    copies: dict[int, list[Any]] = {}
    # Of several labels that have one ancestor, the surest one is copied.
    for number, annotation in sorted(enumerate(annotations), key=lambda pair: -_score(pair[1])):
        if _kind(annotation) not in kinds or annotation.label is None:
            continue
        absent = annotation.type is _LABEL and _score(annotation) == 0
        label = annotation.label
        made = copies[number] = []
        for other in expansion.below(label) if absent else expansion.above(label):
            identity = _identity(annotation, other)
            if identity in known:
                groups.join(annotation.group, other, known[identity])
                continue
            copy = _copy(annotation, other, groups, occurrence=_count(made, other))
            made.append(copy)
            if not repeats:
                known[identity] = copy.group
    return [
        part
        for number, annotation in enumerate(annotations)
        for part in (annotation, *copies.get(number, ()))
    ]


def _kind(annotation: Any) -> str | None:
    """The one of `KINDS` that an annotation is of."""
    if annotation.type is _LABEL:
        return "machine_labels" if is_machine(annotation) else "labels"
    return _SHAPES.get(annotation.type)


def _count(made: Sequence[Any], label: int) -> int:
    return sum(copy.label == label for copy in made)


def _copy(annotation: Any, label: int, groups: _Groups, occurrence: int) -> Any:
    # Too much for a list of names.
    from datumaro_openimages_plugin.annotations.objects import copied

    if annotation.type is _LABEL:
        return copied(annotation, label=label)
    # An id belongs to one annotation, and a group to one object.
    group = groups.of_copy(annotation.group, label, occurrence)
    return copied(annotation, id=0, label=label, group=group)


def _identity(annotation: Any, label: int | None) -> tuple[Any, ...]:
    """What makes two annotations of one image say the same."""
    if annotation.type is _LABEL:
        return _LABEL, label, _score(annotation) == 0, is_machine(annotation)
    if annotation.type is _BBOX:
        return _BBOX, label, *annotation.points
    # Pictures are not compared: a mask is known by its id, or else by itself.
    return _MASK, label, annotation.attributes.get("box_id") or id(annotation)


def _score(annotation: Any) -> float:
    try:
        return float(annotation.attributes.get("score", 1))
    except (TypeError, ValueError, OverflowError):
        return 1.0


class _Groups:
    """Numbers the groups of copies: a box's and its masks' copies for one label are together."""

    def __init__(self, annotations: Sequence[Any]) -> None:
        self._next = max((a.group for a in annotations), default=0) + 1
        self._known: dict[tuple[int, int, int], int] = {}

    def join(self, group: int, label: int, known: int) -> None:
        """What belongs to a group and is copied for a label goes to a group that is there."""
        if group and known:
            self._known.setdefault((group, label, 0), known)

    def of_copy(self, group: int, label: int, occurrence: int) -> int:
        """The group of a copy."""
        if not group:
            return 0
        key = group, label, occurrence
        if key not in self._known:
            self._known[key] = self._next
            self._next += 1
        return self._known[key]

"""Datumaro transforms for Open Images, for ``datum transform -t NAME`` and ``dataset.transform``.

Datumaro imports this module whenever it lists its transforms, so it imports little. It also leaves
out a transform whose constructor fails and goes on; so arguments are looked at when the first item
or the categories are asked for, where an error reaches the caller.

Labels, hierarchy and display names are those that the items were read with (see `origin`); where
items came from elsewhere, the parents in the label categories take the hierarchy's place.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from datumaro_openimages_plugin._host import (
    AnnotationType,
    DatasetItem,
    ItemTransform,
    LabelCategories,
    annotations_list,
    renamed_labels,
)
from datumaro_openimages_plugin.classes import ClassList, unique_display_names
from datumaro_openimages_plugin.errors import OptionError
from datumaro_openimages_plugin.expand import KINDS, expanded
from datumaro_openimages_plugin.expansion import Expansion, label_names_of
from datumaro_openimages_plugin.origin import ImportedFrom

__all__ = [
    "OpenImagesDropBoxes",
    "OpenImagesDropNegatives",
    "OpenImagesExpand",
    "OpenImagesKeepClasses",
    "OpenImagesNames",
]

log = logging.getLogger(__name__)


class _Transform(ItemTransform):  # type: ignore[misc]
    """Common to the transforms: the labels, and what the items were read from."""

    def _labels(self) -> LabelCategories:
        """The label categories of what is transformed."""
        found = self._extractor.categories().get(AnnotationType.label)
        return LabelCategories() if found is None else found

    def _imported(self) -> ImportedFrom | None:
        """What the first item that was read as Open Images was read from."""
        origins = (getattr(item, "origin", None) for item in self._extractor)
        return next((origin.dataset for origin in origins if origin is not None), None)


class OpenImagesExpand(_Transform):
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
            choices=tuple(KINDS),
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
        types = {_chosen(KINDS, kind, "kinds") for kind in _texts(self._kinds)}
        annotations = expanded(item.annotations, expansion, types, repeats=self._repeats)
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


class OpenImagesDropNegatives(_Transform):
    """
    Removes the image labels that say that a class is absent (those with a score of 0). Other
    formats have no place for them and would take them for labels that are present.|n
    |n
    Examples:|n
    - Keep what is in the images:|n |n
    |s|sdatum transform -t open_images_drop_negatives -o positives my_dataset:open_images
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_drop_negatives"

    def __init__(self, extractor: Any) -> None:
        super().__init__(extractor)
        self._length = "parent"

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item without its negative labels."""
        kept = [a for a in item.annotations if not is_negative(a)]
        return self.wrap_item(item, annotations=annotations_list(kept))


def is_negative(annotation: Any) -> bool:
    """Whether an annotation is an image label that says that its class is absent."""
    if annotation.type is not AnnotationType.label or "score" not in annotation.attributes:
        return False
    try:
        return float(annotation.attributes["score"]) == 0
    except (TypeError, ValueError):
        return False


class OpenImagesDropBoxes(_Transform):
    """
    Removes boxes by what they show, together with the masks of the same group. Boxes of which it
    is not known stay.|n
    |n
    Examples:|n
    - Keep single, real objects:|n |n
    |s|sdatum transform -t open_images_drop_boxes -o single my_dataset:open_images -- \
--group-of --depiction --inside
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_drop_boxes"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        for name, text in (
            ("--group-of", "Boxes around several objects that touch each other"),
            ("--depiction", "Boxes of drawings and other depictions"),
            ("--inside", "Boxes of objects seen from their inside"),
            ("--occluded", "Boxes of objects that others cover in part"),
            ("--truncated", "Boxes of objects that go beyond the image"),
        ):
            parser.add_argument(name, action="store_true", help=text)
        return parser

    def __init__(
        self,
        extractor: Any,
        group_of: bool = False,
        depiction: bool = False,
        inside: bool = False,
        occluded: bool = False,
        truncated: bool = False,
    ) -> None:
        super().__init__(extractor)
        self._length = "parent"
        flags = {
            "is_group_of": group_of,
            "is_depiction": depiction,
            "is_inside": inside,
            "occluded": occluded,
            "truncated": truncated,
        }
        self._flags = [name for name, chosen in flags.items() if chosen]

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item without the boxes and their masks."""
        if not self._flags:
            raise OptionError("say which boxes to drop, such as --group-of or group_of=True")
        dropped = {id(a) for a in item.annotations if self._is_dropped(a)}
        groups = {a.group for a in item.annotations if id(a) in dropped} - {0}
        kept = [
            a
            for a in item.annotations
            if id(a) not in dropped and not (a.type is AnnotationType.mask and a.group in groups)
        ]
        return self.wrap_item(item, annotations=annotations_list(kept))

    def _is_dropped(self, annotation: Any) -> bool:
        return annotation.type is AnnotationType.bbox and any(
            str(annotation.attributes.get(name)).lower() in ("true", "1") for name in self._flags
        )


class OpenImagesNames(_Transform):
    """
    Names labels by their display names ('Cat'), or by their ids ('/m/01yrx') again. Where several
    classes share a display name, each gets its id in brackets. An export to open_images writes
    the ids either way.|n
    |n
    Examples:|n
    - Name labels as people do, for formats that know no ids:|n |n
    |s|sdatum transform -t open_images_names -o named my_dataset:open_images -- --to display
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_names"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--to",
            choices=("display", "id"),
            default="display",
            help="What to name labels by (default: %(default)s)",
        )
        return parser

    def __init__(self, extractor: Any, to: str = "display") -> None:
        super().__init__(extractor)
        self._length = "parent"
        self._to = to
        self._prepared: tuple[dict[Any, Any], dict[str, str]] | None = None
        self._imports: list[tuple[ImportedFrom, ImportedFrom]] = []

    def categories(self) -> dict[Any, Any]:
        """The categories, with labels under their new names."""
        return self._prepare()[0]

    def _prepare(self) -> tuple[dict[Any, Any], dict[str, str]]:
        """The categories, and LabelName -> the new name where it is another one."""
        if self._prepared is None:
            _chosen(("display", "id"), self._to, "to")
            labels, imported = self._labels(), self._imported()
            names = label_names_of(labels, imported)
            new = dict(zip((label.name for label in labels), names, strict=True))
            shown: dict[str, str] = {}
            if self._to == "display":
                known = {} if imported is None else imported.classes.display_names
                if not known:
                    log.warning("no display names were read with this dataset; names stay")
                shown = unique_display_names(ClassList(tuple(names), known))
                new = {name: shown[label_name] for name, label_name in new.items()}
            renamed = renamed_labels(labels, lambda name: new.get(name, name))
            self._prepared = {**self._extractor.categories(), AnnotationType.label: renamed}, shown
        return self._prepared

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item, which knows what its labels are called now."""
        shown = self._prepare()[1]
        origin = getattr(item, "origin", None)
        if origin is None:
            return item
        return self.wrap_item(item, origin=origin.of(self._renamed(origin.dataset, shown)))

    def _renamed(self, imported: ImportedFrom, shown: dict[str, str]) -> ImportedFrom:
        for known, renamed in self._imports:
            if known is imported:
                return renamed
        renamed = replace(imported, shown=shown)
        self._imports.append((imported, renamed))
        return renamed


class OpenImagesKeepClasses(_Transform):
    """
    Keeps some classes, named by id or by display name, with all their descendants in the
    hierarchy; the other labels and their annotations are removed. Annotations without a label
    stay.|n
    |n
    Examples:|n
    - Keep animals of every kind, and the images that have some:|n |n
    |s|sdatum transform -t open_images_keep_classes -o animals my_dataset:open_images -- \
-c Animal --drop-empty
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_keep_classes"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "-c",
            "--class",
            dest="classes",
            metavar="CLASS",
            action="append",
            help="A class to keep (repeatable)",
        )
        parser.add_argument(
            "--exact", action="store_true", help="Keep these classes without their descendants"
        )
        parser.add_argument(
            "--drop-empty",
            action="store_true",
            help="Remove images that are left without any annotation",
        )
        return parser

    def __init__(
        self,
        extractor: Any,
        classes: Sequence[str] | None = None,
        exact: bool = False,
        drop_empty: bool = False,
    ) -> None:
        super().__init__(extractor)
        self._length = None if drop_empty else "parent"
        self._classes = classes
        self._exact = exact
        self._drop_empty = drop_empty
        self._projected: Any = None

    def categories(self) -> dict[Any, Any]:
        """The categories, with the labels that are kept."""
        return self._project().categories()  # type: ignore[no-any-return]

    def transform_item(self, item: DatasetItem) -> DatasetItem | None:
        """The item with what is left of it, None where that is nothing and such items go."""
        item = self._project().transform_item(item)
        return None if self._drop_empty and not item.annotations else item

    def _project(self) -> Any:
        if self._projected is None:
            # Datumaro's own transform, which knows all that belongs to a label.
            from datumaro.plugins.transforms import ProjectLabels

            labels = self._labels()
            kept = sorted(self._kept(labels))
            names = [labels[at].name for at in kept]
            self._projected = ProjectLabels(self._extractor, names)
        return self._projected

    def _kept(self, labels: LabelCategories) -> set[int]:
        imported = self._imported()
        expansion = Expansion(labels, imported)
        names = label_names_of(labels, imported)
        display_names = {} if imported is None else imported.classes.display_names
        kept: set[int] = set()
        if not self._classes:
            raise OptionError("say which classes to keep, such as -c Cat or classes=['Cat']")
        for wanted in _texts(self._classes):
            found = set(_matching(wanted, labels, names, display_names))
            if not found:
                raise OptionError(
                    "the dataset has no class of this id or display name; give one of its class "
                    "list",
                    value=wanted,
                )
            kept |= found
            if not self._exact:
                kept.update(below for at in found for below in expansion.below(at))
        return kept


def _matching(
    wanted: str, labels: LabelCategories, names: Sequence[str], display_names: Any
) -> Iterator[int]:
    """The labels of this name, id or display name; of this name in any case if there is no other.

    A display name may belong to several classes.
    """
    known = [
        (label.name, name, display_names.get(name))
        for label, name in zip(labels, names, strict=True)
    ]
    exact = [at for at, found in enumerate(known) if wanted in found]
    if exact:
        yield from exact
        return
    folded = wanted.casefold()
    for at, found in enumerate(known):
        if folded in (name.casefold() for name in found if name):
            yield at


def _texts(values: Iterable[str]) -> Iterable[str]:
    return [values] if isinstance(values, str) else values


def _chosen(choices: Any, value: Any, option: str) -> Any:
    """What a choice stands for, or the choice itself where they are a mere list.

    Raises:
        OptionError: It is none of the choices.
    """
    if value not in choices:
        raise OptionError(f"{option} must be one of {', '.join(choices)}", value=value)
    return choices[value] if isinstance(choices, dict) else value

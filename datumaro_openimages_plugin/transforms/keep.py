"""Keeping some classes of a dataset."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from datumaro_openimages_plugin._host import DatasetItem, LabelCategories
from datumaro_openimages_plugin.errors import OptionError
from datumaro_openimages_plugin.transforms.base import Transform, texts
from datumaro_openimages_plugin.transforms.expansion import Expansion, label_names_of

__all__ = ["OpenImagesKeepClasses"]


class OpenImagesKeepClasses(Transform):
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
            "--classes",
            dest="classes",
            metavar="CLASS",
            nargs="+",
            action="extend",
            help="Classes to keep",
        )
        parser.add_argument(
            "--exact", action="store_true", help="Keep these classes without their descendants"
        )
        parser.add_argument(
            "--drop-empty",
            action="store_true",
            help="Remove images that are left without any annotation of these classes",
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
        if self._drop_empty and all(getattr(a, "label", None) is None for a in item.annotations):
            return None
        return item

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
        for wanted in texts(self._classes):
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

"""Naming labels by what people call them, and by their ids again."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem, renamed_labels
from datumaro_openimages_plugin.classes import ClassList, unique_display_names
from datumaro_openimages_plugin.origin import ImportedFrom
from datumaro_openimages_plugin.transforms.base import Transform, chosen
from datumaro_openimages_plugin.transforms.expansion import label_names_of

__all__ = ["OpenImagesNames"]

log = logging.getLogger(__name__)


class OpenImagesNames(Transform):
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
            chosen(("display", "id"), self._to, "to")
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

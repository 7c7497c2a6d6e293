"""Naming labels by what people call them, and by their ids again."""

from __future__ import annotations

import argparse
import logging
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from datumaro_openimages_plugin._host import AnnotationType, DatasetItem, renamed_labels
from datumaro_openimages_plugin.transforms.base import Transform, chosen
from datumaro_openimages_plugin.transforms.expansion import label_names_of

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.imported import ImportedFrom
    from datumaro_openimages_plugin.classes.classes import ClassList

__all__ = ["OpenImagesNames", "file_names"]

log = logging.getLogger(__name__)

_CHOICES = ("display", "file", "id")
#: What ends a name in some format: parts of paths, the separator of VOC's label maps, line ends.
_UNSAFE = re.compile(r"[/\\:\x00-\x1f\x7f\ud800-\udfff]+")


class OpenImagesNames(Transform):
    """
    Names labels by their display names ('Cat'), or by their ids ('/m/01yrx') again. Where several
    classes share a display name, each gets its id in brackets. 'file' gives display names that
    can be names of files and folders, as many formats need them.|n
    |n
    An export to open_images writes the ids whatever labels are called, so this is for going on in
    Python; 'datum convert' does the same with the format open_images_readable.|n
    |n
    Examples:|n
    - Name labels as people do, for a format that knows no ids:|n |n
    |s|sdataset = Dataset.import_from("my_dataset", "open_images")|n
    |s|sdataset.transform("open_images_names", to="file")|n
    |s|sdataset.export("named", "voc", save_media=True)
    """  # noqa: D205, D212, D415 (Datumaro shows it as help)

    NAME = "open_images_names"

    @classmethod
    def build_cmdline_parser(cls, **kwargs: Any) -> argparse.ArgumentParser:
        """The options that ``datum`` offers."""
        parser: argparse.ArgumentParser = super().build_cmdline_parser(**kwargs)
        parser.add_argument(
            "--to",
            choices=_CHOICES,
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
            # Too much for a list of names.
            from datumaro_openimages_plugin.classes.classes import ClassList, unique_display_names

            chosen(_CHOICES, self._to, "to")
            labels, imported = self._labels(), self._imported()
            names = label_names_of(labels, imported)
            new = dict(zip((label.name for label in labels), names, strict=True))
            shown: dict[str, str] = {}
            if self._to != "id":
                known = {} if imported is None else imported.classes.display_names
                if not known:
                    log.warning("no display names were read with this dataset; names stay")
                name_all = file_names if self._to == "file" else unique_display_names
                shown = name_all(ClassList(tuple(names), known))
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


def file_names(classes: ClassList) -> dict[str, str]:
    """LabelName -> its display name as it can be part of a file name, unlike any other one.

    Names that are equal but for the case of their letters count as equal, as in some file systems.
    """
    found = {name: _file_name(classes.display_names.get(name) or name) for name in classes.names}
    counts = Counter(name.casefold() for name in found.values())
    taken = {name.casefold() for name in found.values() if counts[name.casefold()] == 1}
    for label_name, name in found.items():
        if counts[name.casefold()] == 1:
            continue
        base = candidate = f"{name} ({_file_name(label_name).replace('_', '')})"
        number = 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{base} {number}"
        taken.add(candidate.casefold())
        found[label_name] = candidate
    return found


def _file_name(name: str) -> str:
    # A name made of dots is a folder, and the host strips spaces.
    return _UNSAFE.sub("_", name).strip(" ._") or "class"

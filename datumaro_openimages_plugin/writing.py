"""What the writers of one export share, and what a writer of a kind's rows is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from datumaro_openimages_plugin import extras
from datumaro_openimages_plugin._host import DatasetItem
from datumaro_openimages_plugin.target import Target

__all__ = ["KindWriter", "Refuse", "Writing", "missing_label"]

Refuse = Callable[[ValueError, DatasetItem, Any], None]
"""Gets the error of an annotation, its item, and the annotation."""


class KindWriter(Protocol):
    """Writes one subset's annotations of one kind."""

    def add(self, annotations: list[Any], item: DatasetItem, size: tuple[int, int] | None) -> None:
        """Takes an item's annotations of the kind, and what the item's attribute has.

        Args:
            annotations: Those of the kind; none where only the item has something to write.
            item: The item, whose other annotations they may refer to.
            size: (height, width) of its image in pixels, None where it is not known.
        """

    def flush(self) -> None:
        """Writes what was taken."""


@dataclass
class Writing:
    """What all writers of one export share.

    Args:
        target: Where files go.
        label_names: LabelName by label index; changed in place as imports become known.
        refuse: Gets what cannot be written; returns to skip it.
        lost: What the format cannot hold -> how often; reported at the end.
        notes: What else there is to report -> how often.
    """

    target: Target
    label_names: list[str]
    refuse: Refuse
    lost: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def label_name(self, annotation: Any) -> str:
        """The LabelName of an annotation.

        Raises:
            ValueError: It has no label, or one that the categories lack.
        """
        label = annotation.label
        if label is None or not 0 <= label < len(self.label_names):
            raise ValueError(missing_label(label, len(self.label_names)))
        return self.label_names[label]

    def shown_columns(
        self,
        what: str,
        attributes: Mapping[str, Any],
        columns: Mapping[str, str],
        known: frozenset[str],
    ) -> dict[str, str]:
        """Columns that attributes show; the attributes without any are counted.

        Args:
            what: Whose attributes they are, for the report.
            attributes: The attributes.
            columns: Attribute -> column.
            known: Attributes that are written in another way.
        """
        found = {}
        for name, value in attributes.items():
            if name in columns:
                found[columns[name]] = extras.column_text(name, value)
            elif name not in known:
                self.lost[f"{name!r} attributes of {what}s"] += 1
        return found


def missing_label(label: int | None, count: int) -> str:
    """Why an annotation with this label index cannot be written."""
    if label is None:
        return "has no label; give it one or remove it"
    return f"has label {label}, and there are {count} labels"

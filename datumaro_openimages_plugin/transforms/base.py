"""Common to the transforms: what items were read from, and checks of arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from datumaro_openimages_plugin._host import AnnotationType, ItemTransform, LabelCategories
from datumaro_openimages_plugin.errors import OptionError

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.imported import ImportedFrom

__all__ = ["Transform", "chosen", "is_machine", "texts"]


class Transform(ItemTransform):  # type: ignore[misc]
    """Common to the transforms: the labels, and what the items were read from."""

    def _labels(self) -> LabelCategories:
        """The label categories of what is transformed."""
        found = self._extractor.categories().get(AnnotationType.label)
        return LabelCategories() if found is None else found

    def _imported(self) -> ImportedFrom | None:
        """What the first item that was read as Open Images was read from."""
        origins = (getattr(item, "origin", None) for item in self._extractor)
        return next((origin.dataset for origin in origins if origin is not None), None)


def is_machine(annotation: Any) -> bool:
    """Whether a label is one that a classifier gave; people verified the others."""
    return bool(annotation.attributes.get("source") == "machine")


def texts(values: Iterable[str]) -> Iterable[str]:
    """The values, or one value that was given alone."""
    return [values] if isinstance(values, str) else values


def chosen(choices: Any, value: Any, option: str) -> Any:
    """What a choice stands for, or the choice itself where they are a mere list.

    Raises:
        OptionError: It is none of the choices.
    """
    if value not in choices:
        raise OptionError(f"{option} must be one of {', '.join(choices)}", value=value)
    return choices[value] if isinstance(choices, dict) else value

"""Values of attributes as CVAT takes them: each fitted to its type, and those it has fields for.

CVAT turns every value into text. A checkbox takes only true and false and refuses the whole import
for anything else; numbers are not checked, and a text there breaks every later export.
"""

from __future__ import annotations

import math
from typing import Any

from datumaro_openimages_plugin._host import DatasetItem, ItemTransform
from datumaro_openimages_plugin.annotations.extras import is_text
from datumaro_openimages_plugin.cvat.specs import AttributeSpec

__all__ = ["HandedOver", "fitted", "is_storable"]

#: How many characters CVAT's tables have for the value of an attribute.
_LONGEST = 4096


def fitted(value: Any, attribute: AttributeSpec) -> Any:
    """A value as an attribute of CVAT takes it once it is text; None for no value.

    Raises:
        ValueError: The attribute does not take it.
    """
    kind = attribute.input_type
    if kind == "checkbox":
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if isinstance(value, bool):
            return value
    elif kind == "number":
        if value == "":
            return None
        # By its text, since no float holds some whole numbers.
        number = int(value) if isinstance(value, bool) else float(str(value))
        if math.isfinite(number):
            return number
    elif kind == "text" or not attribute.values:
        if is_storable(value):
            return value
    else:
        texts = [str(value), str(value).lower()]
        if isinstance(value, float) and value == int(value):
            texts.append(str(int(value)))
        for text in texts:
            if text in attribute.values:
                return text
    raise ValueError(f"{value!r} is no {kind}")


def is_storable(value: Any, longest: int = _LONGEST) -> bool:
    """Whether CVAT's tables take a value as text: not too long, without what is no character."""
    text = str(value)
    return len(text) <= longest and is_text(text)


class HandedOver(ItemTransform):  # type: ignore[misc]
    """The last step before CVAT's import: attributes that it finds although it takes fields out."""

    def transform_item(self, item: DatasetItem) -> DatasetItem:
        """The item; only the class of its annotations' attributes changes."""
        handed = [a.wrap(attributes=_Attributes(a.attributes)) for a in item.annotations]
        return item.wrap(annotations=handed)


class _Attributes(dict[str, Any]):
    """Attributes that an import of CVAT reads, and takes its own fields of shapes out of.

    It takes a rotation and a source by these names, and newer releases a score before they read the
    rest. What a label has an attribute for is that attribute: it stays, and a field gets only what
    can be in it.
    """

    def __init__(self, attributes: dict[str, Any]) -> None:
        super().__init__(attributes)
        if "source" in self:
            self["source"] = str(self["source"])  # compared with CVAT's words in lower case

    def pop(self, name: str, *default: Any) -> Any:
        if name == "rotation" and default:
            return default[0]  # a rotated box has become a mask
        if name == "score" and default:
            return _score(self.get(name), default[0])
        return super().pop(name, *default)


def _score(value: Any, default: Any) -> Any:
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return score if 0 <= score <= 1 else default

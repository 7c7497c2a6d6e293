"""The JSON of the column ``Extra``: what may stand in it, as text and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["dumped", "is_json", "parsed", "plain"]


def plain(value: Any) -> Any:
    """A value without numpy."""
    return value.item() if isinstance(value, np.generic) else value


def is_json(value: Any) -> bool:
    """Whether a value can be kept: a number, a text, a bool or None."""
    value = plain(value)
    if isinstance(value, float):
        return bool(np.isfinite(value))
    return value is None or isinstance(value, (bool, int, str))


def dumped(kept: Mapping[str, Any]) -> str:
    """The text of a field."""
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    lone = any("\ud800" <= char <= "\udfff" for char in text)
    return json.dumps(kept, separators=(",", ":"), sort_keys=True) if lone else text


def parsed(text: str) -> dict[str, Any]:
    """What a field says.

    Raises:
        ValueError: It is no JSON object of the members that there are, of their types.
    """
    try:
        kept = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON as this package writes it") from None
    good = isinstance(kept, dict) and set(kept) <= {"attributes", "group", "z_order"}
    if good:
        attributes = kept.get("attributes", {})
        good = isinstance(attributes, dict) and all(map(is_json, attributes.values()))
        numbers = [kept.get("group", 0), kept.get("z_order", 0)]
        good &= all(type(n) is int and abs(n) < 1 << 31 for n in numbers) and numbers[0] >= 0
    if not good:
        raise ValueError("has other members than attributes, group and z_order, or of other types")
    return kept  # type: ignore[no-any-return]


def _no_constant(text: str) -> None:
    raise ValueError(text)

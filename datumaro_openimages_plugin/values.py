"""Attribute values as CVAT and Datumaro deliver them, to and from the text of CSV fields.

========================  =====================================================  ===============
attribute                 accepted                                               means "not given"
========================  =====================================================  ===============
``score``,                a number or numpy scalar from 0 to 1, or its text      ``''``, ``None``
``predicted_iou``
flags (``occluded``, …)   a bool; 0, 1, -1 or their text; true or false in any   ``''``, ``None``
                          case
``box_id``                a text that can be part of a file name, or an integer  ``''``, ``None``
========================  =====================================================  ===============

Everything else is a ValueError with the reason; the caller adds item, annotation and attribute.
"""

from __future__ import annotations

import math
import numbers
import re
from typing import Any

import numpy as np

__all__ = ["box_id_text", "coordinate_text", "flag_from_text", "flag_text", "score_text"]

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|\ud800-\udfff]")
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_FLAG_TEXTS = {
    "1": True, "0": False, "-1": None, "1.0": True, "0.0": False, "-1.0": None,
    "true": True, "false": False, "": None,
}  # fmt: skip
_STATES = {True: "1", False: "0", None: "-1"}


def score_text(value: Any) -> str | None:
    """The text of a score from 0 to 1, None where none is given.

    Whole numbers have no decimals, as in the published files; a decimal text stays as typed.

    Raises:
        ValueError: It is no number from 0 to 1.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            raise ValueError(f"{_shown(value)} is not a number from 0 to 1") from None
        if 0 <= number <= 1 and _DECIMAL.fullmatch(text):
            return text
    elif isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, np.number)):
        raise ValueError(f"{_shown(value)} is not a number from 0 to 1")
    else:
        number = float(str(value)) if isinstance(value, np.floating) else float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{_shown(value)} is not a number from 0 to 1")
    if number == int(number):
        return str(int(number))
    text = repr(number)
    return text if "e" not in text else f"{number:.17f}".rstrip("0")


def flag_text(value: Any) -> str:
    """``1``, ``0``, or ``-1`` where nothing is known.

    Raises:
        ValueError: It is no flag.
    """
    if value is None:
        return "-1"
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, str):
        return _STATES[flag_from_text(value)]
    if isinstance(value, (numbers.Real, np.number)) and float(value) in (1.0, 0.0, -1.0):
        return str(int(float(value)))
    raise ValueError(f"{_shown(value)} is not a flag: true, false, 1, 0 or -1")


def flag_from_text(text: str) -> bool | None:
    """The flag that a field says; None where nothing is known.

    Raises:
        ValueError: It is no flag.
    """
    try:
        return _FLAG_TEXTS[text]
    except KeyError:
        pass
    try:
        return _FLAG_TEXTS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{_shown(text)} is not a flag: true, false, 1, 0 or -1") from None


def box_id_text(value: Any) -> str | None:
    """The text of a box id, None where none is given.

    Raises:
        ValueError: It cannot be part of a file name.
    """
    if value is None or (isinstance(value, str) and not value):
        return None
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not a box id: a text or an integer")
    bad = _UNSAFE.search(value) or _DEVICES.fullmatch(value) or value[-1] in ". "
    if bad or len(value) > 200:
        raise ValueError(f"{_shown(value)} is not a box id: it cannot be part of a file name")
    return value


def coordinate_text(value: float) -> str:
    """A coordinate with up to 9 decimals and at least one, never with an exponent.

    Raises:
        ValueError: It is no finite number.
    """
    if not math.isfinite(value):
        raise ValueError(f"coordinate {value} is not a finite number")
    text = f"{value:.9f}".rstrip("0")
    if text.endswith("."):
        text += "0"
    return "0.0" if text == "-0.0" else text


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"

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
from decimal import Decimal
from typing import Any

import numpy as np

from datumaro_openimages_plugin.sources.safe_names import DEVICE

__all__ = [
    "ABOVE_FRAC",
    "BELOW_FRAC",
    "ROUNDING_FRAC",
    "ROUNDING_PX",
    "box_id_text",
    "coordinate_text",
    "flag_from_text",
    "flag_text",
    "score_text",
]

#: A place in fractions of the image lies between these: shapes may reach out of their image, but by
#: less than its size; numbers farther out are pixels.
BELOW_FRAC, ABOVE_FRAC = -1, 2

#: How far a point may be from its row's place and still be there: it is rounded to 2 digits, and on
#: some hosts three times to 32 bits, each by a share of how far out it is.
ROUNDING_PX, ROUNDING_FRAC = 0.00501, 1.6e-7 * ABOVE_FRAC

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")
#: Separators and what Windows forbids, control characters, line ends, lone surrogates.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029/\\:*?\"<>|\ud800-\udfff]")
_ZEROS = re.compile(r"(?<![0-9.])0+(?=[0-9])")  # before a number, where Arrow passes them by
_FLAG_TEXTS = {
    "1": True, "0": False, "-1": None, "1.0": True, "0.0": False, "-1.0": None,
    "true": True, "false": False, "": None, "-0": False,
}  # fmt: skip
_A_FLAG = "a flag: true, false, 1, 0 or -1"
_STATES = {True: "1", False: "0", None: "-1"}


def score_text(value: Any, attribute: str = "score") -> str | None:
    """The text of a score from 0 to 1, None where none is given.

    Whole numbers have no decimals, as in the published files; a decimal text stays as typed.

    Args:
        value: What the attribute holds.
        attribute: Its name, for messages.

    Raises:
        ValueError: It is no number from 0 to 1.
    """
    if value is None:
        return None
    expected = "a number from 0 to 1"
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        number: Any
        try:
            # Python's own literals may have underscores, numbers in texts may not.
            number = float(text.replace("_", "?"))
        except ValueError:
            raise _refused(attribute, value, expected) from None
        if 0 <= number <= 1 and _DECIMAL.fullmatch(text):
            return text
    elif isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise _refused(attribute, value, expected)
    else:
        number = value
    if not 0 <= number <= 1:
        raise _refused(attribute, value, expected)
    # The text of a numpy scalar has its own precision's digits.
    number = float(str(value)) if isinstance(value, np.floating) else float(number)
    if number == int(number):
        return str(int(number))
    return format(Decimal(repr(number)), "f")


def flag_text(value: Any, attribute: str = "flag") -> str:
    """``1``, ``0``, or ``-1`` where nothing is known.

    Args:
        value: What the attribute holds.
        attribute: Its name, for messages.

    Raises:
        ValueError: It is no flag.
    """
    if value is None:
        return "-1"
    if isinstance(value, (bool, np.bool_)):
        return "1" if value else "0"
    if isinstance(value, str):
        try:
            return _STATES[flag_from_text(value)]
        except ValueError:
            raise _refused(attribute, value, _A_FLAG) from None
    if isinstance(value, numbers.Real) and value in (1, 0, -1):
        return str(int(float(value)))
    raise _refused(attribute, value, _A_FLAG)


def flag_from_text(text: str) -> bool | None:
    """The flag that a field says; None where nothing is known.

    Raises:
        ValueError: It is no flag.
    """
    try:
        return _FLAG_TEXTS[text]
    except KeyError:
        pass
    plain = text.strip().lower()
    try:
        return _FLAG_TEXTS[_ZEROS.sub("", plain)]
    except KeyError:
        raise ValueError(f"{_shown(text)} is not {_A_FLAG}") from None


def box_id_text(value: Any) -> str | None:
    """The text of a box id, None where none is given.

    Raises:
        ValueError: It cannot be part of a file name.
    """
    if value is None or (isinstance(value, str) and not value):
        return None
    if isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_)):
        if int(value).bit_length() > 1000:  # Python makes no text of huge numbers
            raise _refused("box_id", value, "a text that can be part of a file name")
        text = str(int(value))
    elif isinstance(value, str):
        text = str(value)
    else:
        raise _refused("box_id", value, "a text or an integer")
    if len(text) > 200 or _UNSAFE.search(text) or DEVICE.fullmatch(text) or text[-1] in ". ":
        raise _refused("box_id", value, "a text that can be part of a file name")
    return text


def coordinate_text(value: float) -> str:
    """A coordinate with up to 9 decimals and at least one, never with an exponent.

    Raises:
        ValueError: It is no finite number.
    """
    if not math.isfinite(value):
        raise ValueError(f"coordinate {value} is not a finite number")
    if not BELOW_FRAC < value < ABOVE_FRAC:
        raise ValueError("reaches out of the image by more than the image's size")
    text = f"{value:.9f}".rstrip("0")
    if text.endswith("."):
        text += "0"
    return "0.0" if text == "-0.0" else text


def _refused(attribute: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"has {attribute} {_shown(value)}, which is not {expected}")


def _shown(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except ValueError:  # Python makes no text of huge numbers
        return "a huge number"
    return text if len(text) <= 60 else text[:59] + "…"

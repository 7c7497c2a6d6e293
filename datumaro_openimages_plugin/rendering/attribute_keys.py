"""What the attributes of annotations come to as fields; worked out once for equal ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from numbers import Real
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from datumaro_openimages_plugin.annotations.extras import column_text
from datumaro_openimages_plugin.tables.arrays import long_texts, to_arrow

__all__ = ["AttributeKey", "AttributeKeys", "Texts"]

Texts = Callable[[dict[str, Any]], tuple[tuple[str, ...], tuple[Any, ...]]]
"""Gives the texts of the attribute columns, and their values as the columns of a read table have
them."""

#: Types of values of which equal ones have equal texts in the attribute columns, but for a score
#: of True.
_PLAIN = frozenset((bool, int, float, str, type(None)))
#: Types of values of which equal ones have equal texts in any column. Of floats 0.0 and -0.0 have
#: two.
_EXACT = _PLAIN - {float}
_REMEMBERED = 100_000  # attributes whose texts are remembered


class AttributeKey(NamedTuple):
    """What an annotation's attributes come to.

    Args:
        texts: The text of the attribute columns.
        values: Their values, as the columns of a table that was read have them.
        extra: Texts of columns beyond these, by column.
        unknown: Names of attributes that have no column.
        error: Why they cannot be written.
    """

    texts: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    extra: Mapping[str, str] = {}
    unknown: tuple[str, ...] = ()
    error: ValueError | None = None


class AttributeKeys:
    """A number for each of the attributes that there are, as long as a batch is being written.

    Args:
        texts: Gives the fields of attributes; raises a ValueError where they have none.
        known: Attributes that ``texts`` knows.
        columns: Attribute -> column of those that are shown on request.
    """

    def __init__(self, texts: Texts, known: frozenset[str], columns: Mapping[str, str]) -> None:
        self._texts = texts
        self._known = known
        self._columns = columns
        self._clear()

    def _clear(self) -> None:
        self._keys: list[AttributeKey] = []
        self._numbers = _Numbers(self._add)
        self._same_names: dict[tuple[str, ...], dict[Any, int]] = {}
        self._special = np.zeros((0, 3), bool)

    def of(self, attributes: list[dict[str, Any]]) -> np.ndarray:
        """(n,) int64: a number for each; numbers that were given before hold no longer."""
        if len(self._keys) > _REMEMBERED:
            self._clear()
        numbers = self._numbers
        found: list[Any] | None
        try:
            found = self._of_same_names(attributes)
            if found is None and self._are_exact(attributes):
                found = [numbers[_flat(one)] for one in attributes]
            elif found is None:
                found = [self._number(one) for one in attributes]
        except TypeError:  # some value cannot be hashed
            found = [self._number(one) for one in attributes]
        new = self._keys[len(self._special) :]
        if new:
            special = [(key.error is not None, bool(key.extra), bool(key.unknown)) for key in new]
            self._special = np.concatenate([self._special, np.array(special, bool)])
        return np.array(found, np.int64)

    def _of_same_names(self, attributes: list[dict[str, Any]]) -> list[int] | None:
        """A number for each, quicker; None where equal values may have different texts."""
        every = set(map(tuple, attributes))
        names: tuple[str, ...] = every.pop() if every else ()
        if every or not names or not self._known.issuperset(names):
            return None
        # The values alone, or the value where there is one name only.
        values = list(map(itemgetter(*names), attributes))
        types = set(map(type, chain.from_iterable(values) if len(names) > 1 else values))
        if not types <= _PLAIN:
            return None
        if bool in types and "score" in names:
            scores = map(itemgetter("score"), attributes)
            if bool in set(map(type, scores)):
                return None
        numbers = self._same_names.setdefault(names, {})
        for one in set(values).difference(numbers):
            row = dict(zip(names, one if len(names) > 1 else (one,), strict=True))
            numbers[one] = self._numbers[_flat(row)]
        return list(map(numbers.__getitem__, values))

    def _are_exact(self, attributes: list[dict[str, Any]]) -> bool:
        """Whether equal values have equal texts in the columns that take any text."""
        names = self._columns.keys() & set().union(*attributes)
        return {type(one[name]) for name in names for one in attributes if name in one} <= _EXACT

    def _number(self, attributes: dict[str, Any]) -> int:
        if not self._are_exact([attributes]):
            return self._add(attributes)
        try:
            return self._numbers[_flat(attributes)]
        except TypeError:
            return self._add(attributes)

    def _add(self, attributes: dict[str, Any]) -> int:
        self._keys.append(self._key(attributes))
        return len(self._keys) - 1

    def _key(self, attributes: dict[str, Any]) -> AttributeKey:
        try:
            extra = {
                column: column_text(name, attributes[name])
                for name, column in self._columns.items()
                if name in attributes
            }
            unknown = [
                name
                for name, value in attributes.items()
                if name not in self._known
                and name not in self._columns
                # CVAT gives every box one; a turned box does not come here.
                and not (name == "rotation" and isinstance(value, Real) and value == 0)
            ]
            texts, values = self._texts(attributes)
        except ValueError as error:
            return AttributeKey(error=error)
        return AttributeKey(texts, values, extra, tuple(unknown))

    # What numbers stand for

    def are_bad(self, numbers: np.ndarray) -> np.ndarray:
        """(n,) bool: whether they cannot be written."""
        return self._special[numbers, 0]  # type: ignore[no-any-return]

    def have_extra(self, numbers: np.ndarray) -> np.ndarray:
        """(n,) bool: whether they have texts of columns beyond the ordinary ones."""
        return self._special[numbers, 1]  # type: ignore[no-any-return]

    def error(self, number: int) -> ValueError:
        """Why attributes cannot be written."""
        return self._keys[number].error or ValueError("cannot be written")

    def extra(self, number: int) -> Mapping[str, str]:
        """Column -> text beyond the ordinary ones."""
        return self._keys[number].extra

    def unknown(self, numbers: np.ndarray) -> Iterator[tuple[str, int]]:
        """Attributes that have no column, and how often they come."""
        if not self._special[:, 2].any():
            return
        counts = np.bincount(numbers, minlength=len(self._keys))
        for number in np.flatnonzero(self._special[:, 2] & (counts > 0)).tolist():
            for name in self._keys[number].unknown:
                yield name, int(counts[number])

    def distinct(self, numbers: np.ndarray) -> tuple[list[AttributeKey], np.ndarray]:
        """What the numbers stand for, each once, and (n,) positions in that."""
        there = np.zeros(len(self._keys), bool)
        there[numbers] = True
        used = np.flatnonzero(there)
        return [self._keys[number] for number in used.tolist()], (np.cumsum(there) - 1)[numbers]

    def texts(self, numbers: np.ndarray, column: int, end: str = "") -> pa.Array:
        """(n,) Arrow strings: one of the attribute columns' texts, and what follows it."""
        keys, which = self.distinct(numbers)
        return long_texts([key.texts[column] + end for key in keys]).take(to_arrow(which))


def _flat(attributes: dict[str, Any]) -> tuple[Any, ...]:
    """Names, values and classes of these as one tuple, since True equals 1 and is another text.

    Nested tuples would keep the garbage collector busy.
    """
    values = attributes.values()
    return (*attributes, *values, *map(type, values))


class _Numbers(dict[tuple[Any, ...], int]):
    """Attributes as `_flat` gives them -> their number.

    Args:
        add: Gives the number of new ones.
    """

    def __init__(self, add: Callable[[dict[str, Any]], int]) -> None:
        self._add = add

    def __missing__(self, flat: tuple[Any, ...]) -> int:
        count = len(flat) // 3
        values: Sequence[Any] = flat[count : 2 * count]
        found = self[flat] = self._add(dict(zip(flat[:count], values, strict=True)))
        return found

"""Which rows some annotations were read from, as columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from datumaro_openimages_plugin.annotations.origin import Origin, RowSource

__all__ = ["RowPlaces"]

_source_of, _row_of = attrgetter("_source"), attrgetter("_row")


class RowPlaces:
    """Places of rows that were read: ``rows[i]`` of ``sources[which[i]]``.

    Args:
        sources: Where rows were read, each once.
        which: (n,) int64 positions in ``sources``, -1 for what was not read.
        rows: (n,) int64 row numbers in them.
    """

    def __init__(self, sources: list[RowSource], which: np.ndarray, rows: np.ndarray) -> None:
        self.sources = sources
        self.which = which
        self.rows = rows

    def __len__(self) -> int:
        return len(self.which)

    @classmethod
    def of_annotations(cls, annotations: Sequence[Any]) -> RowPlaces:
        """Where annotations were read, without making the `Origin` of each."""
        if not any(map(_may_know_rows, set(map(type, annotations)))):
            count = len(annotations)
            return cls([], np.full(count, -1, np.int64), np.zeros(count, np.int64))
        try:
            found = list(map(_source_of, annotations))
            distinct = {id(source): source for source in found}
            if not any(
                source is None or isinstance(source, Origin) for source in distinct.values()
            ):
                rows = np.array(list(map(_row_of, annotations)), np.int64)
                return cls._of(found, rows, list(distinct.values()))
        except AttributeError:
            pass  # some of them are no objects of ours
        return cls.of_origins([getattr(annotation, "origin", None) for annotation in annotations])

    @classmethod
    def of_origins(cls, origins: Sequence[Origin | None]) -> RowPlaces:
        """The places that origins point to."""
        found = [None if origin is None else origin.source for origin in origins]
        distinct = {id(source): source for source in found if source is not None}
        rows = [0 if origin is None else origin.row for origin in origins]
        return cls._of(found, np.array(rows, np.int64), list(distinct.values()))

    @classmethod
    def _of(
        cls, found: Sequence[RowSource | None], rows: np.ndarray, sources: list[RowSource]
    ) -> RowPlaces:
        if not sources:
            return cls(sources, np.full(len(rows), -1), rows)
        if len(sources) == 1 and not any(source is None for source in found):
            return cls(sources, np.zeros(len(rows), np.int64), rows)
        number = {id(source): n for n, source in enumerate(sources)}
        which = [number.get(id(source), -1) for source in found]
        return cls(sources, np.array(which, np.int64), rows)

    def only(self, kinds: Collection[str]) -> RowPlaces:
        """The same, without rows of kinds that are not named."""
        good = [source.kind in kinds for source in self.sources]
        if all(good):
            return self
        which = np.where(np.array([*good, False])[self.which], self.which, -1)
        return RowPlaces(self.sources, which, self.rows)

    def at(self, positions: np.ndarray) -> RowPlaces:
        """Some of them: (n,) positions or a mask."""
        return RowPlaces(self.sources, self.which[positions], self.rows[positions])

    def origin(self, position: int) -> Origin | None:
        """One of them as an `Origin`, None for what was not read."""
        which = int(self.which[position])
        return None if which < 0 else Origin(self.sources[which], int(self.rows[position]))


def _may_know_rows(cls: type) -> bool:
    """Whether objects of a class may have an origin; those that have a ``__dict__`` may."""
    return hasattr(cls, "origin") or cls.__dictoffset__ != 0

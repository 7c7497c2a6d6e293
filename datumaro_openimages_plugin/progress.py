"""Progress of long work: told to Datumaro's reporter, or shown where a person watches.

Most of Datumaro's commands pass no reporter. Then a bar of our own is shown if the error output is
a terminal; ``DATUMARO_OPENIMAGES_PROGRESS=0`` switches it off.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from datumaro.components.progress_reporting import NullProgressReporter, ProgressReporter

__all__ = ["Bar", "Steps", "is_told", "reporter_of", "tracked"]

T = TypeVar("T")


class Bar(ProgressReporter):  # type: ignore[misc]
    """A bar on the error output.

    Args:
        unit: What is counted.
    """

    def __init__(self, unit: str = "it") -> None:
        self._unit = unit
        self._bar: Any = None

    @property
    def period(self) -> float:
        """Every hundredth of the way is told."""
        return 0.01

    def start(self, total: int, *, desc: str | None = None) -> None:
        """Shows an empty bar."""
        from tqdm import tqdm

        self._bar = tqdm(
            total=total, desc=desc, unit=self._unit, unit_scale=self._unit == "B", leave=False
        )

    def report_status(self, progress: int) -> None:
        """Moves the bar to a number."""
        self._bar.update(progress - self._bar.n)

    def finish(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()

    def split(self, count: int) -> tuple[Bar, ...]:
        """Bars that follow one another."""
        return tuple(Bar(self._unit) for _ in range(count))


def reporter_of(context: Any, unit: str = "it") -> ProgressReporter:
    """The reporter to tell.

    Args:
        context: Datumaro's context of an import or export, or None.
        unit: What is counted.
    """
    given = None if context is None else context.progress_reporter
    if given is not None and not isinstance(given, NullProgressReporter):
        return given
    watched = sys.stderr is not None and sys.stderr.isatty()
    if watched and os.environ.get("DATUMARO_OPENIMAGES_PROGRESS") != "0":
        return Bar(unit)
    return given or NullProgressReporter()


def is_told(reporter: ProgressReporter) -> bool:
    """Whether a reporter does anything."""
    return not isinstance(reporter, NullProgressReporter)


class Steps:
    """Work that tells how far it is: a context manager around it.

    Args:
        reporter: Whom to tell.
        total: How many steps there are.
        what: What the work is called.
    """

    def __init__(self, reporter: ProgressReporter, total: int, what: str) -> None:
        self._reporter = reporter
        self._total = total
        self._what = what
        self._told = self._done = 0

    def __enter__(self) -> Steps:
        if self._total:
            self._reporter.start(self._total, desc=self._what)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._total:
            self._reporter.finish()

    def done(self, steps: int) -> None:
        """Counts steps; every hundredth of the way is told."""
        self._done = min(self._done + steps, self._total)
        if self._total and (
            self._done - self._told >= self._total / 100 or self._done == self._total > self._told
        ):
            self._told = self._done
            self._reporter.report_status(self._done)


def tracked(things: Iterable[T], total: int, reporter: ProgressReporter, what: str) -> Iterator[T]:
    """The things one after another, each told as a step when it is done with."""
    with Steps(reporter, total, what) as steps:
        for thing in things:
            yield thing
            steps.done(1)

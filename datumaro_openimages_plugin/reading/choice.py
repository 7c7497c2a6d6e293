"""What is imported of a dataset: a choice by kinds, subsets, classes, images and number."""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from datumaro_openimages_plugin.errors import OptionError
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.kinds._kind import Kind
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

__all__ = ["Choice", "add_arguments", "choice_of", "unknown_name"]

_CLOSE = 5  # names that a message suggests


@dataclass(frozen=True)
class Choice:
    """What is imported of a dataset; without arguments, everything that is read unasked.

    Args:
        kinds: Kinds of annotation, by the names of `kinds.KINDS`; all images stay.
        subsets: Subsets.
        classes: Classes, by LabelName or DisplayName. Images stay that have at least one
            annotation of one of them, with all their annotations; a label that is verified to be
            absent does not count.
        descendants: Whether a class also means all that are a kind of it.
        only_matching: Whether annotations of other classes are left out.
        image_ids: Images, as ids or ``<subset>/<id>``, or a text file of such lines.
        negatives: ``keep``, or ``drop`` what says that something is absent.
        max_images: How many images at most: those with most of the classes come first, then
            those with most of the kinds, then chance decides.
        seed: Which chance.
        shard: (i, n) for the i-th of n parts, i from 0. Each image is in one of them, the same
            one each time, and all have about the same number of annotations.

    Raises:
        OptionError: A name or number means nothing.
    """

    kinds: Sequence[str] | None = None
    subsets: Sequence[str] | None = None
    classes: Sequence[str] | None = None
    descendants: bool = False
    only_matching: bool = False
    image_ids: Sequence[str] | str | os.PathLike[str] | None = None
    negatives: str = "keep"
    max_images: int | None = None
    seed: int = 0
    shard: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("kinds", "subsets", "classes", "image_ids"):
            value = getattr(self, name)
            if value is None or (name == "image_ids" and isinstance(value, (str, os.PathLike))):
                continue
            names = (value,) if isinstance(value, str) else tuple(value)
            if not all(isinstance(one, str) for one in names):
                raise OptionError(f"{name} must be a list of names", value=value)
            object.__setattr__(self, name, tuple(dict.fromkeys(names)))
        for name in self.kinds or ():
            if name not in KINDS_BY_NAME:
                raise unknown_name("kind", name, list(KINDS_BY_NAME), show_all=True)
        if self.negatives not in ("keep", "drop"):
            raise OptionError("negatives must be 'keep' or 'drop'", value=self.negatives)
        for name in ("only_matching", "descendants"):
            if getattr(self, name) and self.classes is None:
                raise OptionError(f"{name} needs classes to go by")
        if self.max_images is not None and not (_is_count(self.max_images) and self.max_images > 0):
            raise OptionError("max_images must be a number from 1", value=self.max_images)
        if not _is_count(self.seed) or self.seed >= 2**32:
            raise OptionError("seed must be a number from 0 to 4294967295", value=self.seed)
        if self.shard is not None:
            object.__setattr__(self, "shard", _checked_shard(self.shard))

    @property
    def narrows(self) -> bool:
        """Whether rows are chosen, rather than files alone."""
        return self != Choice(kinds=self.kinds, seed=self.seed)

    @property
    def is_shard(self) -> bool:
        """Whether nothing but a shard is chosen."""
        return self.shard is not None and replace(self, shard=None) == Choice(seed=self.seed)

    def __str__(self) -> str:
        """The choices that were made, in short."""
        made = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return ", ".join(name for name in made if name != "seed")

    def columns(self, kind: Kind, columns: Sequence[Column]) -> Sequence[Column]:
        """Those of a kind's columns that tell which rows are chosen; all if every row is."""
        if not self.narrows or kind.opened is not CsvTable:
            return columns
        names = {"ImageID"}
        if self.classes is not None:
            names.update(kind.class_columns)
        if kind.negative is not None and (self.classes is not None or self.negatives == "drop"):
            names.add(kind.negative[0])
        return [column for column in columns if column.name in names]

    def kinds_read(self) -> list[Kind]:
        """The kinds that are read, in their order."""
        if self.kinds is None:
            return [kind for kind in KINDS if kind.by_default]
        return [kind for kind in KINDS if kind.name in self.kinds]


def _is_count(value: Any) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and bool(value >= 0)


def _checked_shard(value: Any) -> tuple[int, int]:
    try:
        part, count = value
    except (TypeError, ValueError):
        part = count = None
    if not (_is_count(part) and _is_count(count) and part < count):
        raise OptionError("shard must be (i, n) with i from 0 to n - 1", value=value)
    return int(part), int(count)


def unknown_name(
    what: str, name: str, known: Sequence[str], *, show_all: bool = False
) -> OptionError:
    """The error of a name that nothing has; says which are close."""
    folded = {other.casefold(): other for other in known}
    text = name.casefold()
    close = [other for other in folded if text and other.startswith(text)][:_CLOSE]
    close = close or difflib.get_close_matches(text, list(folded), n=_CLOSE, cutoff=0.5)
    if close:
        hint = "did you mean " + " or ".join(repr(folded[other]) for other in close) + "?"
    elif show_all:
        hint = f"there are: {', '.join(sorted(known))}"
    else:
        hint = "no name is close to it"
    return OptionError(f"there is no {what} {name!r}; {hint}")


def choice_of(options: Mapping[str, Any], others: Sequence[str]) -> Choice:
    """The choice that some options of an import make.

    Args:
        options: Name -> value.
        others: What an import has for options besides.

    Raises:
        TypeError: There is no such option.
        OptionError: A name or number means nothing.
    """
    known = [field.name for field in fields(Choice)]
    for name in options:
        if name not in known:
            raise TypeError(str(unknown_name("option", name, [*known, *others], show_all=True)))
    return Choice(**options)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a command line that make a choice."""
    names = ", ".join(KINDS_BY_NAME)
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help=f"Kinds to import: {names}")
    parser.add_argument("--subsets", nargs="+", metavar="SUBSET", help="Subsets to import")
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="Import images that have one of these classes, named by LabelName or DisplayName",
    )
    parser.add_argument(
        "--descendants", action="store_true", help="A class also means all that are a kind of it"
    )
    parser.add_argument(
        "--only-matching", action="store_true", help="Leave out annotations of other classes"
    )
    parser.add_argument(
        "--image-ids", metavar="FILE", help="File of the images to import: <id> or <subset>/<id>"
    )
    parser.add_argument(
        "--negatives",
        choices=("keep", "drop"),
        default="keep",
        help="What becomes of labels that say that something is absent (default: %(default)s)",
    )
    parser.add_argument(
        "--max-images",
        type=int,
        metavar="N",
        help="Import at most N images: those with most of the classes and kinds, then by chance",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="Which chance decides (default: %(default)s)"
    )
    parser.add_argument(
        "--shard",
        type=_shard_from_text,
        metavar="I/N",
        help="Import the I-th of N parts, I from 0; all have about as many annotations",
    )


def _shard_from_text(text: str) -> tuple[int, int]:
    """Reads ``I/N``.

    Raises:
        ValueError: It is none; argparse says so.
    """
    part, _, count = text.partition("/")
    return _checked_shard((int(part), int(count)))

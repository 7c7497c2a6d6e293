"""Choosing what of a dataset is imported: on columns, before there are any objects.

Everything that is not chosen is left out of the columns too. Choices combine: an image is imported
if every choice takes it, and so is a row.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.images.images import Images
from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.kinds._kind import Kind
from datumaro_openimages_plugin.kinds._table import KindTable, Part
from datumaro_openimages_plugin.reading.choice import Choice, unknown_name
from datumaro_openimages_plugin.reading.choose_names import ClassNames, ids_from_file, images_by_id

__all__ = ["choose", "images_with", "missing_images", "missing_of"]

log = logging.getLogger(__name__)


@dataclass
class _Rows:
    """The rows of one file, and which of them are still wanted: (n,) bool."""

    kind: Kind
    part: Part
    wanted: np.ndarray

    def leave(self, rows: np.ndarray) -> None:
        """Drops some rows: (n,) bool."""
        self.wanted &= ~rows

    def negative(self) -> np.ndarray:
        """(n,) bool: rows that say that something is absent."""
        if self.kind.negative is None or self.kind.negative[0] not in self.part.rows.code:
            return np.zeros(len(self.wanted), bool)
        column, absent = self.kind.negative
        codes, values = self.part.rows.code[column]
        return np.array([value == absent for value in values] + [False])[codes]

    def labels(self) -> Iterator[tuple[np.ndarray, list[Any]]]:
        """Codes and values of each column that names a class."""
        for column in self.kind.class_columns:
            if column in self.part.rows.code:
                yield self.part.rows.code[column]

    def of_classes(self, labels: set[int | str]) -> np.ndarray:
        """(n,) bool: rows that name one of these classes."""
        found = np.zeros(len(self.wanted), bool)
        for codes, values in self.labels():
            found |= np.array([value in labels for value in values] + [False])[codes]
        return found


def choose(
    choice: Choice,
    tables: Mapping[str, KindTable],
    images: Images,
    class_names: ClassNames,
    subsets: Collection[str],
) -> bool:
    """Leaves out of tables and images what is not chosen.

    Args:
        choice: What is chosen.
        tables: Kind -> its rows, read and not joined yet.
        images: All images.
        class_names: The classes.
        subsets: All subsets that there are, with those that were not read.

    Returns:
        Whether anything was left out.

    Raises:
        OptionError: It names a subset, class or image that is not there.
    """
    for name in choice.subsets or ():
        if name not in subsets:
            raise unknown_name("subset", name, sorted(subsets), show_all=True)
    if not len(images):
        return False
    rows = [
        _Rows(kind, part, part.image >= 0) for kind in KINDS for part in tables[kind.name].parts
    ]
    before = sum(int(one.wanted.sum()) for one in rows)
    chosen = _by_name(choice, images)
    groups = [class_names.meant(name, choice.descendants) for name in choice.classes or ()]
    if choice.negatives == "drop":
        for one in rows:
            one.leave(one.negative())
    matches = np.zeros(len(images), np.int64)
    if choice.classes is not None:
        matches = _matches(rows, groups, chosen)
        chosen &= matches > 0
    if choice.only_matching:
        for one in rows:
            if one.kind.class_columns:
                one.leave(~one.of_classes(set().union(*groups)))
    for one in rows:
        one.leave(~chosen[one.part.image])
    if choice.max_images is not None:
        chosen = _most_matching(choice, chosen, matches, rows)
    if choice.shard is not None:
        chosen = _shard(choice.shard, chosen, rows)
    if not chosen.any():
        log.warning("nothing is chosen: no image has all of %s", choice)
    _leave_out(chosen, rows, images)
    return not chosen.all() or before > sum(one.part.rows.count for one in rows)


def images_with(
    tables: Mapping[str, KindTable], images: Images, classes: Collection[int | str]
) -> np.ndarray:
    """Numbers of the images that rows read so far give one of some classes, denied ones too."""
    found = np.zeros(len(images), bool)
    for kind in KINDS:
        for part in tables[kind.name].parts:
            rows = _Rows(kind, part, part.image >= 0)
            found[part.image[rows.wanted & rows.of_classes(set(classes))]] = True
    return np.flatnonzero(found)


def _by_name(choice: Choice, images: Images) -> np.ndarray:
    """(n images,) bool: those of the chosen subsets and ids."""
    chosen = np.ones(len(images), bool)
    if choice.subsets is not None:
        codes = [i for i, name in enumerate(images.subset_names) if name in choice.subsets]
        chosen &= np.isin(images.subset_codes, codes)
    if choice.image_ids is not None:
        ids = choice.image_ids
        names = ids_from_file(ids) if isinstance(ids, (str, os.PathLike)) else ids
        chosen &= images_by_id(names, images, strict=choice.subsets is None)
    return chosen


def _matches(rows: list[_Rows], groups: list[set[int | str]], chosen: np.ndarray) -> np.ndarray:
    """(n images,) int64: how many of the classes an image has."""
    every = set().union(*groups)
    pairs = [np.empty(0, np.int64)]
    for one in rows:
        there = one.wanted & one.of_classes(every) & chosen[one.part.image]
        at = np.flatnonzero(there & ~one.negative())
        image = one.part.image[at].astype(np.int64)
        for codes, values in one.labels():
            for number, group in enumerate(groups):
                member = np.array([value in group for value in values] + [False])
                pairs.append(image[member[codes[at]]] * len(groups) + number)
    return np.bincount(
        np.unique(np.concatenate(pairs)) // max(len(groups), 1), minlength=len(chosen)
    )


def _most_matching(
    choice: Choice, chosen: np.ndarray, matches: np.ndarray, rows: list[_Rows]
) -> np.ndarray:
    kinds = np.zeros(len(chosen), np.int64)
    for name in choice.kinds or ():
        has = np.zeros(len(chosen), bool)
        for one in rows:
            if one.kind.name == name:
                has[one.part.image[one.wanted]] = True
        kinds += has
    # RandomState gives the same numbers in every numpy.
    chance = np.random.RandomState(choice.seed).random_sample(len(chosen))
    order = np.lexsort((chance, -kinds, -matches))
    result = np.zeros(len(chosen), bool)
    result[order[chosen[order]][: choice.max_images]] = True
    return result


def _shard(shard: tuple[int, int], chosen: np.ndarray, rows: list[_Rows]) -> np.ndarray:
    """One of n parts: images are dealt out by falling number of rows, to and fro."""
    part, count = shard
    size = np.zeros(len(chosen), np.int64)
    for one in rows:
        size += np.bincount(one.part.image[one.wanted], minlength=len(chosen))
    numbers = np.flatnonzero(chosen)
    order = numbers[np.argsort(-size[numbers], kind="stable")]
    turn = np.arange(len(order)) % (2 * count)
    result = np.zeros(len(chosen), bool)
    result[order[np.minimum(turn, 2 * count - 1 - turn) == part]] = True
    return result


def _leave_out(chosen: np.ndarray, rows: list[_Rows], images: Images) -> None:
    """Drops what is not chosen."""
    for one in rows:
        one.leave(~chosen[one.part.image])
        one.part.keep(one.wanted)
    if not chosen.all():
        numbers = images.keep(chosen)
        for one in rows:
            one.part.image = numbers[one.part.image]


# Pictures


def missing_images(dataset: Iterable[Any]) -> Iterator[str]:
    """The images without a picture as ``<subset>/<id>``, as the published downloader takes them.

    Args:
        dataset: An `OpenImagesExtractor`, whose pictures are looked for without making items, or
            any dataset: its items without media.
    """
    reader = getattr(dataset, "_reader", None)
    if reader is not None:
        yield from missing_of(reader.images, reader.files)
        return
    for item in dataset:
        if item.media is None:
            yield f"{item.subset}/{item.id}"


def missing_of(images: Images, files: DatasetFiles) -> Iterator[str]:
    """The images without a picture as ``<subset>/<id>``."""
    names = images.subset_names
    for image_id, code in zip(images.ids.to_pylist(), images.subset_codes.tolist(), strict=True):
        if files.image(image_id, names[code]) is None:
            yield f"{names[code]}/{image_id}"

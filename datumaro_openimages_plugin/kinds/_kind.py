"""What a kind of annotation is: its files, its columns, and the way from rows to objects and back.

Each kind's module ends with its `Kind`, which says all of that once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.rendering.sinks import CsvSink, Sink
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.tables.rows import Table
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

if TYPE_CHECKING:
    from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing

__all__ = ["Batch", "Kind", "Labels"]


class Labels:
    """Label indices by LabelName; names that no class list has are appended.

    Args:
        names: The class list's names, in its order.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.listed = len(self.names)
        self._index = {name: i for i, name in enumerate(self.names)}

    def __call__(self, name: str) -> int:
        """The label's index.

        Raises:
            ValueError: The name is empty.
        """
        index = self._index.get(name)
        if index is None:
            stripped = name.strip()
            if not stripped:
                raise ValueError("names no label")
            index = self._index.get(stripped)
        if index is None:
            index = self._index[name] = len(self.names)
            self.names.append(name)
        return index


@dataclass
class Batch:
    """Some images whose annotations are made together.

    ``heights_px``, ``widths_px``: (n,) int32, 1 where an image's size is not known, so that its
    points are fractions of the image. ``lacking`` counts what kinds miss pictures for.
    """

    images: np.ndarray
    heights_px: np.ndarray
    widths_px: np.ndarray
    sizes: list[tuple[int, int] | None]
    subsets: list[str]
    mask_reader: Callable[[str, str], Callable[..., bytes] | None]
    lacking: Counter[str]


@dataclass(frozen=True)
class Kind:
    """One kind of annotation, as reader, writer, detector and the saving in place know it.

    Args:
        name: What options, tables and origins call it; its file, too.
        patterns: Names of its files, the most complete first. ``{subset}`` is the subset;
            ``{val}`` is one that writes ``val`` for ``validation``; files that differ only in
            ``{shard}`` (``00003-of-00010``) are read together. Prefixes of versions and packed
            files are understood without being named, and so is a name without a subset in a
            folder of the subset's name.
        fields: The published header.
        telling: Columns that tell it from files of the same name in other formats.
        file_name: What its files are called on export.
        columns: What its objects are made of.
        from_rows: Makes the objects of some rows: one of each row, in order.
        writer: Writes one subset's annotations of this kind.
        published: What the published files are called, if not like ``file_name``.
        published_train: What that of the train split is called, if not like ``published``.
        type: Datumaro's type of the annotations; None where ``attach`` puts rows into items.
        takes: Among annotations of ``type``, which ones are of this kind; without it, those that
            no other kind takes.
        marks: Attributes without any of which ``takes`` says no, but for annotations that were
            read as this kind's; None where each has to be asked.
        attributes: Attributes of the annotations that have a column.
        extra: Attribute -> column that is shown on request only.
        class_columns: Code columns that name a class, by its label index or by its LabelName;
            choosing goes by them.
        negative: A code column, and the value that says that the class is absent.
        default: What the published files have in a column where nothing is known.
        by_default: Whether it is read without being asked for.
        needs_sizes: Whether readers need the images' sizes to make sense of its rows.
        link: Called once, when all kinds' rows are read: ties rows of this kind to those of
            others. Gets the tables by kind and the labels.
        attach: Called for every item, when its annotations are made, if there are files of this
            kind: gets the item, what ``from_rows`` made for it (these do not become annotations
            by themselves then), and the table.
        item_attribute: The attribute of items that ``attach`` fills and that ``writer`` writes;
            the writer is then called for every item that has it.
        holds: For an item that has ``item_attribute``: Python's ``id()`` of its annotations that
            are written with this attribute and so by no other kind.
        opened: Opens one of its files.
        sink: Makes the file that its rows are written to.
    """

    name: str
    patterns: tuple[str, ...]
    fields: tuple[str, ...]
    telling: tuple[str, ...]
    file_name: str
    columns: Callable[[Labels], Sequence[Column]]
    from_rows: Callable[[KindTable, np.ndarray, Batch, np.ndarray], Iterator[Any]]
    writer: Callable[[Sink, Writing], KindWriter]
    published: str | None = None
    published_train: str | None = None
    type: AnnotationType | None = None
    takes: Callable[[Any], bool] | None = None
    marks: frozenset[str] | None = None
    attributes: frozenset[str] = frozenset()
    extra: Mapping[str, str] = field(default_factory=dict)
    class_columns: tuple[str, ...] = ("LabelName",)
    negative: tuple[str, Any] | None = None
    default: Callable[[str], str] = lambda _: ""
    by_default: bool = True
    needs_sizes: bool = False
    link: Callable[[Mapping[str, KindTable], Labels], None] | None = None
    attach: Callable[[Any, list[Any], KindTable], None] | None = None
    item_attribute: str | None = None
    holds: Callable[[Any], Collection[int]] | None = None
    opened: Callable[[Source, str], Table] = CsvTable
    sink: Callable[[Callable[[], str], Sequence[str], Callable[[str], str]], Sink] = CsvSink

    @property
    def title(self) -> str:
        """Its name in a sentence."""
        return self.name.replace("_", " ")

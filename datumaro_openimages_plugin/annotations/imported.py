"""What all rows of one import share, and how it goes through pickles without growing them."""

from __future__ import annotations

import pickle
import uuid
import weakref
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from datumaro_openimages_plugin.classes.classes import ClassList

__all__ = ["ImportedFrom"]


@dataclass(frozen=True)
class ImportedFrom:
    """What all rows of one import share.

    Args:
        classes: The classes.
        root: The dataset's folder or zip.
        shown: LabelName -> the name its label was given instead.
        other_sizes: (height, width) in pixels of images that only ``images.meta`` names.
        lists: Kind of file -> content, of the lists (see `names.LISTS`) that go with the dataset.
        left_out: Why the import has only a part of what its files hold, a reason each; empty
            where it has everything. Such a dataset is not saved over those files. Filled while
            the files are read.
        kinds: Names of the kinds of annotation that were read; filled likewise.
        show_columns: Whether attributes show the columns that Datumaro has no place for.
        keep_attributes: Whether attributes have what the column ``Extra`` keeps.
        token: Tells imports apart in pickles.
    """

    classes: ClassList
    root: str
    shown: Mapping[str, str] = field(default_factory=dict)
    other_sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lists: Mapping[str, bytes] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    show_columns: bool = False
    keep_attributes: bool = False
    token: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        _imports.setdefault(self.token, self)
        return _restored, (self.token, self._packed)

    @cached_property
    def _packed(self) -> bytes:
        """All of this as bytes; 20,000 classes would make every pickle of an item a megabyte."""
        values = {known.name: getattr(self, known.name) for known in fields(self)}
        return zlib.compress(pickle.dumps(values), level=9)

    @property
    def partial(self) -> str | None:
        """What was left out of the import, as text, or None."""
        return ", ".join(self.left_out) or None


#: Imports by token: objects that are pickled one by one share theirs again when they come back.
_imports: weakref.WeakValueDictionary[str, ImportedFrom] = weakref.WeakValueDictionary()
#: The last ones that came back, lest each item of a stream brings its own to life again.
_last: deque[ImportedFrom] = deque(maxlen=4)


def _restored(token: str, packed: bytes) -> ImportedFrom:
    found = _imports.get(token)
    if found is None:
        found = ImportedFrom(**pickle.loads(zlib.decompress(packed)))
        _last.append(found)
        _imports[token] = found
    return found

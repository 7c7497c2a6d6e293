"""Cutting a dataset into a smaller one of the same layout: rows as bytes, files as files.

No value is turned into anything and back, so what is copied is what was there. Pictures and masks
come first and tables last, each table in one step: a run that was stopped leaves nothing that reads
as a dataset, and a second run with the same choice goes on where the first one stopped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datumaro_openimages_plugin.errors import FormatError, OptionError, SaveError
from datumaro_openimages_plugin.files.names import LISTS, SELECTIONS, FoundFile
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.reading.choice import Choice
from datumaro_openimages_plugin.reading.reader import Reader
from datumaro_openimages_plugin.sources.archive import Source
from datumaro_openimages_plugin.sources.packed import open_unpacked
from datumaro_openimages_plugin.tables.arrays import to_numpy
from datumaro_openimages_plugin.tables.tables import Column, CsvTable
from datumaro_openimages_plugin.tools.sizes import write_sizes

__all__ = ["Cut", "Subset", "cut"]

Progress = Callable[[Iterable[Any], str], Iterable[Any]]

#: What says, while a cut is under way, of what it is one.
MARKER = ".datum-openimages-subset.json"
_PACKED = re.compile(r"\.(?:gz|zip)$", re.IGNORECASE)
_ROWS = 50_000  # copied together


@dataclass(frozen=True)
class Subset:
    """What is cut out of what, and how.

    Args:
        dataset: The folder or zip.
        target: The folder to make.
        choice: What is chosen; without kinds, all of them.
        media: Whether pictures are copied; masks' pictures always are.
        link: Whether files are linked rather than copied, where the file system can.
    """

    dataset: str
    target: str
    choice: Choice
    media: bool = True
    link: bool = False


@dataclass
class Cut:
    """What a cut came to."""

    images: int = 0
    rows: int = 0
    files: int = 0
    already_there: int = 0
    without_picture: int = 0
    without_mask: int = 0
    damaged: int = 0


def cut(subset: Subset, progress: Progress = lambda things, _: things) -> Cut:
    """Makes the smaller dataset.

    Raises:
        SaveError: The target holds something else, or cannot be written.
        OptionError: The choice names something that is not there.
        FormatError: A file of the dataset is damaged as a whole.
    """
    begun = _is_begun(subset)
    done = Cut()
    damaged: list[FormatError] = []
    reader = Reader(subset.dataset, None, damaged.append, choice=_with_every_kind(subset))
    done.images, done.damaged = len(reader.images), len(damaged)
    if not done.images:
        raise OptionError("no image is chosen; choose less narrowly")
    if not begun:
        _begin(subset)
    copier = _Copier(subset, reader.files.source, done)
    for name, target in progress(list(_media(reader, subset, done)), "copying"):
        copier.file(name, target)
    _copy_tables(reader, copier, progress)
    os.remove(os.path.join(subset.target, MARKER))
    return done


def _with_every_kind(subset: Subset) -> Choice:
    """The choice with the kinds that are only read when asked for, unless it names kinds."""
    choice = subset.choice
    if choice.kinds is not None:
        return choice
    if choice.max_images is not None:
        # Which images they are depends on the kinds; they shall be those of an import.
        images = Reader(subset.dataset, None, lambda error: None, choice=choice).images
        names = [images.subset_names[code] for code in images.subset_codes.tolist()]
        ids = [f"{name}/{i}" for name, i in zip(names, images.ids.to_pylist(), strict=True)]
        choice = replace(choice, max_images=None, image_ids=ids)
    return replace(choice, kinds=tuple(KINDS_BY_NAME))


def _is_begun(subset: Subset) -> bool:
    """Whether the target has what an earlier run of the same cut left; else it is free.

    Raises:
        SaveError: Something else is there.
    """
    if not os.path.exists(subset.dataset):
        raise FileNotFoundError(2, "there is no such folder or zip", subset.dataset)
    inside = os.path.join(os.path.realpath(subset.dataset), "")
    if os.path.realpath(subset.target).startswith(inside):
        message = "the folder lies in the dataset, which would have its files twice; give another"
        raise SaveError(message, file=subset.target)
    marker = os.path.join(subset.target, MARKER)
    try:
        if os.path.exists(marker):
            with open(marker, encoding="utf-8") as file:
                if file.read() == _described(subset):
                    return True
            raise SaveError(
                "another cut was begun here; finish it or remove the folder", file=subset.target
            )
        if os.path.exists(subset.target) and os.listdir(subset.target):
            raise SaveError("the folder is not empty; give a new one", file=subset.target)
    except OSError as error:
        raise _unwritable(error, subset) from None
    return False


def _begin(subset: Subset) -> None:
    """Makes the target, once it is known that there is something to put there.

    Raises:
        SaveError: It cannot be made.
    """
    try:
        os.makedirs(subset.target, exist_ok=True)
        with open(os.path.join(subset.target, MARKER), "w", encoding="utf-8") as file:
            file.write(_described(subset))
    except OSError as error:
        raise _unwritable(error, subset) from None


def _described(subset: Subset) -> str:
    described = {**asdict(subset), "dataset": os.path.realpath(subset.dataset)}
    described.pop("target")
    return json.dumps(described, default=str, sort_keys=True)


def _unwritable(error: OSError, subset: Subset) -> OSError:
    if isinstance(error, SaveError):
        return error
    return SaveError(f"cannot be written: {error.strerror}", file=subset.target)


class _Copier:
    """Puts files into the target, each in one step."""

    def __init__(self, subset: Subset, source: Source, done: Cut) -> None:
        self._target = subset.target
        self._link = subset.link
        self._source = source
        self._done = done

    def file(self, content: str | Callable[..., bytes], name: str) -> None:
        """Copies a file of the dataset, or what a callable gives."""
        path = self._path(name)
        if isinstance(content, str) and self._is_there(content, path):
            self._done.already_there += 1
            return
        part = f"{path}.part"
        original = self._source.path(content) if isinstance(content, str) else None
        if original is not None and self._linked(original, part):
            pass
        elif original is not None:
            shutil.copyfile(original, part)
        else:
            data = self._source.read(content) if isinstance(content, str) else content()
            with open(part, "wb") as file:
                file.write(data)
        os.replace(part, path)
        self._done.files += 1

    def _is_there(self, name: str, path: str) -> bool:
        return os.path.isfile(path) and os.path.getsize(path) == self._source.size(name)

    def _linked(self, original: str, part: str) -> bool:
        if not self._link:
            return False
        try:
            if os.path.lexists(part):
                os.remove(part)
            os.link(os.path.realpath(original), part)
        except OSError:  # another file system, or one without links
            return False
        return True

    def table(self, name: str, header: bytes, table: Any, rows: np.ndarray) -> None:
        """Copies rows of a table as they stand, in their order."""
        path = self._path(_PACKED.sub("", name))
        end = table.line_end.encode()
        with open(f"{path}.part", "wb") as file:
            file.write(header)
            rows = np.sort(rows)
            for start in range(0, len(rows), _ROWS):
                lines = table.raws(rows[start : start + _ROWS])
                file.write(end.join([*lines, b""]))
        os.replace(f"{path}.part", path)
        self._done.rows += len(rows)

    def sizes(self, name: str, sizes: dict[str, tuple[int, int]]) -> None:
        """Writes ``images.meta``."""
        write_sizes(self._path(_PACKED.sub("", name)), sizes)

    def _path(self, name: str) -> str:
        path = os.path.join(self._target, *name.split("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path


def _media(
    reader: Reader, subset: Subset, done: Cut
) -> Iterator[tuple[str | Callable[..., bytes], str]]:
    """What is copied as a file: (its name or a reader of it, its name in the target)."""
    files, images = reader.files, reader.images
    subsets = images.subset_names
    codes = images.subset_codes.tolist()
    for image_id, code in zip(images.ids.to_pylist() if subset.media else (), codes, strict=False):
        name = files.image(image_id, subsets[code])
        if name is None:
            done.without_picture += 1
        else:
            yield name, name
    masks = reader.tables["masks"]
    at = np.flatnonzero(masks.image >= 0)
    paths = masks.text["MaskPath"].to_pylist() if len(at) else []
    for row in at.tolist():
        of = subsets[codes[masks.image[row]]]
        name, content = files.mask(paths[row], of), files.mask_reader(paths[row], of)
        if name is not None:
            yield name, name
        elif content is not None and _safe(paths[row]):
            yield content, f"masks/{of}/{paths[row]}"
        else:
            done.without_mask += 1


def _safe(name: str) -> bool:
    return bool(name) and "/" not in name and "\\" not in name and name not in (".", "..")


def _copy_tables(reader: Reader, copier: _Copier, progress: Progress) -> None:
    files, source = reader.files, reader.files.source
    for kind in ("classes", "hierarchy", "dataset_meta", *LISTS, *SELECTIONS):
        for file in files.all(kind):
            copier.file(file.name, file.name)
    for file in files.best("images_meta")[:1]:
        heights, widths = reader.images.known_sizes(np.arange(len(reader.images)))
        known = zip(reader.images.ids.to_pylist(), heights, widths, strict=True)
        copier.sizes(file.name, {name: (h, w) for name, h, w in known if h})
    for kind in progress([kind.name for kind in KINDS], "tables"):
        table = reader.tables[kind]
        for opened, rows, _ in table.rows.by_table(np.flatnonzero(table.image >= 0)):
            header = b""
            if isinstance(opened, CsvTable):
                with open_unpacked(source, opened.name) as content:
                    header = content.readline()
            copier.table(opened.name, header, opened, rows)
    # The image lists make it a dataset.
    for file in files.all("images"):
        _copy_image_list(reader, copier, file)


def _copy_image_list(reader: Reader, copier: _Copier, file: FoundFile) -> None:
    """Copies the rows of the chosen images."""
    table = CsvTable(reader.files.source, file.name)
    columns = [Column("ImageID"), Column("Subset", "code", required=False)]
    rows = table.read(columns, lambda error: None)
    ids = rows.text["ImageID"]
    codes, names = rows.code.get("Subset", (np.zeros(rows.count, np.int64), [file.subset]))
    wanted = np.zeros(rows.count, bool)
    images = reader.images
    for number, name in enumerate(names):
        of_subset = np.ones(len(images), bool)
        if name in images.subset_names:
            of_subset = images.subset_codes == images.subset_names.index(name)
        elif name is not None:
            continue
        chosen = images.ids.filter(pa.array(of_subset))
        wanted |= (codes == number) & to_numpy(pc.is_in(ids, value_set=chosen))
    if wanted.any():
        with open_unpacked(reader.files.source, file.name) as opened:
            copier.table(file.name, opened.readline(), table, np.flatnonzero(wanted))

"""Finding every problem of a dataset: what no import reads, and what does not fit together.

First each file by itself; then, if all can be read, what they say of each other. An error is what
an import refuses or leaves out, a warning is what it reads although it is odd.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from datumaro_openimages_plugin.classes.classes import class_list_from_csv
from datumaro_openimages_plugin.classes.hierarchy import hierarchy_from_json
from datumaro_openimages_plugin.errors import FormatError, OpenImagesError
from datumaro_openimages_plugin.files.files import DatasetFiles
from datumaro_openimages_plugin.files.names import FoundFile
from datumaro_openimages_plugin.images.image_sizes import image_meta_from_text
from datumaro_openimages_plugin.images.picture_headers import header_size
from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.kinds._kind import Labels
from datumaro_openimages_plugin.kinds._table import KindTable
from datumaro_openimages_plugin.kinds.boxes import COORDINATES
from datumaro_openimages_plugin.reading.reader import Reader
from datumaro_openimages_plugin.sources.packed import read_unpacked
from datumaro_openimages_plugin.tables.tables import Column, CsvTable

__all__ = ["Problem", "check"]

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Args:
        error: What and where.
        is_error: Whether an import refuses it or leaves it out, rather than reading it.
    """

    error: OpenImagesError
    is_error: bool = True


def check(
    path: str, files: DatasetFiles, *, media: bool = False, progress: Progress = iter
) -> Iterator[Problem]:
    """Yields every problem.

    Args:
        path: The folder or zip.
        files: Its files.
        media: Whether the headers of all pictures are read.
        progress: Shows how far the files are.
    """
    told: set[tuple[str | None, int | None]] = set()
    whole = True
    for file, used in progress(files.known()):
        for error in _file_errors(files, file) if used else ():
            yield Problem(error)
            told.add((error.file, error.row))
            whole &= error.row is not None
    if not whole:
        text = "not checked: what the files say of each other; mend the errors and check again"
        yield Problem(FormatError(text), False)
        return
    errors: list[OpenImagesError] = []
    reader = None
    try:
        reader = Reader(path, None, errors.append)
    except OpenImagesError as error:  # such as an unsafe name of a subset
        errors.append(error)
    yield from (Problem(error) for error in errors if (error.file, error.row) not in told)
    if reader is not None:
        yield from _together(reader, media)


def _together(reader: Reader, media: bool) -> Iterator[Problem]:
    """What files say of each other."""
    for kind in KINDS:
        table = reader.tables[kind.name]
        if reader.files.all("images"):
            yield from _unlisted_images(reader, table)
        if reader.labels.listed:
            for column in kind.class_columns:
                yield from _unlisted_classes(reader, table, column)
        if kind.name in ("labels", "machine_labels", "boxes"):
            yield from _repeats(table)
    yield from _corners(reader.tables["boxes"])
    yield from _mask_pictures(reader)
    if reader.files.has_images():
        yield from _pictures(reader, media)


# Each file by itself


def _file_errors(files: DatasetFiles, file: FoundFile) -> list[OpenImagesError]:
    """What is wrong with a file: one error for the whole of it, or one for each bad row."""
    found: list[OpenImagesError] = []
    try:
        if file.kind in KINDS_BY_NAME:
            kind = KINDS_BY_NAME[file.kind]
            kind.opened(files.source, file.name).read(kind.columns(Labels(())), found.append)
        elif file.kind == "images":
            columns = [Column("ImageID"), Column("Subset", "code", required=False)]
            CsvTable(files.source, file.name).read(columns, found.append)
        elif file.kind in _PARSERS:
            _PARSERS[file.kind](read_unpacked(files.source, file.name), file=file.name)
    except OpenImagesError as error:
        found.append(error)
    return found


_PARSERS: dict[str, Callable[..., Any]] = {
    "classes": class_list_from_csv,
    "hierarchy": hierarchy_from_json,
    "images_meta": image_meta_from_text,
}


# What files say of each other


def _unlisted_images(reader: Reader, table: KindTable) -> Iterator[Problem]:
    """Images that rows name and no list has, each once a file."""
    listed = np.array(reader.images.list_rows(np.arange(len(reader.images))), np.int64) >= 0
    rows = np.flatnonzero((table.image >= 0) & ~np.append(listed, True)[table.image])
    for row, count in _first_rows(table, rows, table.image[rows]):
        image_id = reader.images.ids[int(table.image[row])].as_py()
        yield _warn(table, row, f"no image list has this image{count}", "ImageID", image_id)


def _unlisted_classes(reader: Reader, table: KindTable, column: str) -> Iterator[Problem]:
    """Classes that rows name and no list has, each once a file."""
    if column not in table.code:
        return
    values = table.values[column]
    # Columns that may name other things than classes hold texts.
    unlisted = [not isinstance(v, str) and v is not None and v >= reader.labels.listed
                for v in values]  # fmt: skip
    rows = np.flatnonzero(np.array([*unlisted, False])[table.code[column]])
    for row, count in _first_rows(table, rows, table.code[column][rows]):
        name = reader.labels.names[values[int(table.code[column][row])]]
        yield _warn(table, row, f"no class list has this class{count}", column, name)


def _first_rows(table: KindTable, rows: np.ndarray, keys: np.ndarray) -> Iterator[tuple[int, str]]:
    """The first of the rows with each key in each file, and what to say if there are more."""
    for _, _, places in table.rows.by_table(rows):
        _, first, counts = np.unique(keys[places], return_index=True, return_counts=True)
        for at, count in sorted(zip(first.tolist(), counts.tolist(), strict=True)):
            yield int(rows[places[at]]), f" ({count:,} rows)" if count > 1 else ""


def _repeats(table: KindTable) -> Iterator[Problem]:
    """Rows that say again what an earlier row of the same image says, or its contrary."""
    if len(table.image) < 2:
        return
    keys = [table.image, table.code["LabelName"]]
    keys += [table.number[name] for name in COORDINATES if name in table.number]
    order = np.lexsort((np.arange(len(table.image)), *reversed(keys)))
    same = table.image[order[1:]] >= 0
    for key in keys:
        same &= key[order[1:]] == key[order[:-1]]
    confidence = table.code["Confidence"]
    for at in np.flatnonzero(same).tolist():
        row, before = int(order[at + 1]), int(order[at])
        opened, local = table.rows.locate(before)
        differs = confidence[row] != confidence[before]
        text = f"repeats row {local + 1} of {opened.name}"
        text += ", with another confidence" if differs else ""
        yield _warn(table, row, text, "LabelName", None)


def _corners(table: KindTable) -> Iterator[Problem]:
    """Boxes that are empty or leave their image; worse corners are refused on reading."""
    if not len(table):
        return
    good = table.image >= 0
    for axis in "XY":
        low, high = table.number[f"{axis}Min"], table.number[f"{axis}Max"]
        for row in np.flatnonzero(good & (low == high)).tolist():
            yield _warn(table, row, f"is {axis}Max: the box is empty", f"{axis}Min", low.item(row))
        for name, values in ((f"{axis}Min", low), (f"{axis}Max", high)):
            for row in np.flatnonzero(good & ((values < 0) | (values > 1))).tolist():
                yield _warn(table, row, "is outside of the image", name, values.item(row))


def _mask_pictures(reader: Reader) -> Iterator[Problem]:
    """Mask rows without their picture, and mask pictures without a row."""
    table = reader.tables["masks"]
    named: set[str] = set()
    codes, subsets = reader.images.subset_codes, reader.images.subset_names
    paths = table.text["MaskPath"].to_pylist() if len(table) else []
    for row in np.flatnonzero(table.image >= 0).tolist():
        subset = subsets[int(codes[int(table.image[row])])]
        name = reader.files.mask(paths[row], subset)
        if name is not None:
            named.add(name)
        elif reader.files.mask_reader(paths[row], subset) is None:
            yield _warn(table, row, "there is no picture of this mask", "MaskPath", paths[row])
    for name in reader.files.media_names()[1]:
        if name not in named:
            yield Problem(FormatError("no mask row names this picture", file=name), False)


def _pictures(reader: Reader, media: bool) -> Iterator[Problem]:
    """Images without picture, pictures without image, and pictures that are damaged."""
    images, found = reader.images, set()
    names = images.subset_names
    without = dict.fromkeys(names, 0)
    sizes = images.known_sizes(np.arange(len(images)))
    for image_id, code, *size in zip(
        images.ids.to_pylist(), images.subset_codes.tolist(), *sizes, strict=True
    ):
        name = reader.files.image(image_id, names[code])
        if name is None:
            without[names[code]] += 1
            continue
        found.add(name)
        if media:
            yield from _picture(reader, name, tuple(size))
    for subset, count in without.items():
        if count:
            text = f"{count:,} images of {subset} have no picture; `missing` lists them"
            yield Problem(FormatError(text), False)
    doubled = dict(reader.files.doubled_images(names))
    for name in reader.files.media_names()[0]:
        if name not in found:
            text = "neither a list nor a row names this picture"
            if doubled.get(name) in found:
                text = f"is left aside, since its image has another picture, {doubled[name]}"
            yield Problem(FormatError(text, file=name), False)


def _picture(reader: Reader, name: str, known: tuple[int, ...]) -> Iterator[Problem]:
    size = header_size(reader.files.source, name)
    if size is None:
        yield Problem(FormatError("the picture is damaged: its header tells no size", file=name))
    elif known[0] and size != known:
        text = f"the picture's height and width are not those of images.meta, {known}"
        yield Problem(FormatError(text, file=name, value=size), False)


def _warn(table: KindTable, row: int, text: str, column: str, value: Any) -> Problem:
    opened, local = table.rows.locate(row)
    return Problem(
        FormatError(text, file=opened.name, row=local + 1, column=column, value=value), False
    )

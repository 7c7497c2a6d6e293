"""What several subcommands share: opening a dataset, output, progress."""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from datumaro_openimages_plugin.files.files import DatasetFiles
    from datumaro_openimages_plugin.reading.choice import Choice
    from datumaro_openimages_plugin.reading.reader import Reader

__all__ = [
    "add_dataset",
    "add_format",
    "aligned",
    "at_least",
    "open_dataset",
    "open_files",
    "open_reader",
    "progress",
    "write",
    "write_json",
]

T = TypeVar("T")


def add_dataset(parser: argparse.ArgumentParser) -> None:
    """Adds the positional argument DATASET."""
    parser.add_argument("dataset", metavar="DATASET", help="folder or zip of the dataset")


def add_format(parser: argparse.ArgumentParser) -> None:
    """Adds ``--format text|json``."""
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="how to print the result (default: %(default)s)",
    )


def at_least(least: float, convert: type[int] | type[float] = int) -> Callable[[str], float]:
    """A type for an argument that is a number from ``least`` on, and below a billion."""

    def number(text: str) -> float:
        value = convert(text)
        if not least <= value < 1e9:
            raise argparse.ArgumentTypeError(f"{text} is not a number from {least} on")
        return value

    number.__name__ = "number"  # argparse says so: invalid number value
    return number


def open_files(path: str) -> DatasetFiles:
    """The files of a dataset.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        FormatError: ``path`` is no folder and no zip, or no file there is known.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder or zip", path)
    from datumaro_openimages_plugin.errors import FormatError
    from datumaro_openimages_plugin.files.files import DatasetFiles
    from datumaro_openimages_plugin.sources.archive import is_zip, open_source

    if not os.path.isdir(path) and not is_zip(path):
        raise FormatError("is neither a folder nor a zip", file=path)
    files = DatasetFiles(open_source(path))
    if files.is_empty():
        raise FormatError(
            "no file here has a name that Open Images uses; give the folder that holds the "
            "annotations",
            file=path,
        )
    return files


def open_reader(path: str, choice: Choice | None = None) -> Reader:
    """A dataset as columns; rows that cannot be read are counted in a message.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        FormatError: A file is damaged as a whole.
        OptionError: The choice names something that is not there.
    """
    open_files(path)
    import logging

    from datumaro_openimages_plugin.reading.reader import Reader

    damaged: list[Any] = []
    reader = Reader(path, None, damaged.append, choice=choice)
    if damaged:
        logging.getLogger(__name__).warning(
            "%d damaged rows are left out; `datum-openimages check` tells which", len(damaged)
        )
    return reader


def open_dataset(path: str, format: str = "open_images", **options: Any) -> Any:
    """A dataset as Datumaro gives it.

    Args:
        path: Where it is.
        format: Datumaro's name of its format.
        options: What the importer takes.

    Raises:
        FileNotFoundError: Nothing is at ``path``.
        FormatError: It cannot be imported; the message has the importer's.
    """
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, "there is no such dataset", path)
    from datumaro.components.dataset import Dataset
    from datumaro.components.errors import DatumaroError

    from datumaro_openimages_plugin.errors import FormatError, OpenImagesError
    from datumaro_openimages_plugin.loader import register

    register()
    try:
        return Dataset.import_from(path, format, **options)
    except OpenImagesError:
        raise
    except DatumaroError as error:
        cause = error.__cause__
        if isinstance(cause, OpenImagesError):
            raise cause from None
        raise FormatError(f"is no dataset of the format {format}: {error}", file=path) from None


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    """Rows of cells as lines with columns below each other, those in ``right`` flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def write(text: str) -> None:
    """Writes one line of the result."""
    sys.stdout.write(text + "\n")


def write_json(value: Any) -> None:
    """Writes the result as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def progress(
    things: Iterable[T], what: str, *, quiet: bool, total: int | None = None
) -> Iterator[T]:
    """The things one after another, with a bar on the error output where a person watches."""
    from tqdm import tqdm

    # None: only where the error output is a terminal.
    yield from tqdm(things, desc=what, total=total, disable=True if quiet else None, leave=False)

"""Errors of this package.

::

    DatasetError, CliException (Datumaro)
    └── OpenImagesError            anything this package refuses
        ├── FormatError            a file's content is not what the format allows   (ValueError)
        │   └── UndefinedLabelError   a row names a class that no class list has
        ├── UnsafePathError        a name that would leave the dataset's folder     (ValueError)
        ├── DatasetMissingError    there is no dataset at a path (Datumaro's DatasetNotFoundError)
        ├── MissingFileError       a file that the data names is not there   (FileNotFoundError)
        ├── OptionError            an option has a value that it cannot have        (ValueError)
        ├── DownloadError          a file cannot be had from a server               (OSError)
        ├── AnnotationError        an annotation that the format cannot hold        (ValueError)
        └── SaveError              the target cannot be written or replaced         (OSError)

Every error is a Datumaro ``DatasetError``, so CVAT shows its text, and a ``CliException``, so
``datum`` prints it as one line where it can.
"""

from __future__ import annotations

from typing import Any

from datumaro.cli.util.errors import CliException
from datumaro.components.errors import DatasetError, DatasetNotFoundError

__all__ = [
    "AnnotationError",
    "DatasetMissingError",
    "DownloadError",
    "FormatError",
    "MissingFileError",
    "OpenImagesError",
    "OptionError",
    "SaveError",
    "UndefinedLabelError",
    "UnsafePathError",
]


class OpenImagesError(DatasetError, CliException):
    """Base of all errors of this package; carries the address of what is wrong.

    Args:
        message: What is wrong and what to do about it.
        file: Name of the file, relative to the dataset where that is known.
        row: Line of the table, 1 for the first row after the header.
        column: Name of the column or attribute.
        image_id: Id of the image concerned.
        value: The offending value.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        row: int | None = None,
        column: str | None = None,
        image_id: str | None = None,
        value: Any = None,
    ) -> None:
        Exception.__init__(self, message)  # some of Datumaro's take other arguments
        self.message = message
        self.file = file
        self.row = row
        self.column = column
        self.image_id = image_id
        self.value = value

    def __str__(self) -> str:
        parts = [] if self.file is None else [self.file]
        parts += [
            f"{name} {value}"
            for name, value in (("row", self.row), ("column", self.column))
            if value is not None
        ]
        if self.image_id is not None:
            parts.append(f"image {_short(self.image_id)}")
        address = ", ".join(parts)
        value_text = "" if self.value is None else f" (found {_short(self.value)})"
        return f"{address}: {self.message}{value_text}" if address else self.message + value_text

    def __reduce__(self) -> tuple[Any, ...]:
        address = (self.file, self.row, self.column, self.image_id, self.value)
        return _restore, (type(self), self.message, address)


def _restore(cls: type[OpenImagesError], message: str, address: tuple[Any, ...]) -> OpenImagesError:
    file, row, column, image_id, value = address
    return cls(message, file=file, row=row, column=column, image_id=image_id, value=value)


def _short(value: Any, limit: int = 80) -> str:
    """A value as it may stand in a one-line message, however large or hostile it is."""
    text = repr(value[: limit + 1]) if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


class FormatError(OpenImagesError, ValueError):
    """A file's content is not what the format allows."""


class UndefinedLabelError(FormatError):
    """A row names a class that no class list of the dataset has."""


class UnsafePathError(OpenImagesError, ValueError):
    """A name found in the data would leave the dataset's folder or cannot be a file name."""


class DatasetMissingError(OpenImagesError, DatasetNotFoundError):
    """There is no dataset of this format where one was looked for."""

    # Those of Datumaro's error want fields that differ between its generations.
    __eq__, __hash__, __repr__ = Exception.__eq__, Exception.__hash__, Exception.__repr__

    @property
    def path(self) -> str | None:
        """Where that was, as Datumaro's own error has it."""
        return self.file


class MissingFileError(OpenImagesError, FileNotFoundError):
    """A file that the data names is not there."""


class OptionError(OpenImagesError, ValueError):
    """An option or argument has a value that it cannot have for this dataset."""


class AnnotationError(OpenImagesError, ValueError):
    """An annotation or one of its attributes cannot be written in this format."""


class SaveError(OpenImagesError, OSError):
    """The target cannot be written or replaced; what was there is unchanged."""


class DownloadError(OpenImagesError, OSError):
    """A file cannot be had from a server; what has come of it stays for the next attempt."""

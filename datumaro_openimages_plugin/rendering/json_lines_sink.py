"""Writing JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from datumaro_openimages_plugin.rendering.row_order import RowOrder
from datumaro_openimages_plugin.rendering.row_places import RowPlaces

if TYPE_CHECKING:
    from datumaro_openimages_plugin.annotations.origin import Origin

__all__ = ["JsonLinesSink"]


class JsonLinesSink:
    """A file of JSON lines being written; a `sinks.Sink` that has no columns.

    Args:
        path: Gives the path to write to when the first line comes.
        columns: The published keys.
        default: Not used: a line has the keys that its annotation has.
    """

    def __init__(
        self,
        path: Callable[[], str],
        columns: Sequence[str],
        default: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._written = ""
        self._order = RowOrder()
        self._line_end: str | None = None
        self.columns = list(columns)
        self.count = 0

    def accepts_raw(self, header: Sequence[str], line_end: str) -> bool:
        """Always: each line says its own keys."""
        if self._line_end is None:
            self._line_end = line_end
        return True

    def raw(self, line: bytes, origin: Origin | None = None) -> None:
        """Writes a line; ``origin`` tells where it was read."""
        self.raw_lines([line], [origin])

    def raw_lines(self, lines: list[bytes], origins: Sequence[Origin | None] | None = None) -> None:
        """Writes lines; each goes where it was read, if it was."""
        if self._file is None:
            self._written = self._path()
            self._file = open(self._written, "wb")  # noqa: SIM115 (closed by `close`)
        end = (self._line_end or "\n").encode()
        self._file.writelines(line + end for line in lines)
        self._order.read(RowPlaces.of_origins(origins or [None] * len(lines)))
        self.count += len(lines)

    def row(self, fields: Mapping[str, Any], origin: Origin | None = None) -> None:
        """Writes an object."""
        self.raw(self.line(fields), origin)

    def line(self, fields: Mapping[str, Any]) -> bytes:
        """Renders an object."""
        return json.dumps(dict(fields), ensure_ascii=False).encode("utf-8")

    def drop(self) -> None:
        """Leaves the file as it stands."""
        if self._file is not None:
            self._file.close()

    def close(self) -> None:
        """Ends the file."""
        if self._file is not None:
            self._file.close()
            self._order.restore(self._written, 0, quoted=False)

"""From one dataset's tables to another's without objects in between.

For exports of what was imported and not looked at since: every row still says what its annotation
would say. Whatever is not plain (rows that lack columns, other kinds than labels and boxes, images
of unknown size) goes the way of all items, some hundred images at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from datumaro_openimages_plugin.kinds import KINDS, KINDS_BY_NAME
from datumaro_openimages_plugin.rendering.row_places import RowPlaces
from datumaro_openimages_plugin.rendering.row_writer import RowWriter
from datumaro_openimages_plugin.rendering.sinks import CsvSink
from datumaro_openimages_plugin.sources.safe_names import unsafe_id
from datumaro_openimages_plugin.tables.arrays import to_arrow
from datumaro_openimages_plugin.tables.rows import TableRows
from datumaro_openimages_plugin.tables.tables import CsvTable

if TYPE_CHECKING:
    from datumaro_openimages_plugin.reading.reader import Reader
    from datumaro_openimages_plugin.writing.writer import Writer

__all__ = ["goes_straight", "write_straight"]

_FEW = 8  # changes of the subset; with more of them, a batch goes the other way
_ROWS = 1 << 17  # copied together
_ROW_KINDS = ("labels", "machine_labels", "boxes")


class _Block(NamedTuple):
    """Rows that are ready to be written."""

    sink: CsvSink
    data: Any
    rows: int
    places: RowPlaces | None


def goes_straight(reader: Reader) -> bool:
    """Whether rows of a dataset can be copied as they are, if they are plain."""
    others = (kind for kind in KINDS if kind.name not in _ROW_KINDS)
    return reader.items.is_bare and not any(map(reader.items.has, others))


def write_straight(reader: Reader, writer: Writer) -> Iterator[None]:
    """Writes all items of a dataset; yields for each of them.

    Args:
        reader: The dataset; one that goes straight.
        writer: Writes the export, without pictures.
    """
    for numbers in reader.items.batches():
        for some in _parts(reader, numbers):
            blocks = None if some is None else _blocks(reader, writer, some)
            if some is None or blocks is None:
                for item in reader.items.make_batch(numbers if some is None else some):
                    writer.write(item)
                    yield
                continue
            for block in blocks:
                block.sink.block(block.data, block.rows, block.places)
            yield from repeat(None, len(some))
    reader.items.count_made(len(reader.images))


def _parts(reader: Reader, numbers: np.ndarray) -> list[np.ndarray] | list[None]:
    """Images parted where the subset changes, and so that there are not too many rows of each.

    One None where the subset changes too often.
    """
    codes = reader.images.subset_codes[numbers]
    cuts = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    if len(cuts) > _FEW:
        return [None]
    parts = []
    for some in np.split(numbers, cuts):
        rows = sum(int(reader.tables[name].of_images(some)[1].sum()) for name in _ROW_KINDS)
        parts += np.array_split(some, min(len(some), 1 + rows // _ROWS))
    return parts


def _blocks(reader: Reader, writer: Writer, numbers: np.ndarray) -> list[_Block] | None:
    """The rows of images of one subset; None where something of them is not plain."""
    images = reader.images
    subset = images.subset_names[images.subset_codes[numbers[0]]]
    ids = images.ids.take(to_arrow(numbers))
    texts = ids.to_pylist()
    sizes = np.stack(images.known_sizes(numbers), axis=1)
    list_rows = np.array(images.list_rows(numbers), np.int64)
    # Datumaro turns backslashes around.
    odd = "\\" in subset or "/" in subset or unsafe_id(subset) or any("\\" in t for t in texts)
    if odd or not sizes.all() or (list_rows < 0).any():
        return None
    writer.remember(images.rows.dataset)
    writer.flush()
    sink = writer.image_sink(subset)
    data = _as_read(images.rows, list_rows, sink, "Subset")
    if data is None:
        return None
    blocks = [_Block(sink, data, len(list_rows), None)]
    for name in _ROW_KINDS:
        table = reader.tables[name]
        rows = table.of_images(numbers)[0]
        if not len(rows):
            continue
        rows_of = writer.writer_of(KINDS_BY_NAME[name], subset)
        assert isinstance(rows_of, RowWriter)
        if not rows_of.names_labels_as(table.rows):
            return None
        data = _as_read(table.rows, rows, rows_of.sink, "ImageID")
        if data is None:
            return None
        places = RowPlaces([table.rows], np.zeros(len(rows), np.int64), rows)
        blocks.append(_Block(rows_of.sink, data, len(rows), places))
    writer.add_sizes(ids, sizes)
    reader.items.count_pictures(texts, subset)
    return blocks


def _as_read(
    source: TableRows, rows: np.ndarray, sink: CsvSink, column: str
) -> bytes | memoryview | None:
    """Rows with their line ends, None where they cannot be written as they stand.

    Args:
        source: The rows of all files.
        rows: (n,) which of them.
        sink: Where to.
        column: One that the files have to have.
    """
    lines: list[bytes] = [b""] * len(rows)
    for table, local, chosen in source.by_table(rows):
        assert isinstance(table, CsvTable)
        accepted = sink.accepts_raw(table.header, table.line_end)
        if not accepted or column not in table.header:
            return None
        spans = table.spans(local)
        block = spans.block(sink.line_end) if len(chosen) == len(rows) else None
        if block is not None:
            return block
        for place, line in zip(chosen.tolist(), spans.lines(), strict=True):
            lines[place] = line
    end = sink.line_end.encode()
    return end.join(lines) + end

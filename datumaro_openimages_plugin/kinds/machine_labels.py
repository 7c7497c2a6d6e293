"""Image-level labels that a classifier gave, with its confidence; published apart from the others.

In Datumaro they differ from human labels by their attribute ``source`` alone, and that is what
decides on export which file a label goes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from datumaro_openimages_plugin._host import AnnotationType
from datumaro_openimages_plugin.annotations.extras import EXTRA_ATTRIBUTE, EXTRA_COLUMN
from datumaro_openimages_plugin.kinds import labels
from datumaro_openimages_plugin.kinds._kind import Batch, Kind
from datumaro_openimages_plugin.kinds._table import KindTable

if TYPE_CHECKING:
    from datumaro_openimages_plugin.rendering.sinks import Sink
    from datumaro_openimages_plugin.rendering.writing import KindWriter, Writing

__all__ = ["ATTRIBUTES", "EXTRA", "MACHINE", "MACHINE_LABELS", "from_rows", "is_machine"]

#: The attribute ``source`` of these labels, and the published ``Source``.
MACHINE = "machine"

#: Attributes that have a column.
ATTRIBUTES = frozenset(("score", "source"))

#: Attribute -> column that is shown on request only.
EXTRA = {EXTRA_ATTRIBUTE: EXTRA_COLUMN}


def is_machine(annotation: Any) -> bool:
    """Whether a label is one of a classifier."""
    source = annotation.attributes.get("source")
    return isinstance(source, str) and source == MACHINE


def from_rows(
    table: KindTable, rows: np.ndarray, batch: Batch, counts: np.ndarray
) -> Iterator[Any]:
    """Makes the labels of some rows, one after another; see `labels.from_rows`."""
    for annotation in labels.from_rows(table, rows, batch, counts):
        annotation.attributes["source"] = MACHINE
        yield annotation


def _writer(sink: Sink, writing: Writing) -> KindWriter:
    from datumaro_openimages_plugin.kinds._row_writers import (
        MachineLabelWriter,  # imports this module
    )

    return MachineLabelWriter(sink, writing.label_names, writing.refuse, writing.lost)


MACHINE_LABELS = Kind(
    name="machine_labels",
    patterns=(
        "{subset}-annotations-machine-imagelabels.csv",
        "{subset}-annotations-machine.csv",
        "annotations-machine.csv",
    ),
    fields=labels.FIELDS,
    telling=("ImageID", "LabelName", "Confidence"),
    file_name="{subset}-annotations-machine-imagelabels.csv",
    published="oidv7-{val}-annotations-machine-imagelabels.csv",
    columns=labels.columns,
    from_rows=from_rows,
    writer=_writer,
    type=AnnotationType.label,
    takes=is_machine,
    marks=frozenset(("source",)),
    attributes=ATTRIBUTES,
    extra=EXTRA,
    negative=("Confidence", 0.0),
)

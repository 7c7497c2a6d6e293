"""The kinds of annotation, one module each; `KINDS` is their order.

Reader, writer, detector and saving in place go by this list: a new kind is a module and a line.
"""

from __future__ import annotations

from datumaro_openimages_plugin.kinds._kind import Kind
from datumaro_openimages_plugin.kinds.boxes import BOXES
from datumaro_openimages_plugin.kinds.labels import LABELS
from datumaro_openimages_plugin.kinds.machine_labels import MACHINE_LABELS
from datumaro_openimages_plugin.kinds.masks import MASKS
from datumaro_openimages_plugin.kinds.narratives import NARRATIVES
from datumaro_openimages_plugin.kinds.people import PEOPLE
from datumaro_openimages_plugin.kinds.points import POINTS
from datumaro_openimages_plugin.kinds.relationships import RELATIONSHIPS

__all__ = ["KINDS", "KINDS_BY_NAME"]

#: In the order that an item's annotations have.
KINDS: tuple[Kind, ...] = (
    LABELS,
    MACHINE_LABELS,
    BOXES,
    PEOPLE,
    MASKS,
    POINTS,
    NARRATIVES,
    RELATIONSHIPS,
)

KINDS_BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}

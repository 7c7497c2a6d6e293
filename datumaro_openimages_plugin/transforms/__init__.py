"""Datumaro transforms for Open Images, for ``datum transform -t NAME`` and ``dataset.transform``.

Datumaro imports this module whenever it lists its transforms, so it imports little. It also leaves
out a transform whose constructor fails and goes on; so arguments are looked at when the first item
or the categories are asked for, where an error reaches the caller.

Labels, hierarchy and display names are those that the items were read with (see `origin`); where
items came from elsewhere, the parents in the label categories take the hierarchy's place.
"""

from __future__ import annotations

from datumaro_openimages_plugin.transforms.drop import (
    OpenImagesDropBoxes,
    OpenImagesDropNegatives,
)
from datumaro_openimages_plugin.transforms.expand import OpenImagesExpand
from datumaro_openimages_plugin.transforms.keep import OpenImagesKeepClasses
from datumaro_openimages_plugin.transforms.names import OpenImagesNames
from datumaro_openimages_plugin.transforms.others import OpenImagesCrowds, OpenImagesSizes

__all__ = [
    "OpenImagesCrowds",
    "OpenImagesDropBoxes",
    "OpenImagesDropNegatives",
    "OpenImagesExpand",
    "OpenImagesKeepClasses",
    "OpenImagesNames",
    "OpenImagesSizes",
]

"""Stand-in of the few names of CVAT's data model that formats see."""

from enum import Enum


class DimensionType(str, Enum):
    DIM_3D = "3d"
    DIM_2D = "2d"

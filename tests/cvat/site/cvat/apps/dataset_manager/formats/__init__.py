"""Stand-in of a part of CVAT."""

"""The rules of the metric that have more than one reading, as options."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["CHOICES", "Rules"]

#: Option -> what it may be; the first is the default, the rule of the 2019 challenge.
CHOICES = {
    "unverified": ("ignore", "count"),
    "group_overlap": ("area", "iou"),
    "matching": ("best", "free"),
    "interpolation": ("area", "11-point"),
    "expand": ("truth", "both", "none"),
    "repeats": ("keep", "drop"),
}


@dataclass(frozen=True)
class Rules:
    """How detections are counted; the defaults are the rules of the 2019 challenge.

    The metric of Open Images V2 is ``Rules(group_of_weight=0, unverified="count")``.

    Attributes:
        iou: Overlap from which on a detection has found an object.
        group_of_weight: What a group-of box counts: found, it adds so much to the true positives,
            missed, so much to the false negatives. With 0 detections inside are ignored.
        unverified: Detections of a class that nobody verified in their image, neither by an image
            label nor by a box: ``ignore`` them, or ``count`` them as false positives.
        group_overlap: What share a detection must have in common with a group-of box to be in it:
            of its own ``area``, or ``iou``.
        matching: A detection can only find the object that it overlaps ``best``, as in VOC; or,
            ``free``, the best one that no detection of a higher score has found.
        interpolation: Average precision is the ``area`` under the interpolated curve (VOC 2010),
            or the mean at ``11-point`` recalls (VOC 2007).
        expand: Whether the ``truth``, ``both`` sides or ``none`` are expanded by the hierarchy:
            boxes and present labels to all classes above theirs, absent labels to all below.
        repeats: Classes that stand at several places of the hierarchy: ``keep`` makes a copy of
            a box for each place above it, as the challenge's own script does; ``drop`` makes one
            for each class.

    Raises:
        ValueError: A value is none of these.
    """

    iou: float = 0.5
    group_of_weight: float = 1.0
    unverified: str = "ignore"
    group_overlap: str = "area"
    matching: str = "best"
    interpolation: str = "area"
    expand: str = "truth"
    repeats: str = "keep"

    def __post_init__(self) -> None:
        if not 0 < self.iou <= 1:
            raise ValueError(f"iou must be over 0 and at most 1, not {self.iou}")
        if not 0 <= self.group_of_weight <= 1:
            raise ValueError(f"group_of_weight must be from 0 to 1, not {self.group_of_weight}")
        for field in fields(self):
            value, choices = getattr(self, field.name), CHOICES.get(field.name)
            if choices is not None and value not in choices:
                raise ValueError(f"{field.name} must be one of {', '.join(choices)}, not {value!r}")

"""What of a dataset does not fit a task, gathered and told in one message."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from datumaro_openimages_plugin.errors import FormatError

__all__ = ["Misfits"]

_SHOWN = 5


@dataclass
class Misfits:
    """Gathers what does not fit.

    Attributes:
        frames: Names of the task's frames, as image ids have them.
        task_labels: Names of the task's labels.
        images: Ids with annotations that are no frames.
        pictures: Ids with annotations that have no picture, where frames are made of pictures.
        labels: LabelName of classes that are no labels -> a readable name.
        values: (label, attribute, input type) -> a value that does not fit it.
        masks: Names of mask files that are not in the zip.
    """

    frames: Collection[str] = ()
    task_labels: Collection[str] = ()
    images: dict[str, None] = field(default_factory=dict)
    pictures: dict[str, None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    values: dict[tuple[str, str, str], str] = field(default_factory=dict)
    masks: dict[str, None] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def raise_any(self) -> None:
        """Raises what was gathered.

        Raises:
            FormatError: Something does not fit; the message names all kinds of misfits, the first
                of each kind, and what to do.
        """
        parts = [
            self._images(), self._pictures(), self._labels(), self._values(), self._masks()
        ]  # fmt: skip
        message = " ".join(part for part in parts if part)
        if message:
            raise FormatError(f"the dataset does not fit the task. {message}")

    def _images(self) -> str:
        if not self.images:
            return ""
        hint = _FrameHint(self.frames)
        shown = _first([f"{name!r}{hint(name)}" for name in self.images])
        return (
            f"Images with annotations that the task has no frame for: {shown}. In the CSV files "
            "and in the names of masks, call them as the frames are called, with their folders "
            "and without extensions, or remove their rows."
        )

    def _pictures(self) -> str:
        if not self.pictures:
            return ""
        shown = _first([repr(name) for name in self.pictures])
        return (
            f"Images with annotations and without a picture: {shown}. "
            "Put their pictures into the zip, in images/<subset>/, or remove their rows."
        )

    def _labels(self) -> str:
        if not self.labels:
            return ""
        near = {label.strip().casefold(): label for label in self.task_labels}
        named = []
        for name, readable in self.labels.items():
            shown = f"{name!r}" if readable == name else f"{name!r} ({readable})"
            meant = near.get(readable.strip().casefold()) or near.get(name.strip().casefold())
            named.append(shown if meant is None else f"{shown}, where the task has {meant!r}")
        shown = _first(named)
        return (
            f"Classes that are no labels of the task: {shown}. Add labels of these names "
            "(`datum-openimages labels` makes them), or remove the rows."
        )

    def _values(self) -> str:
        if not self.values:
            return ""
        shown = _first(
            [
                f"label {label!r}, attribute {name!r}, which is a {kind}: {value}"
                for (label, name, kind), value in self.values.items()
            ]
        )
        return (
            f"Values that attributes of the task do not take: {shown}. Correct the rows or, where "
            "no value is a long or broken text, make the attribute a text."
        )

    def _masks(self) -> str:
        if not self.masks:
            return ""
        return (
            f"Masks without a picture: {_first([repr(name) for name in self.masks])}. Put the "
            "PNGs into the zip, in masks/<subset>/, or remove the rows."
        )


def _first(texts: list[str]) -> str:
    shown = ", ".join(text if len(text) <= 200 else text[:199] + "…" for text in texts[:_SHOWN])
    return shown if len(texts) <= _SHOWN else f"{shown} and {len(texts) - _SHOWN} more"


class _FrameHint:
    """Tells which frame an id may mean, and how their names differ."""

    def __init__(self, frames: Collection[str]) -> None:
        self._frames = frames if isinstance(frames, Mapping) else set(frames)
        self._near: dict[str, str] = {}
        for frame in frames:
            self._near.setdefault(_bare(frame), frame)

    def __call__(self, image_id: str) -> str:
        without = os.path.splitext(image_id)[0]
        if without in self._frames:
            return f" (the frame is {without!r}: ids have no extension)"
        frame = self._near.get(_bare(image_id)) or self._near.get(_bare(without))
        if frame is None:
            return ""
        differs = []
        if os.path.dirname(frame) != os.path.dirname(image_id):
            differs.append("folders are part of ids")
        names = os.path.basename(image_id), os.path.basename(without)
        if os.path.basename(frame) not in names:
            differs.append("upper and lower case differ")
        return f" (the frame is {frame!r}: {', '.join(differs)})"


def _bare(name: str) -> str:
    return os.path.basename(name.replace("\\", "/")).casefold()

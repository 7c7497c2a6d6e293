"""What the sample datasets look like once they are read: a text for each kind of annotation.

    python tests/golden.py

writes them anew, into `tests/golden/`; look at the difference before you keep it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datumaro_openimages_plugin.kinds import KINDS
from datumaro_openimages_plugin.kinds._kind import Kind
from datumaro_openimages_plugin.plugin import OpenImagesExtractor

ASSETS = Path(__file__).parents[1] / "assets"
FOLDER = Path(__file__).parent / "golden"
DATASETS = ("cvat_layout", "open_images_v7")


def golden_text(kind: Kind) -> str:
    """Every annotation of a kind in the sample datasets, one a line."""
    return "".join(f"{line}\n" for name in DATASETS for line in _lines(name, kind))


def _lines(name: str, kind: Kind) -> Iterator[str]:
    extractor = OpenImagesExtractor(str(ASSETS / name), kinds=[kind.name for kind in KINDS])
    labels = [category.name for category in next(iter(extractor.categories().values()))]
    for item in extractor:
        address = f"{name} {item.subset}/{item.id}"
        for annotation in item.annotations:
            if annotation.origin.kind == kind.name:
                yield f"{address}: {_described(annotation, labels)}"
        if kind.item_attribute in item.attributes:
            yield f"{address}: {kind.item_attribute} {item.attributes[kind.item_attribute]!r}"


def _described(annotation: Any, labels: list[str]) -> str:
    parts = [annotation.type.name]
    if getattr(annotation, "label", None) is not None:
        parts.append(labels[annotation.label])
    for field in ("id", "group"):
        if getattr(annotation, field):
            parts.append(f"{field}={getattr(annotation, field)}")
    if hasattr(annotation, "points"):  # hosts round to different last digits
        parts.append(" ".join(f"{value:.2f}" for value in annotation.points))
    if annotation.type.name == "mask":
        height, width = annotation.image.shape
        parts.append(f"{int(annotation.image.sum())} of {height}x{width}")
    if hasattr(annotation, "caption"):
        parts.append(repr(annotation.caption))
    parts += [f"{name}={value!r}" for name, value in annotation.attributes.items()]
    return " ".join(parts)


if __name__ == "__main__":
    for kind in KINDS:
        (FOLDER / f"{kind.name}.txt").write_text(golden_text(kind), encoding="utf-8")

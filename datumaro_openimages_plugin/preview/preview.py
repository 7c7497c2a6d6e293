"""A dataset -> its page, and PNGs of the images on it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from datumaro_openimages_plugin._host import AnnotationType
from datumaro_openimages_plugin.preview.page import page_of
from datumaro_openimages_plugin.preview.scene import Scene, scene_of
from datumaro_openimages_plugin.preview.statistics import Figures, survey

__all__ = ["Preview", "preview"]


@dataclass(frozen=True)
class Preview:
    """What is to be shown of a dataset."""

    title: str
    figures: Figures
    scenes: tuple[Scene, ...]
    names: tuple[str, ...]

    def to_html(self) -> str:
        """The page: one file that needs nothing else."""
        return page_of(self.title, self.figures, self.scenes, self.names)

    def save_pngs(self, folder: str) -> list[str]:
        """Writes each image that is shown as ``001_<id>.png``; returns the paths."""
        from datumaro_openimages_plugin.preview.png import png_of

        os.makedirs(folder, exist_ok=True)
        paths = []
        for number, scene in enumerate(self.scenes, 1):
            # Ids may hold anything; the number keeps names apart.
            safe = re.sub(r"[^0-9A-Za-z_-]+", "-", scene.name)[:80].strip("-")
            path = os.path.join(folder, f"{number:03}_{safe}.png")
            with open(path, "wb") as file:
                file.write(png_of(scene))
            paths.append(path)
        return paths


def preview(
    dataset: Any,
    title: str,
    *,
    show: int = 24,
    pick: str = "rich",
    seed: int = 0,
    subset: str | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Preview:
    """Looks through a dataset.

    Args:
        dataset: A Datumaro dataset of any format.
        title: Its name.
        show: How many images to show.
        pick: ``rich`` shows images with many kinds of annotations first, ``random`` any.
        seed: Another one shows other images.
        subset: The only subset to look at.
        progress: Wraps the items, such as by a progress bar.
    """
    items = (item for item in progress(dataset) if subset is None or item.subset == subset)
    figures, chosen = survey(items, show, pick=pick, seed=seed)
    categories = dataset.categories().get(AnnotationType.label, ())
    origin = next((item.origin for item in chosen if hasattr(item, "origin") and item.origin), None)
    shown: dict[str, str] = {} if origin is None else dict(origin.dataset.classes.display_names)
    names = tuple(shown.get(label.name) or label.name for label in categories)
    return Preview(title, figures, tuple(scene_of(item, names, shown) for item in chosen), names)

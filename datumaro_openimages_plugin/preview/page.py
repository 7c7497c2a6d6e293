"""The page: one HTML file that needs nothing else and runs nothing.

Its Content-Security-Policy allows this page's own style (by its hash) and pictures inside the page,
no scripts and no connections, should an escape ever be forgotten.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from typing import Any

from datumaro_openimages_plugin.preview import svg
from datumaro_openimages_plugin.preview.scene import Scene, color_of, readable
from datumaro_openimages_plugin.preview.statistics import SIDE_BINS, Figures

__all__ = ["page_of"]

#: Layers of the drawings that can be hidden: class -> name.
_LAYERS = {
    "boxes": "Boxes",
    "names": "Names",
    "masks": "Masks",
    "relationships": "Relationships",
    "points": "Points",
    "traces": "Traces",
}
_MOST_CLASSES = 15
_FLAG_NAMES = {
    "occluded": "occluded",
    "truncated": "truncated",
    "is_group_of": "group of",
    "is_depiction": "depiction",
    "is_inside": "inside",
}


def page_of(title: str, figures: Figures, scenes: Sequence[Scene], names: Sequence[str]) -> str:
    """The whole page.

    Args:
        title: The dataset's name.
        figures: Counts over the whole dataset.
        scenes: The images to show.
        names: Labels' names for people, by label.
    """
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    shown = _text(readable(title))
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{shown}</title>\n<style>{style}</style>\n</head>\n<body>",
            f"<header><h1>{shown}</h1>{''.join(_tiles(figures))}</header>",
            f'<section class="charts">{"".join(_charts(figures, names))}</section>',
            *_gallery(scenes, figures),
            "</body>\n</html>\n",
        ]
    )


def _text(value: object) -> str:
    return escape(str(value), quote=True)


def _tiles(figures: Figures) -> Iterator[str]:
    yield '<ul class="tiles">'
    subsets = ", ".join(f"{readable(name)} {n:,}" for name, n in figures.subsets.most_common(4))
    yield _tile(figures.images, "images", subsets)
    if figures.pictures < figures.images:
        yield _tile(figures.images - figures.pictures, "without a picture", "")
    words = {"bbox": "boxes", "label": "image labels", "mask": "masks", "caption": "captions"}
    for kind, count in figures.annotations.most_common():
        yield _tile(count, words.get(kind, kind.replace("_", " ")), "")
    used = {*figures.boxes, *figures.masks, *figures.present, *figures.absent, *figures.machine}
    yield _tile(len(used - {-1}), "classes in use", "")
    yield "</ul>"


def _tile(count: int, name: str, more: str) -> str:
    return f'<li title="{_text(more)}"><b>{count:,}</b> <span>{_text(name)}</span></li>'


def _charts(figures: Figures, names: Sequence[str]) -> Iterator[str]:
    """The charts, tall and low ones in turn: they are laid out in columns of like height."""
    for counts, what in ((figures.boxes, "Boxes"), (figures.masks, "Masks")):
        if counts:
            yield _figure(f"{what} per class", _class_bars(counts, names), _more(counts))
            break
    if figures.boxes:
        flags = [(_FLAG_NAMES.get(name, name), counts) for name, counts in figures.flags.items()]
        yield _figure("Flags of boxes", svg.stacked(flags), "", ("yes", "no", "unknown"))
    both = figures.present + figures.absent
    if both:
        labels = [
            (_name(label, names), figures.absent[label], figures.present[label])
            for label, _ in both.most_common(_MOST_CLASSES)
        ]
        sums = sum(figures.absent.values()), sum(figures.present.values())
        note = " · ".join(filter(None, (f"{sums[0]:,} : {sums[1]:,}", _more(both))))
        chart = svg.diverging(labels)
        yield _figure("Image labels, verified", chart, note, ("absent", "present"))
    if figures.boxes:
        per_image = _per_image(figures.boxes_per_image)
        boxes = sum(n * images for n, images in figures.boxes_per_image.items())
        mean = f"{boxes / figures.images:.1f} on average"
        yield _figure("Boxes per image", svg.columns(per_image, "boxes"), mean)
    if figures.machine:
        chart = _class_bars(figures.machine, names)
        yield _figure("Image labels by machine", chart, _more(figures.machine))
    if figures.boxes:
        axis = "square root of the share of the image"
        yield _figure("Sizes of boxes", svg.columns(_side_bins(figures.sides), axis), "")


def _class_bars(counts: Counter[int], names: Sequence[str]) -> str:
    common = counts.most_common(_MOST_CLASSES)
    return svg.bars([(_name(label, names), count, color_of(label)) for label, count in common])


def _figure(title: str, chart: str, note: str, keys: Sequence[str] = ()) -> str:
    shown = "".join(f'<span class="key {key}">{key}</span>' for key in keys)
    caption = f"<p>{shown}{_text(note)}</p>" if shown or note else ""
    return f"<figure><h2>{_text(title)}</h2>{chart}{caption}</figure>"


def _name(label: int, names: Sequence[str]) -> str:
    return readable(names[label]) if 0 <= label < len(names) else "no label"


def _more(counts: Counter[int]) -> str:
    rest = len(counts) - _MOST_CLASSES
    return f"and {rest:,} more classes" if rest > 0 else ""


def _per_image(counts: Counter[int]) -> list[tuple[str, int]]:
    """Bins that grow: 0, 1, 2, 3–4, 5–8 and so on."""
    bins: list[tuple[str, int]] = []
    low, high = 0, 0
    while low <= max(counts, default=0):
        name = f"{low}" if low == high else f"{low}-{high}"
        bins.append((name, sum(n for boxes, n in counts.items() if low <= boxes <= high)))
        low, high = high + 1, max(1, 2 * high)
    return bins


def _side_bins(sides: Sequence[int]) -> list[tuple[str, int]]:
    return [
        (f"{at / SIDE_BINS:.1f}" if at % 4 == 0 else "", count) for at, count in enumerate(sides)
    ]


def _gallery(scenes: Sequence[Scene], figures: Figures) -> Iterator[str]:
    if not scenes:
        return
    layers = {
        "boxes": any(scene.boxes for scene in scenes),
        "names": any(scene.boxes for scene in scenes),
        "masks": any(scene.regions for scene in scenes),
        "relationships": any(scene.arrows for scene in scenes),
        "points": any(scene.dots for scene in scenes),
        "traces": any(scene.traces for scene in scenes),
    }
    yield f"<h2>{len(scenes):,} of {figures.images:,} images</h2>"
    for layer, name in _LAYERS.items():
        if layers[layer]:
            yield (
                f'<input type="checkbox" id="show-{layer}" checked>'
                f'<label class="toggle" for="show-{layer}">{name}</label>'
            )
    yield '<main class="gallery">'
    for scene in scenes:
        yield _card(scene)
    yield "</main>"


def _card(scene: Scene) -> str:
    size = "" if scene.size is None else f"{scene.size[1]} by {scene.size[0]}"
    parts = [
        f'<article>{svg.drawing(scene)}<div class="about"><p class="id"><b>{_text(scene.name)}</b>'
        f'<span class="subset">{_text(scene.subset)}</span><span class="size">{size}</span></p>'
    ]
    if scene.credit:
        parts.append(f'<p class="credit">{_text(scene.credit)}</p>')
    if scene.chips:
        chips = "".join(f'<li class="{c.state}">{_text(c.text)}</li>' for c in scene.chips)
        parts.append(f'<ul class="chips">{chips}</ul>')
    parts += _list("sentences", scene.sentences)
    parts += [f"<blockquote>{_text(caption)}</blockquote>" for caption in scene.captions]
    parts += _list("notes", scene.notes)
    return "".join([*parts, "</div></article>"])


def _list(kind: str, texts: Sequence[Any]) -> list[str]:
    if not texts:
        return []
    return [f'<ul class="{kind}">{"".join(f"<li>{_text(text)}</li>" for text in texts)}</ul>']

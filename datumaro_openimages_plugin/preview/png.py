"""Scenes as PNG files, for reports and documents that take no HTML."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageDraw, ImageFont

from datumaro_openimages_plugin.preview.scene import Arrow, Scene, Tagged

__all__ = ["png_of"]

_FONT_PX = 13
_GREY = (140, 146, 158)


def png_of(scene: Scene) -> bytes:
    """A scene as an encoded PNG; letters that the font lacks show as boxes."""
    picture = _background(scene)
    veil = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    on_veil = ImageDraw.Draw(veil)
    for region in scene.regions:
        _fill(veil, region.rings, region.color)
        for ring in region.rings:
            on_veil.line([*map(tuple, ring), tuple(ring[0])], fill=region.color, width=1)
    picture = Image.alpha_composite(picture, veil)
    draw = ImageDraw.Draw(picture)
    font = _font()
    for box in scene.boxes:
        draw.rectangle(_corners(box), outline=box.color, width=3)
    for box in scene.boxes:
        _tag(draw, box, scene, font)
    for arrow in scene.arrows:
        _arrow(draw, arrow, font)
    for trace in scene.traces:
        draw.line([*map(tuple, trace)], fill="#ffd43b", width=2)
    for dot in scene.dots:
        where = (dot.x - 5, dot.y - 5, dot.x + 5, dot.y + 5)
        fill = dot.color if dot.answer == "yes" else None
        draw.ellipse(where, fill=fill, outline=dot.color if fill is None else "white", width=2)
        if dot.answer == "no":
            draw.line((dot.x - 3, dot.y - 3, dot.x + 3, dot.y + 3), fill=dot.color, width=2)
    data = io.BytesIO()
    picture.convert("RGB").save(data, "PNG")
    return data.getvalue()


def _background(scene: Scene) -> Image.Image:
    size = (scene.width, scene.height)
    if scene.picture is None:
        picture = Image.new("RGBA", size, _GREY)
        ImageDraw.Draw(picture).text((10, 10), scene.problem, fill="white", font=_font())
        return picture
    picture = Image.open(io.BytesIO(scene.picture)).convert("RGBA")
    way = Image.NEAREST if picture.width < scene.width / 2 else Image.LANCZOS  # type: ignore[attr-defined]
    return picture.resize(size, way)


def _fill(veil: Image.Image, rings: tuple, color: str) -> None:
    """Fills rings by the even-odd rule, so that holes stay open."""
    shape = Image.new("1", veil.size)
    for ring in rings:
        part = Image.new("1", veil.size)
        ImageDraw.Draw(part).polygon([*map(tuple, ring)], fill=1)
        shape = _differs(shape, part)
    veil.paste(Image.new("RGBA", veil.size, (*_rgb(color), 107)), mask=shape)


def _differs(one: Image.Image, other: Image.Image) -> Image.Image:
    from PIL import ImageChops

    return ImageChops.logical_xor(one, other)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _corners(box: Tagged) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box.corners
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _tag(draw: ImageDraw.ImageDraw, box: Tagged, scene: Scene, font: ImageFont.ImageFont) -> None:
    text = _drawable(box.text, font)
    x, y, _, _ = _corners(box)
    width = draw.textlength(text, font=font) + 8
    x = min(max(0.0, x), max(0.0, scene.width - width))
    y = min(max(0.0, y), scene.height - _FONT_PX - 4.0)
    draw.rectangle((x, y, x + width, y + _FONT_PX + 4), fill=box.color)
    bright = sum(c * w for c, w in zip(_rgb(box.color), (0.299, 0.587, 0.114), strict=True)) > 140
    draw.text((x + 4, y + 1), text, fill="black" if bright else "white", font=font)


def _arrow(draw: ImageDraw.ImageDraw, arrow: Arrow, font: ImageFont.ImageFont) -> None:
    (x1, y1), (x2, y2) = arrow.start, arrow.end
    angle = math.atan2(y2 - y1, x2 - x1)
    head = [
        (x2 - 11 * math.cos(angle + turn), y2 - 11 * math.sin(angle + turn)) for turn in (0.4, -0.4)
    ]
    draw.line((x1, y1, x2, y2), fill="black", width=4)
    draw.line((x1, y1, x2, y2), fill="white", width=2)
    draw.polygon([(x2, y2), *head], fill="white")
    text = _drawable(arrow.text, font)
    width = draw.textlength(text, font=font)
    x, y = (x1 + x2) / 2 - width / 2, (y1 + y2) / 2 - _FONT_PX / 2
    draw.rectangle((x - 4, y - 2, x + width + 4, y + _FONT_PX + 2), fill="white")
    draw.text((x, y - 1), text, fill="black", font=font)


def _drawable(text: str, font: ImageFont.ImageFont) -> str:
    """The text, without what the font of an older Pillow cannot encode."""
    if hasattr(ImageFont, "FreeTypeFont") and isinstance(font, ImageFont.FreeTypeFont):
        return text
    return text.encode("latin-1", "replace").decode("latin-1")


def _font() -> ImageFont.ImageFont:
    try:
        return ImageFont.load_default(_FONT_PX)  # type: ignore[return-value]
    except TypeError:  # before Pillow 10.1
        return ImageFont.load_default()  # type: ignore[return-value]

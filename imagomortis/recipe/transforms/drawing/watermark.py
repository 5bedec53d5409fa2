"""Writes a text over the picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Literal

from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from imagomortis.recipe.transforms.drawing.letters import ranges
from imagomortis.recipe.transforms.drawing.paint import blend, rgb
from imagomortis.recipe.transforms.step import (
    HIDDEN,
    Box,
    Colour,
    Context,
    Length,
    Place,
    Size,
    Step,
    offset,
    shorter,
    slider,
)

_LARGEST_LETTERS = 2000
_SMALLEST_LETTERS = 4
_SHADE_OPACITY = 0.6
_LIGHT = 380  # sum of red, green and blue


@lru_cache(maxsize=1)
def load_font() -> bytes:
    """Return the font file, which is read once. Call it before the process loses the right to open files."""
    return (files("imagomortis.recipe") / "fonts" / "DejaVuSansMono.ttf").read_bytes()


class Watermark(Step):
    """A text with a soft rim, readable on light and on dark; it shrinks where it would not fit."""

    transform: Literal["watermark"] = "watermark"
    text: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"\S",
        description="the text; it may have lines",
        examples=["ImagoMortis"],
        # a recipe cannot hold the character NUL
        json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$", "x-letters": ranges(load_font())},
    )
    position: Place = Field("bottom-right", title="Place", description="where the text stands")
    size: Length = Field(Length(6), description="height of the letters", json_schema_extra=slider(1, 30, 0.5))
    margin: Length = Field(Length(3), description="distance from the edge", json_schema_extra=HIDDEN)
    opacity: float = Field(
        0.6, ge=0.05, le=1, description="from nearly invisible to solid", json_schema_extra=slider(0.05, 1, 0.05)
    )
    colour: Colour = Field(
        "#ffffff", description="colour of the letters; the rim is black, or white around dark letters"
    )

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Blend the text into the picture at its place."""
        side = shorter(image.size)
        margin = min(round(self.margin.pixels(side, context.scale)), side // 4)
        setting = _fit(self.text, image.size, self.size.pixels(side, context.scale), margin)
        at = offset(self.position, image.size, setting.size, margin)
        shade = "#000000" if sum(rgb(self.colour)) > _LIGHT else "#ffffff"
        _write(image, at, shade, setting.mask(self.opacity * _SHADE_OPACITY, setting.rim))
        _write(image, at, self.colour, setting.mask(self.opacity))
        return image


@dataclass(frozen=True)
class _Setting:
    """A text set in a font, the width of the rim around its letters, and the box that both fill, all in pixels."""

    text: str
    font: ImageFont.FreeTypeFont
    rim: int
    box: Box

    @property
    def size(self) -> Size:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def mask(self, opacity: float, rim: int = 0) -> Image.Image:
        mask, level = Image.new("L", self.size), round(255 * opacity)
        ImageDraw.Draw(mask).multiline_text(
            (-self.box[0], -self.box[1]),
            self.text,
            fill=level,
            font=self.font,
            stroke_width=rim,
            stroke_fill=level,
            align="center",
        )
        return mask


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(BytesIO(load_font()), size, layout_engine=ImageFont.Layout.BASIC)


def _fit(text: str, room: Size, wanted: float, margin: int) -> _Setting:
    """Set the text in the largest letters that fit, up to the wanted size."""
    size = max(_SMALLEST_LETTERS, min(round(wanted), _LARGEST_LETTERS))
    while True:
        setting = _set(text, size)
        share = min((room[0] - 2 * margin) / setting.size[0], (room[1] - 2 * margin) / setting.size[1])
        if share >= 1 or size <= _SMALLEST_LETTERS:
            return setting
        size = max(_SMALLEST_LETTERS, min(size - 1, int(size * share)))


def _set(text: str, size: int) -> _Setting:
    font, rim = _font(size), max(1, size // 18)
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font, stroke_width=rim)
    return _Setting(text, font, rim, (int(left) - 1, int(top) - 1, int(right) + 2, int(bottom) + 2))


def _write(image: Image.Image, at: tuple[int, int], colour: str, mask: Image.Image) -> None:
    left, top = max(0, at[0]), max(0, at[1])
    right, bottom = min(image.width, at[0] + mask.width), min(image.height, at[1] + mask.height)
    blend(image, colour, mask.crop((left - at[0], top - at[1], right - at[0], bottom - at[1])), (left, top))

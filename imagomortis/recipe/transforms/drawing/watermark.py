"""Writes a text over the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.drawing.fonts import font, read
from imagomortis.recipe.transforms.drawing.lettering import SIZES, WRITTEN, Setting, set_text, write
from imagomortis.recipe.transforms.drawing.letters import ranges
from imagomortis.recipe.transforms.drawing.paint import Opacity, rgb
from imagomortis.recipe.transforms.step import (
    HIDDEN,
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

_SHADE_OPACITY = 0.6
_LIGHT = 380  # sum of red, green and blue


class Watermark(Step):
    """A text with a soft rim, readable on light and on dark; it shrinks where it would not fit."""

    transform: Literal["watermark"] = "watermark"
    text: str = Field(
        min_length=1,
        max_length=200,
        pattern=r"\S",
        description="the text; it may have lines",
        examples=["ImagoMortis"],
        json_schema_extra=WRITTEN | {"x-letters": ranges(read("mono"))},
    )
    position: Place = Field("bottom-right", title="Place", description="where the text stands")
    size: Length = Field(Length(6), description="height of the letters", json_schema_extra=slider(1, 30, 0.5))
    margin: Length = Field(Length(3), description="distance from the edge", json_schema_extra=HIDDEN)
    opacity: Opacity = 0.6
    colour: Colour = Field(
        "#ffffff", description="colour of the letters; the rim is black, or white around dark letters"
    )

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Blend the text into the picture at its place."""
        side = shorter(image.size)
        margin = min(round(self.margin.pixels(side, context.scale)), side // 4)
        room = (image.width - 2 * margin, image.height - 2 * margin)
        setting = self._fit(self.size.pixels(side, context.scale), room)
        at = offset(self.position, image.size, setting.size, margin)
        shade = "#000000" if sum(rgb(self.colour)) > _LIGHT else "#ffffff"
        write(image, at, shade, setting.mask(self.opacity * _SHADE_OPACITY, setting.rim))
        write(image, at, self.colour, setting.mask(self.opacity))
        return image

    def _fit(self, wanted: float, room: Size) -> Setting:
        """Set the text in letters that fit into the room, up to the wanted size."""
        size = max(SIZES[0], min(round(wanted), SIZES[-1]))
        while True:
            setting = set_text(self.text, font("mono", size), rim=max(1, size // 18))
            share = min(room[0] / setting.size[0], room[1] / setting.size[1])
            if share >= 1 or size <= SIZES[0]:
                return setting
            size = max(SIZES[0], min(size - 1, int(size * share)))

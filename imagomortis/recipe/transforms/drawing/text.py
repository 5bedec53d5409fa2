"""Writes lines of text over the picture."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal

from PIL import Image, ImageFont
from pydantic import Field

from imagomortis.recipe.transforms.drawing.fonts import Face, font
from imagomortis.recipe.transforms.drawing.lettering import SIZES, WRITTEN, Align, Setting, set_text, write
from imagomortis.recipe.transforms.drawing.paint import Opacity
from imagomortis.recipe.transforms.step import (
    HIDDEN,
    Colour,
    Context,
    Length,
    Place,
    Size,
    Step,
    labels,
    offset,
    shorter,
    slider,
    whole,
)


class Text(Step):
    """A text, whose lines are wrapped at a width; its letters shrink if it would not fit."""

    transform: Literal["text"] = "text"
    text: str = Field(
        min_length=1,
        max_length=500,
        pattern=r"\S",
        description="the text; it may have lines",
        examples=["ImagoMortis"],
        json_schema_extra=WRITTEN,
    )
    font: Face = Field(
        "sans",
        description="`sans`: DejaVu Sans; `serif`: DejaVu Serif; `mono`: DejaVu Sans Mono",
        json_schema_extra=labels(sans="Without serifs", serif="With serifs", mono="All letters as wide"),
    )
    size: Length = Field(Length(8), description="height of the letters", json_schema_extra=slider(1, 30, 0.5))
    colour: Colour = Field("#ffffff", description="colour of the letters")
    position: Place = Field("bottom", title="Place", description="where the text stands")
    align: Align = Field(
        "center", title="Lines", description="how the lines lie in it", json_schema_extra=labels(center="Centre")
    )
    width: Length = Field(
        Length(100),
        title="Width",
        description="width at which lines are wrapped, at most that of the picture without the margins",
        json_schema_extra=slider(10, 100, 1),
    )
    margin: Length = Field(Length(4), description="distance from the edge", json_schema_extra=HIDDEN)
    opacity: Opacity = 1.0

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Blend the text into the picture at its place."""
        side = shorter(image.size)
        margin = min(round(self.margin.pixels(side, context.scale)), side // 4)
        width = min(image.width - 2 * margin, whole(self.width.pixels(image.width, context.scale)))
        setting = self._fit(self.size.pixels(side, context.scale), (width, image.height - 2 * margin))
        write(image, offset(self.position, image.size, setting.size, margin), self.colour, setting.mask(self.opacity))
        return image

    def _fit(self, wanted: float, room: Size) -> Setting:
        """Set the text in the largest letters with which it fits into the room, up to the wanted size."""

        def exceeds(size: int) -> bool:
            setting = self._set(size, room[0])
            return setting.size[0] > room[0] or setting.size[1] > room[1]

        sizes = SIZES[: max(1, round(wanted) - SIZES[0] + 1)]
        return self._set(sizes[max(0, bisect_left(sizes, True, key=exceeds) - 1)], room[0])

    def _set(self, size: int, width: int) -> Setting:
        chosen = font(self.font, size)
        # the box is a little larger than the letters
        lines = wrap(self.text, chosen, width - 3)
        return set_text("\n".join(lines), chosen, align=self.align)


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Yield the lines of a text, broken between words; a word that is wider than a line is broken within."""
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                yield line
            *full, line = _pieces(word, font, width)
            yield from full
        yield line


def _pieces(word: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    pieces, filled = [""], 0.0
    for letter in word:
        filled += (needed := font.getlength(letter))
        if filled > width and pieces[-1]:
            pieces.append("")
            filled = needed
        pieces[-1] += letter
    return pieces

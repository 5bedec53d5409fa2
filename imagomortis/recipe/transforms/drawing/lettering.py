"""Sets text in a font, and writes it over pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PIL import Image, ImageDraw, ImageFont
from pydantic import JsonValue

from imagomortis.recipe.transforms.drawing.paint import blend
from imagomortis.recipe.transforms.step import LINES, Box, Size

SIZES: Final = range(4, 2001)
"""Sizes that letters may have, in pixels."""

Align = Literal["left", "center", "right"]

WRITTEN: Final[dict[str, JsonValue]] = {"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$", **LINES}
"""Schema of a text of one or more lines with a visible character, and without NUL, which a recipe cannot hold."""


@dataclass(frozen=True)
class Setting:
    """A text set in a font, the width of the rim around its letters, and the box that both fill, all in pixels."""

    text: str
    font: ImageFont.FreeTypeFont
    rim: int
    align: Align
    box: Box

    @property
    def size(self) -> Size:
        """Width and height of the box."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def mask(self, opacity: float, rim: int = 0) -> Image.Image:
        """Return how opaque each pixel of the box is (L)."""
        mask, level = Image.new("L", self.size), round(255 * opacity)
        ImageDraw.Draw(mask).multiline_text(
            (-self.box[0], -self.box[1]),
            self.text,
            fill=level,
            font=self.font,
            stroke_width=rim,
            stroke_fill=level,
            align=self.align,
        )
        return mask


def set_text(text: str, font: ImageFont.FreeTypeFont, rim: int = 0, align: Align = "center") -> Setting:
    """Set a text as it is, line by line."""
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font, stroke_width=rim, align=align)
    return Setting(text, font, rim, align, (int(left) - 1, int(top) - 1, int(right) + 2, int(bottom) + 2))


def write(image: Image.Image, at: tuple[int, int], colour: str, mask: Image.Image) -> None:
    """Paint a colour through a mask, whose top left corner is at ``at``; what lies outside of the picture is cut."""
    left, top = max(0, at[0]), max(0, at[1])
    right, bottom = min(image.width, at[0] + mask.width), min(image.height, at[1] + mask.height)
    blend(image, colour, mask.crop((left - at[0], top - at[1], right - at[0], bottom - at[1])), (left, top))

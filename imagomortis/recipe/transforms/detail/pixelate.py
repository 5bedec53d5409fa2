"""Replaces the picture, or a rectangle of it, by large squares of one colour each."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.detail.region import Region
from imagomortis.recipe.transforms.step import Context, Length, Size, begin, shorter, slider, whole


class Pixelate(Region):
    """Squares that hide what is in them, for example a face or a number plate."""

    model_config = begin(size="4%", x="25%", y="25%", width="50%", height="50%")

    transform: Literal["pixelate"] = "pixelate"
    size: Length = Field(Length(4), description="side of a square", json_schema_extra=slider(0.5, 20, 0.5))

    def change(self, part: Image.Image, whole_size: Size, context: Context) -> Image.Image:
        """Average the pixels of each square; the squares are stretched a little to fill the rectangle evenly."""
        side = whole(self.size.pixels(shorter(whole_size), context.scale))
        few = (whole(part.width / side), whole(part.height / side))
        return part.resize(few, Image.Resampling.BOX).resize(part.size, Image.Resampling.NEAREST)

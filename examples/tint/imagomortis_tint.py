"""Tints a picture: greys become shades of one colour."""

from __future__ import annotations

from typing import Literal

from PIL import Image, ImageOps
from pydantic import Field

from imagomortis.recipe.transforms.step import Colour, Context, Step, slider


class Tint(Step):
    """Greys turned into shades of one colour."""

    transform: Literal["tint"] = "tint"
    amount: float = Field(
        1.0, ge=0, le=1, description="1 leaves no other colour, 0 changes nothing", json_schema_extra=slider(0, 1, 0.02)
    )
    colour: Colour = Field("#704214", description="the colour of the middle greys")

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Colour the grey of each pixel, and mix with its own colour; transparency stays as it is."""
        tinted = ImageOps.colorize(image.convert("L"), "black", "white", mid=self.colour)
        result = Image.blend(image.convert("RGB"), tinted, self.amount)
        if image.mode == "RGBA":
            result.putalpha(image.getchannel("A"))
        return result

"""Replaces the colours of the picture by shades between two."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.colour.mixing import greys, opaque, with_alpha_of
from imagomortis.recipe.transforms.drawing.paint import rgb
from imagomortis.recipe.transforms.step import Colour, Context, Step, slider


class Colourise(Step):
    """A duotone: dark parts get one colour, bright parts another, and the rest shades between them."""

    transform: Literal["colourise"] = "colourise"
    shadows: Colour = Field("#1d3557", title="Dark parts", description="colour that black becomes")
    highlights: Colour = Field("#f1faee", title="Bright parts", description="colour that white becomes")
    amount: float = Field(
        1.0, ge=0, le=1, description="1 leaves no other colour, 0 changes nothing", json_schema_extra=slider(0, 1, 0.02)
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Map how bright each pixel looks to a shade, and mix that with its own colour."""
        if self.amount == 0:
            return image
        grey = greys(image)
        ends = zip(rgb(self.shadows), rgb(self.highlights), strict=True)
        shades = Image.merge("RGB", [grey.point(_ramp(dark, bright)) for dark, bright in ends])
        result = shades if self.amount == 1 else Image.blend(opaque(image), shades, self.amount)
        return with_alpha_of(image, result)


def _ramp(dark: int, bright: int) -> list[int]:
    return [round(dark + (bright - dark) * level / 255) for level in range(256)]

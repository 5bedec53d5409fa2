"""Sharpens the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image, ImageFilter
from pydantic import Field

from imagomortis.recipe.transforms.detail.blur import softened
from imagomortis.recipe.transforms.step import HIDDEN, Context, Length, Step, shorter, slider

_SEEN = [0] + [255] * 255


class Sharpen(Step):
    """An unsharp mask: what a slight blur takes away is added."""

    transform: Literal["sharpen"] = "sharpen"
    amount: float = Field(
        1.0, ge=0, le=5, description="how much is added; 0 changes nothing", json_schema_extra=slider(0, 5, 0.1)
    )
    radius: Length = Field(
        Length(0.15), description="standard deviation of the blur that it compares with", json_schema_extra=HIDDEN
    )
    threshold: int = Field(
        2,
        ge=0,
        le=255,
        description="least difference that counts, so that noise does not grow",
        json_schema_extra=HIDDEN,
    )

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Sharpen the colours, and leave transparency unchanged."""
        side = shorter(image.size)
        radius = min(self.radius.pixels(side, context.scale), side)
        if radius <= 0 or self.amount == 0:
            return image
        mask = ImageFilter.UnsharpMask(radius, round(self.amount * 100), self.threshold)
        if image.mode == "RGB":
            return image.filter(mask)
        alpha = image.getchannel("A")
        # colours of transparent pixels are invisible; the neighbours' colours replace them, or edges would get a halo
        extended = softened(image, radius)
        extended.paste(image, mask=alpha.point(_SEEN))
        sharp = extended.filter(mask)
        sharp.putalpha(alpha)
        return sharp

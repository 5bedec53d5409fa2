"""Blurs the picture, or a rectangle of it."""

from __future__ import annotations

from typing import Literal

from PIL import Image, ImageFilter
from pydantic import Field

from imagomortis.recipe.transforms.detail.region import Region
from imagomortis.recipe.transforms.step import Context, Length, Size, begin, shorter, slider


class Blur(Region):
    """A Gaussian blur."""

    model_config = begin(radius="0.6%")

    transform: Literal["blur"] = "blur"
    radius: Length = Field(Length(1), description="standard deviation of the blur", json_schema_extra=slider(0, 5, 0.1))

    def change(self, part: Image.Image, whole_size: Size, context: Context) -> Image.Image:
        """Blur by an approximation whose time does not depend on the radius."""
        side = shorter(whole_size)
        radius = min(self.radius.pixels(side, context.scale), side)
        return softened(part, radius) if radius > 0 else part


def softened(image: Image.Image, radius: float) -> Image.Image:
    """Return the picture blurred. Transparent pixels count less, so that edges do not become dark."""
    blur = ImageFilter.GaussianBlur(radius)
    return image.convert("RGBa").filter(blur).convert("RGBA") if image.mode == "RGBA" else image.filter(blur)

"""Exposes the picture longer or shorter, as a camera does."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, slider
from imagomortis.recipe.transforms.tone.curves import level, light
from imagomortis.recipe.transforms.tone.levels import map_levels


class Exposure(Step):
    """More or less light, in stops."""

    transform: Literal["exposure"] = "exposure"
    stops: float = Field(
        ge=-5,
        le=5,
        description="each stop doubles the light, or halves it below 0",
        examples=[0.5],
        json_schema_extra=slider(-3, 3, 0.05, ""),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Multiply the light that the levels stand for."""
        factor = 2**self.stops
        return map_levels(image, lambda value: 255 * level(light(value / 255) * factor))

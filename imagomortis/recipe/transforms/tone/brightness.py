"""Makes the picture brighter or darker."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step
from imagomortis.recipe.transforms.tone.levels import map_levels
from imagomortis.recipe.transforms.tone.strength import Factor


class Brightness(Step):
    """A factor on all levels."""

    transform: Literal["brightness"] = "brightness"
    factor: Factor = Field(description="1 changes nothing, 0 is black, above 1 is brighter", examples=[1.1])

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Multiply the levels."""
        return map_levels(image, lambda level: level * self.factor)

"""Lifts or lowers the dark parts of the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step
from imagomortis.recipe.transforms.tone.curves import lifted
from imagomortis.recipe.transforms.tone.levels import map_levels
from imagomortis.recipe.transforms.tone.strength import Amount


class Shadows(Step):
    """Brighter or darker shadows; black stays black, and highlights stay."""

    transform: Literal["shadows"] = "shadows"
    amount: Amount = Field(description="above 0 shows more in dark parts, below 0 less", examples=[0.4])

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Lift or lower the dark levels."""
        return map_levels(image, lambda value: 255 * lifted(value / 255, self.amount))

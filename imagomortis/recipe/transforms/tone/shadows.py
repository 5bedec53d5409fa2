"""Lifts or lowers the dark parts of the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, slider
from imagomortis.recipe.transforms.tone.curves import lifted
from imagomortis.recipe.transforms.tone.levels import map_levels


class Shadows(Step):
    """Brighter or darker shadows; black stays black, and highlights stay."""

    transform: Literal["shadows"] = "shadows"
    amount: float = Field(
        ge=-1,
        le=1,
        description="above 0 shows more in dark parts, below 0 less",
        examples=[0.4],
        json_schema_extra=slider(-1, 1, 0.02),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Lift or lower the dark levels."""
        return map_levels(image, lambda value: 255 * lifted(value / 255, self.amount))

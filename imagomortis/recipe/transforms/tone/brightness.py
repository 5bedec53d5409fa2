"""Makes the picture brighter or darker."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, slider
from imagomortis.recipe.transforms.tone.levels import map_levels


class Brightness(Step):
    """A factor on all levels."""

    transform: Literal["brightness"] = "brightness"
    factor: float = Field(
        ge=0,
        le=5,
        title="Strength",
        description="1 changes nothing, 0 is black, above 1 is brighter",
        examples=[1.1],
        json_schema_extra=slider(0, 2, 0.02),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Multiply the levels."""
        return map_levels(image, lambda level: level * self.factor)

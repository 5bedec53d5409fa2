"""Increases or reduces the contrast."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, slider
from imagomortis.recipe.transforms.tone.levels import map_levels

_MIDDLE = 127.5


class Contrast(Step):
    """A factor on the distance of all levels from medium grey."""

    transform: Literal["contrast"] = "contrast"
    factor: float = Field(
        ge=0,
        le=5,
        title="Strength",
        description="1 changes nothing, 0 is grey, above 1 is harder",
        examples=[1.1],
        json_schema_extra=slider(0, 2, 0.02),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Scale the levels' distance from medium grey."""
        return map_levels(image, lambda level: _MIDDLE + (level - _MIDDLE) * self.factor)

"""Increases or reduces the contrast."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step
from imagomortis.recipe.transforms.tone.levels import map_levels
from imagomortis.recipe.transforms.tone.strength import Factor

_MIDDLE = 127.5


class Contrast(Step):
    """A factor on the distance of all levels from medium grey."""

    transform: Literal["contrast"] = "contrast"
    factor: Factor = Field(description="1 changes nothing, 0 is grey, above 1 is harder", examples=[1.1])

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Scale the levels' distance from medium grey."""
        return map_levels(image, lambda level: _MIDDLE + (level - _MIDDLE) * self.factor)

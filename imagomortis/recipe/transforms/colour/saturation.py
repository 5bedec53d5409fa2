"""Makes colours stronger or paler."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.colour.mixing import saturate
from imagomortis.recipe.transforms.step import Context, Step, slider
from imagomortis.recipe.transforms.tone.strength import Factor


class Saturation(Step):
    """A factor on the distance of all colours from grey."""

    transform: Literal["saturation"] = "saturation"
    factor: Factor = Field(
        description="1 changes nothing, 0 is grey, above 1 is stronger",
        examples=[1.2],
        json_schema_extra=slider(0, 3, 0.02),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Move the colours away from the grey of their brightness, or towards it."""
        return saturate(image, self.factor)

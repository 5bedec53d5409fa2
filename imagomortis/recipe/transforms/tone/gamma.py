"""Brightens or darkens the middle tones of the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, slider
from imagomortis.recipe.transforms.tone.levels import map_levels


class Gamma(Step):
    """Brighter or darker middle tones; black and white stay."""

    transform: Literal["gamma"] = "gamma"
    gamma: float = Field(
        ge=0.1,
        le=10,
        description="1 changes nothing, above 1 is brighter, below 1 darker",
        examples=[1.4],
        json_schema_extra=slider(0.2, 3, 0.02, ""),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Raise the levels, from 0 to 1, to the power of 1 / gamma."""
        return map_levels(image, lambda level: 255 * (level / 255) ** (1 / self.gamma))

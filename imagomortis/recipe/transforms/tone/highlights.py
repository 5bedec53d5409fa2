"""Lowers or lifts the bright parts of the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step
from imagomortis.recipe.transforms.tone.curves import lifted
from imagomortis.recipe.transforms.tone.levels import map_levels
from imagomortis.recipe.transforms.tone.strength import Amount


class Highlights(Step):
    """Darker or brighter highlights; white stays white, and shadows stay."""

    transform: Literal["highlights"] = "highlights"
    amount: Amount = Field(description="below 0 shows more in bright parts, above 0 less", examples=[-0.4])

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Lower or lift the bright levels."""
        return map_levels(image, lambda value: 255 * (1 - lifted(1 - value / 255, -self.amount)))

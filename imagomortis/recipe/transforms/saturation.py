"""Makes colours stronger or paler."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.colours import saturate
from imagomortis.recipe.transforms.step import Context, Step, register


class Saturation(Step):
    """A factor on the distance of all colours from grey."""

    transform: Literal["saturation"] = "saturation"
    factor: float = Field(ge=0, le=5, description="1 changes nothing, 0 is grey, above 1 is stronger", examples=[1.3])


@register(Saturation)
def saturation(image: Image.Image, step: Saturation, _context: Context) -> Image.Image:
    """Draw the colours away from the grey of their brightness, or towards it."""
    return saturate(image, step.factor)

"""Makes the picture brighter or darker."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.colours import map_levels
from imagomortis.recipe.transforms.step import Context, Step, register


class Brightness(Step):
    """A factor on all levels."""

    transform: Literal["brightness"] = "brightness"
    factor: float = Field(ge=0, le=5, description="1 changes nothing, 0 is black, above 1 is brighter", examples=[1.2])


@register(Brightness)
def brightness(image: Image.Image, step: Brightness, _context: Context) -> Image.Image:
    """Multiply the levels."""
    return map_levels(image, lambda level: level * step.factor)

"""Makes the picture warmer or cooler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.colour.mixing import LUMINANCE
from imagomortis.recipe.transforms.step import Context, Step
from imagomortis.recipe.transforms.tone.curves import level, light
from imagomortis.recipe.transforms.tone.levels import map_channels
from imagomortis.recipe.transforms.tone.strength import Amount

_STOPS = 0.5
"""How much more light red has, and how much less blue, at an amount of 1."""


class Temperature(Step):
    """Warmer, towards orange, or cooler, towards blue; greys stay as bright as they are."""

    transform: Literal["temperature"] = "temperature"
    amount: Amount = Field(description="above 0 is warmer, below 0 cooler", examples=[0.3])

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Multiply the light of red and blue by opposite factors, and all light so that grey keeps its luminance."""
        gains = (2 ** (_STOPS * self.amount), 1.0, 2 ** (-_STOPS * self.amount))
        whole = sum(gain * weight for gain, weight in zip(gains, LUMINANCE, strict=True))
        return map_channels(image, [_multiplied(gain / whole) for gain in gains])


def _multiplied(factor: float) -> Callable[[float], float]:
    return lambda value: 255 * level(light(value / 255) * factor)

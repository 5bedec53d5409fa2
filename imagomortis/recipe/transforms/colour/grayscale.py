"""Removes the colours of the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.colour.mixing import saturate
from imagomortis.recipe.transforms.step import Context, Step, slider


class Grayscale(Step):
    """Greys as bright as the colours look."""

    transform: Literal["grayscale"] = "grayscale"
    amount: float = Field(
        1.0, ge=0, le=1, description="1 takes all colour, 0 none", json_schema_extra=slider(0, 1, 0.02)
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Mix each colour with a grey of the same brightness."""
        return saturate(image, 1 - self.amount)

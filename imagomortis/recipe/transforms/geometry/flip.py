"""Mirrors the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, labels

_METHODS = {"horizontal": Image.Transpose.FLIP_LEFT_RIGHT, "vertical": Image.Transpose.FLIP_TOP_BOTTOM}


class Flip(Step):
    """Left and right, or top and bottom, change places."""

    transform: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical"] = Field(
        "horizontal",
        description="`horizontal`: left and right change places; `vertical`: top and bottom",
        json_schema_extra=labels(horizontal="Left and right", vertical="Top and bottom"),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Mirror without loss."""
        return image.transpose(_METHODS[self.direction])

"""Cuts uniform borders off the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, slider


class Trim(Step):
    """Borders of one colour are cut off, also transparent ones; a picture of one colour stays as it is.

    The size of the result depends on the pixels, so the plan of sizes has the largest possible one, the picture's own.
    """

    transform: Literal["trim"] = "trim"
    tolerance: int = Field(
        20,
        ge=0,
        le=255,
        description="most difference from the colour of the top left pixel, from 0 to 255, that counts as border",
        json_schema_extra=slider(0, 100, 1, ""),
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Cut out what differs from the colour of the top left pixel."""
        box = _differing(image, self.tolerance).getbbox(alpha_only=False)
        return image if box is None or box == (0, 0, *image.size) else image.crop(box)


def _differing(image: Image.Image, tolerance: int) -> Image.Image:
    """Return a picture that is black where the top left pixel's colour is; all invisible pixels have the same one."""
    if image.mode == "RGBA":
        image = image.convert("RGBa")  # colours count as much as they are visible
    corner = image.crop((0, 0, 1, 1)).tobytes()
    return image.point([255 * (abs(level - each) > tolerance) for each in corner for level in range(256)])

"""Says as what kind of file the result is written."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Colour, Context, Step, register


class Encode(Step):
    """A format and its quality; of several such steps the last counts.

    Without a format the result has the original's, if pages can show that: HEIC, TIFF, BMP and GIF become JPEG, or
    PNG where something is transparent, and so does what the original's format cannot hold: transparency of a JPEG,
    a side over 16,383 pixels of a WebP, AVIF beyond 50 megapixels.
    """

    transform: Literal["encode"] = "encode"
    format: Literal["jpeg", "png", "webp", "avif"] | None = Field(
        None, description="kind of file; the original's without"
    )
    quality: int | None = Field(
        None,
        ge=1,
        le=100,
        description="1 to 100; without it 90 for JPEG, 85 for WebP, 65 for AVIF; PNG is without loss",
    )
    lossless: bool = Field(False, description="WebP without loss")
    background: Colour = Field("#ffffff", description="what shows through where JPEG cannot be transparent")


@register(Encode)
def encode(image: Image.Image, _step: Encode, _context: Context) -> Image.Image:
    """Return the pixels as they are: the step counts when the result is written."""
    return image

"""Chooses the file format of the result."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from PIL import Image
from pydantic import ConfigDict, Field

from imagomortis.recipe.transforms.step import HIDDEN, Colour, Context, Size, Step, begin, labels, slider


class Encode(Step):
    """A format and its quality; of several such steps the last counts.

    Without a format the result has the original's, if pages can show that: HEIC, TIFF, BMP and GIF become JPEG, or
    PNG where something is transparent, and so does what the original's format cannot hold: transparency of a JPEG,
    a side over 16,383 pixels of a WebP, AVIF beyond 50 megapixels.
    """

    model_config = begin(format="webp", quality=85) | ConfigDict(title="File format")

    transform: Literal["encode"] = "encode"
    format: Literal["jpeg", "png", "webp", "avif", "auto"] | None = Field(
        None,
        description="kind of file; `auto`: WebP, or AVIF if that is smaller and there are at most 4 megapixels; "
        "the original's without",
        json_schema_extra=labels(jpeg="JPEG", png="PNG", webp="WebP", avif="AVIF", auto="WebP or AVIF"),
    )
    quality: Annotated[int, Field(ge=1, le=100)] | Literal["auto"] | None = Field(
        None,
        description="1 to 100, or `auto`: the lowest quality that looks alike, a structural similarity of 0.97; "
        "without it 90 for JPEG, 85 for WebP, 65 for AVIF; PNG is without loss",
        json_schema_extra=slider(1, 100, 1, ""),
    )
    lossless: bool = Field(False, description="WebP without loss", json_schema_extra=HIDDEN)
    background: Colour = Field(
        "#ffffff", description="what shows through where JPEG cannot be transparent", json_schema_extra=HIDDEN
    )
    progressive: bool = Field(
        False,
        exclude_if=lambda progressive: not progressive,
        description="JPEG that appears as a whole and becomes sharper while it loads",
        json_schema_extra=HIDDEN,
    )
    max_bytes: int | None = Field(
        None,
        ge=500,
        le=100_000_000,
        exclude_if=lambda max_bytes: max_bytes is None,
        description="most bytes of the file; the quality becomes as low as this needs",
        json_schema_extra=HIDDEN,
    )

    def surplus(self, _size: Size) -> float:
        """Return infinity: the step looks at no pixel."""
        return math.inf

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Return the pixels unchanged: the step takes effect when the result is encoded."""
        return image

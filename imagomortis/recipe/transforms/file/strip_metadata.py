"""Removes the camera's and the photographer's metadata from the result."""

from __future__ import annotations

import math
from typing import Literal

from PIL import Image

from imagomortis.recipe.transforms.step import Context, Size, Step


class StripMetadata(Step):
    """No EXIF, XMP or IPTC in the result; without this step it names camera, exposure, time and copyright.

    Where a picture was taken, serial numbers and the camera maker's own notes are never in a result.
    """

    transform: Literal["strip_metadata"] = "strip_metadata"

    def surplus(self, _size: Size) -> float:
        """Return infinity: the step looks at no pixel."""
        return math.inf

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Return the pixels unchanged: the step takes effect when the result is encoded."""
        return image

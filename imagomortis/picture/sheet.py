"""Draws a sheet of thumbnails, side by side."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Final

from PIL import Image

from imagomortis.picture.codec import MEDIA_TYPES, Encoded

COLUMNS: Final = 6
TILE: Final = 96
"""The sheet's columns, and the side of a tile in pixels."""

MOST: Final = COLUMNS * 4
"""Thumbnails on a sheet."""


def draw(thumbnails: Sequence[bytes]) -> Encoded:
    """Return the sheet of one to ``MOST`` thumbnails, which are WebP files, as a WebP file."""
    rows, columns = math.ceil(len(thumbnails) / COLUMNS), min(len(thumbnails), COLUMNS)
    sheet = Image.new("RGB", (columns * TILE, rows * TILE), "white")
    for place, data in enumerate(thumbnails):
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as picture:
            tile = picture.convert("RGB")
        tile.thumbnail((TILE - 4, TILE - 4))
        left = place % COLUMNS * TILE + (TILE - tile.width) // 2
        top = place // COLUMNS * TILE + (TILE - tile.height) // 2
        sheet.paste(tile, (left, top))
    target = io.BytesIO()
    # the sheets are the largest thing in Dagster's database; as JPEG they would be three times as large
    sheet.save(target, "WEBP", quality=60)
    return Encoded(MEDIA_TYPES["webp"], *sheet.size, target.getvalue())

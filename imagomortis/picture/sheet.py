"""Draws a contact sheet of thumbnails."""

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
"""The largest number of thumbnails on a sheet."""


def draw(thumbnails: Sequence[bytes]) -> Encoded:
    """Return a sheet of one to ``MOST`` thumbnails; each is a WebP or a JPEG file."""
    rows, columns = math.ceil(len(thumbnails) / COLUMNS), min(len(thumbnails), COLUMNS)
    sheet = Image.new("RGB", (columns * TILE, rows * TILE), "white")
    for place, data in enumerate(thumbnails):
        with Image.open(io.BytesIO(data), formats=["WEBP", "JPEG"]) as picture:
            tile = picture.convert("RGB")
        tile.thumbnail((TILE - 4, TILE - 4))
        left = place % COLUMNS * TILE + (TILE - tile.width) // 2
        top = place // COLUMNS * TILE + (TILE - tile.height) // 2
        sheet.paste(tile, (left, top))
    target = io.BytesIO()
    # sheets are the largest data in Dagster's database, and would be three times as large as JPEG
    sheet.save(target, "WEBP", quality=60)
    return Encoded(MEDIA_TYPES["webp"], *sheet.size, target.getvalue())

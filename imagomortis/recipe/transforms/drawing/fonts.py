"""Opens the fonts that ship."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Final, Literal

from PIL import ImageFont

Face = Literal["sans", "serif", "mono"]

FILES: Final[dict[Face, str]] = {"sans": "DejaVuSans.ttf", "serif": "DejaVuSerif.ttf", "mono": "DejaVuSansMono.ttf"}


@cache
def read(face: Face) -> bytes:
    """Return a font's file, which is read once."""
    return (files("imagomortis.recipe") / "fonts" / FILES[face]).read_bytes()


def load() -> None:
    """Read every font now, because the process cannot open their files later."""
    for face in FILES:
        read(face)


@lru_cache(maxsize=16)
def font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """Return a font with letters of a size in pixels."""
    return ImageFont.truetype(BytesIO(read(face)), size, layout_engine=ImageFont.Layout.BASIC)

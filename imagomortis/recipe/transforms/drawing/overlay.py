"""Lays an asset over the picture."""

from __future__ import annotations

from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.assets import AssetReference
from imagomortis.recipe.transforms.drawing.paint import Opacity
from imagomortis.recipe.transforms.step import (
    HIDDEN,
    Context,
    Length,
    Place,
    Size,
    Step,
    labels,
    offset,
    shorter,
    slider,
    whole,
)


class Overlay(Step):
    """A stored picture laid over this one: once, as tiles, or stretched over all of it, as a frame is."""

    transform: Literal["overlay"] = "overlay"
    asset: AssetReference = Field(
        title="Picture", description="the asset's name, followed by `@` and its SHA-256 once that is known"
    )
    layout: Literal["once", "tiled", "stretched"] = Field(
        "once",
        description="once at its place, side by side all over the picture, or stretched to the picture's size",
        json_schema_extra=labels(once="Once", tiled="Tiles", stretched="Stretched"),
    )
    position: Place = Field("bottom-right", title="Place", description="where it stands if it is laid once")
    size: Length = Field(
        Length(20),
        description="its width, a share of the picture's; the height follows. It shrinks where it would not fit",
        json_schema_extra=slider(1, 100, 1),
    )
    margin: Length = Field(Length(3), description="distance from the edge, or between tiles", json_schema_extra=HIDDEN)
    opacity: Opacity = 1.0

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Lay the asset over the picture, in place."""
        asset = context.assets.picture(self.asset)
        side = shorter(image.size)
        margin = min(round(self.margin.pixels(side, context.scale)), side // 4)
        size = image.size if self.layout == "stretched" else self._size(asset.size, image.size, margin, context.scale)
        small = _faded(asset.resize(size, Image.Resampling.LANCZOS), self.opacity)
        if self.layout == "tiled":
            _tile(image, small, margin)
        else:
            _lay(image, small, offset(self.position, image.size, size, 0 if self.layout == "stretched" else margin))
        return image

    def _size(self, asset: Size, picture: Size, margin: int, scale: float) -> Size:
        width = self.size.pixels(picture[0], scale)
        ratio = min(width / asset[0], (picture[0] - 2 * margin) / asset[0], (picture[1] - 2 * margin) / asset[1])
        return whole(asset[0] * ratio), whole(asset[1] * ratio)


def _faded(asset: Image.Image, opacity: float) -> Image.Image:
    asset.putalpha(asset.getchannel("A").point([round(level * opacity) for level in range(256)]))
    return asset


def _tile(image: Image.Image, tile: Image.Image, gap: int) -> None:
    """Lay tiles row by row, because a large picture has room for millions of the smallest ones."""
    row = Image.new("RGBA", (image.width, tile.height))
    for left in range(0, image.width, tile.width + gap):
        row.paste(tile, (left, 0))
    for top in range(0, image.height, tile.height + gap):
        _lay(image, row, (0, top))


def _lay(image: Image.Image, asset: Image.Image, at: tuple[int, int]) -> None:
    if image.mode == "RGBA":
        image.alpha_composite(asset, at)
    else:
        image.paste(asset, at, asset)

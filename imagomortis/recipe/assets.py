"""Decodes assets: small pictures under a name, which recipes lay over others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from PIL import Image
from pydantic import Field

from imagomortis.errors import RefusedPicture, TransformFailed
from imagomortis.picture.codec import decode
from imagomortis.picture.header import MIB, Limits
from imagomortis.recipe.asset_references import REFERENCE, split

LIMITS: Final = Limits(max_bytes=MIB, max_pixels=16_777_216, max_side=8192)
"""A picture of 4096 x 4096 pixels takes 64 MiB of the memory of a decoder."""

AssetReference = Annotated[str, Field(pattern=REFERENCE, examples=["logo"], json_schema_extra={"x-asset": True})]
"""An asset's name, and `@` and the SHA-256 of its bytes in hexadecimal digits once that is known."""


class AssetFiles:
    """The pictures that steps can use."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Take the bytes by their SHA-256 in hexadecimal digits."""
        self._files = files

    def picture(self, reference: str) -> Image.Image:
        """Decode an asset into RGBA; raise TransformFailed if it is missing or damaged."""
        name, digest = split(reference)
        if not digest:
            raise TransformFailed(
                f"there was no asset {name!r} when the picture came. Store it, and apply the recipe again"
            )
        if digest not in self._files:
            raise TransformFailed(f"the picture {digest} of the asset {name!r} is gone. Store the same file again")
        try:
            return decode(self._files[digest], LIMITS).image.convert("RGBA")
        except RefusedPicture as error:
            raise TransformFailed(f"the asset {name!r} cannot be decoded. {error.detail.rstrip('.')}") from error


NO_ASSETS: Final = AssetFiles({})

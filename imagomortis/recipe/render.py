"""Renders an original by a recipe: the processed picture and its thumbnail, or a quick preview."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from imagomortis.picture.codec import LONGEST_SIDES, Encoded, choose_kind, decode, encode, thumbnail, too_long
from imagomortis.picture.header import Header, Limits, read_header
from imagomortis.recipe.recipe import Progress, Recipe

Kind = Literal["processed", "thumbnail", "preview"]
"""The purpose of a rendition."""

PREVIEW_SIDE: Final = 1024
"""Longest side of a preview, in pixels."""

_PREVIEW_PIXELS = 6_000_000
_PREVIEW_QUALITY = 82


@dataclass(frozen=True)
class Rendition:
    """A picture made from an original, as a file: its kind, media type, size in pixels and bytes."""

    kind: Kind
    media_type: str
    width: int
    height: int
    data: bytes

    @cached_property
    def sha256(self) -> bytes:
        """The SHA-256 of the bytes. It is always computed here, never taken from a sandbox child."""
        return hashlib.sha256(self.data).digest()


def render(
    original: bytes,
    recipe: Recipe,
    limits: Limits,
    progress: Progress | None = None,
    timed: Callable[[str, float], object] | None = None,
) -> tuple[Rendition, Rendition]:
    """Return the processed picture and its thumbnail; ``progress`` and ``timed`` are those of ``Recipe.apply``.

    Raises what ``read_header`` raises, BrokenPicture for the original, and TransformFailed if the recipe fails on it.
    """
    seed = hashlib.sha256(original).digest()
    header = read_header(original, limits)
    _check_plan(recipe, header, limits)
    picture = decode(original, limits, header=header)
    exif, pixels = picture.exif, [picture.image]
    # only the recipe refers to the pixels now, so they are freed once a step has made new ones
    del original, picture
    image = recipe.apply(pixels.pop(), seed, progress=progress, timed=timed)
    small = thumbnail(image)
    processed = encode(image, recipe.output, header.format, exif)
    return _rendition("processed", processed), _rendition("thumbnail", small)


def preview(original: bytes, recipe: Recipe, limits: Limits, longest_side: int = PREVIEW_SIDE) -> Rendition:
    """Return a smaller picture that looks like the processed one, and decode no more pixels than it needs.

    Its longest side has at most ``longest_side`` pixels. Raises what ``render`` raises.
    """
    seed = hashlib.sha256(original).digest()
    header = read_header(original, limits)
    sizes = [(header.width, header.height), *recipe.plan((header.width, header.height), limits)]
    scale = _preview_scale(sizes, longest_side)
    picture = decode(original, limits, scale, header)
    image = recipe.apply(picture.image, seed, scale)
    image.thumbnail((longest_side, longest_side))
    kind = choose_kind(recipe.output, picture.header.format, image.size, image.mode == "RGBA")
    output = recipe.output.for_preview(kind, _PREVIEW_QUALITY)
    return _rendition("preview", encode(image, output, picture.header.format))


def _check_plan(recipe: Recipe, header: Header, limits: Limits) -> None:
    sizes = recipe.plan((header.width, header.height), limits)
    kind = choose_kind(recipe.output, header.format, sizes[-1], transparent=False)
    if max(sizes[-1]) > LONGEST_SIDES[kind]:
        raise too_long(kind, sizes[-1])


def _preview_scale(sizes: list[tuple[int, int]], longest_side: int) -> float:
    """Return the scale at which the result is as large as the preview, and no step has too many pixels."""
    largest = max(width * height for width, height in sizes)
    return min(1.0, longest_side / max(sizes[-1]), math.sqrt(_PREVIEW_PIXELS / largest))


def _rendition(kind: Kind, encoded: Encoded) -> Rendition:
    return Rendition(kind, encoded.media_type, encoded.width, encoded.height, encoded.data)

"""Finds the quality at which an encoded picture is similar enough to its pixels, or small enough.

The similarity is the mean structural similarity (SSIM) of the luma, by equation 13 of Wang, Bovik, Sheikh and
Simoncelli, "Image quality assessment: from error visibility to structural similarity", IEEE Transactions on Image
Processing 13(4), 2004, with its constants. The windows are blocks of 8 x 8 pixels that do not overlap, in which all
pixels have the same weight.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final, cast

from PIL import Image, ImageMath

SIMILARITY: Final = 0.97
"""The similarity that the automatic quality keeps; 1 means identical."""

LOWEST: Final = 30
HIGHEST: Final = 95
"""The range of the automatic quality. A search in it takes at most seven encodings."""

LEAST: Final = 5
"""The lowest quality that is tried to keep a limit of bytes."""

_BLOCK = 8
_BAND = 32 * _BLOCK  # rows that are compared at a time, because the sums need 20 bytes a pixel
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Encode = Callable[[int], bytes]
"""Encodes the picture with a quality from 1 to 100."""


def lowest_similar(image: Image.Image, encode: Encode) -> int:
    """Return the lowest quality from LOWEST to HIGHEST that keeps SIMILARITY; HIGHEST if none does."""

    def is_similar(quality: int) -> bool:
        return similarity(image, Image.open(io.BytesIO(encode(quality)))) >= SIMILARITY

    return _first(LOWEST, HIGHEST, is_similar)


def highest_within(most_bytes: int, highest: int, encode: Encode) -> int | None:
    """Return the highest quality up to ``highest`` that makes at most ``most_bytes``; None if LEAST makes more."""
    if len(encode(highest)) <= most_bytes:
        return highest
    if len(encode(LEAST)) > most_bytes:
        return None
    return _first(LEAST, highest, lambda quality: len(encode(quality)) > most_bytes) - 1


def similarity(one: Image.Image, other: Image.Image) -> float:
    """Return the mean SSIM of two pictures of the same size."""
    one, other = _luma(one), _luma(other)
    total = 0.0
    for top in range(0, one.height, _BAND):
        box = (0, top, one.width, min(top + _BAND, one.height))
        total += _mean(one.crop(box).convert("F"), other.crop(box).convert("F")) * (box[3] - top)
    return total / one.height


def _luma(image: Image.Image) -> Image.Image:
    """Return the luma on a grey ground; pixels that nobody sees may differ."""
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (128, 128, 128, 255)), image)
    return image.convert("L")


def _mean(x: Image.Image, y: Image.Image) -> float:
    products = {
        "xx": ImageMath.lambda_eval(lambda of: of["x"] * of["x"], x=x),
        "yy": ImageMath.lambda_eval(lambda of: of["y"] * of["y"], y=y),
        "xy": ImageMath.lambda_eval(lambda of: of["x"] * of["y"], x=x, y=y),
        "x": x,
        "y": y,
    }
    means = {name: product.reduce(_BLOCK) for name, product in products.items()}
    mean = ImageMath.lambda_eval(_ssim, **means).resize((1, 1), Image.Resampling.BOX)
    return cast("float", mean.getpixel((0, 0)))


def _ssim(of: dict[str, Any]) -> Any:
    x, y = of["x"], of["y"]
    variances, covariance = of["xx"] - x * x + of["yy"] - y * y, of["xy"] - x * y
    return ((2 * x * y + _C1) * (2 * covariance + _C2)) / ((x * x + y * y + _C1) * (variances + _C2))


def _first(low: int, high: int, is_so: Callable[[int], bool]) -> int:
    """Return the first number from which on ``is_so`` holds; ``high`` if it holds for none below."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_so(middle) else (middle + 1, high)
    return low

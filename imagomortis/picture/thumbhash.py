"""Describes a picture in some 25 bytes, which show its colours and rough shapes until its thumbnail is there.

The format is ThumbHash by Evan Wallace (https://github.com/evanw/thumbhash, MIT licence): the first terms of a discrete
cosine transform of luminance, two colour differences and opacity. The page draws it in
`webui/src/gallery/tile/thumbhash.ts`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import mul
from typing import Final, NamedTuple

from PIL import Image

LONGEST: Final = 25
"""Most bytes of a hash."""

_SIDE = 16  # the transform's highest terms have three waves, so more pixels would tell no more

_NOTHING = 1e-9  # what is less comes from rounding


class _Terms(NamedTuple):
    """The mean of a channel, the other terms as shares of the largest one, and that one's size."""

    mean: float
    others: list[float]
    scale: float


def thumbhash(image: Image.Image) -> bytes:
    """Return the hash of an RGB or RGBA picture of any size."""
    ratio = _SIDE / max(image.size)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    return encode(image.resize(size, Image.Resampling.BOX).convert("RGBA"))


def encode(image: Image.Image) -> bytes:
    """Return the hash of an RGBA picture of at most 100 x 100 pixels, by the bits of the reference."""
    width, height = image.size
    red, green, blue, alpha = ([value / 255 for value in band.tobytes()] for band in image.split())
    opacity = sum(alpha)
    is_clear = opacity < width * height
    if is_clear:
        red, green, blue = (_on_its_mean(channel, alpha, opacity) for channel in (red, green, blue))
    limit = 5 if is_clear else 7
    across, down = (max(1, _round(limit * side / max(width, height))) for side in (width, height))

    light = [sum(rgb) / 3 for rgb in zip(red, green, blue, strict=True)]
    luminance = _terms(light, width, max(3, across), max(3, down))
    yellow = _terms([(r + g) / 2 - b for r, g, b in zip(red, green, blue, strict=True)], width, 3, 3)
    reddish = _terms([r - g for r, g in zip(red, green, strict=True)], width, 3, 3)
    channels = [luminance, yellow, reddish]

    is_wide = width > height
    head = _round(63 * luminance.mean) | _round(31 * luminance.scale) << 18 | is_clear << 23
    head |= _round(31.5 + 31.5 * yellow.mean) << 6 | _round(31.5 + 31.5 * reddish.mean) << 12
    tail = (down if is_wide else across) | is_wide << 15
    tail |= _round(63 * yellow.scale) << 3 | _round(63 * reddish.scale) << 9
    found = head.to_bytes(3, "little") + tail.to_bytes(2, "little")
    if is_clear:
        clear = _terms(alpha, width, 5, 5)
        channels.append(clear)
        found += bytes([_round(15 * clear.mean) | _round(15 * clear.scale) << 4])
    digits = [_round(15 * share) for channel in channels for share in channel.others]
    pairs = zip(digits[::2], [*digits[1::2], 0], strict=False)
    return found + bytes(low | high << 4 for low, high in pairs)


def _on_its_mean(channel: Sequence[float], alpha: Sequence[float], opacity: float) -> list[float]:
    """Put a channel on a ground of its own mean colour."""
    mean = sum(map(mul, channel, alpha)) / opacity if opacity else 0.0
    return [mean * (1 - share) + share * value for value, share in zip(channel, alpha, strict=True)]


def _terms(channel: Sequence[float], width: int, across: int, down: int) -> _Terms:
    """Return the terms of a channel, of which the highest frequencies in both directions are left out."""
    height = len(channel) // width
    rows = [channel[start : start + width] for start in range(0, len(channel), width)]
    # first along the rows, then down the columns of what that gives
    columns = [[sum(map(mul, row, wave)) for row in rows] for wave in _waves(width, across)]
    found = [
        sum(map(mul, columns[x], wave)) / len(channel)
        for y, wave in enumerate(_waves(height, down))
        for x in range(across)
        if x * down < across * (down - y)
    ]
    mean, *others = found
    scale = max(map(abs, others))
    if scale < _NOTHING:
        return _Terms(mean, [0.5] * len(others), 0.0)
    return _Terms(mean, [0.5 + 0.5 / scale * term for term in others], scale)


@lru_cache(maxsize=256)
def _waves(length: int, count: int) -> list[list[float]]:
    return [[math.cos(math.pi / length * turn * (at + 0.5)) for at in range(length)] for turn in range(count)]


def _round(value: float) -> int:
    """Round a positive number as JavaScript does."""
    return math.floor(value + 0.5)

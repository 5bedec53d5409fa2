"""Stretches the levels of the picture to the range from black to white."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Literal

from PIL import Image
from pydantic import Field

from imagomortis.recipe.transforms.step import Context, Step, slider
from imagomortis.recipe.transforms.tone.levels import map_channels

_LEVELS = 256
_VISIBLE = [0] + [255] * 255


class AutoLevels(Step):
    """The darkest pixels become black and the brightest white; transparent pixels do not count."""

    transform: Literal["auto_levels"] = "auto_levels"
    ignored: float = Field(
        0.5,
        ge=0,
        le=20,
        title="Ignored",
        description="percent of the darkest and of the brightest pixels that may lose their differences",
        json_schema_extra=slider(0, 5, 0.1, ""),
    )
    balance: bool = Field(
        False, title="Remove a tint", description="stretch red, green and blue each by itself, which removes a tint"
    )

    def apply(self, image: Image.Image, _context: Context) -> Image.Image:
        """Stretch all colours alike, or each by itself."""
        counts = _counts(image)
        if not self.balance:
            counts = [[sum(each) for each in zip(*counts, strict=True)]] * 3
        return map_channels(image, [_stretch(*_ends(each, self.ignored / 100)) for each in counts])


def _counts(image: Image.Image) -> list[list[int]]:
    """Return how many visible pixels have each level of red, of green and of blue."""
    mask = image.getchannel("A").point(_VISIBLE) if image.mode == "RGBA" else None
    found = image.histogram(mask)
    return [found[start : start + _LEVELS] for start in range(0, 3 * _LEVELS, _LEVELS)]


def _ends(counts: Sequence[int], ignored: float) -> tuple[int, int]:
    """Return the lowest and the highest level beyond which lie at most a share of ``ignored``."""
    most = sum(counts) * ignored
    low = sum(each <= most for each in accumulate(counts))
    high = _LEVELS - 1 - sum(each <= most for each in accumulate(reversed(counts)))
    return low, high


def _stretch(low: int, high: int) -> Callable[[float], float]:
    if low >= high:
        return lambda level: level  # the picture has one level, or no visible pixel
    return lambda level: (level - low) * 255 / (high - low)

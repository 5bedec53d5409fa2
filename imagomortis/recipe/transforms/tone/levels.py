"""Changes the levels of red, green and blue, each by itself; transparency is never changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image


def map_levels(image: Image.Image, level: Callable[[float], float]) -> Image.Image:
    """Return the picture with ``level`` applied to each colour's levels, 0 to 255, and clipped to that range."""
    return _through(image, _table(level) * 3)


def map_channels(image: Image.Image, levels: Sequence[Callable[[float], float]]) -> Image.Image:
    """Return the picture with a function of its own applied to red, green and blue, as ``map_levels`` does."""
    return _through(image, [entry for level in levels for entry in _table(level)])


def _table(level: Callable[[float], float]) -> list[int]:
    return [min(255, max(0, round(level(value)))) for value in range(256)]


def _through(image: Image.Image, tables: list[int]) -> Image.Image:
    untouched = list(range(256)) if image.mode == "RGBA" else []
    return image.point(tables + untouched)

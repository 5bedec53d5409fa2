"""A dozen pictures for the demo, drawn in code: landscapes, skies, fractals and patterns of 1 to 12 megapixels.

Each is computed on a grid that is as coarse as its softest part allows, enlarged, and given its details at full size.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from numpy.random import Generator, default_rng
from PIL import Image

from imagomortis_cli.pictures import landscapes, patterns, skies

Paint = Callable[[int, int, Generator], Image.Image]


@dataclass(frozen=True)
class DemoPicture:
    """A drawn picture, encoded: its file's name and bytes, and its size in pixels."""

    filename: str
    data: bytes
    width: int
    height: int


@dataclass(frozen=True)
class _Plan:
    """What is drawn, how large, and how it is encoded."""

    filename: str
    width: int
    height: int
    paint: Paint
    options: dict[str, Any]


def draw(seed: int = 1) -> Iterator[DemoPicture]:
    """Yield the pictures one after the other; the same seed draws the same ones."""
    for number, plan in enumerate(_PLANS):
        image = plan.paint(plan.width, plan.height, default_rng([seed, number]))
        file = io.BytesIO()
        image.save(file, **plan.options)
        yield DemoPicture(plan.filename, file.getvalue(), plan.width, plan.height)


_JPEG: Final[dict[str, Any]] = {"format": "JPEG", "quality": 88}
_PNG: Final[dict[str, Any]] = {"format": "PNG", "compress_level": 2}
_WEBP: Final[dict[str, Any]] = {"format": "WEBP", "quality": 86, "method": 1}

_PLANS: Final = (
    _Plan("sunset.jpg", 4000, 3000, landscapes.sunset, _JPEG),
    _Plan("mountains.jpg", 3600, 2200, landscapes.mountains, _JPEG),
    _Plan("night-sky.jpg", 3000, 2000, skies.night_sky, _JPEG),
    _Plan("dunes.jpg", 2700, 1900, landscapes.dunes, _JPEG),
    _Plan("aurora.jpg", 2600, 1600, skies.aurora, _JPEG),
    _Plan("city.png", 2000, 1500, landscapes.city, _PNG),
    _Plan("marble.webp", 1800, 1400, patterns.marble, _WEBP),
    _Plan("planet.jpg", 2000, 1300, skies.planet, _JPEG),
    _Plan("sunflower.png", 1400, 1800, patterns.sunflower, _PNG),
    _Plan("julia.webp", 1800, 1100, patterns.julia, _WEBP),
    _Plan("mandelbrot.png", 1600, 1000, patterns.mandelbrot, _PNG),
    _Plan("waves.png", 1300, 900, patterns.waves, _PNG),
)

NUMBER: Final = len(_PLANS)
"""How many pictures there are."""

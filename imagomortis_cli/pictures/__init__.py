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


def draw(seed: int = 1) -> Iterator[DemoPicture]:
    """Yield the pictures one after the other; the same seed draws the same ones."""
    for number, (filename, width, height, paint) in enumerate(_PLANS):
        image = paint(width, height, default_rng([seed, number]))
        file = io.BytesIO()
        image.save(file, **_OPTIONS[filename.rpartition(".")[2]])
        yield DemoPicture(filename, file.getvalue(), width, height)


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "jpg": {"format": "JPEG", "quality": 88},
    "png": {"format": "PNG", "compress_level": 2},
    "webp": {"format": "WEBP", "quality": 86, "method": 1},
}

_PLANS: Final[tuple[tuple[str, int, int, Paint], ...]] = (
    ("sunset.jpg", 4000, 3000, landscapes.sunset),
    ("mountains.jpg", 3600, 2200, landscapes.mountains),
    ("night-sky.jpg", 3000, 2000, skies.night_sky),
    ("dunes.jpg", 2700, 1900, landscapes.dunes),
    ("aurora.jpg", 2600, 1600, skies.aurora),
    ("city.png", 2000, 1500, landscapes.city),
    ("marble.webp", 1800, 1400, patterns.marble),
    ("planet.jpg", 2000, 1300, skies.planet),
    ("sunflower.png", 1400, 1800, patterns.sunflower),
    ("julia.webp", 1800, 1100, patterns.julia),
    ("mandelbrot.png", 1600, 1000, patterns.mandelbrot),
    ("waves.png", 1300, 900, patterns.waves),
)

NUMBER: Final = len(_PLANS)
"""How many pictures there are."""

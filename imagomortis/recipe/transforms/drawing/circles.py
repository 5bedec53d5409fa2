"""Draws random circles on the picture: the classic demo of this system."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeVar

from PIL import Image, ImageDraw
from pydantic import Field

from imagomortis.recipe.transforms.drawing.paint import blend
from imagomortis.recipe.transforms.step import HIDDEN, Box, Colour, Context, Length, Size, Step, labels, shorter, slider

PALETTES: Final = (
    ("#e63946", "#f1faee", "#a8dadc", "#457b9d", "#1d3557"),
    ("#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51"),
    ("#ffbe0b", "#fb5607", "#ff006e", "#8338ec", "#3a86ff"),
    ("#f72585", "#7209b7", "#3a0ca3", "#4361ee", "#4cc9f0"),
    ("#06d6a0", "#118ab2", "#ffd166", "#ef476f", "#f7fff7"),
    ("#ff9f1c", "#ffbf69", "#ffffff", "#cbf3f0", "#2ec4b6"),
)
"""Colours that go well together. A picture's seed selects one of the rows."""

_T = TypeVar("_T")
_CANDIDATES = 5
_NEIGHBOURS = 16
_BAND_PIXELS = 1 << 22
_FINE_RADIUS = 256


class Circles(Step):
    """Random circles, translucent or as rings, of varied size, evenly spread."""

    transform: Literal["circles"] = "circles"
    count: int = Field(
        15, ge=1, le=1000, title="How many", description="how many circles", json_schema_extra=slider(1, 200, 1, "")
    )
    opacity: float = Field(
        0.6, ge=0.05, le=1, description="from nearly invisible to solid", json_schema_extra=slider(0.05, 1, 0.05)
    )
    seed: int | None = Field(
        None,
        ge=0,
        le=2**53 - 1,
        description="what chance starts from; without it every picture gets its own circles",
        json_schema_extra=HIDDEN,
    )
    colours: Annotated[tuple[Colour, ...], Field(strict=False, min_length=1, max_length=16)] | None = Field(
        None,
        description="the colours to choose from; without them one of the built-in palettes",
        json_schema_extra=HIDDEN,
    )
    smallest: Length = Field(Length(3), description="least radius", json_schema_extra=slider(0.5, 20, 0.5))
    largest: Length = Field(Length(17), description="greatest radius", json_schema_extra=slider(1, 50, 0.5))
    style: Literal["mixed", "filled", "rings"] = Field(
        "mixed", description="discs, rings or both", json_schema_extra=labels(filled="Discs")
    )

    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Draw the circles in place, the large ones first."""
        seed = int.from_bytes(context.seed, "big") if self.seed is None else self.seed
        drawn = arrange(self, image.size, context.scale, random.Random(seed))  # noqa: S311 (for beauty, not for secrets)
        for number, circle in enumerate(drawn, start=1):
            _draw(image, circle)
            context.report(number / self.count)
        return image


@dataclass(frozen=True)
class Circle:
    """One circle: centre and radius in pixels, colour, and the opacity of its inside and its rim (0 to 255)."""

    x: float
    y: float
    radius: float
    colour: str
    inside: int
    rim: int
    rim_width: float


def arrange(step: Circles, size: Size, scale: float, chance: random.Random) -> list[Circle]:
    """Choose the circles, the large ones first.

    Only ``chance.random()`` is used, because no other method gives the same numbers in every version of Python.
    """
    side = shorter(size)
    low, high = sorted(min(length.pixels(side, scale), max(size)) for length in (step.smallest, step.largest))
    colours = step.colours or _pick(PALETTES, chance)
    radii = sorted((max(0.5, low + (high - low) * chance.random() ** 2) for _ in range(step.count)), reverse=True)
    placed: list[Circle] = []
    for radius in radii:
        x, y = _free_spot(size, radius, placed[-_NEIGHBOURS:], chance)
        colour = _pick(colours, chance)
        hollow = step.style == "rings" or (step.style == "mixed" and chance.random() < 0.3)
        rim = min(255, round(255 * (step.opacity + 0.25)))
        inside = 0 if hollow else round(255 * step.opacity * (1 - 0.5 * (1 - step.opacity) * chance.random()))
        width = radius * (0.05 + 0.12 * chance.random()) if hollow else max(radius * 0.025, 0.004 * side)
        placed.append(Circle(x, y, radius, colour, inside, rim, width))
    return placed


def _pick(choices: tuple[_T, ...], chance: random.Random) -> _T:
    return choices[int(chance.random() * len(choices))]


def _free_spot(size: Size, radius: float, placed: list[Circle], chance: random.Random) -> tuple[float, float]:
    """Return the one of some random spots that is farthest from the circles already placed."""
    spots = [(chance.random() * size[0], chance.random() * size[1]) for _ in range(_CANDIDATES)]

    def room(spot: tuple[float, float]) -> float:
        return min(
            (math.hypot(spot[0] - other.x, spot[1] - other.y) - other.radius - radius for other in placed), default=0
        )

    return max(spots, key=room)


def _draw(image: Image.Image, circle: Circle) -> None:
    """Blend one circle into the picture, within its own box and in bands, to need little memory."""
    fineness = 4 if circle.radius <= _FINE_RADIUS else 2
    for box in _bands(circle, image.size, fineness):
        blend(image, circle.colour, _mask(circle, box, fineness), box[:2])


def _bands(circle: Circle, size: Size, fineness: int) -> Iterator[Box]:
    left, right = (
        max(0, math.floor(circle.x - circle.radius) - 1),
        min(size[0], math.ceil(circle.x + circle.radius) + 1),
    )
    top, bottom = (
        max(0, math.floor(circle.y - circle.radius) - 1),
        min(size[1], math.ceil(circle.y + circle.radius) + 1),
    )
    if left >= right:
        return
    rows = max(1, _BAND_PIXELS // ((right - left) * fineness**2))
    for start in range(top, bottom, rows):
        yield left, start, right, min(start + rows, bottom)


def _mask(circle: Circle, box: Box, fineness: int) -> Image.Image:
    """Return how much of each pixel in the box the circle covers, antialiased by drawing it larger."""
    left, top, right, bottom = box
    mask = Image.new("L", ((right - left) * fineness, (bottom - top) * fineness))
    x, y, radius = (circle.x - left) * fineness, (circle.y - top) * fineness, circle.radius * fineness
    ImageDraw.Draw(mask).ellipse(
        (x - radius, y - radius, x + radius, y + radius),
        fill=circle.inside,
        outline=circle.rim,
        width=max(1, round(circle.rim_width * fineness)),
    )
    return mask.reduce(fineness)

"""What the demo's pictures are painted with: grids, colours, clouds of noise, ridges and grain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

Values = NDArray[np.floating[Any]]


def grid(width: int, height: int, step: int = 1) -> tuple[Values, Values]:
    """Return x in 0..1 as a row and y in 0..1 as a column, for every ``step``-th pixel."""
    x = np.linspace(0, 1, max(2, width // step), dtype=np.float32)[None, :]
    y = np.linspace(0, 1, max(2, height // step), dtype=np.float32)[:, None]
    return x, y


def shade(values: Values, *stops: tuple[float, tuple[int, int, int]]) -> Values:
    """Return the colours that ``stops`` (a value and its colour each) give to values."""
    places = np.array([place for place, _ in stops], dtype=np.float32)
    table = np.linspace(0, 1, 1024, dtype=np.float32)
    colours = np.stack(
        [np.interp(table, places, [colour[channel] for _, colour in stops]) for channel in range(3)], axis=-1
    ).astype(np.float32)
    return colours[np.clip(values * 1023, 0, 1023).astype(np.int16)]


def to_image(colours: Values, width: int, height: int) -> Image.Image:
    """Return colours in 0..255 as an image, enlarged to its size."""
    small = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    return small if small.size == (width, height) else small.resize((width, height), Image.Resampling.BICUBIC)


def noise(width: int, height: int, random: Generator, octaves: int = 5, coarse: int = 4) -> Values:
    """Return clouds in 0..1: random grids, each twice as fine and half as strong as the one before."""
    total = np.zeros((height, width), dtype=np.float32)
    for octave in range(octaves):
        cells = coarse * 2**octave
        cloud = random.random((max(2, cells * height // width), cells), dtype=np.float32)
        layer = Image.fromarray(cloud).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(layer) / 2**octave
    total -= total.min()
    total /= total.max()
    return total


def ridge(width: int, random: Generator, roughness: float) -> Values:
    """Return the height of a mountain ridge in -1..1 over ``width`` pixels: pointed waves, the shorter the lower."""
    x = np.linspace(0, 1, width, dtype=np.float32)
    total = np.zeros(width, dtype=np.float32)
    for octave in range(9):
        frequency = 2**octave * random.uniform(0.7, 1.3)
        wave = 1 - 2 * np.abs(np.sin(np.pi * (frequency * x + random.random())))
        total += (wave * roughness**octave).astype(np.float32)
    total /= np.abs(total).max()
    return total


def grained(image: Image.Image, random: Generator, strength: int) -> Image.Image:
    """Return the image with the grain of a film."""
    tile = random.integers(-strength, strength + 1, (512, 512, 1), dtype=np.int16)
    array = np.asarray(image)
    rows, columns = -(-array.shape[0] // 512), -(-array.shape[1] // 512)
    grain = np.tile(tile, (rows, columns, 1))[: array.shape[0], : array.shape[1]]
    return Image.fromarray(np.clip(array + grain, 0, 255).astype(np.uint8))

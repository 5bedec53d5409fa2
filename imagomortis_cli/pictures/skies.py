"""Pictures of what is above."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from imagomortis_cli.pictures import canvas


def night_sky(width: int, height: int, random: Generator) -> Image.Image:
    """Draw the Milky Way above hills."""
    x, y = canvas.grid(width, height, 4)
    clouds = canvas.noise(x.shape[1], y.shape[0], random, octaves=6)
    band = np.exp(-(((y - 0.25 - 0.5 * x) / 0.16) ** 2)) * (0.35 + 0.65 * clouds)
    colours = canvas.shade(
        band, (0.0, (6, 9, 26)), (0.4, (38, 34, 82)), (0.75, (128, 100, 148)), (1.0, (232, 206, 196))
    )
    colours *= (1 - 0.55 * np.clip(canvas.noise(x.shape[1], y.shape[0], random) - 0.5, 0, 1) * band)[..., None]
    array = np.array(canvas.to_image(colours, width, height))
    count = width * height // 900
    columns, rows = random.integers(1, width - 1, count), random.integers(1, height - 1, count)
    light = (random.pareto(2.2, count) * 60 + 40).clip(0, 255).astype(np.uint8)
    array[rows, columns] = np.maximum(array[rows, columns], light[:, None])
    for column, row in zip(columns[light > 150], rows[light > 150], strict=True):
        array[row - 1 : row + 2, column] = array[row, column - 1 : column + 2] = (235, 240, 255)
    image = Image.fromarray(array)
    ridge = height * (0.9 - 0.05 * canvas.ridge(width, random, 0.5))
    hills = [(0, height), *zip(range(width), ridge.tolist(), strict=True), (width, height)]
    ImageDraw.Draw(image).polygon(hills, fill=(3, 4, 10))
    return image


def aurora(width: int, height: int, random: Generator) -> Image.Image:
    """Draw northern lights above a forest."""
    x, y = canvas.grid(width, height, 4)
    colours = canvas.shade(np.broadcast_to(y, (y.shape[0], x.shape[1])), (0.0, (4, 8, 30)), (1.0, (14, 40, 60)))
    for colour, base in (((40, 240, 150), 0.62), ((90, 130, 255), 0.5), ((220, 70, 190), 0.4)):
        curve = base + 0.09 * np.sin(x * random.uniform(6, 11) + random.uniform(0, 6)) - 0.1 * x
        rays = 0.45 + 0.55 * canvas.noise(x.shape[1], 2, random, octaves=7, coarse=8)[:1]
        below = y - curve
        glow = np.where(below > 0, np.exp(-below * 28), np.exp(below * 6.5)) * rays
        colours += glow[..., None] * np.array(colour, dtype=np.float32) * 0.75
    image = canvas.to_image(colours, width, height)
    pen = ImageDraw.Draw(image)
    for _ in range(500):
        pen.point((int(random.integers(0, width)), int(random.integers(0, height * 2 // 3))), fill=(225, 235, 255))
    for foot in range(0, width, 26):
        tall = int(random.uniform(0.05, 0.16) * height)
        top = (foot + int(random.integers(-8, 9)), height * 0.9 - tall)
        pen.polygon([(foot - tall // 6, height), top, (foot + tall // 6, height)], fill=(3, 12, 18))
    return image


def planet(width: int, height: int, random: Generator) -> Image.Image:
    """Draw a planet with bands and a ring."""
    x, y = canvas.grid(width, height, 2)
    across, down = (x - 0.5) * 2.6 * width / height, (y - 0.5) * 2.6
    away = across**2 + down**2
    lit = np.sqrt(np.clip(1 - away, 0, 1))
    bands = canvas.noise(x.shape[1], y.shape[0], random, octaves=6, coarse=3) * 0.5
    tilted = down + 0.22 * across
    stripes = 0.5 + 0.25 * np.sin(tilted * 11 + bands * 5) + 0.18 * np.sin(tilted * 29 + bands * 9)
    surface = canvas.shade(
        stripes, (0.0, (120, 66, 40)), (0.4, (214, 160, 106)), (0.7, (246, 226, 190)), (1.0, (166, 96, 70))
    )
    light = np.clip(across * -0.55 + down * -0.4 + lit * 0.75, 0.02, 1)[..., None]
    ball = np.clip((1 - away) * 40, 0, 1)[..., None]
    colours = surface * light * ball + (1 - ball) * np.array([6, 7, 18], dtype=np.float32)
    ring = np.hypot(across, tilted * 4.2)
    grooves = 0.55 + 0.45 * np.sin(ring * 60) * np.sin(ring * 23)
    is_ring = ((ring > 1.25) & (ring < 1.95) & ((tilted > 0) | (away > 1)))[..., None]
    ice = np.array([214, 190, 156], dtype=np.float32) * grooves[..., None]
    colours = np.where(is_ring, colours * 0.25 + ice * 0.75, colours)
    image = canvas.to_image(colours, width, height)
    pen = ImageDraw.Draw(image)
    for _ in range(260):
        column, row = int(random.integers(0, width)), int(random.integers(0, height))
        if np.hypot(column - width / 2, row - height / 2) > height * 0.4:
            pen.point((column, row), fill=(200, 210, 235))
    return image

"""Pictures of places on the ground."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

from imagomortis_cli.pictures import canvas


def sunset(width: int, height: int, random: Generator) -> Image.Image:
    """Draw the sun above the sea, which mirrors the sky in waves."""
    horizon = 0.58
    x, y = canvas.grid(width, height, 4)
    sky = canvas.shade(
        np.broadcast_to(y / horizon, (y.shape[0], x.shape[1])),
        (0.0, (24, 26, 68)),
        (0.45, (122, 52, 108)),
        (0.75, (236, 98, 74)),
        (1.0, (255, 196, 112)),
    )
    clouds = np.clip(canvas.noise(x.shape[1], y.shape[0], random, coarse=3) - 0.5, 0, 1)[..., None]
    sky += clouds * np.array([150, 60, 40], dtype=np.float32) * np.clip(1 - np.abs(y - 0.35) * 2.4, 0, 1)[..., None]
    away = np.hypot((x - 0.62) * width / height, y - 0.47)
    sky += (np.exp(-away * 7) * 200)[..., None] * np.array([1, 0.75, 0.4], dtype=np.float32)
    sky = np.clip(sky, 0, 250)
    sky[away < 0.055] = (255, 246, 214)
    top = int(y.shape[0] * horizon)
    depth = y.shape[0] - top
    waves = np.sin(np.linspace(0, 1, depth, dtype=np.float32)[:, None] ** 0.4 * 190 + x * 9)
    shift = (waves * np.linspace(1, 26, depth, dtype=np.float32)[:, None]).astype(np.int32)
    rows = np.clip(top - 1 - np.arange(depth)[:, None] * top // depth, 0, top - 1)
    columns = np.clip(np.arange(x.shape[1])[None, :] + shift, 0, x.shape[1] - 1)
    sky[top:] = sky[rows, columns] * np.array([0.78, 0.62, 0.6], dtype=np.float32) * (0.86 + 0.14 * waves[..., None])
    return canvas.grained(canvas.to_image(sky, width, height), random, 3)


def mountains(width: int, height: int, random: Generator) -> Image.Image:
    """Draw ridge behind ridge, with mist in the valleys."""
    x, y = canvas.grid(width, height, 4)
    sky = canvas.shade(
        np.broadcast_to(y, (y.shape[0], x.shape[1])),
        (0.0, (96, 152, 204)),
        (0.5, (226, 226, 222)),
        (1.0, (250, 214, 178)),
    )
    image = canvas.to_image(sky, width, height)
    mist = Image.new("RGB", image.size, (240, 232, 222))
    density = Image.linear_gradient("L").resize(image.size).point([int(level * 0.35) for level in range(256)])
    layers = 7
    for layer in range(layers):
        near = layer / (layers - 1)
        ridge = (0.36 + 0.5 * near - (0.13 - 0.05 * near) * canvas.ridge(width, random, 0.46 + 0.08 * near)) * height
        colour = tuple(int((1 - near) * far + near * close) for far, close in ((186, 18), (204, 40), (216, 46)))
        mask = Image.new("L", (width, height))
        outline = [(0, height), *zip(range(0, width, 2), ridge[::2].tolist(), strict=True), (width, height)]
        ImageDraw.Draw(mask).polygon(outline, fill=255)
        rock = Image.new("RGB", image.size, colour)
        # the valley in front of each ridge but the last lies in mist
        image.paste(Image.composite(mist, rock, density) if near < 1 else rock, mask=mask)
    return canvas.grained(image, random, 3)


def dunes(width: int, height: int, random: Generator) -> Image.Image:
    """Draw dunes with the wind's ripples."""
    x, y = canvas.grid(width, height, 3)
    colours = canvas.shade(
        np.broadcast_to(y * 2, (y.shape[0], x.shape[1])), (0.0, (64, 140, 214)), (1.0, (250, 226, 190))
    )
    for layer in range(5):
        phase, near = random.uniform(0, 6), layer / 4
        crest = 0.42 + 0.13 * layer + (0.05 + 0.02 * layer) * np.sin(x * (5 - near * 2) + phase)
        below = y - crest
        slope = np.cos(x * (5 - near * 2) + phase)
        ripples = np.sin((y * 90 + x * 30 + 4 * np.sin(x * 12 + phase)) * (4 - 2 * near)) * 0.07
        light = 0.55 + 0.4 * slope + ripples * np.clip(below * 12, 0, 1) - below * 0.5
        sand = canvas.shade(np.clip(light, 0, 1), (0.0, (112, 54, 28)), (0.55, (222, 142, 72)), (1.0, (255, 214, 150)))
        edge = np.clip(below * y.shape[0], 0, 1)[..., None]
        colours = colours * (1 - edge) + sand * edge
    return canvas.grained(canvas.to_image(colours, width, height), random, 6)


def city(width: int, height: int, random: Generator) -> Image.Image:
    """Draw a city at dusk, with lights in its windows."""
    x, y = canvas.grid(width, height, 8)
    sky = canvas.shade(
        np.broadcast_to(y, (y.shape[0], x.shape[1])),
        (0.0, (30, 24, 78)),
        (0.45, (156, 66, 130)),
        (0.8, (255, 160, 106)),
    )
    image = canvas.to_image(sky, width, height)
    pen = ImageDraw.Draw(image)
    pen.ellipse([width * 0.68, height * 0.12, width * 0.68 + height * 0.14, height * 0.26], fill=(255, 236, 210))
    for layer in range(3):
        dark, column = 1 - layer / 2, -20
        colour = (int(20 + 62 * dark), int(16 + 34 * dark), int(42 + 66 * dark))
        while column < width:
            wide = int(random.integers(50, 150) * (1 + layer * 0.4))
            tall = int(height * random.uniform(0.16, 0.52 - 0.06 * layer))
            pen.rectangle([column, height - tall, column + wide, height], fill=colour)
            _windows(pen, (column, height - tall, wide, tall), random)
            column += wide + int(random.integers(0, 14))
    return image


def _windows(pen: ImageDraw.ImageDraw, house: tuple[int, int, int, int], random: Generator) -> None:
    left, top, wide, tall = house
    lit = random.random((tall // 22, wide // 18)) < 0.38
    for row, column in np.argwhere(lit).tolist():
        x, y = left + 6 + column * 18, top + 10 + row * 22
        pen.rectangle([x, y, x + 8, y + 11], fill=(255, 214, 128) if (row + column) % 5 else (190, 220, 255))

"""Pictures that are formulas."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from imagomortis_cli.pictures import canvas
from imagomortis_cli.pictures.canvas import Values


def marble(width: int, height: int, random: Generator) -> Image.Image:
    """Draw marble: stripes that clouds of noise have bent."""
    x, y = canvas.grid(width, height, 2)
    warp = canvas.noise(x.shape[1], y.shape[0], random, octaves=6, coarse=3)
    again = canvas.noise(x.shape[1], y.shape[0], random, octaves=5)
    veins = np.abs(np.sin((x * 2 + y * 1.2 + warp * 2.2 + again * 0.6) * 5))
    colours = canvas.shade(
        veins,
        (0.0, (232, 190, 96)),
        (0.06, (30, 90, 84)),
        (0.35, (14, 58, 66)),
        (0.75, (52, 142, 130)),
        (1.0, (222, 240, 226)),
    )
    return canvas.to_image(colours, width, height)


def waves(width: int, height: int, random: Generator) -> Image.Image:
    """Draw the waves of four stones in a pond."""
    x, y = canvas.grid(width, height)
    total = np.zeros((height, width), dtype=np.float32)
    for _ in range(4):
        across, down = random.uniform(-0.1, 1.1, 2).astype(np.float32)
        away = np.hypot(x - across, (y - down) * np.float32(height / width))
        total += np.sin(away * np.float32(random.uniform(60, 110)))
    colours = canvas.shade(
        np.floor((total + 4) / 8 * 9) / 9,
        (0.0, (20, 24, 60)),
        (0.35, (0, 110, 140)),
        (0.6, (250, 230, 190)),
        (0.85, (240, 110, 80)),
        (1.0, (120, 20, 60)),
    )
    return canvas.to_image(colours, width, height)


def sunflower(width: int, height: int, _: Generator) -> Image.Image:
    """Draw seeds at the golden angle, as a sunflower has them (H. Vogel's model, 1979)."""
    x, y = canvas.grid(width, height, 8)
    away = np.hypot(x - 0.5, (y - 0.5) * height / width)
    ground = canvas.shade(np.clip(away * 1.5, 0, 1), (0.0, (44, 26, 12)), (1.0, (12, 48, 40)))
    image = canvas.to_image(ground, width, height)
    pen = ImageDraw.Draw(image)
    golden, count, reach = np.pi * (3 - np.sqrt(5)), 1500, min(width, height) * 0.47
    for seed in range(count, 0, -1):
        part = np.sqrt(seed / count)
        column = width / 2 + reach * part * np.cos(seed * golden)
        row = height / 2 + reach * part * np.sin(seed * golden)
        size = reach * (0.008 + 0.02 * part)
        red, green, blue = (255, 120, 20 + 60 * part) if part > 0.55 else (120 + 190 * part, 60, 24)
        circle = [column - size, row - size, column + size, row + size]
        pen.ellipse(circle, fill=(int(red), int(green + 110 * part), int(blue)), outline=(60, 34, 10))
    return image.filter(ImageFilter.SMOOTH)


def julia(width: int, height: int, _: Generator) -> Image.Image:
    """Draw a Julia set."""
    x, y = canvas.grid(width, height, 2)
    points = ((x - 0.5) * 3.1 + 1j * (y - 0.5) * 3.1 * height / width).astype(np.complex64).ravel()
    values = _escape(points, np.full_like(points, -0.7927 + 0.1609j), 110)
    colours = canvas.shade(
        values.reshape(y.shape[0], x.shape[1]) ** 0.5,
        (0.0, (8, 10, 40)),
        (0.3, (28, 90, 160)),
        (0.55, (240, 200, 110)),
        (0.8, (200, 60, 60)),
        (1.0, (24, 6, 30)),
    )
    return canvas.to_image(colours, width, height)


def mandelbrot(width: int, height: int, _: Generator) -> Image.Image:
    """Draw the valley of the seahorses in the Mandelbrot set."""
    x, y = canvas.grid(width, height, 2)
    span = 0.0075
    real, imaginary = -0.7463 + (x - 0.5) * span, 0.1102 + (y - 0.5) * span * height / width
    starts = (real + 1j * imaginary).astype(np.complex64).ravel()
    values = _escape(np.zeros_like(starts), starts, 330)
    colours = canvas.shade(
        values.reshape(y.shape[0], x.shape[1]),
        (0.0, (4, 6, 60)),
        (0.25, (32, 110, 200)),
        (0.45, (236, 246, 250)),
        (0.65, (250, 170, 20)),
        (0.9, (90, 20, 60)),
        (1.0, (2, 2, 12)),
    )
    return canvas.to_image(colours, width, height)


def _escape(points: NDArray[np.complex64], constants: NDArray[np.complex64], steps: int) -> Values:
    """Return in 0..1 how soon each point leaves under z*z + c, smoothly; only those that stay are computed further."""
    values = np.ones(points.size, dtype=np.float32)
    here = np.arange(points.size)
    for step in range(steps):
        points = points * points + constants
        size = points.real**2 + points.imag**2
        gone = size > 64
        if gone.any():
            values[here[gone]] = (step + 1 - np.log2(np.log2(size[gone]) / 6)) / steps
            stay = ~gone
            points, constants, here = points[stay], constants[stay], here[stay]
    return np.clip(values, 0, 1)

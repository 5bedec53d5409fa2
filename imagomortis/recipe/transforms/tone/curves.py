"""Converts levels to light and back, and bends tones, for several transforms; all numbers are from 0 to 1."""

from __future__ import annotations

_STRAIGHT_LEVEL, _STRAIGHT_LIGHT = 0.04045, 0.0031308


def light(level: float) -> float:
    """Return the light that a level of sRGB stands for (IEC 61966-2-1)."""
    return level / 12.92 if level <= _STRAIGHT_LEVEL else ((level + 0.055) / 1.055) ** 2.4


def level(amount: float) -> float:
    """Return the level that stands for an amount of light, at most 1."""
    amount = min(1.0, amount)
    return amount * 12.92 if amount <= _STRAIGHT_LIGHT else 1.055 * amount ** (1 / 2.4) - 0.055


def lifted(level: float, amount: float) -> float:
    """Return a level with the dark ones lifted (``amount`` above 0) or lowered (below), both up to 1.

    Black, white and the order of levels stay: the slope of x(1 - x)³ is between -1/4 and 1.
    """
    strength = 2 * amount if amount > 0 else amount
    return level + strength * level * (1 - level) ** 3

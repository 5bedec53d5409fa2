"""Grayscale, brightness, contrast and saturation: what they do to levels, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.imagomortis.recipe.transforms.applying import applied
from tests.support.pictures import difference, faded, scene

levels = st.integers(0, 255)
pixels = st.tuples(levels, levels, levels)


def changed(pixel: tuple[int, int, int], transform: str, **parameters: Any) -> tuple[int, ...]:
    """Return what a transform makes of one pixel."""
    return tuple(applied(Image.new("RGB", (1, 1), pixel), transform, **parameters).tobytes())


@given(pixel=pixels)
@settings(max_examples=60, deadline=None)
def test_grayscale_leaves_no_colour(pixel: tuple[int, int, int]) -> None:
    red, green, blue = changed(pixel, "grayscale")
    assert max(red, green, blue) - min(red, green, blue) <= 1


def test_grayscale_is_as_bright_as_the_colours_look() -> None:
    assert (
        changed((0, 255, 0), "grayscale")[0]
        > changed((255, 0, 0), "grayscale")[0]
        > changed((0, 0, 255), "grayscale")[0]
    )


@given(pixel=pixels)
@settings(max_examples=60, deadline=None)
def test_half_a_grayscale_lies_between(pixel: tuple[int, int, int]) -> None:
    half, full = changed(pixel, "grayscale", amount=0.5), changed(pixel, "grayscale")
    assert all(min(a, c) - 1 <= b <= max(a, c) + 1 for a, b, c in zip(pixel, half, full, strict=True))


@pytest.mark.parametrize(
    ("transform", "parameters"),
    [
        ("brightness", {"factor": 1}),
        ("contrast", {"factor": 1}),
        ("saturation", {"factor": 1}),
        ("grayscale", {"amount": 0}),
    ],
)
def test_neutral_parameters_change_nothing(transform: str, parameters: dict[str, Any]) -> None:
    assert difference(applied(scene(60, 40), transform, **parameters), scene(60, 40)) == 0


@given(pixel=pixels, factor=st.floats(0, 5))
@settings(max_examples=60, deadline=None)
def test_brightness_multiplies_and_clips(pixel: tuple[int, int, int], factor: float) -> None:
    for before, after in zip(pixel, changed(pixel, "brightness", factor=factor), strict=True):
        assert after == pytest.approx(min(255, before * factor), abs=0.51)


@given(pixel=pixels, factor=st.floats(1, 5))
@settings(max_examples=60, deadline=None)
def test_contrast_draws_levels_away_from_the_middle(pixel: tuple[int, int, int], factor: float) -> None:
    for before, after in zip(pixel, changed(pixel, "contrast", factor=factor), strict=True):
        assert after >= before if before >= 128 else after <= before


def test_no_contrast_is_flat_grey() -> None:
    assert applied(scene(60, 40), "contrast", factor=0).getextrema() == ((128, 128),) * 3


def test_no_saturation_is_grayscale() -> None:
    image = scene(60, 40)
    assert difference(applied(image, "saturation", factor=0), applied(image, "grayscale")) == 0


def test_more_saturation_draws_colours_apart() -> None:
    red, green, blue = changed((150, 100, 100), "saturation", factor=2)
    assert red - green > 90
    assert abs(green - blue) <= 1


@pytest.mark.parametrize(
    ("transform", "parameters"),
    [("brightness", {"factor": 2}), ("contrast", {"factor": 2}), ("saturation", {"factor": 2}), ("grayscale", {})],
)
def test_transparency_stays(transform: str, parameters: dict[str, Any]) -> None:
    changed_image = applied(faded(), transform, **parameters)
    assert difference(changed_image.getchannel("A"), faded().getchannel("A")) == 0

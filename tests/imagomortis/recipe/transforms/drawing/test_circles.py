"""Circles: chance that can be repeated, and pictures that look good at every size."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imagomortis.recipe.transforms.drawing.circles import PALETTES, Circles, arrange
from imagomortis.recipe.transforms.step import Length
from tests.imagomortis.recipe.transforms.applying import SEED, applied, made, recipe
from tests.support.pictures import difference, faded, levels, pixels, scene

GREY = Image.new("RGB", (240, 160), "#808080")


def test_same_seed_and_picture_give_the_same_pixels() -> None:
    assert applied(GREY, "circles", seed=b"one").tobytes() == applied(GREY, "circles", seed=b"one").tobytes()


def test_every_picture_gets_its_own_circles_without_a_seed() -> None:
    assert difference(applied(GREY, "circles", seed=b"one"), applied(GREY, "circles", seed=b"two")) > 1


def test_a_seed_in_the_recipe_makes_pictures_alike() -> None:
    fixed = recipe("circles", seed=7)
    assert difference(made(GREY, fixed, b"1"), made(GREY, fixed, b"2")) == 0


def test_two_steps_without_a_seed_draw_different_circles() -> None:
    twice = recipe("circles").model_copy(update={"steps": recipe("circles").steps * 2})
    assert difference(made(GREY, twice), made(GREY, recipe("circles"))) > 1


def test_the_seed_s_circles_are_the_same_in_every_version() -> None:
    """Stored seeds must keep their meaning: these numbers may only change with a note in the changelog."""
    first, *_ = arrange(Circles(), (300, 200), 1.0, random.Random(42))
    assert (round(first.x, 3), round(first.y, 3), round(first.radius, 3), first.colour) == (
        66.132,
        117.853,
        28.288,
        "#f72585",
    )


@given(count=st.integers(1, 60), seed=st.integers(0, 2**53 - 1))
@settings(max_examples=30, deadline=None)
def test_as_many_circles_as_asked_for_of_radii_between_the_bounds(count: int, seed: int) -> None:
    step = Circles(count=count, smallest=Length(2), largest=Length(10))
    drawn = arrange(step, (400, 300), 1.0, random.Random(seed))
    assert len(drawn) == count
    assert all(6 <= circle.radius <= 30 for circle in drawn)
    assert all(0 <= circle.x <= 400 and 0 <= circle.y <= 300 for circle in drawn)


def test_only_the_given_colours_are_used() -> None:
    drawn = arrange(Circles(count=50, colours=("#112233", "#445566")), (400, 300), 1.0, random.Random(1))
    assert {circle.colour for circle in drawn} == {"#112233", "#445566"}


def test_without_colours_one_palette_is_used() -> None:
    drawn = arrange(Circles(count=50), (400, 300), 1.0, random.Random(1))
    assert any({circle.colour for circle in drawn} <= set(palette) for palette in PALETTES)


@pytest.mark.parametrize("style", ["filled", "rings"])
def test_style_decides_what_is_inside(style: str) -> None:
    drawn = arrange(Circles(count=30, style=style), (400, 300), 1.0, random.Random(1))  # type: ignore[arg-type]
    assert all((circle.inside > 0) == (style == "filled") for circle in drawn)


def test_discs_let_the_picture_show_through() -> None:
    over_black = applied(
        Image.new("RGB", (100, 100)), "circles", seed=SEED, style="filled", colours=["#ffffff"], opacity=0.5
    )
    shown = set(levels(over_black))
    assert 255 not in {level for level in shown if level}
    assert max(shown) > 80


def test_edges_are_smooth() -> None:
    """A jagged disc would have two levels only: that of the picture and that of the disc."""
    image = applied(
        Image.new("RGB", (200, 200)),
        "circles",
        count=1,
        opacity=1,
        style="filled",
        smallest="30%",
        largest="30%",
        colours=["#ffffff"],
    )
    between = [level for level in levels(image) if 20 < level < 170]
    assert len(between) > 60


def test_transparency_outside_of_the_circles_stays() -> None:
    clear = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    drawn = applied(clear, "circles", count=3, opacity=1, style="filled", colours=["#ff0000"])
    assert drawn.mode == "RGBA"
    assert drawn.getchannel("A").getextrema() == (0, 255)
    assert {each[:3] for each in pixels(drawn) if each[3] > 200} <= {(254, 0, 0), (255, 0, 0)}


def test_a_small_picture_shows_the_same_circles_as_a_large_one() -> None:
    large = applied(scene(1200, 800), "circles", largest="200px", seed=b"s")
    small = applied(scene(1200, 800).resize((300, 200)), "circles", largest="200px", seed=b"s", scale=0.25)
    assert difference(large.resize((300, 200)), small) < 4


def test_circles_larger_than_the_picture_are_drawn_too() -> None:
    assert applied(GREY, "circles", smallest="400%", largest="999%").size == GREY.size


def test_huge_circles_are_drawn_in_bands_without_seams() -> None:
    one = applied(
        Image.new("RGB", (1800, 1800)),
        "circles",
        count=1,
        smallest="49%",
        largest="49%",
        opacity=1,
        style="filled",
        colours=["#ffffff"],
    )
    column = levels(one.crop((900, 0, 901, 1800)))[::3]
    changes = sum(abs(before - after) > 60 for before, after in pairwise(column))
    assert changes <= 4


def test_progress_rises_to_the_end_as_it_draws() -> None:
    seen: list[int] = []
    made(faded(), recipe("circles", count=15), progress=lambda done: seen.append(done["circles"]))
    assert seen == sorted(seen)
    assert seen[0] < 10
    assert seen[-1] == 100
    assert len(set(seen)) == 15

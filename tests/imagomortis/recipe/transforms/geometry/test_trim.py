"""Trim: uniform borders go, and the plan of sizes holds."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from imagomortis.errors import TransformFailed
from imagomortis.picture.header import Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.render import preview, render
from tests.imagomortis.recipe.transforms.applying import made, recipe, refused
from tests.support.pictures import difference, faded, opened, quarters, save, scene

LIMITS = Limits()
TRIM: dict[str, Any] = {"transform": "trim"}


def framed(image: Image.Image, box: tuple[int, int, int, int], colour: object = (200, 190, 180)) -> Image.Image:
    """Return a picture with borders of these widths: left, top, right, bottom."""
    left, top, right, bottom = box
    frame = Image.new(image.mode, (image.width + left + right, image.height + top + bottom), colour)  # type: ignore[arg-type]
    frame.paste(image, (left, top))
    return frame


@pytest.mark.parametrize("box", [(9, 4, 7, 3), (0, 5, 0, 0), (0, 0, 0, 0)])
def test_borders_are_cut_off(box: tuple[int, int, int, int]) -> None:
    assert difference(made(framed(quarters(), box), recipe("trim")), quarters()) == 0


def test_a_border_of_a_jpeg_is_cut_off_as_well() -> None:
    file = save(framed(quarters(), (40, 40, 40, 40), (255, 255, 255)), "JPEG", quality=85)
    trimmed = made(opened(file), recipe("trim"))
    assert trimmed.width == pytest.approx(64, abs=2)
    assert trimmed.height == pytest.approx(48, abs=2)


def test_only_what_is_within_the_tolerance_is_border() -> None:
    picture = framed(quarters(), (8, 8, 8, 8), (100, 100, 100))
    picture.paste((105, 100, 95), (0, 0, 4, 64))
    assert made(picture, recipe("trim", tolerance=0)).size == (76, 64)
    assert made(picture, recipe("trim", tolerance=5)).size == (64, 48)
    assert "tolerance: input should be less than or equal to 255" in refused("trim", tolerance=256)


def test_transparent_borders_are_cut_off_whatever_colour_they_hide() -> None:
    picture = framed(quarters().convert("RGBA"), (8, 8, 8, 8), (9, 9, 9, 0))
    picture.paste((200, 0, 0, 0), (0, 0, 80, 4))
    assert difference(made(picture, recipe("trim")), quarters().convert("RGBA")) == 0
    assert made(faded(), recipe("trim")).mode == "RGBA"


@pytest.mark.parametrize("colour", [(0, 0, 0), (7, 8, 9, 0)])
def test_a_picture_of_one_colour_stays(colour: tuple[int, ...]) -> None:
    flat = Image.new("RGBA" if len(colour) == 4 else "RGB", (20, 10), colour)
    assert made(flat, recipe("trim")).size == (20, 10)


def test_outputs_are_planned_anew_by_the_size_that_is_left() -> None:
    original = save(framed(scene(400, 100), (0, 150, 0, 150)), "PNG")
    outputs = {
        name: {"steps": [{"transform": "resize", "width": width}], "output": {"format": "png"}}
        for name, width in {"large": 400, "medium": 200, "small": 100}.items()
    }
    results = render(original, Recipe.parse({"steps": [TRIM], "outputs": outputs}), LIMITS)
    assert [(each.width, each.height) for each in results[:3]] == [(400, 100), (200, 50), (100, 25)]


@pytest.mark.parametrize("where", ["common", "branch"])
def test_limits_hold_for_what_later_steps_make_of_it(where: str) -> None:
    """The whole picture is wide, but what trimming leaves of it is high, and would be enlarged beyond the limits."""
    original = save(framed(scene(10, 200), (400, 0, 400, 0)), "PNG")
    enlarge = {"transform": "resize", "width": 100, "enlarge": True}
    document: dict[str, Any] = {"steps": [TRIM, enlarge]}
    if where == "branch":
        document = {"steps": [TRIM], "outputs": {"high": {"steps": [enlarge]}}}
    wanted = Recipe.parse(document)
    with pytest.raises(TransformFailed, match=r"\(resize\).* failed: the result would have 100 x 2000 pixels"):
        render(original, wanted, Limits(max_side=1500))
    assert render(original, wanted, LIMITS)[0].height == 2000


def test_a_preview_shows_what_is_left() -> None:
    original = save(framed(scene(800, 400), (200, 400, 200, 400)), "PNG")
    shown = preview(original, Recipe.parse({"steps": [TRIM]}), LIMITS, 600)
    assert shown.width / shown.height == pytest.approx(2, rel=0.02)
    assert difference(opened(shown.data).convert("RGB"), scene(800, 400).resize((shown.width, shown.height))) < 6

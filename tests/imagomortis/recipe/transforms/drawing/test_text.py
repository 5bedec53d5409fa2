"""Text: fonts, wrapping, and its place."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image, ImageChops

from imagomortis.recipe.transforms import TRANSFORMS
from imagomortis.recipe.transforms.drawing.fonts import FILES, Face, font
from imagomortis.recipe.transforms.drawing.text import wrap
from tests.imagomortis.recipe.transforms.applying import applied, refused
from tests.support.pictures import difference, faded

GREY = Image.new("RGB", (400, 300), "#808080")
LONG = "The quick brown fox jumps over the lazy dog, and the dog does not mind it at all"


def written(**parameters: Any) -> tuple[int, int, int, int]:
    """Return the box of what a text changes."""
    box = ImageChops.difference(GREY, applied(GREY, "text", **parameters)).convert("L").getbbox()
    assert box is not None
    return box


@pytest.mark.parametrize(
    ("position", "across", "down"), [("top-left", 0, 0), ("center", 1, 1), ("right", 2, 1), ("bottom", 1, 2)]
)
def test_the_text_stands_at_its_place(position: str, across: int, down: int) -> None:
    left, top, right, bottom = written(text="Hi", position=position)
    assert (int((left + right) / 2 // (400 / 3)), int((top + bottom) / 2 // 100)) == (across, down)


def test_a_long_line_is_wrapped_at_the_width() -> None:
    wide, narrow = written(text=LONG, size="6%"), written(text=LONG, size="6%", width="40%")
    assert narrow[2] - narrow[0] <= 160
    assert narrow[3] - narrow[1] > 1.5 * (wide[3] - wide[1])


@pytest.mark.parametrize("text", [LONG, "Donaudampfschifffahrtsgesellschaft" * 3, "two\n\nparagraphs", "  spaces  "])
@pytest.mark.parametrize("width", [5, 60, 200, 4000])
def test_no_line_is_wider_than_the_width_and_no_letter_is_lost(text: str, width: int) -> None:
    letters = font("sans", 16)
    lines = list(wrap(text, letters, width))
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(len(line) <= 1 or letters.getlength(line) <= width + 1 for line in lines)


@pytest.mark.parametrize("name", ["text", "watermark"])
def test_the_editor_takes_several_lines(name: str) -> None:
    assert TRANSFORMS[name].model_json_schema()["properties"]["text"]["x-lines"] is True


def test_letters_shrink_until_the_text_fits() -> None:
    left, top, right, bottom = written(text=LONG * 5, size="30%")
    assert (left > 0, top > 0, right < 400, bottom < 300) == (True,) * 4
    # and not more than needed
    assert (right - left) * (bottom - top) > 0.6 * 400 * 300


def test_every_font_draws_other_letters() -> None:
    made = [applied(GREY, "text", text="Rag 123", font=face) for face in FILES]
    assert all(difference(one, other) > 0.1 for one, other in zip(made, [*made[1:], made[0]], strict=True))


@pytest.mark.parametrize("face", FILES)
def test_every_font_has_greek_and_cyrillic(face: Face) -> None:
    missing = font(face, 30).getmask("\uffff")
    assert all(bytes(font(face, 30).getmask(letter)) != bytes(missing) for letter in "äßñøŁΩЖ€")


@pytest.mark.parametrize("align", ["left", "right"])
def test_lines_are_aligned(align: str) -> None:
    made = ImageChops.difference(GREY, applied(GREY, "text", text="a long line of text\nend", align=align, size="6%"))
    box = made.convert("L").getbbox()
    assert box is not None
    middle = (box[1] + box[3]) // 2
    second = made.convert("L").crop((box[0], middle, box[2], box[3])).getbbox()
    assert second is not None
    assert (second[0] < 12) is (align == "left")


def test_it_has_its_colour_and_shows_on_transparent_pictures() -> None:
    colours = applied(GREY, "text", text="I", size="30%", colour="#102030").getcolors(1 << 16)
    assert colours is not None
    assert (0x10, 0x20, 0x30) in {colour for _, colour in colours}
    clear = applied(Image.new("RGBA", (200, 100)), "text", text="Hi")
    assert clear.getchannel("A").getextrema() == (0, 255)
    assert applied(faded(), "text", text="Hi").mode == "RGBA"


def test_a_picture_of_one_pixel_survives() -> None:
    assert applied(Image.new("RGB", (1, 1)), "text", text=LONG).size == (1, 1)


@pytest.mark.parametrize(("field", "value"), [("text", "   "), ("text", "x" * 501), ("font", "comic"), ("align", "up")])
def test_bad_parameters_are_refused(field: str, value: str) -> None:
    assert f"Step 1 (text), {field}: " in refused("text", **{"text": "Hi", field: value})

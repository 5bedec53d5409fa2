"""The characters that a font has."""

from __future__ import annotations

from io import BytesIO
from itertools import pairwise
from unicodedata import category

import pytest
from PIL import ImageFont

from imagomortis.recipe.transforms import TRANSFORMS
from imagomortis.recipe.transforms.drawing.fonts import read
from imagomortis.recipe.transforms.drawing.letters import ranges

HAS = [(int(first, 16), int(last, 16)) for first, last in (each.split("-") for each in ranges(read("mono")).split())]


def has(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in HAS)


def test_they_are_those_that_the_font_draws() -> None:
    font = ImageFont.truetype(BytesIO(read("mono")), 24, layout_engine=ImageFont.Layout.BASIC)
    box = bytes(font.getmask("\uffff"))  # no character at all
    seen = [chr(code) for code in range(0x21, 0x3000, 7) if category(chr(code))[0] in "LNPS"]
    assert [each for each in seen if has(each) != (bytes(font.getmask(each)) != box)] == []


def test_ranges_are_in_order_and_do_not_touch() -> None:
    flat = [end for pair in HAS for end in pair]
    assert flat == sorted(flat)
    assert all(other[0] > one[1] + 1 for one, other in pairwise(HAS))


def test_the_editor_is_told_them() -> None:
    text = TRANSFORMS["watermark"].model_json_schema()["properties"]["text"]
    assert text["x-letters"] == ranges(read("mono"))


@pytest.mark.parametrize("font", [b"", b"\0\1\0\0\0\0"])
def test_a_file_that_is_no_font(font: bytes) -> None:
    with pytest.raises(ValueError, match="no table"):
        ranges(font)

"""A picture in a few bytes."""

from __future__ import annotations

import base64

import pytest
from PIL import Image

from imagomortis.picture.codec import thumbnail
from imagomortis.picture.thumbhash import LONGEST, encode, thumbhash
from tests.support.pictures import faded, scene


def pattern(width: int, height: int, *, clear: bool = False) -> Image.Image:
    """Draw something whose every term differs from zero."""
    image = Image.new("RGBA", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), (x * 12 % 256, y * 17 % 256, x * y % 256, 255 - 6 * x if clear else 255))
    return image


def digits(data: bytes) -> list[int]:
    """Return the four-bit digits of the varying terms."""
    return [half for byte in data for half in (byte & 15, byte >> 4)]


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        (pattern(16, 11), "kQkKFZRwd3eAiIiHiHiIiHQFB/eH"),
        (pattern(9, 16), "0WkNJByEB4iIiId4eHiJQFf4iA=="),
        (pattern(12, 12, clear=True), "j8mJFRIdcneAiId4iHYgJ/eIf4iHiHeIiA=="),
    ],
    ids=["wide", "high", "clear"],
)
def test_a_hash_is_that_of_the_reference(image: Image.Image, reference: str) -> None:
    found, expected = encode(image), base64.b64decode(reference)
    assert (len(found), found[:5]) == (len(expected), expected[:5])
    # a term of zero lies between two digits, so either may be chosen
    assert max(abs(one - other) for one, other in zip(digits(found[6:]), digits(expected[6:]), strict=True)) <= 1


@pytest.mark.parametrize("size", [(1, 1), (3, 7), (6000, 9), (10, 4000)])
def test_a_picture_of_any_size_and_one_colour_has_its_mean(size: tuple[int, int]) -> None:
    found = thumbhash(Image.new("RGB", size, (255, 255, 255)))
    assert len(found) <= LONGEST
    assert found[0] & 63 == 63


def test_a_picture_without_any_opaque_pixel_has_a_hash() -> None:
    assert len(thumbhash(Image.new("RGBA", (20, 20), (255, 0, 0, 0)))) <= LONGEST


def test_a_thumbnail_has_its_hash() -> None:
    small = thumbnail(scene(1200, 800))
    assert small.thumbhash == thumbhash(scene(1200, 800).resize((512, 341), Image.Resampling.BICUBIC, reducing_gap=2.0))
    assert thumbnail(faded()).thumbhash[2] >> 7

"""Lengths, and what every transform promises."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagomortis.picture.codec import decode
from imagomortis.picture.header import Limits
from imagomortis.recipe.assets import AssetFiles
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.transforms import TRANSFORMS, Length
from tests.support.pictures import photo, save, scene

LOGO = photo(40, 20)
LOGO_DIGEST = hashlib.sha256(LOGO).hexdigest()


@pytest.mark.parametrize(
    ("given_", "text"),
    [
        ("10%", "10%"),
        ("10.0%", "10%"),
        ("010%", "10%"),
        ("0.5%", "0.5%"),
        ("40px", "40px"),
        (40, "40px"),
        ("040px", "40px"),
    ],
)
def test_a_length_has_one_way_to_be_written(given_: object, text: str) -> None:
    assert str(Length.parse(given_)) == text


@given(st.one_of(st.integers(0, 99_999), st.from_regex(Length.PATTERN, fullmatch=True).filter(str.isascii)))
def test_writing_and_reading_a_length_changes_nothing(given_: object) -> None:
    length = Length.parse(given_)
    assert Length.parse(str(length)) == length


@pytest.mark.parametrize(
    "given_", ["10", "10 %", "-1px", "1.5px", "1000%", "em", 0.1, -1, 100_000, True, None, [1], "\u0661%"]
)
def test_anything_else_is_no_length(given_: object) -> None:
    with pytest.raises(ValueError, match='written as "10%" of the picture'):
        Length.parse(given_)


def test_percentages_are_of_the_whole_and_pixels_follow_the_scale() -> None:
    assert Length.parse("25%").pixels(200, scale=0.5) == 50
    assert Length.parse("40px").pixels(200, scale=0.5) == 20


def test_every_field_of_every_transform_is_described() -> None:
    for of, transform in TRANSFORMS.items():
        schema = transform.model_json_schema()
        for name, field in schema["properties"].items():
            assert name == "transform" or field.get("description"), f"{of}.{name}"


def test_defaults_in_the_schema_are_written_as_in_recipes() -> None:
    for transform in TRANSFORMS.values():
        schema = transform.model_json_schema()
        given_ = {name: field["default"] for name, field in schema["properties"].items() if "default" in field}
        first = schema.get(
            "examples", [{name: schema["properties"][name]["examples"][0] for name in schema.get("required", [])}]
        )
        Recipe.parse({"steps": [{**given_, **first[0]}]})


def first_step(name: str) -> dict[str, Any]:
    """Return a transform's step as the editor adds it."""
    schema = TRANSFORMS[name].model_json_schema()
    required = {field: schema["properties"][field]["examples"][0] for field in schema.get("required", [])}
    if "asset" in required:
        required["asset"] += f"@{LOGO_DIGEST}"
    return {"transform": name, **schema.get("examples", [required])[0]}


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_deep_and_grey_pictures_are_treated_as_others_and_alike_each_time(name: str) -> None:
    """A picture of 16 bits gives what the same one of 8 bits does, whether it is stored grey or in colours."""
    grey = scene(60, 40).convert("L")
    deep = Image.frombytes("I;16", grey.size, bytes(byte for level in grey.tobytes() for byte in (level, level)))
    wanted = Recipe.parse({"steps": [first_step(name), {"transform": "encode", "format": "png"}]})
    stored = [deep, grey, grey, grey.convert("RGB")]
    made = [render_seeded(save(each, "PNG"), wanted) for each in stored]
    assert len({each.tobytes() for each in made}) == 1


def render_seeded(original: bytes, recipe: Recipe) -> Image.Image:
    """Return the pixels of a result, whose random numbers do not depend on the file."""
    picture = decode(original, Limits()).image
    return recipe.common.apply(picture, bytes(32), recipe.tracker(), assets=AssetFiles({LOGO_DIGEST: LOGO}))


def test_every_number_has_bounds() -> None:
    text = json.dumps(Recipe.model_json_schema())
    definitions = json.loads(text)["$defs"]
    for definition in definitions.values():
        for name, field in definition["properties"].items():
            for kind in field.get("anyOf", [field]):
                if kind.get("type") in {"integer", "number"}:
                    assert {"minimum", "maximum"} <= kind.keys(), f"{definition['title']}.{name}"


def test_transforms_are_named_as_their_parameters_say() -> None:
    assert all(transform.model_fields["transform"].default == name for name, transform in TRANSFORMS.items())
    assert {"resize", "circles"} <= TRANSFORMS.keys()

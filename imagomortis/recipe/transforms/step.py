"""Defines the base class of transforms, and the types of their parameters: lengths, colours and places."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, JsonValue
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from imagomortis.picture.codec import View
from imagomortis.recipe.assets import NO_ASSETS, AssetFiles

Size = tuple[int, int]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Length:
    """A length: a percentage of the picture (``"10%"``) or a number of pixels (``"40px"``, or just ``40``).

    Percentages refer to the width for horizontal lengths, to the height for vertical ones, and to the shorter side for
    lengths without a direction (radii, borders, letter sizes). Pixels are those of the full picture. A preview works on
    a smaller picture, and scales them down.
    """

    PATTERN: ClassVar[str] = r"^([0-9]{1,3}(\.[0-9]{1,4})?%|[0-9]{1,5}px)$"
    MOST_PIXELS: ClassVar[int] = 99_999

    value: float
    unit: Literal["%", "px"] = "%"

    @classmethod
    def parse(cls, given: object) -> Length:
        """Take a length as text or as an integer number of pixels; raise ValueError that says how to write one."""
        if isinstance(given, Length):
            return given
        if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= cls.MOST_PIXELS:
            return cls(given, "px")
        if isinstance(given, str) and re.fullmatch(cls.PATTERN, given):
            return cls(float(given[:-1]), "%") if given.endswith("%") else cls(int(given[:-2]), "px")
        raise ValueError('a length is written as "10%" of the picture (up to 999%) or as "40px" (up to 99999px)')

    def __str__(self) -> str:
        """Return the length in its canonical form."""
        number = f"{self.value:.4f}".rstrip("0").rstrip(".")
        return f"{number}{self.unit}"

    def pixels(self, whole: float, scale: float = 1.0) -> float:
        """Return the length in pixels of a picture in ``scale``; percentages refer to ``whole`` pixels."""
        return whole * self.value / 100 if self.unit == "%" else self.value * scale

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by ``parse``, and serialize as text."""
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(str, when_used="json-unless-none")
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe both ways to write a length."""
        return {
            "anyOf": [
                {"type": "string", "pattern": cls.PATTERN},
                {"type": "integer", "minimum": 0, "maximum": cls.MOST_PIXELS},
            ],
            "examples": ["10%", "40px"],
        }


Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$", examples=["#1d3557"]), AfterValidator(str.lower)]
"""A colour as six hexadecimal digits."""

Background = Annotated[
    str,
    Field(pattern="^(#[0-9a-fA-F]{6}|transparent)$", examples=["#ffffff", "transparent"]),
    AfterValidator(str.lower),
]
"""A colour, or "transparent"."""

Place = Annotated[
    Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"],
    Field(json_schema_extra={"x-labels": {"center": "Centre"}}),
]
"""The place of something within something larger."""


@dataclass(frozen=True)
class Context:
    """What a transform can use besides the picture and its parameters.

    ``seed`` differs by picture and step, and is the only source of randomness. ``scale`` is the picture's size in
    proportion to the full one (below 1 in a preview). ``report`` takes the progress, from 0 to 1. ``view`` says which
    picture the pixels stand for if they were decoded at a reduced scale: only a step with a ``surplus`` gets such ones,
    and one with an infinite surplus leaves them as they are. ``assets`` has the pictures to which the recipe refers.
    """

    seed: bytes = b""
    scale: float = 1.0
    report: Callable[[float], None] = lambda _done: None
    view: View | None = None
    assets: AssetFiles = NO_ASSETS


class Step(BaseModel, ABC):
    """A transform with its parameters: one step of a recipe.

    A subclass names itself in ``transform``, and has a field for each parameter. The editor builds its form from the
    fields' schema alone: titles, descriptions, bounds and choices, and the additions of ``begin``, ``slider``,
    ``labels``, ``LINES`` and ``HIDDEN``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    transform: str

    @abstractmethod
    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Return the result; ``image`` (RGB or RGBA, 8 bits, sRGB, upright) can be changed in place.

        Raises TransformFailed if the step cannot be applied to this picture.
        """

    def resized(self, size: Size, _scale: float) -> Size:
        """Return the size of the result in pixels; subclasses that change the size override this.

        It is the largest possible size if that depends on the pixels.
        """
        return size

    def surplus(self, _size: Size) -> float:
        """Return how many pixels a side a picture of this size has for one that the step needs; 1 if it needs all.

        A step that looks at no pixel has an infinite surplus.
        """
        return 1.0

    def seen(self, view: View) -> View | None:
        """Return the view of the result; None if the step needs pixels, and so makes new ones."""
        return view if math.isinf(self.surplus(view.size)) else None

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Write default lengths as text, as in recipes."""
        found = handler(schema)
        for name, field in handler.resolve_ref_schema(found)["properties"].items():
            if isinstance(default := cls.model_fields[name].default, Length):
                field["default"] = str(default)
        return found


def begin(**values: JsonValue) -> ConfigDict:
    """Let the editor add the step with these values, instead of the first example of each required field."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def slider(least: float, most: float, step: float, unit: Literal["%", "°", ""] = "%") -> dict[str, JsonValue]:
    """Let the editor show a number or a length as a slider: its least and greatest value, its step, and its unit.

    A number in percent is a factor: 150 % means 1.5. A length in percent refers to the picture.
    """
    return {"x-slider": {"least": least, "most": most, "step": step, "unit": unit}}


def labels(**words: str) -> dict[str, JsonValue]:
    """Let the editor show choices under these words; ``_`` in a keyword stands for ``-`` in the choice."""
    return {"x-labels": {choice.replace("_", "-"): word for choice, word in words.items()}}


LINES: Final[dict[str, JsonValue]] = {"x-lines": True}
"""Lets the editor take a text of several lines."""

HIDDEN: Final[dict[str, JsonValue]] = {"x-hidden": True}
"""Hides a field, or a whole step, in the editor."""


def shorter(size: Size) -> int:
    """Return the shorter side in pixels."""
    return min(size)


def whole(pixels: float) -> int:
    """Round to an integer number of pixels, at least one."""
    return max(1, round(pixels))


def offset(place: Place, outer: Size, inner: Size, margin: int = 0) -> tuple[int, int]:
    """Return the top left corner of ``inner``, if it is placed at ``place`` within ``outer``."""
    across, down = outer[0] - inner[0], outer[1] - inner[1]
    left = margin if "left" in place else across - margin if "right" in place else across // 2
    top = margin if "top" in place else down - margin if "bottom" in place else down // 2
    return left, top

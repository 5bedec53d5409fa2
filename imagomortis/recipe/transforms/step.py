"""What every transform shares: its base class, lengths, colours and places."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, JsonValue
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Size = tuple[int, int]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Length:
    """A length: a percentage of the picture (``"10%"``) or a number of pixels (``"40px"``, or just ``40``).

    Percentages are of the width for what lies across, of the height for what lies down, and of the shorter side for
    what has no direction (radii, borders, sizes of letters). Pixels are those of the full picture; a preview, which
    works on a smaller one, takes proportionally fewer.
    """

    PATTERN: ClassVar[str] = r"^([0-9]{1,3}(\.[0-9]{1,4})?%|[0-9]{1,5}px)$"
    MOST_PIXELS: ClassVar[int] = 99_999

    value: float
    unit: Literal["%", "px"] = "%"

    @classmethod
    def parse(cls, given: object) -> Length:
        """Take a length as text or as a whole number of pixels; raise ValueError saying how to write one."""
        if isinstance(given, Length):
            return given
        if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= cls.MOST_PIXELS:
            return cls(given, "px")
        if isinstance(given, str) and re.fullmatch(cls.PATTERN, given):
            return cls(float(given[:-1]), "%") if given.endswith("%") else cls(int(given[:-2]), "px")
        raise ValueError('a length is written as "10%" of the picture (up to 999%) or as "40px" (up to 99999px)')

    def __str__(self) -> str:
        """Return the one way to write this length."""
        number = f"{self.value:.4f}".rstrip("0").rstrip(".")
        return f"{number}{self.unit}"

    def pixels(self, whole: float, scale: float = 1.0) -> float:
        """Return the length in pixels of a picture in ``scale``, percentages being of ``whole`` pixels."""
        return whole * self.value / 100 if self.unit == "%" else self.value * scale

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate by ``parse`` and write as text."""
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
"""A colour, or nothing at all."""

Place = Annotated[
    Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"],
    Field(json_schema_extra={"x-labels": {"center": "Centre"}}),
]
"""Where something lies within something larger."""


@dataclass(frozen=True)
class Context:
    """What a transform may know beside the picture and its parameters.

    ``seed`` differs by picture and step and is all the chance there is; ``scale`` is the size of the picture at hand in
    proportion to the full one (below 1 in a preview); ``report`` takes the progress, from 0 to 1.
    """

    seed: bytes = b""
    scale: float = 1.0
    report: Callable[[float], None] = lambda _done: None


class Step(BaseModel, ABC):
    """A transform with its parameters: one step of a recipe.

    A subclass names itself in ``transform`` and has a field for each parameter. The schema of its fields is all that
    the editor knows: titles, descriptions, bounds and choices, and what ``begin``, ``slider``, ``labels`` and
    ``HIDDEN`` add.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    transform: str

    @abstractmethod
    def apply(self, image: Image.Image, context: Context) -> Image.Image:
        """Return the result; ``image`` (RGB or RGBA, 8 bits, sRGB, upright) may be changed in place.

        Raises TransformFailed for what cannot be done to this picture.
        """

    def resized(self, size: Size, _scale: float) -> Size:
        """Return the size of the result in pixels; it is the picture's own unless a subclass says otherwise."""
        return size

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Write lengths among the defaults as text, as they are in recipes."""
        found = handler(schema)
        for name, field in handler.resolve_ref_schema(found)["properties"].items():
            if isinstance(default := cls.model_fields[name].default, Length):
                field["default"] = str(default)
        return found


def begin(**values: JsonValue) -> ConfigDict:
    """Have the editor add the step with these values instead of the first example of each required field."""
    return ConfigDict(json_schema_extra={"examples": [values]})


def slider(least: float, most: float, step: float, unit: Literal["%", "°", ""] = "%") -> dict[str, JsonValue]:
    """Have the editor show a number or a length by a slider: from, to, distance of its stops, and what they are of.

    A number in percent is a factor: 150 % are 1.5. A length in percent is one of the picture.
    """
    return {"x-slider": {"least": least, "most": most, "step": step, "unit": unit}}


def labels(**words: str) -> dict[str, JsonValue]:
    """Have the editor show choices under these words, ``-`` in a choice being written as ``_``."""
    return {"x-labels": {choice.replace("_", "-"): word for choice, word in words.items()}}


HIDDEN: Final[dict[str, JsonValue]] = {"x-hidden": True}
"""Keeps a field, or a whole step, out of the editor."""


def shorter(size: Size) -> int:
    """Return the shorter side in pixels."""
    return min(size)


def whole(pixels: float) -> int:
    """Round to a number of pixels that a picture can have: at least one."""
    return max(1, round(pixels))


def offset(place: Place, outer: Size, inner: Size, margin: int = 0) -> tuple[int, int]:
    """Return where the top left corner of ``inner`` lies when it stands at a place within ``outer``."""
    across, down = outer[0] - inner[0], outer[1] - inner[1]
    left = margin if "left" in place else across - margin if "right" in place else across // 2
    top = margin if "top" in place else down - margin if "bottom" in place else down // 2
    return left, top

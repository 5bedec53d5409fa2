"""What every transform shares: the base of its parameters, lengths, colours, places and its entry in the registry."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal

from PIL import Image
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Size = tuple[int, int]
Box = tuple[int, int, int, int]


class Step(BaseModel):
    """A transform's parameters: one step of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    transform: str


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

Place = Literal["top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"]
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


Apply = Callable[[Image.Image, Any, Context], Image.Image]
Resized = Callable[[Any, Size, float], Size]


@dataclass(frozen=True)
class Transform:
    """A transform by its name: its parameters, what it does, and the size of its result.

    ``apply`` owns the picture that it is given (RGB or RGBA, 8 bits, sRGB, upright) and may change it in place.
    """

    name: str
    parameters: type[Step]
    apply: Apply
    resized: Resized


REGISTRY: Final[dict[str, Transform]] = {}
"""Every transform by its name."""


def keep_size(_step: Step, size: Size, _scale: float) -> Size:
    """Return the size as it is: for transforms that change colours only."""
    return size


def register(parameters: type[Step], resized: Resized = keep_size) -> Callable[[Apply], Apply]:
    """Enter a function into the registry, under the name that its parameters give."""
    name = parameters.model_fields["transform"].default

    def enter(apply: Apply) -> Apply:
        REGISTRY[name] = Transform(name, parameters, apply, resized)
        return apply

    return enter


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

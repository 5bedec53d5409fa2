"""Validates the answers of a sandbox child, which an attacker's picture can have taken over.

An answer that does not match the request raises ValueError. Texts are cleaned, because people read them and the catalog
stores them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from imagomortis import errors
from imagomortis.errors import AttemptFailed, ImagoMortisError
from imagomortis.picture.codec import MEDIA_TYPES
from imagomortis.picture.header import FORMATS, Header, Limits
from imagomortis.picture.thumbhash import LONGEST as LONGEST_HASH
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.render import Kind, Rendition
from imagomortis.recipe.timings import StepSeconds

Sizes = dict[Kind, Limits]
"""How large each requested picture may be, by its kind and in order."""

_LONGEST_TEXT = 20_000
# the errors that a child can answer with, by slug
_ERRORS: Final[dict[str, type[ImagoMortisError]]] = {
    kind.slug: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, (errors.RefusedPicture, AttemptFailed, errors.InvalidRecipe))
}


def _clean(text: str) -> str:
    """Shorten a text, and replace characters that are not valid UTF-8 or cannot be stored."""
    return text[:_LONGEST_TEXT].encode(errors="replace").decode().replace("\0", "?")


_Text = Annotated[str, AfterValidator(_clean)]
_Count = Annotated[int, Field(ge=1)]
# JSON has no tuples
_Seconds = Annotated[tuple[str, Annotated[float, Field(ge=0)]], Field(strict=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class _Members(_Answer):
    width: _Count | None = None
    height: _Count | None = None
    step: _Count | None = None
    transform: _Text | None = None
    output: _Text | None = None
    trace: _Text | None = None


class _Fault(_Answer):
    error: str
    detail: _Text
    members: _Members


class _Described(_Answer):
    media_type: str
    width: _Count
    height: _Count
    thumbhash: Annotated[str, Field(pattern=rf"^([0-9a-f]{{2}}){{0,{LONGEST_HASH}}}$")] = ""


class _Made(_Answer):
    renditions: list[_Described]
    seconds: list[_Seconds] = []


_HEADER = TypeAdapter(Header)
_PROGRESS = TypeAdapter(dict[str, Annotated[int, Field(ge=0, le=100)]], config=ConfigDict(strict=True))


def error(answer: dict[str, Any]) -> ImagoMortisError:
    """Return the error that the child answered with; its members include the traceback."""
    fault = _Fault.model_validate(answer)
    _expect(fault.error in _ERRORS, "an error of another kind")
    return _ERRORS[fault.error](fault.detail, **fault.members.model_dump(exclude_none=True))


def progress(answer: dict[str, Any], recipe: Recipe) -> dict[str, int]:
    """Return the progress of each step, in percent."""
    found = _PROGRESS.validate_python(answer.get("progress"))
    _expect(found.keys() <= set(recipe.labels), "progress of another recipe")
    return found


def header(answer: dict[str, Any], limits: Limits, size: int) -> Header:
    """Return the header of a file of ``size`` bytes."""
    found = _HEADER.validate_python(answer.get("header"))
    _expect(
        found.format in FORMATS and found.media_type == FORMATS[found.format].media_type, "a kind that is not taken"
    )
    _expect(
        min(found.width, found.height) >= 1 and not limits.reason(found.width, found.height), "a size over the limit"
    )
    _expect(found.orientation in range(1, 9) and found.frames >= 1, "an impossible header")
    _expect(found.size == size and 0 < found.end <= size, "another file")
    return found


def renditions(answer: dict[str, Any], blobs: Sequence[bytes], sizes: Sizes) -> list[Rendition]:
    """Return the renditions: one picture of each kind, within its limits."""
    made = _Made.model_validate(answer).renditions
    _expect(len(made) == len(blobs) == len(sizes), "another number of pictures")
    for described, limits in zip(made, sizes.values(), strict=True):
        _expect(described.media_type in MEDIA_TYPES.values(), "a kind of file that is not written")
        _expect(not limits.reason(described.width, described.height), "a picture over the limit")
    return [
        Rendition(
            kind, described.media_type, described.width, described.height, data, bytes.fromhex(described.thumbhash)
        )
        for kind, described, data in zip(sizes, made, blobs, strict=True)
    ]


def seconds(answer: dict[str, Any], recipe: Recipe) -> list[StepSeconds]:
    """Return how long each step took, by its label."""
    found = _Made.model_validate(answer).seconds
    _expect(all(label in recipe.transforms for label, _ in found), "times of another recipe")
    return list(found)


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise ValueError(f"The decoder answers with {otherwise}.")

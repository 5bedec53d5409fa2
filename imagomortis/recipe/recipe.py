"""Defines recipes: validated lists of transforms with a digest, and the built-in ones."""

from __future__ import annotations

import difflib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any, Final

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError, from_json, to_json

from imagomortis.errors import ImagoMortisError, InvalidRecipe, TransformFailed
from imagomortis.picture.codec import Output
from imagomortis.picture.header import Limits
from imagomortis.recipe.transforms import TRANSFORMS, AnyStep, Context
from imagomortis.recipe.transforms.encode import Encode
from imagomortis.recipe.transforms.strip_metadata import StripMetadata

DEFAULT: Final = "circles"
"""Name of the recipe that is used if none is given."""

MOST_STEPS: Final = 50
MOST_BYTES: Final = 65_536
"""Largest length of a recipe's JSON, in bytes."""

_SHOWN_PROBLEMS = 3

Size = tuple[int, int]
Progress = Callable[[Mapping[str, int]], None]


class Recipe(BaseModel):
    """Steps that are applied to a picture one after the other."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    steps: Annotated[tuple[AnyStep, ...], Field(strict=False, min_length=1, max_length=MOST_STEPS)] = Field(
        description="the transforms, in the order in which they are applied"
    )

    @classmethod
    def parse(cls, value: str | bytes | Mapping[str, Any]) -> Recipe:
        """Take a built-in recipe's name, JSON text or a parsed document.

        Raises InvalidRecipe, whose text names the wrong step and field, and what is allowed.
        """
        if isinstance(value, Mapping):
            return _storable(_validated(_as_json(value)))
        text = _decoded(value).strip()
        if text.startswith(("{", "[", '"')):
            return _storable(_validated(text))
        return _named(text)

    @cached_property
    def canonical(self) -> str:
        """The recipe as canonical JSON text: complete with defaults, keys sorted, no spaces."""
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON text, in hexadecimal digits."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return the recipe as a JSON document, complete with defaults."""
        return self.model_dump(mode="json")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The step names for progress reports: the transform's name, numbered from its second use on (``blur#2``)."""
        names = [step.transform for step in self.steps]
        uses = [names[: index + 1].count(name) for index, name in enumerate(names)]
        return tuple(name if use == 1 else f"{name}#{use}" for name, use in zip(names, uses, strict=True))

    @cached_property
    def output(self) -> Output:
        """How to encode the result: as the last ``encode`` step says, and without metadata if any step strips it."""
        encoding = next((step for step in reversed(self.steps) if isinstance(step, Encode)), Encode())
        return Output(
            encoding.format,
            encoding.quality,
            encoding.lossless,
            encoding.background,
            keep_metadata=not any(isinstance(step, StripMetadata) for step in self.steps),
        )

    def plan(self, size: Size, limits: Limits, scale: float = 1.0) -> tuple[Size, ...]:
        """Return the picture's size in pixels after each step, without applying any.

        Raises TransformFailed, naming the step, if a result exceeds the limits.
        """
        sizes = []
        for index, step in enumerate(self.steps):
            size = step.resized(size, scale)
            if reason := limits.reason(*size):
                raise self._failed(index, f"the result would have {reason}; choose smaller sizes")
            sizes.append(size)
        return tuple(sizes)

    def apply(
        self,
        image: Image.Image,
        seed: bytes,
        scale: float = 1.0,
        progress: Progress | None = None,
        timed: Callable[[str, float], object] | None = None,
    ) -> Image.Image:
        """Apply the steps to a decoded picture, which can be changed in place, and return the result.

        ``seed`` is the original's SHA-256, from which each step derives its random numbers. ``progress`` is called
        during the work with every step's percentage, by label. ``timed`` is called with each transform's name and the
        seconds it took. Raises TransformFailed, naming the step.
        """
        done = dict.fromkeys(self.labels, 0)
        for index, (label, step) in enumerate(zip(self.labels, self.steps, strict=True)):

            def report(share: float, label: str = label) -> None:
                done[label] = max(done[label], min(100, int(share * 100)))
                if progress:
                    progress(done)

            context = Context(hashlib.sha256(seed + index.to_bytes(2, "big")).digest(), scale, report)
            began = time.perf_counter()
            image = self._apply_one(index, step, image, context)
            if timed:
                timed(step.transform, time.perf_counter() - began)
            report(1)
        return image

    def _apply_one(self, index: int, step: AnyStep, image: Image.Image, context: Context) -> Image.Image:
        try:
            return step.apply(image, context)
        except TransformFailed as error:
            raise self._failed(index, error.detail) from error
        except (ImagoMortisError, MemoryError):
            raise
        except Exception as error:  # Pillow raises errors of many classes; each of them means that the step failed
            raise self._failed(index, f"{type(error).__name__}: {error}") from error

    def _failed(self, index: int, problem: str) -> TransformFailed:
        label = self.labels[index]
        return TransformFailed(f"Step {index + 1} ({label}) failed: {problem}.", step=index + 1, transform=label)


class NamedRecipe(BaseModel):
    """A recipe with its name, a title and a sentence for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    description: str
    recipe: Recipe


@lru_cache(maxsize=1)
def builtin() -> Mapping[str, NamedRecipe]:
    """Return the built-in recipes by name. The default comes first."""
    folder = files("imagomortis.recipe") / "builtin"
    names = sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))
    names.sort(key=lambda name: name != DEFAULT)
    documents = {name: json.loads((folder / f"{name}.json").read_text("utf-8")) for name in names}
    return MappingProxyType(
        {name: NamedRecipe.model_validate({"name": name, **document}) for name, document in documents.items()}
    )


def _named(name: str) -> Recipe:
    known = builtin()
    if name in known:
        return known[name].recipe
    near = _nearest(name.lower(), known)
    raise InvalidRecipe(
        f"There is no built-in recipe {name[:100]!r}.{f' Did you mean {near!r}?' if near else ''} "
        f'The built-in ones are {", ".join(known)}; or give JSON such as {{"steps": [{{"transform": "circles"}}]}}.'
    )


def _decoded(value: str | bytes) -> str:
    if len(value) > MOST_BYTES:
        raise InvalidRecipe(f"The recipe is longer than {MOST_BYTES:,} bytes; use fewer steps.")
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRecipe("The recipe is not text in UTF-8; send a built-in recipe's name or JSON.") from None


def _as_json(document: Mapping[str, Any]) -> str:
    try:
        return _decoded(to_json(dict(document)))
    except (PydanticSerializationError, ValueError) as error:
        raise InvalidRecipe(f"The recipe is not a JSON document: {error}.") from None


def _storable(recipe: Recipe) -> Recipe:
    if r"\u0000" in recipe.canonical.replace(r"\\", ""):
        raise InvalidRecipe("The recipe holds the character NUL, which cannot be stored. Remove it.")
    return recipe


def _validated(text: str) -> Recipe:
    _check_number_of_steps(text)
    try:
        return Recipe.model_validate_json(text)
    except ValidationError as error:
        every = error.errors(include_url=False)
        # Pydantic does not count invalid steps, so it also reports that steps are missing
        problems = [problem for problem in every if problem["type"] != "too_short" or len(every) == 1]
    said = "; ".join(_explain(problem) for problem in problems[:_SHOWN_PROBLEMS])
    more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
    text = f"The recipe is not valid. {said}{more}"
    raise InvalidRecipe(text if text.endswith("?") else f"{text}.")


def _check_number_of_steps(text: str) -> None:
    """Refuse too many steps before each of them is validated, which would take a tenth of a second."""
    try:
        document = from_json(text)
    except ValueError:
        return  # Pydantic explains it better
    steps = document.get("steps") if isinstance(document, dict) else None
    if isinstance(steps, list) and len(steps) > MOST_STEPS:
        raise InvalidRecipe(f"The recipe has {len(steps):,} steps; at most {MOST_STEPS} are allowed.")


def _explain(problem: ErrorDetails) -> str:
    """Return what is wrong at one place of a recipe, and what is allowed there."""
    place = problem["loc"]
    if problem["type"] == "json_invalid":
        return f"It is not JSON: {problem['ctx']['error']}"
    if not place or place[0] != "steps" or len(place) < 2:
        return _explain_outside(problem)
    step = f"Step {int(place[1]) + 1}"
    if len(place) == 2:
        return f"{step}: {_explain_step(problem)}"
    transform = str(place[2])
    if len(place) == 3:
        return f"{step} ({transform}): {_message(problem)}"
    field = str(place[3])
    if problem["type"] == "extra_forbidden":
        return f"{step} ({transform}) has no field {field!r}{_suggest(field, _fields(transform))}"
    return f"{step} ({transform}), {field}: {_message(problem)}{_given(problem)}"


def _explain_outside(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return f'There is no field {str(problem["loc"][0])!r} in a recipe; it has only "steps"'
    if problem["type"] == "missing":
        return 'It needs "steps", a list such as [{"transform": "circles"}]'
    return f"{'.'.join(map(str, problem['loc'])) or 'The recipe'}: {_message(problem)}"


def _explain_step(problem: ErrorDetails) -> str:
    if problem["type"] == "union_tag_invalid":
        tag = str(problem["ctx"]["tag"])
        return f"there is no transform {tag[:100]!r}{_suggest(tag, TRANSFORMS)}"
    if problem["type"] == "union_tag_not_found":
        return f'it must say which "transform" it is: {", ".join(TRANSFORMS)}'
    return _message(problem)


def _message(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _given(problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return ""
    return f" (it is {json.dumps(problem['input'], default=str, ensure_ascii=False)[:100]})"


def _fields(transform: str) -> list[str]:
    return [name for name in TRANSFORMS[transform].model_fields if name != "transform"]


def _suggest(name: str, known: Mapping[str, object] | list[str]) -> str:
    if near := _nearest(name, known):
        return f"; did you mean {near!r}?"
    return f"; there are {', '.join(known)}" if known else "; it has none"


def _nearest(name: str, known: Mapping[str, object] | list[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)

"""Defines recipes: validated steps and outputs with a digest, and the built-in ones."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticSerializationError, from_json, to_json

from imagomortis.errors import InvalidRecipe
from imagomortis.recipe import export_target
from imagomortis.recipe.asset_references import MOST_ASSETS, asset_steps, split
from imagomortis.recipe.chain import PROCESSED, Chain, Progress, Timed, Tracker
from imagomortis.recipe.transforms import TRANSFORMS, AnyStep
from imagomortis.recipe.transforms.file.encode import Encode

DEFAULT: Final = "circles"
"""Name of the recipe that is used if none is given."""

MOST_STEPS: Final = 50
"""The most common steps."""

MOST_OUTPUTS: Final = 16

MOST_STEPS_IN_ALL: Final = 100
"""The most steps of a recipe together with those of its outputs."""

OUTPUT_NAME: Final = r"^[a-z0-9_-]{1,32}$"
RESERVED: Final = frozenset({"original", "thumbnail", "preview"})
"""Names of pictures that are not outputs."""

MOST_BYTES: Final = 65_536
"""Largest length of a recipe's JSON, in bytes."""

_SHOWN_PROBLEMS = 3


class OutputRecipe(BaseModel):
    """What one output adds to the common steps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: Annotated[tuple[AnyStep, ...], Field(strict=False)] = Field(
        (), description="the transforms that are applied to the result of the common steps"
    )
    output: Encode | None = Field(None, description="how to encode this output: the fields of an `encode` step")


def _not_reserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"an output cannot be called {name!r}; choose another name")
    return name


OutputName = Annotated[str, Field(pattern=OUTPUT_NAME), AfterValidator(_not_reserved)]
"""The name of an output."""

ExportTarget = Annotated[str, AfterValidator(export_target.checked)]
"""The URL of an exported output, with placeholders."""


class Recipe(BaseModel):
    """Steps that are applied to a picture one after the other, and the outputs that are made of the result.

    A recipe without outputs makes one, ``processed``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    steps: Annotated[tuple[AnyStep, ...], Field(strict=False, max_length=MOST_STEPS)] = Field(
        description="the transforms, in the order in which they are applied; they may be none if there are outputs"
    )
    outputs: dict[OutputName, OutputRecipe] = Field(
        default_factory=dict,
        max_length=MOST_OUTPUTS,
        exclude_if=lambda outputs: not outputs,
        description="the outputs by name; without any, the result of the steps is the only output",
    )
    first: str | None = Field(
        None,
        exclude_if=lambda first: first is None,
        description="the output that is shown as the processed picture and in the thumbnail; without it the output "
        "`processed`, else the one that is written first",
    )
    export: ExportTarget | None = Field(
        None,
        exclude_if=lambda export: export is None,
        description="where the outputs are written as well, for example `s3://bucket/prefix/{stem}-{output}.{ext}`; "
        "IMAGOMORTIS_EXPORT_TARGETS lists what the operator allows",
    )

    @model_validator(mode="after")
    def _has_a_first_output(self) -> Self:
        if not self.steps and not self.outputs:
            raise ValueError('steps: there must be at least 1 item, or "outputs"')
        first = self.first or (PROCESSED if PROCESSED in self.outputs else next(iter(self.outputs), None))
        if first is not None and first not in self.outputs:
            raise ValueError(f'"first" names {first!r}, which is not among the outputs')
        if PROCESSED in self.outputs and first != PROCESSED:
            raise ValueError(f'an output called {PROCESSED!r} is the first one; "first" names {first!r}')
        # stored JSON does not keep the order of names, so the choice is written down
        object.__setattr__(self, "first", first)
        return self

    @model_validator(mode="after")
    def _exports_each_output(self) -> Self:
        if self.export and len(self.outputs) > 1 and "output" not in export_target.placeholders(self.export):
            raise ValueError('"export" needs {output}, because the recipe has several outputs')
        return self

    @model_validator(mode="after")
    def _has_few_assets(self) -> Self:
        if len(self.assets) > MOST_ASSETS:
            raise ValueError(f"there are {len(self.assets)} assets; at most {MOST_ASSETS} are allowed")
        return self

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
    def assets(self) -> tuple[str, ...]:
        """The references to assets, each once."""
        steps = (*self.steps, *(step for output in self.outputs.values() for step in output.steps))
        return tuple(dict.fromkeys(found for step in steps if (found := getattr(step, "asset", None))))

    def with_assets(self, digests: Mapping[str, str]) -> Recipe:
        """Return the recipe with the digests of its assets, by name; raise InvalidRecipe if one is missing."""
        document = self.as_json()
        for step in asset_steps(document):
            name, digest = split(step["asset"])
            if not digest and name not in digests:
                raise InvalidRecipe(f"There is no asset {name!r}. GET /assets lists those that there are.")
            step["asset"] = f"{name}@{digest or digests[name]}"
        return Recipe.parse(document)

    @cached_property
    def common(self) -> Chain:
        """The common steps."""
        return Chain(self.steps)

    @cached_property
    def branches(self) -> Mapping[str, Chain]:
        """The further steps of each output by the kind of its rendition, the first output first."""
        if self.first is None:
            return MappingProxyType({PROCESSED: Chain((), None, self.steps)})
        others = sorted(self.outputs.keys() - {self.first})
        return MappingProxyType({PROCESSED: self._branch(self.first), **{name: self._branch(name) for name in others}})

    def _branch(self, name: str) -> Chain:
        output = self.outputs[name]
        steps = (*output.steps, output.output) if output.output else output.steps
        return Chain(steps, name, self.steps)

    @cached_property
    def transforms(self) -> Mapping[str, str]:
        """The transform of each step by its label."""
        chains = (self.common, *self.branches.values())
        return MappingProxyType(
            {label: step.transform for chain in chains for label, step in zip(chain.labels, chain.steps, strict=True)}
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of all steps for progress reports, as ``Chain.labels``."""
        return tuple(self.transforms)

    def surplus(self, size: tuple[int, int]) -> float:
        """Return how many pixels a side a picture of this size has for each one that the outputs need."""
        if (common := self.common.surplus(size)) < math.inf:
            return common
        for step in self.steps:
            size = step.resized(size, 1.0)
        branches = [chain.surplus(size) for chain in self.branches.values()]
        # an output without any step that looks at pixels shows all of them
        return min(found if found < math.inf else 1.0 for found in branches)

    def check_export(self, prefixes: Sequence[str]) -> None:
        """Raise InvalidRecipe if the recipe exports to a URL that is not below one of the allowed ``prefixes``."""
        if self.export:
            export_target.prefix_of(self.export, prefixes)

    def tracker(self, progress: Progress | None = None, timed: Timed | None = None) -> Tracker:
        """Return what reports the percentages of all steps to ``progress``, and their seconds to ``timed``."""
        return Tracker(self.labels, progress, timed)


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
        problems = error.errors(include_url=False)
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
    if not isinstance(document, dict):
        return
    common = _length(document)
    if common > MOST_STEPS:
        raise InvalidRecipe(f"The recipe has {common:,} steps; at most {MOST_STEPS} are allowed.")
    outputs = document.get("outputs")
    total = common + sum(map(_length, outputs.values() if isinstance(outputs, dict) else ()))
    if total > MOST_STEPS_IN_ALL:
        raise InvalidRecipe(
            f"The recipe and its outputs have {total:,} steps; at most {MOST_STEPS_IN_ALL} are allowed in all."
        )


def _length(document: Any) -> int:
    steps = document.get("steps") if isinstance(document, dict) else None
    return len(steps) if isinstance(steps, list) else 0


def _explain(problem: ErrorDetails) -> str:
    """Return what is wrong at one place of a recipe, and what is allowed there."""
    place = problem["loc"]
    if problem["type"] == "json_invalid":
        return f"It is not JSON: {problem['ctx']['error']}"
    of_output = ""
    if place[:1] == ("outputs",) and len(place) > 1:
        of_output, place = f" of the output {str(place[1])[:100]!r}", place[2:]
    if not place or place[0] != "steps" or len(place) < 2:
        return _explain_outside(problem)
    step = f"Step {int(place[1]) + 1}{of_output}"
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
        *outer, field = map(str, problem["loc"])
        where = f'"{".".join(outer)}"' if outer else "a recipe"
        known = OutputRecipe if outer[2:] == [] else Encode
        fields = (known if outer else Recipe).model_fields
        return f"There is no field {field!r} in {where}; it has {', '.join(fields)}"
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

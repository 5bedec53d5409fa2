"""Finds the transforms: pure functions from picture to picture, in one small module each.

A transform is a subclass of `Step` in a module of this folder's rooms, or in a package that names it in the entry
point group ``imagomortis.transforms``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import or_
from pkgutil import walk_packages
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, TypeGuard

from pydantic import Field

from imagomortis.errors import ConfigurationError
from imagomortis.recipe.transforms.step import Context, Length, Step

__all__ = ["TRANSFORMS", "AnyStep", "Context", "Length", "Step"]

GROUP: Final = "imagomortis.transforms"
"""The entry point group in which packages name their transforms."""


def find(entries: Iterable[EntryPoint]) -> dict[str, type[Step]]:
    """Return the transforms by name: first those of this folder by name, then those of other packages.

    Raises ConfigurationError if a package's transform cannot be imported, is not a transform, or has a name that is
    taken.
    """
    found = {name_of(transform): transform for transform in sorted(_own(), key=name_of)}
    for entry in entries:
        transform = _load(entry)
        name = name_of(transform)
        if name in found:
            raise _unusable(entry, f"there is a transform {name!r} already")
        found[name] = transform
    return found


def name_of(transform: type[Step]) -> str:
    """Return the name of a transform in recipes."""
    return str(transform.model_fields["transform"].default)


def _own() -> Iterator[type[Step]]:
    for module in walk_packages(__path__, f"{__name__}."):
        for member in vars(import_module(module.name)).values():
            if _is_transform(member) and member.__module__ == module.name:
                yield member


def _load(entry: EntryPoint) -> type[Step]:
    try:
        transform = entry.load()
    except Exception as error:  # another author's package can raise anything
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not _is_transform(transform):
        raise _unusable(entry, f"{entry.value} is no subclass of {Step.__module__}.{Step.__name__} with apply()")
    if not isinstance(transform.model_fields["transform"].default, str):
        raise _unusable(
            entry, f'{entry.value} lacks its name, as in: transform: Literal["{entry.name}"] = "{entry.name}"'
        )
    return transform


def _is_transform(member: object) -> TypeGuard[type[Step]]:
    return inspect.isclass(member) and issubclass(member, Step) and not inspect.isabstract(member)


def _unusable(entry: EntryPoint, problem: str) -> ConfigurationError:
    package = entry.dist.name if entry.dist else "?"
    return ConfigurationError(
        f"The transform {entry.name!r} of the package {package!r} cannot be used: {problem}. Mend or uninstall it."
    )


TRANSFORMS: Final[Mapping[str, type[Step]]] = MappingProxyType(find(entry_points(group=GROUP)))
"""Every transform by its name."""

if TYPE_CHECKING:
    AnyStep = Step
else:
    AnyStep = Annotated[reduce(or_, TRANSFORMS.values()), Field(discriminator="transform")]
    """A step of any transform, discriminated by the transform's name."""

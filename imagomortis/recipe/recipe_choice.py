"""Chooses the recipe of an upload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from imagomortis.recipe import recipe
from imagomortis.recipe.recipe import Recipe


@dataclass(frozen=True)
class ChosenRecipe:
    """A complete recipe, its digest, and its name if it is a built-in one."""

    recipe: dict[str, Any]
    digest: str
    name: str | None


def choose(text: str | None, export_prefixes: Sequence[str] = ()) -> ChosenRecipe:
    """Return the recipe for ``text``: the name of a built-in one, or JSON; the default for None or an empty text.

    Raises InvalidRecipe, also if the recipe exports to a URL that is not below one of ``export_prefixes``.
    """
    wanted = (text or "").strip() or recipe.DEFAULT
    if wanted in recipe.builtin():
        return _builtin(wanted)
    chosen = Recipe.parse(wanted)
    chosen.check_export(export_prefixes)
    return _complete(chosen, None)


@lru_cache(maxsize=64)
def _builtin(name: str) -> ChosenRecipe:
    return _complete(recipe.builtin()[name].recipe, name)


def _complete(chosen: Recipe, name: str | None) -> ChosenRecipe:
    return ChosenRecipe(chosen.as_json(), chosen.digest, name)

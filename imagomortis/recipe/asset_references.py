"""Reads and fixes the references of recipes to assets.

A recipe refers to an asset by its name. Once the recipe is saved or applied, it says which picture that was:
``logo@<SHA-256 of the bytes>``. So its digest covers the picture, and another picture of that name changes no result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"
REFERENCE: Final = r"^[a-z0-9][a-z0-9_-]{0,63}(@[0-9a-f]{64})?$"

MOST_ASSETS: Final = 8
"""The most assets of a recipe."""


def split(reference: str) -> tuple[str, str]:
    """Return the name and the digest of a reference; the digest is empty if it is not known yet."""
    name, _, digest = reference.partition("@")
    return name, digest


def asset_steps(recipe: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the steps of a recipe's document that refer to an asset, those of its outputs too.

    The document may be invalid: it is checked later, where that costs one image and no other.
    """
    outputs = recipe.get("outputs")
    for chain in (recipe, *(outputs.values() if isinstance(outputs, dict) else ())):
        steps = chain.get("steps") if isinstance(chain, Mapping) else None
        for step in steps if isinstance(steps, list) else ():
            if isinstance(step, dict) and isinstance(step.get("asset"), str):
                yield step


def references(recipe: Mapping[str, Any]) -> list[str]:
    """Return the references of a recipe's document, each once."""
    return list(dict.fromkeys(step["asset"] for step in asset_steps(recipe)))

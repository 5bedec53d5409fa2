"""Resolves the recipe that a person names on the command line into a form that the uploader accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from imagomortis.errors import InvalidRecipe
from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.documents import RecipeDocument


def resolve(client: Client, wanted: str) -> str:
    """Return a built-in recipe's name, or the JSON of a recipe that is saved, in a file, or written out.

    The uploader does not know saved recipes. Raises InvalidRecipe for an unknown name, and ServerProblem for a recipe
    that is not valid.
    """
    text = wanted.strip()
    if text.startswith("{"):
        return _valid(client, text)
    if text.endswith(".json") or "/" in text:
        return _valid(client, _read(Path(text)))
    known = {recipe["name"]: recipe for recipe in cast(list[RecipeDocument], client.get("recipes"))}
    if text not in known:
        raise InvalidRecipe(f"There is no recipe {text!r}. There are {', '.join(known)}; or give one as JSON.")
    return text if known[text]["is_builtin"] else json.dumps(known[text]["recipe"])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidRecipe(f"The recipe in {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InvalidRecipe(f"The recipe in {path} cannot be read: it is not UTF-8.") from error


def _valid(client: Client, text: str) -> str:
    """Return the recipe after the server has validated it: once before the first upload, rather than at each one."""
    try:
        recipe: Any = json.loads(text)
        # Python reads NaN, infinity and lone surrogates, which cannot be sent
        json.dumps(recipe, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidRecipe(f"The recipe is not JSON ({error}).") from error
    if not isinstance(recipe, dict):
        raise InvalidRecipe('The recipe is no JSON object such as {"steps": [{"transform": "circles"}]}.')
    client.post("recipes/validate", {"recipe": recipe})
    return text

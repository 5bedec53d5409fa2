"""Stores the recipes that people saved under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from imagomortis.catalog.connection.database import Database, statements


@dataclass(frozen=True)
class SavedRecipe:
    """A recipe with its name, and the words that tell people what it does."""

    name: str
    title: str
    description: str
    recipe: Mapping[str, Any]
    digest: str
    created_at: datetime
    updated_at: datetime


class Recipes:
    """Every statement on saved recipes."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("recipes")

    def all(self) -> list[SavedRecipe]:
        """Return every saved recipe, by name."""
        return [SavedRecipe(**row) for row in self._database.rows(self._sql["all"])]

    def one(self, name: str) -> SavedRecipe | None:
        """Return the recipe of that name, or None."""
        row = self._database.row(self._sql["one"], name=name)
        return SavedRecipe(**row) if row else None

    def save(self, name: str, title: str, description: str, recipe: Mapping[str, Any], digest: str) -> SavedRecipe:
        """Save a recipe under ``name``, in place of one that had it."""
        [row] = self._database.rows(
            self._sql["save"],
            name=name,
            title=title,
            description=description,
            recipe=Jsonb(dict(recipe)),
            digest=digest,
        )
        return SavedRecipe(**row)

    def delete(self, name: str) -> bool:
        """Delete the recipe of that name; False if there was none."""
        return bool(self._database.rows(self._sql["delete"], name=name))

"""Stores assets: pictures under a name, which recipes lay over others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from imagomortis.catalog.connection.database import Database, statements
from imagomortis.errors import InvalidRecipe
from imagomortis.recipe.asset_references import references, split

if TYPE_CHECKING:
    from imagomortis.picture.header import Header
    from imagomortis.recipe.recipe import Recipe


CACHED: Final = 16
"""Pictures that a process keeps in memory. Each has at most 1 MiB."""


@dataclass(frozen=True)
class Asset:
    """A picture under a name, without its bytes."""

    name: str
    sha256: bytes
    media_type: str
    size: int
    width: int
    height: int
    created_at: datetime
    updated_at: datetime


class Assets:
    """Every statement on assets."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("assets")
        self._bytes = lru_cache(CACHED)(self.bytes_of)

    def all(self) -> list[Asset]:
        """Return every asset, by name."""
        return [Asset(**row) for row in self._database.rows(self._sql["all"])]

    def one(self, name: str) -> Asset | None:
        """Return the asset of that name, or None."""
        row = self._database.row(self._sql["one"], name=name)
        return Asset(**row) if row else None

    def save(self, name: str, data: bytes, header: Header) -> Asset:
        """Store a picture under ``name``, in place of one that had it; ``header`` is what a check of it found.

        The bytes of the former picture stay, for the recipes that use it.
        """
        [row] = self._database.rows(
            self._sql["save"],
            name=name,
            sha256=hashlib.sha256(data).digest(),
            media_type=header.media_type,
            width=header.width,
            height=header.height,
            size=len(data),
            bytes=data,
        )
        return Asset(**row)

    def delete(self, name: str) -> bool:
        """Take the name away; False if there was none. The bytes stay, for the recipes that use them."""
        return bool(self._database.rows(self._sql["delete"], name=name))

    def delete_unused(self) -> int:
        """Delete pictures that have had neither a name nor a recipe that uses them for a day; return how many."""
        return len(self._database.rows(self._sql["delete_unused"]))

    def recipes_with(self, name: str) -> list[str]:
        """Return the names of the saved recipes that use the asset of that name."""
        recipes = self._database.rows(self._sql["recipes"])
        names = {row["name"]: {split(each)[0] for each in references(row["recipe"])} for row in recipes}
        return [recipe for recipe, used in names.items() if name in used]

    def fixed(self, recipe: Recipe) -> Recipe:
        """Return a recipe with the digests of its assets, as it is saved and applied.

        Raises InvalidRecipe if an asset does not exist, or a picture that it was.
        """
        if not recipe.assets:
            return recipe
        names = [name for name, digest in map(split, recipe.assets) if not digest]
        found = self._database.rows(self._sql["named"], names=names) if names else []
        fixed = recipe.with_assets({row["name"]: row["sha256"].hex() for row in found})
        digests = {digest: name for name, digest in map(split, fixed.assets)}
        stored = self._database.rows(self._sql["stored"], sha256s=[bytes.fromhex(digest) for digest in digests])
        if lost := digests.keys() - {row["sha256"].hex() for row in stored}:
            digest = min(lost)
            raise InvalidRecipe(
                f"The picture {digest} of the asset {digests[digest]!r} is not stored. Store it, or name the asset "
                "without a digest."
            )
        return fixed

    def files(self, references: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes of those assets that exist, by their SHA-256 in hexadecimal digits."""
        found = {}
        for _, digest in map(split, references):
            with suppress(LookupError, ValueError):  # no such picture, or no digest
                found[digest] = self._bytes(bytes.fromhex(digest))
        return found

    def bytes_of(self, sha256: bytes) -> bytes:
        """Return the bytes of a present or former asset; raise LookupError if they are not stored."""
        row = self._database.row(self._sql["bytes"], sha256=sha256)
        if row is None:
            raise LookupError(sha256.hex())
        return bytes(row["bytes"])

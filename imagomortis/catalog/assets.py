"""Stores assets: pictures under a name, which recipes lay over others."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from imagomortis.catalog.connection.database import Database, statements
from imagomortis.picture.header import Header


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

    def bytes_of(self, sha256s: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the bytes of those pictures that exist, by their SHA-256, also of former ones."""
        found = self._database.rows(self._sql["bytes"], sha256s=list(sha256s))
        return {row["sha256"]: row["bytes"] for row in found}

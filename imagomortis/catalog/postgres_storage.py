"""Implements a storage on the rows of the catalog, which must exist before a put and stay after a delete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements
from imagomortis.errors import BytesDamaged, NotFound
from imagomortis.storage import Name, Stored, name_of
from imagomortis.storage.storage import NOTHING, ORIGINAL

ELSEWHERE: Final = (
    "The bytes of this picture are in an object store. Set IMAGOMORTIS_STORAGE to its URL, or bring them back with "
    "`imagomortis storage copy`."
)

WHOLE: Final = 2**31 - 1
"""More bytes than a value of Postgres can have."""

LISTED: Final = 500
"""Images whose bytes are listed in one query."""


class BytesElsewhere(BytesDamaged):
    """A row exists, but its bytes are in an object store."""


class PostgresStorage:
    """The storage of one catalog. The queue writes new bytes itself, in the statement that writes their row."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("storage")

    def put(self, objects: Mapping[str, bytes | Path], media_types: Mapping[str, str] = NOTHING) -> None:  # noqa: ARG002
        """Store bytes in the rows of their names; raises NotFound if one has no row."""
        for name, data in objects.items():
            if not self._run("put", name, bytes=data.read_bytes() if isinstance(data, Path) else data):
                raise NotFound(f"The catalog has no row for {name}; it may have been deleted.")

    def get(self, digests: Mapping[str, bytes]) -> dict[str, bytes | BytesDamaged]:
        """Return the bytes of each name, after a comparison with its SHA-256, or the error that was found."""
        return {name: self._get(name, sha256) for name, sha256 in digests.items()}

    def read(self, name: str, start: int, length: int) -> bytes:
        """Return bytes of a name from ``start``."""
        rows = self._run("read", name, start=start, length=length)
        if not rows:
            raise BytesDamaged(f"The catalog has no {name}.")
        if rows[0]["bytes"] is None:
            raise BytesElsewhere(f"The catalog has no bytes of {name}.")
        return bytes(rows[0]["bytes"])

    def head(self, name: str) -> Stored | None:
        """Return the bytes' size and time of a name; None if its row has none."""
        rows = self._run("head", name)
        return Stored(name, **rows[0]) if rows else None

    def delete(self, names: Iterable[str]) -> None:
        """Remove the bytes of names; the rows stay, because the queue owns them."""
        for name in names:
            self._run("clear", name)

    def listed(self, after: str = "", folder: str = "") -> Iterator[Stored]:
        """Yield all names with bytes in their rows that follow ``after``, in their order; perhaps of one image."""
        within, limit = (f"{folder}/", 1) if folder else ("", LISTED)
        since = _id_of(f"{folder}/{ORIGINAL}" if folder else after)
        while rows := self._database.rows(self._sql["list"], since=since, limit=limit):
            names = {name_of(row["id"], row["kind"], row["sha256"]): row for row in rows if row["kind"]}
            for name in sorted(each for each in names if each > after and each.startswith(within)):
                yield Stored(name, names[name]["size"], names[name]["put_at"])
            if folder:
                return
            since = UUID(int=rows[-1]["id"].int + 1)

    def _get(self, name: str, sha256: bytes) -> bytes | BytesDamaged:
        try:
            found = self.read(name, 0, WHOLE)
        except BytesDamaged as error:
            return error
        if hashlib.sha256(found).digest() != sha256:
            return BytesDamaged(
                f"The catalog has other bytes under {name}: they do not have the SHA-256 {sha256.hex()}."
            )
        return found

    def _run(self, action: str, text: str, **values: Any) -> list[dict[str, Any]]:
        name = Name.of(text)
        if name is None:
            return []
        statement = f"{action}_original" if name.sha256 is None else f"{action}_rendition"
        values |= {"id": name.image_id, "kind": name.kind, "sha256": name.sha256}
        return self._database.rows(self._sql[statement], **values)


def _id_of(name: str) -> UUID:
    """Return the image of a name; the lowest id if the name has none."""
    found = Name.of(name)
    return found.image_id if found else UUID(int=0)

"""Implements a storage on the rows of the catalog, which must exist before a put and stay after a delete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        """Store bytes in the rows of their names; raises NotFound after that if some have no row."""
        stored = {
            name
            for kind, names in _by_table(objects).items()
            for name in self._found(f"put_{kind}", names, bytes=[_bytes(objects[name]) for name in names])
        }
        if missing := sorted(objects.keys() - stored):
            raise NotFound(f"The catalog has no row for {', '.join(missing)}; it may have been deleted.")

    def get(self, digests: Mapping[str, bytes]) -> dict[str, bytes | BytesDamaged]:
        """Return the bytes of each name, after a comparison with its SHA-256, or the error that was found."""
        found = {
            name: row["bytes"]
            for kind, names in _by_table(digests).items()
            for name, row in self._found(f"get_{kind}", names).items()
        }
        return {name: _checked(name, found, sha256) for name, sha256 in digests.items()}

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
        for kind, of_kind in _by_table(names).items():
            self._found(f"clear_{kind}", of_kind)

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

    def _found(self, statement: str, names: Sequence[str], **values: Any) -> dict[str, dict[str, Any]]:
        """Run a statement for many names of one table; return the row of each name that has one."""
        parts = [part for part in map(Name.of, names) if part]
        values["ids"] = [part.image_id for part in parts]
        values["kinds"] = [part.kind for part in parts]
        values["sha256s"] = [part.sha256 for part in parts]
        rows = self._database.rows(self._sql[statement], **values)
        return {names[row["number"] - 1]: row for row in rows}

    def _run(self, action: str, text: str, **values: Any) -> list[dict[str, Any]]:
        name = Name.of(text)
        if name is None:
            return []
        statement = f"{action}_original" if name.sha256 is None else f"{action}_rendition"
        values |= {"id": name.image_id, "kind": name.kind, "sha256": name.sha256}
        return self._database.rows(self._sql[statement], **values)


def _by_table(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of originals and those of renditions; names of other programs have no row."""
    tables: dict[str, list[str]] = {}
    for name in names:
        if part := Name.of(name):
            tables.setdefault("renditions" if part.sha256 else "originals", []).append(name)
    return tables


def _bytes(data: bytes | Path) -> bytes:
    return data.read_bytes() if isinstance(data, Path) else data


def _checked(name: str, found: Mapping[str, bytes | None], sha256: bytes) -> bytes | BytesDamaged:
    if name not in found:
        return BytesDamaged(f"The catalog has no {name}.")
    data = found[name]
    if data is None:
        return BytesElsewhere(f"The catalog has no bytes of {name}.")
    if hashlib.sha256(data).digest() != sha256:
        return BytesDamaged(f"The catalog has other bytes under {name}: they do not have the SHA-256 {sha256.hex()}.")
    return data


def _id_of(name: str) -> UUID:
    """Return the image of a name; the lowest id if the name has none."""
    found = Name.of(name)
    return found.image_id if found else UUID(int=0)

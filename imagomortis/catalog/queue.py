"""Adds images to the queue, leases them to workers and saves their results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from imagomortis.catalog.connection.database import Database, rows, statements
from imagomortis.catalog.postgres_storage import ELSEWHERE
from imagomortis.catalog.workers import SEEN_SECONDS
from imagomortis.errors import BytesDamaged, Unavailable
from imagomortis.lifecycle import MAX_ATTEMPTS, State
from imagomortis.storage import name_of, original_name

if TYPE_CHECKING:
    from imagomortis.sandbox.sandbox import Rendition
    from imagomortis.spool.upload import Upload
    from imagomortis.storage.object_store import ObjectStore
    from imagomortis.storage.storage import InBucket

ALWAYS = (datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
"""The span of time that holds every image."""

WORKER_LOST = "The worker stopped before it finished this picture; the picture is tried again."


@dataclass(frozen=True)
class Leased:
    """An image that a worker can process until its lease expires."""

    id: UUID
    created_at: datetime
    filename: str
    sha256: bytes
    size: int
    attempt: int
    recipe: Mapping[str, Any]
    recipe_digest: str


@dataclass(frozen=True)
class Lease:
    """Images that were leased together by one token."""

    token: UUID
    images: tuple[Leased, ...]


@dataclass(frozen=True)
class Result:
    """A processed image: its renditions, and the seconds of processing."""

    image: Leased
    renditions: Sequence[Rendition]
    seconds: float


@dataclass(frozen=True)
class Depth:
    """The number of queued images, and when the oldest was queued."""

    queued: int
    oldest: datetime | None


@dataclass(frozen=True)
class Lost:
    """An image whose worker disappeared, with its new state."""

    id: UUID
    state: State
    attempt: int
    run_id: str


@dataclass(frozen=True)
class Failure:
    """A failed image and its cause."""

    id: UUID
    filename: str
    error: str
    error_kind: str


def _lease(token: UUID, rows: Sequence[Mapping[str, Any]]) -> Lease | None:
    images = sorted((Leased(**row) for row in rows), key=lambda image: (image.created_at, image.id))
    return Lease(token, tuple(images)) if images else None


class Queue:
    """Statements that change the state of an image while it is processed."""

    def __init__(self, database: Database, objects: ObjectStore | None = None) -> None:
        """Take the database, and the object store for the bytes; without one they go into the rows."""
        self._database = database
        self._objects = objects
        self._sql = statements("queue")

    def add(self, arrivals: Sequence[tuple[Upload, bytes | Path | InBucket]]) -> list[UUID]:
        """Insert images with their originals in one transaction; return the ids of the new ones.

        An object store can be given the original's file or its place in the same bucket instead of its bytes.
        Raises psycopg's DataError and inserts nothing if Postgres cannot store one of them.
        """
        uploads = [upload for upload, _ in arrivals]
        found = self._write(
            "add",
            {original_name(upload.id): data for upload, data in arrivals},
            {original_name(upload.id): upload.media_type for upload in uploads},
            ids=[upload.id for upload in uploads],
            created_ats=[upload.created_at for upload in uploads],
            filenames=[upload.filename for upload in uploads],
            media_types=[upload.media_type for upload in uploads],
            sha256s=[upload.sha256 for upload in uploads],
            sizes=[upload.size for upload in uploads],
            widths=[upload.width for upload in uploads],
            heights=[upload.height for upload in uploads],
            recipes=[upload.recipe_json for upload in uploads],
            recipe_digests=[upload.recipe_digest for upload in uploads],
            recipe_names=[upload.recipe_name for upload in uploads],
            bytes=self._in_rows(data for _, data in arrivals),
        )
        return [row["id"] for row in found]

    def lease(
        self,
        run_id: str,
        count: int,
        seconds: float,
        span: tuple[datetime, datetime] = ALWAYS,
        *,
        token: UUID | None = None,
    ) -> Lease | None:
        """Lease up to ``count`` queued images created in ``span`` for ``seconds``; None if there are none."""
        token = token or uuid4()
        found = self._database.rows(
            self._sql["lease"], run_id=run_id, count=count, seconds=seconds, token=token, since=span[0], until=span[1]
        )
        return _lease(token, found)

    def find_lease(self, token: UUID, seconds: float) -> Lease | None:
        """Renew the lease of a token for ``seconds`` and return it; None if it has no images."""
        return _lease(token, self._database.rows(self._sql["find_lease"], token=token, seconds=seconds))

    def originals(self, images: Sequence[Leased]) -> dict[UUID, bytes | BytesDamaged]:
        """Return the bytes of each original that still exists, or the error if they are damaged."""
        found = self._database.rows(self._sql["originals"], ids=[image.id for image in images])
        originals = {row["image_id"]: row["bytes"] for row in found}
        names = {original_name(image.id): image for image in images if originals.get(image.id, b"") is None}
        away = self._away({name: image.sha256 for name, image in names.items()})
        return originals | {names[name].id: data for name, data in away.items()}

    def _away(self, digests: Mapping[str, bytes]) -> dict[str, bytes | BytesDamaged]:
        """Read bytes from the object store and check them by their digests."""
        if not digests:
            return {}
        if self._objects is None:
            raise Unavailable(ELSEWHERE)
        return self._objects.get(digests)

    def renew(self, token: UUID, ids: Sequence[UUID], seconds: float) -> set[UUID]:
        """Renew the leases for ``seconds``; return the ids whose lease was still valid."""
        found = self._database.rows(self._sql["renew"], token=token, ids=list(ids), seconds=seconds)
        return {row["id"] for row in found}

    def report_progress(self, token: UUID, image_id: UUID, progress: Mapping[str, int]) -> None:
        """Store the progress of an image's steps, in percent by label."""
        self._database.rows(self._sql["report_progress"], token=token, id=image_id, progress=Jsonb(dict(progress)))

    def save(self, token: UUID, results: Sequence[Result]) -> set[UUID]:
        """Save the renditions and mark the images done if the lease is still valid; return the saved ids.

        Remaining renditions of former recipes are removed.
        """
        renditions = [(result.image, rendition) for result in results for rendition in result.renditions]
        named = {name_of(image.id, rendition.kind, rendition.sha256): rendition for image, rendition in renditions}
        found = self._write(
            "save",
            {name: rendition.data for name, rendition in named.items()},
            {name: rendition.media_type for name, rendition in named.items()},
            token=token,
            ids=[result.image.id for result in results],
            seconds=[result.seconds for result in results],
            image_ids=[image.id for image, _ in renditions],
            kinds=[rendition.kind for _, rendition in renditions],
            outputs=[
                image.recipe.get("first") if rendition.kind == "processed" else None for image, rendition in renditions
            ],
            media_types=[rendition.media_type for _, rendition in renditions],
            widths=[rendition.width for _, rendition in renditions],
            heights=[rendition.height for _, rendition in renditions],
            sizes=[len(rendition.data) for _, rendition in renditions],
            sha256s=[rendition.sha256 for _, rendition in renditions],
            recipe_digests=[image.recipe_digest for image, _ in renditions],
            thumbhashes=[rendition.thumbhash or None for _, rendition in renditions],
            bytes=self._in_rows(rendition.data for _, rendition in renditions),
        )
        return {row["id"] for row in found}

    def _write(
        self, statement: str, objects: Mapping[str, bytes | Path | InBucket], types: Mapping[str, str], /, **values: Any
    ) -> list[DictRow]:
        """Run a statement that writes rows; if there is an object store, put their bytes there first."""
        if self._objects is None:
            return self._database.rows(self._sql[statement], **values)
        with self._database.transaction() as connection:
            rows(connection, statements("storage")["hold_sweep"], {})
            self._objects.put(objects, types)
            return rows(connection, self._sql[statement], values)

    def _in_rows(self, datas: Iterable[bytes | Path | InBucket]) -> list[bytes | Path | InBucket | None]:
        """Return the bytes that go into the rows; NULL if they go to an object store."""
        return [data if self._objects is None else None for data in datas]

    def fail(self, token: UUID, image_id: UUID, error: str, error_kind: str, seconds: float) -> State | None:
        """End an attempt with the cause of its failure; return the new state, or None if the lease has expired."""
        row = self._database.row(
            self._sql["fail"],
            token=token,
            id=image_id,
            error=error,
            error_kind=error_kind,
            seconds=seconds,
            max_attempts=MAX_ATTEMPTS,
        )
        return State(row["state"]) if row else None

    def give_back(self, token: UUID, ids: Sequence[UUID]) -> set[UUID]:
        """Queue leased images again that were not begun; return their ids."""
        found = self._database.rows(self._sql["give_back"], token=token, ids=list(ids))
        return {row["id"] for row in found}

    def release_expired(self, life: float, ended_runs: Collection[str] = ()) -> list[Lost]:
        """End the attempts whose lease has expired, once the pusher has had contact for ``life`` seconds.

        Attempts of ``ended_runs`` end at once.
        """
        found = self._database.rows(
            self._sql["release_expired"],
            life=life,
            ended_runs=list(ended_runs),
            max_attempts=MAX_ATTEMPTS,
            error=WORKER_LOST,
        )
        return [Lost(row["id"], State(row["state"]), row["attempt"], row["run_id"]) for row in found]

    def depth(self, limit: int = 100_000) -> Depth:
        """Count the queued images, up to ``limit``; 0 while processing is paused."""
        row = self._database.row(self._sql["depth"], limit=limit)
        return Depth(row["queued"], row["oldest"]) if row else Depth(0, None)

    def depth_elsewhere(self, limit: int = 100_000) -> Depth:
        """Count the queued images, up to ``limit``, outside the hours that have a worker of their own."""
        row = self._database.row(self._sql["depth_elsewhere"], limit=limit, seen_seconds=SEEN_SECONDS)
        return Depth(row["queued"], row["oldest"]) if row else Depth(0, None)

    def seconds_each(self, least: float) -> float:
        """Estimate the seconds per image for the oldest queued images, from recent ones; at least ``least``.

        An estimate uses recent images of the same recipe and size, else of the same recipe, else of the same size.
        """
        row = self._database.row(self._sql["seconds_each"], least=least)
        return row["seconds"] if row and row["seconds"] else least

    def remaining(self, span: tuple[datetime, datetime]) -> dict[State, int]:
        """Count the images of a span by state."""
        found = self._database.rows(self._sql["remaining"], since=span[0], until=span[1])
        return {State(row["state"]): row["images"] for row in found}

    def failures(self, span: tuple[datetime, datetime], limit: int = 20) -> list[Failure]:
        """Return the newest failed images of a span."""
        found = self._database.rows(self._sql["failures"], since=span[0], until=span[1], limit=limit)
        return [Failure(**row) for row in found]

    def thumbnails(self, span: tuple[datetime, datetime], limit: int = 24) -> list[tuple[UUID, bytes]]:
        """Return the newest thumbnails of a span."""
        found = self._database.rows(self._sql["thumbnails"], since=span[0], until=span[1], limit=limit)
        thumbnails = {name_of(row["id"], "thumbnail", row["sha256"]): row for row in found}
        away = self._away({name: row["sha256"] for name, row in thumbnails.items() if row["bytes"] is None})
        datas = [(row["id"], row["bytes"] or away[name]) for name, row in thumbnails.items()]
        return [(image_id, data) for image_id, data in datas if not isinstance(data, BytesDamaged)]

"""Lists, reads, edits and deletes images for people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from imagomortis.catalog.connection.async_database import AsyncDatabase
from imagomortis.catalog.connection.database import Database, rows, statements
from imagomortis.catalog.postgres_storage import ELSEWHERE, BytesElsewhere, PostgresStorage
from imagomortis.catalog.queue import ALWAYS
from imagomortis.errors import BytesDamaged, Unavailable
from imagomortis.lifecycle import Outcome, State
from imagomortis.storage import name_of, original_name

if TYPE_CHECKING:
    from imagomortis.storage.object_store import ObjectStore

Kind = str
"""Which picture of an image: `original`, `processed` (the first output), `thumbnail`, or an output's name."""

CHUNK: Final = 1024 * 1024
"""Bytes per read while a picture is sent."""

SCAN: Final = 50_000
"""Most images that a filter examines for one page."""

SLICE: Final = 5_000
"""Images per transaction when all images are changed."""

MOST_MARKED: Final = 250_000
"""Most images that are examined to mark a list."""

CANCELLED: Final = "Processing was cancelled while the picture waited. Retry it when you want it processed."

MOST_CHANGES: Final = 2_000
"""Most changes that are listed one by one. A client that missed more reloads everything."""


@dataclass(frozen=True)
class Image:
    """An image with everything but its bytes; ``processed`` and ``thumbnail`` are the digests of its renditions.

    ``thumbnail_size`` is width and height in pixels. ``sort_key`` is its place in a list by name or size.
    """

    id: UUID
    created_at: datetime
    filename: str
    media_type: str
    sha256: bytes
    size: int
    width: int
    height: int
    state: State
    recipe: Mapping[str, Any]
    recipe_digest: str
    recipe_name: str | None
    attempt: int
    failed_attempts: int
    progress: Mapping[str, int]
    run_id: str | None
    leased_at: datetime | None
    finished_at: datetime | None
    error: str | None
    error_kind: str | None
    deleted_at: datetime | None
    processed: bytes | None
    thumbnail: bytes | None
    thumbnail_size: Sequence[int] | None
    thumbhash: bytes | None
    favourite: bool
    sort_key: str | None = None


@dataclass(frozen=True)
class RenditionInfo:
    """A rendition without its bytes; ``output`` is the name of the output, None for a thumbnail."""

    kind: str
    output: str | None
    media_type: str
    width: int
    height: int
    size: int
    sha256: bytes
    recipe_digest: str
    created_at: datetime


@dataclass(frozen=True)
class Attempt:
    """An attempt at an image, and its cause if it failed; ``run_expired``: Dagster has deleted its run."""

    attempt: int
    run_id: str
    run_expired: bool
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    seconds: float | None
    error: str | None
    error_kind: str | None


@dataclass(frozen=True)
class Picture:
    """A picture to send: its type, size and digest, and its first bytes as far as they were requested.

    ``kind`` is the kind in the row, which also names the bytes in an object store. ``output`` is the requested name of
    the first output, if that is not `processed`. ``is_away``: an object store has the bytes. ``link`` is a URL of them,
    if it was requested; ``head`` is then empty.
    """

    image_id: UUID
    kind: Kind
    media_type: str
    size: int
    sha256: bytes
    filename: str
    created_at: datetime
    head: bytes
    output: str | None = None
    is_away: bool = False
    link: str | None = None


@dataclass(frozen=True)
class Cursor:
    """A position in the list of images, newest first: after the image with this creation time and id."""

    created_at: datetime
    id: UUID


NEWEST: Final = Cursor(ALWAYS[1], UUID(int=2**128 - 1))
OLDEST: Final = Cursor(ALWAYS[0], UUID(int=0))


@dataclass(frozen=True)
class Filter:
    """The conditions for images in a list; None is no condition. With ``trash`` it is the list of the trash."""

    states: tuple[State, ...] | None = None
    name: str | None = None
    recipe: str | None = None
    since: datetime = ALWAYS[0]
    until: datetime = ALWAYS[1]
    favourites: bool = False
    trash: bool = False


@dataclass(frozen=True)
class Page:
    """Images, newest first, and the cursor of the next page; None at the end."""

    images: list[Image]
    next: Cursor | None


@dataclass(frozen=True)
class Marks:
    """Positions that divide a list into pieces: the last image of each piece, and the number of its images.

    ``next`` is the cursor from which to continue; None at the end.
    """

    cursors: list[Cursor]
    counts: list[int]
    next: Cursor | None


@dataclass(frozen=True)
class Place:
    """The current position in the stream of changes.

    A position is a transaction id. All transactions before it have ended, so no earlier change can appear later.
    ``ahead`` is the end of the transactions that have begun. ``purged`` is the last change of a purged image, None
    before the first. ``epoch`` identifies the database, and changes when it is restored from a backup.
    """

    position: int
    ahead: int
    purged: int | None
    epoch: str


@dataclass(frozen=True)
class Changes:
    """The images that changed before ``position``, in their current state, deleted ones included.

    The next call continues from ``position``. ``ahead`` is the end of the transactions that have begun. ``images`` is
    None if too many changed.
    """

    images: list[Image] | None
    position: int
    ahead: int


@dataclass(frozen=True)
class Throughput:
    """Attempts of one outcome that ended within a minute."""

    minute: datetime
    outcome: Outcome
    images: int


class Images:
    """Statements that list, read, edit and delete images."""

    def __init__(self, database: Database, objects: ObjectStore | None = None) -> None:
        """Take the database, and the object store for bytes that are not in the rows."""
        self._database = database
        self._rows = PostgresStorage(database)
        self._objects = objects
        self._sql = statements("images")

    def page(self, limit: int, after: Cursor = NEWEST, which: Filter | None = None) -> Page:
        """Return up to ``limit`` images after ``after``, newest first.

        A filter examines at most ``SCAN`` images, so a page can have fewer images or none, and still a next page.
        """
        which = which or Filter()
        statement = _page_statement(which)
        is_filtered = statement == "page" and any((which.states, which.name, which.recipe))
        values = {
            "limit": limit + 1,
            "scan": SCAN if is_filtered else limit + 1,
            "before": after.created_at,
            "before_id": after.id,
            "states": [state.value for state in which.states] if which.states is not None else None,
            "since": which.since,
            "name": f"%{literal(which.name)}%" if which.name else None,
            "recipe": which.recipe,
        }
        found = self._database.rows(self._sql[statement], **values)
        images = [image_of(row) for row in found[:limit]]
        if len(found) > limit:
            return Page(images, Cursor(images[-1].created_at, images[-1].id))
        return Page(images, self._horizon(values) if is_filtered else None)

    def _horizon(self, values: dict[str, Any]) -> Cursor | None:
        row = self._database.row(self._sql["horizon"], **values)
        return Cursor(**row) if row else None

    def marks(self, every: int, after: Cursor = NEWEST, which: Filter | None = None) -> Marks:
        """Return the positions that divide the list after ``after``, newest first, into pieces of ``every`` images."""
        which = which or Filter()
        found = self._database.rows(
            self._sql[_marks_statement(which)],
            every=every,
            scan=MOST_MARKED,
            before=after.created_at,
            before_id=after.id,
            since=which.since,
            states=[state.value for state in which.states] if which.states is not None else None,
            name=f"%{literal(which.name)}%" if which.name else None,
            recipe=which.recipe,
        )
        cursors = [Cursor(row["created_at"], row["id"]) for row in found]
        ends = [0, *(row["number"] for row in found)]
        is_more = ends[-1] == MOST_MARKED
        counts = [end - start for start, end in pairwise(ends)]
        return Marks(cursors, counts, cursors[-1] if is_more else None)

    def one(self, image_id: UUID) -> Image | None:
        """Return an image; None if it does not exist or is deleted."""
        row = self._database.row(self._sql["one"], id=image_id)
        return image_of(row) if row else None

    def renditions(self, image_id: UUID) -> list[RenditionInfo]:
        """Return the renditions of an image: the first output, the others, the thumbnail."""
        return [RenditionInfo(**row) for row in self._database.rows(self._sql["renditions"], id=image_id)]

    def attempts(self, image_id: UUID) -> list[Attempt]:
        """Return the attempts at an image, first to last."""
        found = self._database.rows(self._sql["attempts"], id=image_id)
        return [Attempt(**{**row, "outcome": Outcome(row["outcome"])}) for row in found]

    def picture(
        self, image_id: UUID, kind: Kind | None = None, head: int = 0, *, linked: bool = False
    ) -> Picture | None:
        """Return a picture of an image with its first ``head`` bytes, or with a link to them; None if there is none.

        Without a ``kind`` it is the processed picture, or the original until that exists.
        """
        row = self._database.row(self._picture_statement(kind), id=image_id, kind=kind, head=head)
        return self._found(row, image_id, head, linked=linked)

    def _found(self, row: DictRow | None, image_id: UUID, head: int, *, linked: bool = False) -> Picture | None:
        if not row:
            return None
        picture = Picture(image_id=image_id, **row)
        return picture if row["head"] is not None else self._elsewhere(picture, head, linked)

    async def picture_soon(
        self,
        database: AsyncDatabase,
        image_id: UUID,
        kind: Kind | None = None,
        head: int = 0,
        *,
        linked: bool = False,
    ) -> Picture | None:
        """Do the same as ``picture`` within an event loop."""
        row = await database.row(self._picture_statement(kind), id=image_id, kind=kind, head=head)
        if not row:
            return None
        picture = Picture(image_id=image_id, **row)
        if row["head"] is not None:
            return picture
        # an object store takes longer than Postgres, so the event loop must not wait for it
        return await asyncio.to_thread(self._elsewhere, picture, head, linked)

    def picture_in_trash(self, image_id: UUID, kind: Literal["original", "thumbnail"], head: int = 0) -> Picture | None:
        """Do the same as ``picture`` for an image in the trash."""
        statement = "original_in_trash" if kind == "original" else "rendition_in_trash"
        return self._found(self._database.row(self._sql[statement], id=image_id, kind=kind, head=head), image_id, head)

    def _picture_statement(self, kind: Kind | None) -> sql.SQL:
        if kind is None:
            return self._sql["best_picture"]
        if kind == "original":
            return self._sql["original_picture"]
        return self._sql["rendition_picture" if kind in _FIXED else "output_picture"]

    def read(self, picture: Picture, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of a picture from ``start``; end early if it is purged or replaced meanwhile."""
        end = picture.size if length is None else min(picture.size, start + length)
        while start < end:
            wanted = min(CHUNK, end - start)
            chunk = None if picture.is_away else self._from_row(picture, start, wanted)
            if chunk is None:
                picture = replace(picture, is_away=True)  # Postgres is not asked again
                chunk = self._from_store(picture, start, wanted)
            if chunk:
                yield chunk
            if len(chunk) < wanted:
                return
            start += wanted

    def _from_row(self, picture: Picture, start: int, length: int) -> bytes | None:
        """Return bytes of the row; None if the object store may have them, also those of a row that was replaced."""
        try:
            return self._rows.read(_name(picture), start, length)
        except BytesElsewhere:
            return None
        except BytesDamaged:
            return None if self._objects else b""

    def _from_store(self, picture: Picture, start: int, length: int) -> bytes:
        if self._objects is None:
            raise Unavailable(ELSEWHERE)
        try:
            return self._objects.read(_name(picture), start, length)
        except BytesDamaged:
            return b""

    def _elsewhere(self, picture: Picture, head: int, linked: bool) -> Picture:
        """Return a picture with its first bytes from the object store, or with a link to it.

        Raises BytesDamaged if the bytes are asked for and the store does not have them.
        """
        if self._objects is None:
            if head or linked:
                raise Unavailable(ELSEWHERE)
            return replace(picture, head=b"", is_away=True)
        if linked:
            return replace(picture, head=b"", is_away=True, link=self._objects.link(_name(picture)))
        return replace(picture, head=_head(self._objects, _name(picture), picture, head), is_away=True)

    def retry(self, ids: Sequence[UUID]) -> list[UUID]:
        """Queue finished images again; return the ids of those that were queued."""
        return self._ids("retry", ids=list(ids))

    def retry_failed(self) -> list[UUID]:
        """Queue every failed image again; return their ids."""
        return self._ids("retry_failed")

    def reprocess_once(self, run_id: str, hour: datetime) -> int:
        """Queue the finished images of an hour again, once per run; return how many.

        An interrupted run queues the rest when it resumes, but no image that was finished since the run began.
        """
        begun = self._database.row(self._sql["begin_reprocessing"], run_id=run_id, hour=hour)
        if not begun:
            return 0
        moved = self.reprocess(hour, hour + timedelta(hours=1), begun["started_at"])
        self._database.rows(self._sql["end_reprocessing"], run_id=run_id, hour=hour, images=moved)
        return moved

    def reprocess(self, since: datetime, until: datetime, finished_before: datetime = ALWAYS[1]) -> int:
        """Queue the finished images created in a span of time again, in slices; return how many.

        The slices go from the oldest to the newest image, so an image that is soon done again is not queued twice.
        """
        total, after = 0, OLDEST
        while True:
            found = self._database.rows(
                self._sql["reprocess_some"],
                since=since,
                until=until,
                finished_before=finished_before,
                after=after.created_at,
                after_id=after.id,
                limit=SLICE,
            )
            total += len(found)
            if len(found) < SLICE:
                return total
            after = max((Cursor(row["created_at"], row["id"]) for row in found), key=lambda at: (at.created_at, at.id))

    def cancel_queued(self) -> int:
        """Empty the queue; return how many images left it.

        Images that have their processed picture become done, the others failed. Later uploads are queued as usual.
        """
        return self._in_slices("cancel_some", until=self.everything_until(), error=CANCELLED)

    def apply_recipe(
        self, ids: Sequence[UUID], recipe: Mapping[str, Any], digest: str, name: str | None
    ) -> dict[UUID, Mapping[str, Any]]:
        """Give images a new recipe and queue them; return the former recipes of the images that exist."""
        found = self._database.rows(
            self._sql["apply_recipe"],
            ids=list(ids),
            recipe=Jsonb(dict(recipe)),
            recipe_digest=digest,
            recipe_name=name,
        )
        return {row["id"]: row["recipe"] for row in found}

    def mark_favourites(self, ids: Sequence[UUID], *, favourite: bool) -> list[UUID]:
        """Mark images as favourites, or unmark them; return the ids of those that exist."""
        return self._ids("mark_favourites" if favourite else "unmark_favourites", ids=list(ids))

    def delete(self, ids: Sequence[UUID], *, also_trashed: bool = False) -> list[UUID]:
        """Hide images, with ``also_trashed`` those in the trash too; return the ids of those that were there."""
        return self._ids("delete", ids=list(ids), also_trashed=also_trashed)

    def delete_all(self) -> int:
        """Hide every image, in slices so that no other statement waits long; return how many there were.

        Images uploaded after the call stay visible.
        """
        return self._in_slices("delete_some", until=self.everything_until())

    def restore(self, ids: Sequence[UUID]) -> list[UUID]:
        """Restore deleted images that were not purged yet; return their ids."""
        return self._ids("restore", ids=list(ids))

    def restore_all(self) -> int:
        """Restore all images of the last deletion of all images that were not purged yet; return how many."""
        [last] = self._database.rows(self._sql["last_trashed_with_all"], end_of_time=ALWAYS[1])
        return self._in_slices("restore_some", trashed_at=last["at"])

    def everything_until(self) -> datetime:
        """Return the creation time up to which "all images" reaches."""
        [row] = self._database.rows(self._sql["everything_until"])
        until: datetime = row["until"]
        return until

    def _in_slices(self, name: str, **values: Any) -> int:
        """Run a statement until it finds less than a complete slice; return how many it found in all."""
        total = 0
        while True:
            found = len(self._ids(name, limit=SLICE, **values))
            total += found
            if found < SLICE:
                return total

    def purge(self, undo_seconds: float, limit: int = 500) -> int:
        """Remove up to ``limit`` images deleted more than ``undo_seconds`` ago, bytes and all; return how many."""
        purged = self._database.rows(self._sql["purge"], undo_seconds=undo_seconds, limit=limit)
        if self._objects:
            self._objects.delete(name for row in purged for name in _names(row))
        return len(purged)

    def hours_of_purged_failures(self, undo_seconds: float) -> list[datetime]:
        """Return the hours of the failed images that ``purge`` would remove."""
        found = self._database.rows(self._sql["hours_of_purged_failures"], undo_seconds=undo_seconds)
        return [row["hour"] for row in found]

    def known_digests(self, digests: Sequence[bytes]) -> dict[bytes, UUID]:
        """Return the oldest image of each known digest; the ``digests`` are SHA-256 of originals."""
        found = self._database.rows(self._sql["known_digests"], sha256s=list(digests))
        return {bytes(row["sha256"]): row["id"] for row in found}

    def place(self) -> Place:
        """Return the current position in the stream of changes."""
        [row] = self._database.rows(self._sql["place"])
        return Place(**row)

    def changes(self, position: int, limit: int = MOST_CHANGES) -> Changes:
        """Return the images changed since ``position``, and the position for the next call."""
        found = self._database.rows(self._sql["changes"], since=str(position), limit=limit + 1)
        here = (found[0]["position"], found[0]["ahead"])
        if len(found) > limit:
            return Changes(None, *here)
        return Changes([image_of(row) for row in found if row["id"] is not None], *here)

    def has_changed(self, position: int) -> bool:
        """Whether any image changed since ``position``."""
        return bool(self._database.rows(self._sql["has_changed"], since=str(position)))

    def counts(self) -> dict[State, int]:
        """Count the images by state. It reads all unfinished images, so do not call it for every request."""
        with self._database.transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            counts = {State(row["state"]): int(row["images"]) for row in rows(connection, self._sql["counts"], {})}
            total = int(rows(connection, self._sql["total"], {})[0]["images"])
        counts[State.DONE] = total - sum(counts.values())
        return {state: counts.get(state, 0) for state in State}

    def fold_totals(self) -> None:
        """Combine the rows that count new and removed images into one; call it now and then."""
        self._database.rows(self._sql["fold_totals"])

    def oldest_queued(self) -> datetime | None:
        """Return when the oldest queued image was created, also while processing is paused."""
        row = self._database.row(self._sql["oldest_queued"])
        return row["created_at"] if row else None

    def taken(self, since: datetime) -> int:
        """Count the images uploaded since then."""
        row = self._database.row(self._sql["taken"], since=since)
        return int(row["images"]) if row else 0

    def done_since(self, since: datetime) -> int:
        """Count the images that were done since then."""
        row = self._database.row(self._sql["done_since"], since=since)
        return int(row["images"]) if row else 0

    def throughput(self, since: datetime) -> list[Throughput]:
        """Count the attempts that ended since then, by minute and outcome."""
        found = self._database.rows(self._sql["throughput"], since=since)
        return [Throughput(row["minute"], Outcome(row["outcome"]), row["images"]) for row in found]

    def storage(self) -> dict[str, int]:
        """Return the bytes that originals, renditions and the whole database take on disk.

        ``objects`` are those of pictures in an object store; they count as originals and renditions too. Their sum
        reads every row, which takes a second for a million images, so not for every request.
        """
        [row] = self._database.rows(self._sql["storage"])
        if self._objects is None:
            return {**row, "objects": 0}
        [away] = self._database.rows(self._sql["in_object_store"])
        taken = {name: row[name] + size for name, size in away.items()}
        return {**row, **taken, "objects": sum(away.values())}

    def _ids(self, name: str, **values: Any) -> list[UUID]:
        return [row["id"] for row in self._database.rows(self._sql[name], **values)]


def _name(picture: Picture) -> str:
    return name_of(picture.image_id, picture.kind, picture.sha256)


def _head(objects: ObjectStore, name: str, picture: Picture, length: int) -> bytes:
    """Return the first bytes of a picture; all of them are compared with their digest."""
    if not length:
        return b""
    if picture.size > length:
        return objects.read(name, 0, length)
    found = objects.get({name: picture.sha256})[name]
    if isinstance(found, BytesDamaged):
        raise found
    return found


def _names(purged: DictRow) -> Iterator[str]:
    """Yield the names of a purged image's objects."""
    yield original_name(purged["id"])
    for kind, sha256 in zip(purged["kinds"], purged["sha256s"], strict=True):
        yield name_of(purged["id"], kind, sha256)


def _page_statement(which: Filter) -> str:
    """Return the statement that has the best index for a filter."""
    if which.trash:
        return "page_of_trash"
    if which.favourites:
        return "page_of_favourites"
    if which.states is not None and not (State.DONE in which.states or which.name or which.recipe):
        return "page_of_states"
    return "page"


def _marks_statement(which: Filter) -> str:
    if which.trash:
        return "marks_of_trash"
    return "marks_of_favourites" if which.favourites else "marks"


_FIXED: Final = frozenset({"processed", "thumbnail"})

_FIELDS = frozenset(Image.__dataclass_fields__)


def image_of(row: DictRow) -> Image:
    """Return the image in a row of a list."""
    values = {name: value for name, value in row.items() if name in _FIELDS}
    return Image(**{**values, "state": State(row["state"])})


def literal(text: str) -> str:
    """Return ``text`` with the special characters of LIKE escaped."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")

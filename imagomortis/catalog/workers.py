"""Records the workers: image tasks that are requested, run and leave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from imagomortis.catalog.connection.database import Database, statements

SEEN_SECONDS: Final = 15.0
"""The time without a sign of life after which a worker counts as gone."""

START_SECONDS: Final = 60.0
"""The time after which a requested worker that has not started counts as gone."""


@dataclass(frozen=True)
class Census:
    """The number of living workers, of those that take only images of one hour, and of those about to leave."""

    alive: int
    of_one_hour: int = 0
    leaving: int = 0


@dataclass(frozen=True)
class AtWork:
    """A running worker: how many images it has finished and processes, and the first file names of the latter."""

    run_id: str
    started_at: datetime
    images: int
    processing: int
    filenames: Sequence[str]


class Workers:
    """Statements on workers."""

    def __init__(self, database: Database) -> None:
        """Take the database."""
        self._database = database
        self._sql = statements("workers")

    def keep_contact(self) -> None:
        """Record that the pusher has contact with Postgres. Workers that stay silent from now on are gone."""
        self._database.rows(self._sql["keep_contact"])

    def had_contact(self, seconds: float) -> bool:
        """Return whether the pusher's contact with Postgres has lasted for so many seconds."""
        row = self._database.row(self._sql["had_contact"], seconds=seconds)
        return bool(row and row["is_so"])

    def request(self, count: int, hour: datetime) -> list[UUID]:
        """Record requests for ``count`` workers, which begin with the images of ``hour``; return their ids."""
        return [row["id"] for row in self._database.rows(self._sql["request"], count=count, hour=hour)]

    def alive(self) -> int:
        """Count the workers that run, or were requested and can still start."""
        row = self._database.row(self._sql["alive"], start_seconds=START_SECONDS, seen_seconds=SEEN_SECONDS)
        return row["alive"] if row else 0

    def at_work(self, limit: int) -> list[AtWork]:
        """Return the workers that run, the oldest first, and what they process."""
        found = self._database.rows(self._sql["at_work"], seen_seconds=SEEN_SECONDS, limit=limit)
        return [AtWork(**{**row, "filenames": row["filenames"] or []}) for row in found]

    def census(self) -> Census:
        """Count the workers that are not known to be gone."""
        row = self._database.row(self._sql["census"], start_seconds=START_SECONDS, seen_seconds=SEEN_SECONDS)
        return Census(**row) if row else Census(0)

    def start(self, worker_id: UUID, hour: datetime, run_id: str, *, only_hour: bool = False) -> None:
        """Record that a worker runs; ``only_hour`` if it takes only images of ``hour``."""
        self._database.rows(self._sql["start"], id=worker_id, hour=hour, run_id=run_id, only_hour=only_hour)

    def seen(self, worker_id: UUID, images: int) -> str | None:
        """Record that a worker still runs, and its finished images; return the pusher's release."""
        row = self._database.row(self._sql["seen"], id=worker_id, images=images)
        return row["release"] if row else None

    def note_release(self, release: str) -> None:
        """Record the release of the pusher."""
        self._database.rows(self._sql["note_release"], release=release)

    def leave(self, worker_id: UUID, images: int, *, anyway: bool = False, standby: int = 0) -> bool:
        """Record that a worker leaves; return False if it should stay, unless it leaves ``anyway``.

        It should stay if images are queued, or if it is one of the newest ``standby`` workers.
        """
        values = {"id": worker_id, "images": images, "anyway": anyway, "standby": standby}
        return bool(self._database.rows(self._sql["leave"], **values, seen_seconds=SEEN_SECONDS))

    def retire(self, worker_id: UUID, standby: int) -> bool:
        """Mark a worker as leaving; return whether at least ``standby`` other workers run that are not leaving."""
        values = {"id": worker_id, "standby": standby, "seen_seconds": SEEN_SECONDS}
        row = self._database.row(self._sql["retire"], **values)
        return row is None or bool(row["is_replaced"])

    def waiting(self, seconds: float) -> list[UUID]:
        """Return the workers requested more than ``seconds`` ago that have not started."""
        return [row["id"] for row in self._database.rows(self._sql["waiting"], seconds=seconds)]

    def bury(self, ids: Sequence[UUID]) -> int:
        """Record that requested workers will never start; return how many."""
        return len(self._database.rows(self._sql["bury"], ids=list(ids)))

    def expect(self, ids: Sequence[UUID]) -> int:
        """Give requested workers START_SECONDS from now to start; return how many have not started or gone."""
        return len(self._database.rows(self._sql["expect"], ids=list(ids)))

    def silent(self, seconds: float) -> set[str]:
        """Return the runs of the queue's workers that were not seen for ``seconds``: they are gone, or cut off."""
        return {row["run_id"] for row in self._database.rows(self._sql["silent"], seconds=seconds)}

    def end(self, run_ids: Collection[str]) -> int:
        """Record that the workers of these runs are known to be gone; return how many."""
        return len(self._database.rows(self._sql["end"], run_ids=list(run_ids)))

    def vanished(self) -> list[tuple[UUID, str]]:
        """Return the workers, with their runs, that are silent but did not leave."""
        found = self._database.rows(self._sql["vanished"], seen_seconds=SEEN_SECONDS)
        return [(row["id"], row["run_id"]) for row in found]

    def has_lost_images(self, run_id: str) -> bool:
        """Whether the worker of a run lost images, or still has leases."""
        return bool(self._database.rows(self._sql["lost_images"], run_id=run_id))

    def end_all(self) -> int:
        """Note that every worker is gone, by the word of somebody who knows; return how many were not noted so."""
        return len(self._database.rows(self._sql["end_all"]))

    def sweep(self) -> list[tuple[UUID, str | None]]:
        """Note which workers are gone without having said so; return their ids and runs."""
        self._database.rows(self._sql["forget"])
        found = self._database.rows(self._sql["sweep"], start_seconds=START_SECONDS, seen_seconds=SEEN_SECONDS)
        return [(row["id"], row["run_id"]) for row in found]

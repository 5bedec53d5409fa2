"""Retention: deletes expired runs and ticks of Dagster, and expired attempts and images of the catalog."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from uuid import UUID

from dagster import DagsterInstance

from imagomortis.catalog import Catalog
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis_pipeline.dagster_internals.tables.rows import rebuild_indexes
from imagomortis_pipeline.upkeep.retention_runs import delete_runs, expired_runs, note_expired
from imagomortis_pipeline.upkeep.retention_ticks import delete_ticks, expired_ticks

log = Log(__name__)

SLICE: Final = 1000
"""Images that are deleted in one transaction."""


@dataclass(frozen=True)
class Terms:
    """How many days, runs and bytes are kept. With 0 nothing is deleted."""

    run_days: float
    runs: int
    attempt_days: float
    picture_days: float = 0
    picture_bytes: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the terms that are set."""
        return cls(
            settings.run_retention_days,
            settings.runs_kept,
            settings.attempt_retention_days,
            settings.picture_retention_days,
            settings.picture_retention_bytes,
        )


@dataclass(frozen=True)
class Expired:
    """How many things were deleted, or would be."""

    runs: int
    ticks: int
    attempts: int
    pictures: int
    trashed_pictures: int = 0

    def __str__(self) -> str:
        counts = {name.removesuffix("s").replace("_", " "): number for name, number in asdict(self).items()}
        return ", ".join(f"{number:,} {thing}{'' if number == 1 else 's'}" for thing, number in counts.items())


def expiring(instance: DagsterInstance, catalog: Catalog, terms: Terms, now: datetime) -> Expired:
    """Count what would be deleted, and change nothing."""
    return Expired(
        len(expired_runs(instance, catalog, now - timedelta(days=terms.run_days), terms.runs)),
        sum(found.ticks for found in expired_ticks(instance, now)),
        catalog.retention.count_attempts(now - timedelta(days=terms.attempt_days)),
        len(_pictures(catalog, terms, now)),
        catalog.trash.count(now),
    )


def expire(instance: DagsterInstance, catalog: Catalog, terms: Terms, now: datetime, until: float) -> Expired:
    """Delete what has expired; return how much.

    It stops at the monotonic time ``until``. The next call deletes the rest.
    """
    runs = expired_runs(instance, catalog, now - timedelta(days=terms.run_days), terms.runs)
    expired = Expired(
        runs=delete_runs(instance, runs, until),
        ticks=delete_ticks(instance, now),
        attempts=_delete_attempts(catalog, now - timedelta(days=terms.attempt_days), until),
        pictures=_delete_pictures(catalog, terms, now, until),
        trashed_pictures=_empty_trash(catalog, now, until),
    )
    if assets := catalog.assets.delete_unused():
        log.info("unused assets deleted", pictures=assets)
    note_expired(instance, catalog)
    rebuild_indexes(instance)
    if any(asdict(expired).values()):
        log.info("expired", **asdict(expired))
    return expired


def _delete_attempts(catalog: Catalog, before: datetime, until: float) -> int:
    deleted = 0
    while time.monotonic() < until and (attempts := catalog.retention.delete_attempts(before)):
        deleted += attempts
    return deleted


def _empty_trash(catalog: Catalog, now: datetime, until: float) -> int:
    """Delete the images that have been in the trash for long enough. The sweep purges them."""
    deleted = 0
    while time.monotonic() < until and (images := catalog.trash.empty_some(kept_before=now, limit=SLICE)):
        deleted += images
    return deleted


def _delete_pictures(catalog: Catalog, terms: Terms, now: datetime, until: float) -> int:
    """Delete images as a person does. The sweep purges them when that can no longer be undone."""
    found = _pictures(catalog, terms, now)
    deleted = 0
    for start in range(0, len(found), SLICE):
        if time.monotonic() > until:
            break
        deleted += len(catalog.images.delete(found[start : start + SLICE]))
    return deleted


def _pictures(catalog: Catalog, terms: Terms, now: datetime) -> list[UUID]:
    """Return the images that are too old or too many, each once."""
    old = catalog.retention.old_pictures(now - timedelta(days=terms.picture_days)) if terms.picture_days else []
    surplus = catalog.retention.surplus_pictures(terms.picture_bytes) if terms.picture_bytes else []
    return list(dict.fromkeys([*old, *surplus]))

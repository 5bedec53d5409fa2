"""Checks that queued images make progress: the queue, the leases, the workers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from imagomortis.catalog.upkeep.health import Waiting
from imagomortis_cli import advice
from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, notice, trouble
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.terminal import count, duration

IDLE_SECONDS: Final = 300.0
"""While pictures are queued, one is done within this time."""

STUCK_SECONDS: Final = 60.0
"""The pusher releases a lease within seconds, and the sweep marks a worker as gone within a minute or two."""

GONE_SECONDS: Final = 240.0


def check(site: Site) -> Iterator[Finding]:
    """Check whether processing is paused, and whether the queue makes progress."""
    try:
        waiting = site.catalog.health.waiting()
    except CannotLook:
        waiting = _from_api(site)
    if waiting.paused_at:
        yield trouble(
            f"Processing is paused for {_since(waiting.paused_at, waiting)}, "
            f"with {count(waiting.queued, 'picture')} waiting.",
            advice.to_server("resume", site.namespace),
        )
    elif waiting.oldest and _idle(waiting) > IDLE_SECONDS:
        yield trouble(
            f"{count(waiting.queued, 'picture')} waiting, the oldest for {_since(waiting.oldest, waiting)}, and none "
            f"was done for {duration(_idle(waiting))}.",
            site.start("scheduler"),
        )
    else:
        oldest = f", the oldest for {_since(waiting.oldest, waiting)}" if waiting.oldest else ""
        yield fine(f"{count(waiting.queued, 'picture')} waiting{oldest}.")
    if waiting.failed:
        yield notice(
            f"{count(waiting.failed, 'picture')} failed.",
            f"{advice.to_server('list --state failed', site.namespace)}, `show ID` for the cause; "
            f"{advice.to_server('retry --failed', site.namespace)}",
        )


def _from_api(site: Site) -> Waiting:
    """Return the API's figures of the queue, for a database that cannot be reached."""
    stats = site.stats()
    now = datetime.now(UTC)
    oldest, paused = stats["queue"]["oldest_seconds"], stats["paused_at"]
    return Waiting(
        queued=stats["queue"]["depth"],
        oldest=now - timedelta(seconds=oldest) if oldest is not None else None,
        last_ended=now if stats["rate"]["last_minute"] else None,
        now=now,
        failed=stats["images"]["failed"],
        paused_at=datetime.fromisoformat(paused) if paused else None,
    )


def _idle(waiting: Waiting) -> float:
    """Return for how many seconds a picture has been queued while none was done.

    A picture that is processed again is as old as its upload, so its age alone says nothing.
    """
    since = max(moment for moment in (waiting.oldest, waiting.last_ended) if moment)
    return (waiting.now - since).total_seconds()


def _since(moment: datetime, waiting: Waiting) -> str:
    return duration((waiting.now - moment).total_seconds())


def check_leases(site: Site) -> Iterator[Finding]:
    """Look for pictures whose worker is gone, and that were not put back into the queue."""
    stuck = site.catalog.health.stuck_leases(STUCK_SECONDS)
    if not stuck:
        yield fine("No lease has run out unnoticed.")
        return
    oldest = duration((site.catalog.health.moment() - stuck[0].expired_at).total_seconds())
    yield trouble(
        f"{count(len(stuck), 'picture')} held by a worker that is gone, for {oldest}: {stuck[0].filename} "
        f"({stuck[0].id}), run {stuck[0].run_id}. The pusher, which puts them back into the queue, is away.",
        site.start("pusher"),
    )


def check_workers(site: Site) -> Iterator[Finding]:
    """Look for workers requested or seen long ago that no sweep has marked as gone."""
    stuck = site.catalog.health.stuck_workers(GONE_SECONDS)
    if stuck:
        yield trouble(f"{count(len(stuck), 'worker')} gone, and no sweep noted it.", site.start("scheduler"))
    else:
        yield fine(f"{count(site.catalog.workers.alive(), 'worker')} alive.")

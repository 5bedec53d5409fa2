"""Checks Dagster: that sensors and schedules tick, and that runs noted as at work have a worker."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import Final

from dagster import DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter

from imagomortis_cli.doctor.finding import Finding, fine, trouble
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.terminal import count, duration
from imagomortis_pipeline.dagster_internals.tables.instigators import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    TickStatus,
)

PUSHERS: Final = ("pusher_a", "pusher_b")

LONGEST: Final = {"pusher_a": 120.0, "pusher_b": 120.0, "sweep": 240.0, "retention": 2 * 3600.0}
"""Seconds for which each may be silent; a pusher's tick takes up to fifty."""

START_SECONDS: Final = 150.0
"""A run's process starts within two minutes, or the run monitoring ends the run."""

UNSEEN_SECONDS: Final = 60.0
"""A worker is seen every few seconds."""

AT_WORK: Final = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


def check_sensors(site: Site) -> Iterator[Finding]:
    """Check when each sensor and schedule ticked, and whether that succeeded."""
    states = {state.instigator_name: state for state in site.dagster.all_instigator_state()}
    findings = [
        finding for name, longest in LONGEST.items() for finding in _look(site, name, states.get(name), longest)
    ]
    yield from findings or [fine(f"{', '.join(LONGEST)} tick.")]


def _look(site: Site, name: str, state: InstigatorState | None, longest: float) -> Iterator[Finding]:
    if state is None:
        yield trouble(f"{name} has never ticked: the scheduler has not run yet.", site.start("scheduler"))
        return
    kind = state.instigator_type.value.lower()
    if state.status is InstigatorStatus.STOPPED:
        yield trouble(f"{name} was stopped by hand.", site.dagster_command(f"{kind} start {name}"))
        return
    tick = _latest(site.dagster, state)
    if tick is None or time.time() - tick.timestamp > longest:
        since = f"for {duration(time.time() - tick.timestamp)}" if tick else "yet"
        if tick or kind == "sensor":  # the first tick of a schedule can be an hour away
            yield trouble(f"{name} has not ticked {since}: the scheduler is away.", site.start("scheduler"))
    elif tick.status is TickStatus.FAILURE and tick.error:
        yield trouble(f"{name} fails: {tick.error.message.strip().splitlines()[-1]}", site.start("pusher"))


def are_stopped(site: Site, names: Collection[str]) -> bool:
    """Return whether all of these sensors and schedules were stopped by hand; raises CannotLook."""
    states = site.dagster.all_instigator_state()
    stopped = {state.instigator_name for state in states if state.status is InstigatorStatus.STOPPED}
    return stopped.issuperset(names)


def _latest(instance: DagsterInstance, state: InstigatorState) -> InstigatorTick | None:
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return ticks[0] if ticks else None


def check_runs(site: Site) -> Iterator[Finding]:
    """Look for runs noted as at work that have no worker, and for runs that wait to be admitted."""
    at_work = site.catalog.health.runs_at_work(UNSEEN_SECONDS)
    running = site.dagster.get_run_records(RunsFilter(statuses=AT_WORK))
    dangling = [
        record for record in running if record.dagster_run.run_id not in at_work and _age(record) > START_SECONDS
    ]
    for record in dangling:
        run = record.dagster_run
        yield trouble(
            f"Run {run.run_id} is noted as {run.status.value.lower()} for {duration(_age(record))}, and nobody works "
            "for it.",
            _terminate(site, run.run_id),
        )
    waiting = site.dagster.get_run_records(RunsFilter(statuses=[DagsterRunStatus.QUEUED]))
    if waiting and not running and _age(waiting[-1]) > START_SECONDS:
        yield trouble(
            f"{count(len(waiting), 'run')} waiting to start, the oldest for {duration(_age(waiting[-1]))}, and none is "
            "at work.",
            site.start("scheduler"),
        )
    elif not dangling:
        yield fine(f"{count(len(running), 'run')} at work, {len(waiting):,} waiting.")


def _age(record: RunRecord) -> float:
    """Return for how many seconds a run has been in its state."""
    return time.time() - record.update_timestamp.timestamp()


def _terminate(site: Site, run_id: str) -> str:
    if not site.namespace:
        return site.start("scheduler")
    address = site.settings.dagster_url or "the Dagster webserver"
    return f"terminate it in {address}/runs/{run_id}, with `force`"

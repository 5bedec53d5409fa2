"""Deletes the ticks of sensors and schedules that are too old by ``retention`` in dagster.yaml.

Dagster's daemon also deletes them, but those of a sensor or schedule only after its next tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from dagster import DagsterInstance

from imagomortis_pipeline.dagster_internals.tables.instigators import InstigatorState, TickStatus
from imagomortis_pipeline.dagster_internals.tables.rows import count_ticks


@dataclass(frozen=True)
class ExpiredTicks:
    """Ticks of one sensor or schedule with the same status, before a time in seconds since 1970."""

    instigator: InstigatorState
    status: TickStatus
    before: float
    ticks: int


def expired_ticks(instance: DagsterInstance, now: datetime) -> Iterator[ExpiredTicks]:
    """Yield the ticks that are too old, each once."""
    for state in instance.all_instigator_state():
        for status, days in instance.get_tick_retention_settings(state.instigator_type).items():
            if days > 0:  # other values mean that ticks are kept for ever
                before = (now - timedelta(days=days)).timestamp()
                yield ExpiredTicks(state, status, before, count_ticks(instance, state, status, before))


def delete_ticks(instance: DagsterInstance, now: datetime) -> int:
    """Delete the ticks that are too old, as the daemon does; return how many."""
    deleted = 0
    for found in expired_ticks(instance, now):
        if found.ticks:
            origin, selector = found.instigator.instigator_origin_id, found.instigator.selector_id
            instance.purge_ticks(origin, selector, found.before, [found.status])
            deleted += found.ticks
    return deleted

"""Dagster's records of sensors, of schedules, of their ticks and repositories, and the heartbeat of its daemon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Final

from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG
from dagster._daemon.daemon import SensorDaemon

__all__ = [
    "REPOSITORY_TAG",
    "InstigatorState",
    "InstigatorStatus",
    "InstigatorTick",
    "TickStatus",
    "repositories_with",
    "sensor_daemon",
]

REPOSITORY_TAG: Final = REPOSITORY_LABEL_TAG
"""The tag that each run gets when it is launched; its value is the label of its repository."""


def sensor_daemon(instance: DagsterInstance) -> str | None:
    """Return the id of the daemon that called the sensors last; None if none ever did."""
    beat = instance.get_daemon_heartbeats().get(SensorDaemon.daemon_type())
    return beat.daemon_id if beat else None


def repositories_with(instance: DagsterInstance, names: Collection[str]) -> list[str]:
    """Return the labels (`name@code location`) of the repositories that have all of these sensors or schedules."""
    found = defaultdict(set)
    for state in instance.all_instigator_state():
        found[state.origin.repository_origin.get_label()].add(state.instigator_name)
    return [label for label, its_own in found.items() if its_own.issuperset(names)]

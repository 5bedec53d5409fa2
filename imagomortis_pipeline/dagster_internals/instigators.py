"""Dagster's records of sensors, of schedules, of their ticks, and the heartbeat of its daemon."""

from __future__ import annotations

from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus
from dagster._daemon.daemon import SensorDaemon

__all__ = [
    "InstigatorState",
    "InstigatorStatus",
    "InstigatorTick",
    "TickStatus",
    "sensor_daemon",
]


def sensor_daemon(instance: DagsterInstance) -> str | None:
    """Return the id of the daemon that called the sensors last; None if none ever did."""
    beat = instance.get_daemon_heartbeats().get(SensorDaemon.daemon_type())
    return beat.daemon_id if beat else None

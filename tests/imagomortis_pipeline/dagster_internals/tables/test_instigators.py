"""What the doctor, the pusher and retention read of sensors, schedules and their daemon."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from dagster import DagsterInstance
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorType, TickData
from dagster._daemon.types import DaemonHeartbeat
from dagster._utils.error import SerializableErrorInfo

from imagomortis_pipeline.dagster_internals.tables.instigators import (
    InstigatorState,
    InstigatorStatus,
    TickStatus,
    sensor_daemon,
)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """An instance that stores sensors and ticks, as an ephemeral one does not."""
    with DagsterInstance.local_temp() as found:
        yield found


def test_a_sensor_and_its_ticks_are_read_by_these_names(instance: DagsterInstance) -> None:
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "definitions")
    origin = RemoteInstigatorOrigin(repository, "pusher_a")
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED))
    [state] = instance.all_instigator_state()
    assert (state.instigator_name, state.instigator_type.value) == ("pusher_a", "SENSOR")
    assert state.status is InstigatorStatus.STOPPED
    whose = {"instigator_origin_id": state.instigator_origin_id, "selector_id": state.selector_id}
    instance.create_tick(
        TickData(
            instigator_name="pusher_a",
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.FAILURE,
            timestamp=17.0,
            error=SerializableErrorInfo("boom", [], None),
            **whose,
        )
    )
    [tick] = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    assert (tick.timestamp, tick.status) == (17.0, TickStatus.FAILURE)
    assert tick.error
    assert tick.error.message == "boom"


def test_the_daemon_that_calls_the_sensors_is_the_one_that_reported_last(instance: DagsterInstance) -> None:
    assert sensor_daemon(instance) is None
    for daemon in ("first", "second"):
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SENSOR", daemon, errors=[]))
        assert sensor_daemon(instance) == daemon

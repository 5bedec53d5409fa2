"""What "Test sensor" and "Test schedule" in the webserver may do: nothing.

That the daemon names the log of a tick by its number is seen where a whole system runs: else no picture would be done.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from dagster import DagsterInstance
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.remote_origin import RegisteredCodeLocationOrigin
from dagster._grpc.impl import get_external_schedule_execution, get_external_sensor_execution

from imagomortis.catalog import Catalog
from imagomortis.spool.spool import Spool
from imagomortis_pipeline.definitions import definitions
from tests.imagomortis_pipeline.test_pusher import store
from tests.support.uploads import NOON, arrivals

TICK, TRIAL = ["__repository__", "its name", "17"], None
"""The name of the log that the code server is given by the daemon, and by the webserver."""


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    """An instance to which a code server has a reference."""
    with DagsterInstance.local_temp() as found:
        yield found


def sense(instance: DagsterInstance, log_key: list[str] | None) -> SensorExecutionData:
    """Evaluate a sensor as the code server does."""
    repository, origin = definitions.get_repository_def(), RegisteredCodeLocationOrigin("here")
    data = get_external_sensor_execution(
        repository, origin, instance.get_ref(), "pusher_a", None, None, None, log_key, None
    )
    assert isinstance(data, SensorExecutionData)
    return data


def keep_schedule(instance: DagsterInstance, name: str, at: datetime, log_key: list[str] | None) -> str:
    """Evaluate a schedule as the code server does; return what it says."""
    repository = definitions.get_repository_def()
    data = get_external_schedule_execution(repository, instance.get_ref(), name, at.timestamp(), "UTC", log_key)
    assert isinstance(data, ScheduleExecutionData)
    return data.skip_message or ""


def test_a_trial_of_a_sensor_takes_nothing_in_and_asks_for_nobody(
    spool: Spool, catalog: Catalog, instance: DagsterInstance
) -> None:
    store(spool)
    trial = sense(instance, TRIAL)
    assert not trial.run_requests
    assert (spool.count(), catalog.queue.depth().queued, catalog.workers.alive()) == (1, 0, 0)
    assert "daemon" in (trial.skip_message or "")
    assert sense(instance, TICK).run_requests


@pytest.mark.parametrize("name", ["sweep", "retention"])
def test_a_trial_of_a_schedule_changes_nothing(
    catalog: Catalog, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_UNDO_SECONDS", "0.001")
    monkeypatch.setenv("IMAGOMORTIS_PICTURE_RETENTION_DAYS", "0.001")
    catalog.images.delete(catalog.queue.add(arrivals(3)))
    assert "daemon" in keep_schedule(instance, name, NOON, TRIAL)
    assert catalog.images.purge(0) == 3


def test_a_tick_of_a_schedule_is_no_trial(catalog: Catalog, instance: DagsterInstance) -> None:
    catalog.images.delete(catalog.queue.add(arrivals(3)))
    assert "0 images purged" in keep_schedule(instance, "sweep", NOON, TICK)

"""What the doctor finds in Dagster's database: sensors that do not tick, runs that nobody works for."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.error import SerializableErrorInfo

from imagomortis.catalog import Catalog
from imagomortis_cli.doctor.checks.pipeline import LONGEST, PUSHERS
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only
from tests.support.uploads import NOON

pytestmark = pytest.mark.slow

TARGET = LoadableTargetOrigin(module_name="imagomortis_pipeline.definitions")
REPOSITORY = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(TARGET, location_name="imagomortis"), "__repository__")


def add(instance: DagsterInstance, name: str, status: InstigatorStatus = InstigatorStatus.RUNNING) -> InstigatorState:
    """Note that a sensor or schedule is there, as the daemon does."""
    is_sensor = name.startswith("pusher")
    return instance.add_instigator_state(
        InstigatorState(
            RemoteInstigatorOrigin(REPOSITORY, name),
            InstigatorType.SENSOR if is_sensor else InstigatorType.SCHEDULE,
            status,
            SensorInstigatorData() if is_sensor else ScheduleInstigatorData("* * * * *"),
        )
    )


def tick(instance: DagsterInstance, state: InstigatorState, age: float = 1, error: str | None = None) -> None:
    instance.create_tick(
        TickData(
            instigator_origin_id=state.instigator_origin_id,
            instigator_name=state.instigator_name,
            instigator_type=state.instigator_type,
            status=TickStatus.FAILURE if error else TickStatus.SKIPPED,
            timestamp=time.time() - age,
            selector_id=state.selector_id,
            error=SerializableErrorInfo(error, [], "Exception") if error else None,
        )
    )


@pytest.fixture
def ticking(dagster: DagsterInstance) -> dict[str, InstigatorState]:
    """Every sensor and schedule, each of which ticked a second ago."""
    states = {name: add(dagster, name) for name in LONGEST}
    for state in states.values():
        tick(dagster, state, age=1)
    return states


class TestSensors:
    @pytest.mark.usefixtures("ticking")
    def test_all_tick(self, look: Look) -> None:
        only(look("sensors"), Level.FINE)

    @pytest.mark.usefixtures("dagster")
    def test_none_has_ever_ticked(self, look: Look) -> None:
        assert {finding.text for finding in look("sensors")} == {
            f"{name} has never ticked: the scheduler has not run yet." for name in LONGEST
        }

    def test_one_is_silent(self, look: Look, dagster: DagsterInstance) -> None:
        for name in LONGEST:
            tick(dagster, add(dagster, name), age=600 if name == "pusher_a" else 1)
        found = only(look("sensors"))
        assert "pusher_a has not ticked for 10 min" in found.text
        assert "imagomortis up" in found.mend

    def test_one_was_stopped(self, look: Look, dagster: DagsterInstance, ticking: dict[str, InstigatorState]) -> None:
        dagster.update_instigator_state(ticking["pusher_b"].with_status(InstigatorStatus.STOPPED))
        found = only(look("sensors"))
        assert "pusher_b was stopped" in found.text
        assert re.fullmatch(
            r"\(\. /\S+/home/env && /\S+/dagster sensor start pusher_b -w /\S+/workspace\.yaml\)", found.mend
        )
        assert Path(found.mend.split()[-1].rstrip(")")).is_file()

    def test_one_was_stopped_in_a_cluster(
        self, look: Look, dagster: DagsterInstance, ticking: dict[str, InstigatorState]
    ) -> None:
        dagster.update_instigator_state(ticking["sweep"].with_status(InstigatorStatus.STOPPED))
        assert only(look("sensors", "pictures")).mend == (
            "kubectl -n pictures exec deployment/dagster-webserver -- "
            "dagster schedule start sweep -w /etc/imagomortis/dagster/workspace.yaml"
        )

    def test_a_spool_that_stopped_sensors_do_not_empty(
        self, look: Look, home: Path, dagster: DagsterInstance, ticking: dict[str, InstigatorState]
    ) -> None:
        entry = home / "spool" / "ready" / str(uuid4())
        entry.mkdir()
        os.utime(entry, (0, 0))
        for name in PUSHERS:
            assert "the pusher is away" in only(look("spool")).text
            dagster.update_instigator_state(ticking[name].with_status(InstigatorStatus.STOPPED))
        found = only(look("spool"))
        assert "stopped by hand" in found.text
        assert found.mend == "imagomortis doctor --only sensors"

    def test_one_fails(self, look: Look, dagster: DagsterInstance, ticking: dict[str, InstigatorState]) -> None:
        tick(dagster, ticking["sweep"], age=0, error="ZeroDivisionError: division by zero\n")
        assert "sweep fails: ZeroDivisionError: division by zero" in only(look("sensors")).text


def add_run(instance: DagsterInstance, database: str, status: DagsterRunStatus, age: float) -> str:
    """A run that has been in its state for so many seconds."""
    origin = RemoteJobOrigin(REPOSITORY, "process_images")
    run = instance.add_run(
        DagsterRun(job_name="process_images", run_id=str(uuid4()), status=status, remote_job_origin=origin)
    )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "UPDATE runs SET update_timestamp = timezone('UTC', now()) - %s * interval '1 second'", [age]
        )
    return run.run_id


class TestRuns:
    @pytest.mark.usefixtures("dagster")
    def test_none_is_at_work(self, look: Look) -> None:
        assert "0 runs at work, 0 waiting" in only(look("runs"), Level.FINE).text

    def test_one_that_nobody_works_for(self, look: Look, dagster: DagsterInstance, empty_database: str) -> None:
        run_id = add_run(dagster, empty_database, DagsterRunStatus.STARTED, 600)
        assert f"Run {run_id} is noted as started for 10 min" in only(look("runs")).text

    def test_one_whose_worker_is_seen(
        self, look: Look, dagster: DagsterInstance, empty_database: str, catalog: Catalog
    ) -> None:
        run_id = add_run(dagster, empty_database, DagsterRunStatus.STARTED, 600)
        catalog.workers.start(uuid4(), NOON, run_id)
        assert "1 run at work" in only(look("runs"), Level.FINE).text

    def test_one_that_has_just_begun(self, look: Look, dagster: DagsterInstance, empty_database: str) -> None:
        add_run(dagster, empty_database, DagsterRunStatus.STARTING, 30)
        only(look("runs"), Level.FINE)

    def test_one_that_nobody_admits(self, look: Look, dagster: DagsterInstance, empty_database: str) -> None:
        add_run(dagster, empty_database, DagsterRunStatus.QUEUED, 600)
        assert "1 run waiting to start, the oldest for 10 min" in only(look("runs")).text

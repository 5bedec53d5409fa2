"""A month at ten thousand pictures a day leaves Dagster's database small, and its queries as fast as on day one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter

from imagomortis.catalog import Catalog
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis_cli.machine import dagster_home
from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_pipeline.assets import RENDITIONS
from imagomortis_pipeline.dagster_internals.run_queue import WORKER_TAG
from imagomortis_pipeline.upkeep.retention import Terms, expire
from tests.imagomortis_pipeline.upkeep.month import STEPS_A_DAY, Month

pytestmark = pytest.mark.slow

log = Log(__name__)

DAYS = 30
MB = 1_000_000


@pytest.fixture
def instance(empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagsterInstance]:
    """The instance that `imagomortis up` sets up."""
    monkeypatch.setenv("IMAGOMORTIS_DAGSTER_DATABASE_URL", for_dagster(empty_database))
    with DagsterInstance.from_config(str(dagster_home.place(tmp_path))) as found:
        yield found


@pytest.mark.parametrize(
    ("runs_a_day", "runs_kept"),
    [
        # A worker waits 20 s for the next picture. Of n pictures a day, at random times, n exp(-20 n / 86,400) come
        # later than that and start a run of their own: 988 at 10,000; 1,589 at most, at 4,320 beside a burst.
        pytest.param(1600, 1000, marks=[pytest.mark.soak, pytest.mark.timeout(1500)]),
        pytest.param(1000, 1000, marks=pytest.mark.soak),
        # a small system whose runs are as many times those that it keeps as in a large one
        (40, 200),
    ],
)
def test_a_month_leaves_little_and_slows_nothing_down(
    empty_database: str, instance: DagsterInstance, catalog: Catalog, runs_a_day: int, runs_kept: int
) -> None:
    terms = Terms.of(Settings.read(runs_kept=runs_kept))
    month = Month(empty_database, instance, catalog, runs_a_day)
    sizes: list[int] = []
    speeds: list[dict[str, float]] = []
    for number in range(DAYS * STEPS_A_DAY):
        now = month.step()
        expire(instance, catalog, terms, now, time.monotonic() + 60)
        month.purge_ticks(now)
        if (number + 1) % STEPS_A_DAY == 0:
            month.vacuum()
        if number + 1 in {STEPS_A_DAY, DAYS * STEPS_A_DAY}:
            speeds.append(timings(instance, month))
        sizes.append(month.size())
    log.info("grown", megabytes=[size // MB for size in sizes[:: 6 * STEPS_A_DAY]], at_the_end=sizes[-1] // MB)
    log.info("asked", first_day=speeds[0], last_day=speeds[1])
    assert sizes[-1] < 200 * MB
    assert sizes[-1] - sizes[-1 - 10 * STEPS_A_DAY] < 10 * 3 * MB, "the runs of 24 hours a day, and little beside"
    assert len(instance.get_materialized_partitions(RENDITIONS)) == DAYS * 24 + 1
    assert month.rows("job_ticks") < 6000 + 8 * runs_a_day, "a day of what was skipped, seven of what was asked for"
    assert month.rows("asset_check_executions") == month.rows("runs")
    for name, seconds in speeds[1].items():
        assert seconds < 5 * speeds[0][name] + 0.15, f"{name}: {speeds[0][name]:.3f} s became {seconds:.3f} s"
    month.close()


def timings(instance: DagsterInstance, month: Month) -> dict[str, float]:
    """How long the questions take that the webserver, the daemon and the pusher ask all the time."""
    latest = instance.get_run_records(limit=1)[0].dagster_run
    tick = month.ticks[0][0]
    questions: dict[str, Callable[[], object]] = {
        "the page of runs": lambda: instance.get_run_records(limit=25),
        "the log of a run": lambda: instance.all_logs(latest.run_id),
        "the run of a worker": lambda: instance.get_runs(
            RunsFilter(tags={WORKER_TAG: latest.tags[WORKER_TAG]}), limit=1
        ),
        "the queue": lambda: instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.QUEUED])),
        "the status of the hours": lambda: instance.event_log_storage.get_latest_storage_id_by_partition(
            RENDITIONS, DagsterEventType.ASSET_MATERIALIZATION
        ),
        "the latest materialization": lambda: instance.get_latest_materialization_event(RENDITIONS),
        "the page of ticks": lambda: instance.get_ticks(tick.instigator_origin_id, tick.selector_id, limit=25),
    }
    return {name: min(_seconds(question) for _ in range(15)) for name, question in questions.items()}


def _seconds(question: Callable[[], object]) -> float:
    began = time.perf_counter()
    question()
    return time.perf_counter() - began

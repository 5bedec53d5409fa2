"""Ends the runs that a stopped system left unfinished.

`python -m imagomortis_pipeline.upkeep.recovery` runs before the system starts again. It is only for one machine,
where no process of a run is left at that moment.
"""

from __future__ import annotations

import sys
from typing import Final

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from imagomortis import logs
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log
from imagomortis.settings import Settings

log = Log(__name__)

AT_WORK: Final = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]

STOPPED: Final = "The system was stopped during this run. Its images are queued again."


def fail_leftover_runs(instance: DagsterInstance) -> int:
    """Note every run that seems active as failed, so that it takes no place in the queue; return how many."""
    runs = instance.get_runs(RunsFilter(statuses=AT_WORK))
    for run in runs:
        instance.report_run_failed(run, STOPPED)
        log.warning("ended", run=run.run_id)
    return len(runs)


if __name__ == "__main__":
    try:
        logs.configure("scheduler", Settings.read().log_level)
    except ConfigurationError as error:
        sys.exit(error.detail)
    with DagsterInstance.get() as instance:
        fail_leftover_runs(instance)

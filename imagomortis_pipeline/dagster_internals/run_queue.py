"""Dagster's run queue, with limits from the settings.

Dagster reads the limit of a tag only as a plain number, so ``dagster.yaml`` cannot refer to IMAGOMORTIS_MAX_WORKERS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from dagster import DagsterInstance, DagsterRun, QueuedRunCoordinator, SubmitRunContext
from dagster._config import UserConfigSchema
from dagster._core.storage.tags import PRIORITY_TAG
from dagster._serdes import ConfigurableClassData

from imagomortis.settings import Settings
from imagomortis.work.worker_count import standby_workers

WORKER_TAG: Final = "imagomortis/worker"
"""The tag of runs that the pusher asked for. Its value is the worker's id."""

REPROCESSING_TAG: Final = "imagomortis/reprocessing"
"""The tag of all other queued runs: those of a backfill, and those started by hand."""

ROOM_FOR_REPROCESSING: Final = 2
"""How many of those may run at once, in addition to the workers."""

WORKER_PRIORITY: Final = {PRIORITY_TAG: "1"}
"""The tags that let workers' runs overtake all others, so that new images do not wait for a backfill."""

_LIMITS: Final = ("max_concurrent_runs", "tag_concurrency_limits")


class WorkerQueue(QueuedRunCoordinator[DagsterInstance]):
    """Admits as many workers as the settings allow, and some further runs; set as `run_coordinator`."""

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return the configuration of Dagster's own queue, without the limits."""
        fields = cast(Mapping[str, Any], super().config_type())
        return {name: field for name, field in fields.items() if name not in _LIMITS}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> WorkerQueue:
        """Make the queue from the configuration in `dagster.yaml` and the settings.

        A standby worker's replacement starts beside it.
        """
        settings = Settings.read()
        workers = settings.max_workers + standby_workers(settings)
        limits = {
            "max_concurrent_runs": workers + ROOM_FOR_REPROCESSING,
            "tag_concurrency_limits": [
                {"key": WORKER_TAG, "limit": workers},
                {"key": REPROCESSING_TAG, "limit": ROOM_FOR_REPROCESSING},
            ],
        }
        return super().from_config_value(inst_data, {**config_value, **limits})

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Queue a run. One that the pusher did not ask for gets the tag that is limited."""
        run = context.dagster_run
        if WORKER_TAG not in run.tags:
            self._instance.add_run_tags(run.run_id, {REPROCESSING_TAG: "true"})
        return super().submit_run(context)

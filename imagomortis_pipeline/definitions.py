"""The definitions that Dagster loads: assets, jobs, sensors and schedules."""

from __future__ import annotations

from dagster import Definitions, ExecutorDefinition, in_process_executor

from imagomortis import logs, traces
from imagomortis.errors import ConfigurationError
from imagomortis.settings import Executor, Settings
from imagomortis_pipeline import resources
from imagomortis_pipeline.assets import originals
from imagomortis_pipeline.bucket_inbox import bucket_inbox
from imagomortis_pipeline.dagster_internals.run_log import console, make_default
from imagomortis_pipeline.dagster_internals.step_jobs import step_jobs
from imagomortis_pipeline.image_task.job import named_hours, process_images, renditions
from imagomortis_pipeline.pusher import pushers
from imagomortis_pipeline.schedules import exports, retention, sweep


def _settings() -> Settings:
    """Return the settings, or end the process. Dagster would show two screens of an exception without its cause."""
    try:
        return resources.settings()
    except ConfigurationError as error:
        logs.give_up("pusher", error.detail)


def _executor() -> ExecutorDefinition:
    """Return the executor that the settings name."""
    return step_jobs if _settings().executor is Executor.KUBERNETES else in_process_executor


logs.configure("pusher", _settings().log_level)
traces.configure("pusher", resources.settings().traces_url)
make_default()

definitions = Definitions(
    assets=[originals, renditions],
    jobs=[process_images],
    resources={"named_hours": named_hours},
    sensors=[*pushers, *([bucket_inbox] if _settings().inbox_sources else [])],
    schedules=[sweep, retention, *([exports] if _settings().export_prefixes else [])],
    loggers={"console": console},
    executor=_executor(),
)

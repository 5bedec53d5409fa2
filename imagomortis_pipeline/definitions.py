"""Everything that Dagster knows of ImagoMortis."""

from __future__ import annotations

from dagster import Definitions, ExecutorDefinition, in_process_executor

from imagomortis import logs
from imagomortis.settings import Executor, Settings
from imagomortis_pipeline import resources
from imagomortis_pipeline.assets import originals
from imagomortis_pipeline.image_task import process_images, renditions
from imagomortis_pipeline.pusher import pushers
from imagomortis_pipeline.run_log import console
from imagomortis_pipeline.schedules import retention, sweep


def _executor(settings: Settings) -> ExecutorDefinition:
    """Return the executor that the setting chooses; importing the one of Kubernetes costs 0.8 CPU-seconds."""
    if settings.executor is Executor.KUBERNETES:
        from dagster_k8s import k8s_job_executor

        in_jobs: ExecutorDefinition = k8s_job_executor
        return in_jobs
    return in_process_executor


logs.configure("pusher", resources.settings().log_level)

definitions = Definitions(
    assets=[originals, renditions],
    jobs=[process_images],
    sensors=pushers,
    schedules=[sweep, retention],
    loggers={"console": console},
    executor=_executor(resources.settings()),
)

"""The executor of the cluster: it runs the image task as a Kubernetes Job of its own, by `k8s_job_executor`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from dagster import (
    DagsterInvalidDefinitionError,
    Executor,
    InitExecutorContext,
    executor,
    multiple_process_executor_requirements,
)
from dagster._config import process_config

from imagomortis.settings import Settings
from imagomortis_pipeline.image_task import pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from dagster._core.executor.step_delegating import StepDelegatingExecutor

LOOK_SECONDS: Final = 5
"""The time between two looks at a step's Job, whose pod may be gone while its images wait. Dagster's default is 20."""


@executor(name="k8s", config_schema={}, requirements=multiple_process_executor_requirements())
def step_jobs(context: InitExecutorContext) -> Executor:
    """Run each step as a Kubernetes Job.

    A run cannot configure it: otherwise anybody who may launch runs could choose a pod's image, account, secrets and
    volumes. Importing `dagster_k8s` costs 0.8 CPU-seconds. A step makes no executor and does
    not pay for it.
    """
    from dagster_k8s import k8s_job_executor

    config = pod.of_step(Settings.read().sandbox_memory_bytes)
    processed = process_config(k8s_job_executor.config_schema.config_type, config)
    if processed.value is None:
        reasons = "; ".join(error.message for error in processed.errors or ())
        raise DagsterInvalidDefinitionError(f"k8s_job_executor refuses the configuration of a step's pod: {reasons}")
    make = cast("Callable[[InitExecutorContext], StepDelegatingExecutor]", k8s_job_executor.executor_creation_fn)
    made = make(context._replace(executor_config=processed.value))
    made._check_step_health_interval_seconds = LOOK_SECONDS  # `k8s_job_executor` has no option for it
    return made

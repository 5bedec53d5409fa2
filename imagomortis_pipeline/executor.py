"""Where the image task runs: in its run's process on one machine, in a Job of its own on Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from dagster import (
    DagsterInvalidDefinitionError,
    Executor,
    ExecutorDefinition,
    InitExecutorContext,
    executor,
    in_process_executor,
    multiple_process_executor_requirements,
)
from dagster._config import process_config

from imagomortis import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from dagster._core.executor.step_delegating import StepDelegatingExecutor

MIB: Final = 1024 * 1024

WORKER_BYTES: Final = 1024 * MIB
"""What a worker takes beside its sandbox: with cgroup v2 a pod at its limit loses all of its pictures, not one."""

STEP: Final[dict[str, Any]] = {
    "enable_owner_references": True,  # the step's Job goes with the run's pod
    "service_account_name": "image-task",
    # and has no use for the API server, to which the run's label opens the way
    "labels": {"app.kubernetes.io/component": "image-task", "imagomortis/uses-kubernetes": "false"},
    "step_k8s_config": {"pod_spec_config": {"automount_service_account_token": False}},
}
"""How a step's pod differs from its run's, beside its memory."""

LOOK_SECONDS: Final = 5
"""From one look at a step's Job to the next; its pod may be gone, and its pictures wait. Dagster's own figure is 20."""


def step(sandbox_bytes: int) -> dict[str, Any]:
    """Return the configuration of a step's pod, for a sandbox that may take so much memory."""
    memory = f"{(sandbox_bytes + WORKER_BYTES) // MIB}Mi"
    requests = {"cpu": "50m", "memory": "200Mi"}
    return {**STEP, "resources": {"requests": requests, "limits": {"memory": memory}}}


@executor(name="k8s", config_schema={}, requirements=multiple_process_executor_requirements())
def step_jobs(context: InitExecutorContext) -> Executor:
    """Run each step as a Kubernetes Job, by `k8s_job_executor`.

    A run configures nothing of it: whoever may launch runs would choose image, account, secrets and volumes of a pod.
    Importing it costs 0.8 CPU-seconds, which only the run's process pays: the step's own never makes an executor.
    """
    from dagster_k8s import k8s_job_executor

    given = step(settings.Settings.read().sandbox_memory_bytes)
    processed = process_config(k8s_job_executor.config_schema.config_type, given)
    if processed.value is None:
        reasons = "; ".join(error.message for error in processed.errors or ())
        raise DagsterInvalidDefinitionError(f"The executor does not take STEP: {reasons}")
    make = cast("Callable[[InitExecutorContext], StepDelegatingExecutor]", k8s_job_executor.executor_creation_fn)
    made = make(context._replace(executor_config=processed.value))
    made._check_step_health_interval_seconds = LOOK_SECONDS  # `k8s_job_executor` has no option for it
    return made


def chosen(by: settings.Executor) -> ExecutorDefinition:
    """Return the executor that the setting names."""
    return step_jobs if by is settings.Executor.KUBERNETES else in_process_executor

"""The executor of the cluster: a run's configuration has no say in its steps' pods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, InitExecutorContext
from dagster._config import process_config
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import StepDelegatingExecutor

from imagomortis_pipeline.dagster_internals.step_jobs import LOOK_SECONDS, step_jobs
from imagomortis_pipeline.image_task import pod
from imagomortis_pipeline.image_task.job import PROCESS_IMAGES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "given",
    [
        {"job_image": "evil.example/image:1"},
        {"service_account_name": "bootstrap"},
        {"env_secrets": ["access"]},
        {"volumes": [{"name": "b", "persistentVolumeClaim": {"claimName": "backups"}}]},
        {"step_k8s_config": {"container_config": {"image": "evil.example/image:1"}}},
        {"per_step_k8s_config": {"renditions": {"pod_spec_config": {"service_account_name": "bootstrap"}}}},
        {"job_namespace": "kube-system"},
    ],
)
def test_a_run_configures_nothing_of_its_steps(given: dict[str, Any]) -> None:
    assert not process_config(step_jobs.config_schema.config_type, given).success


def test_a_run_that_configures_nothing_is_fine() -> None:
    assert process_config(step_jobs.config_schema.config_type, {}).success


def test_dagsters_executor_takes_the_configuration_of_a_steps_pod() -> None:
    from dagster_k8s import k8s_job_executor  # 800 ms in each process that collects this file

    assert process_config(k8s_job_executor.config_schema.config_type, pod.of_step(1)).success


def test_the_executor_of_the_cluster_looks_at_steps_more_often_than_dagsters_own(
    cluster_instance: DagsterInstance,
) -> None:
    code = ReconstructableRepository.for_module("imagomortis_pipeline.definitions", "definitions", str(ROOT))
    context = InitExecutorContext(ReconstructableJob(code, PROCESS_IMAGES), step_jobs, {}, cluster_instance)
    assert step_jobs.executor_creation_fn
    made = vars(step_jobs.executor_creation_fn(context))
    assert made["_check_step_health_interval_seconds"] == LOOK_SECONDS
    assert made.keys() == vars(StepDelegatingExecutor(None, RetryMode.DISABLED)).keys(), "Dagster has the same name"  # type: ignore[arg-type]

"""Dagster's launcher for Kubernetes, with pods that fit the executor of the settings.

A run that starts a Job for its step may create Jobs. A run that processes images itself is an image task, and gets the
account, the memory and the network of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from dagster._serdes import ConfigurableClassData
from dagster_k8s import K8sRunLauncher

from imagomortis.settings import Executor, Settings
from imagomortis_pipeline.image_task import pod


class WorkerLauncher(K8sRunLauncher):
    """Launches each run as a Kubernetes Job; set as `run_launcher`."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Make the launcher from its configuration in `dagster.yaml` and the settings."""
        settings = Settings.read()
        if settings.executor is Executor.IN_PROCESS:
            config_value = pod.of_run(config_value, settings.sandbox_memory_bytes)
        return cast(Self, super().from_config_value(inst_data, config_value))  # type: ignore[no-untyped-call]

"""Where the step logs are."""

from __future__ import annotations

from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from imagomortis_pipeline.dagster_internals.step_logs import folder_of

NOOP = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}


def test_each_run_has_a_folder_in_it(tmp_path: Path) -> None:
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        manager = instance.compute_log_manager
        assert isinstance(manager, LocalComputeLogManager)
        folder = folder_of(instance)
        assert folder
        logs = Path(manager.get_captured_local_path(["run", "compute_logs", "step"], "out"))
        assert logs.relative_to(folder).parts[0] == "run"


def test_there_is_none_if_they_are_elsewhere(tmp_path: Path) -> None:
    with DagsterInstance.local_temp(str(tmp_path), overrides={"compute_logs": NOOP}) as instance:
        assert folder_of(instance) is None

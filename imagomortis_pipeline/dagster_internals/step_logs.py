"""Finds the folder of step logs, which Dagster's local manager keeps to itself."""

from __future__ import annotations

from pathlib import Path

from dagster import DagsterInstance
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager


def folder_of(instance: DagsterInstance) -> Path | None:
    """Return the folder with one folder of step logs for each run; None if they are not in files here."""
    manager = instance.compute_log_manager
    return Path(manager._base_dir) if isinstance(manager, LocalComputeLogManager) else None

"""Describes the pod of an image task: that of a step, or that of a run which processes images itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MIB: Final = 1024 * 1024

WORKER_BYTES: Final = 1024 * MIB
"""Memory of a worker beside its sandbox. With cgroup v2 a pod at its limit loses all of its images, not one."""

ACCOUNT: Final = "image-task"

# the account has no rights, so the pod needs no way to the API server either
LABELS: Final = {"app.kubernetes.io/component": "image-task", "imagomortis/uses-kubernetes": "false"}
NO_TOKEN: Final = {"automount_service_account_token": False}


def resources(sandbox_bytes: int) -> dict[str, dict[str, str]]:
    """Return requests and limits of the pod, for a sandbox that may take so much memory."""
    memory = f"{(sandbox_bytes + WORKER_BYTES) // MIB}Mi"
    return {"requests": {"cpu": "50m", "memory": "200Mi"}, "limits": {"memory": memory}}


def of_step(sandbox_bytes: int) -> dict[str, Any]:
    """Return the configuration of `k8s_job_executor`: how a step's pod differs from its run's."""
    return {
        "enable_owner_references": True,  # the step's Job is removed with the run's pod
        "service_account_name": ACCOUNT,
        "labels": LABELS,
        "resources": resources(sandbox_bytes),
        "step_k8s_config": {"pod_spec_config": NO_TOKEN},
    }


def of_run(launcher: Mapping[str, Any], sandbox_bytes: int) -> dict[str, Any]:
    """Return the configuration of a launcher whose runs process images in their own pods."""
    run = launcher.get("run_k8s_config") or {}
    return {
        **launcher,
        "service_account_name": ACCOUNT,
        "labels": {**(launcher.get("labels") or {}), **LABELS},
        "resources": resources(sandbox_bytes),
        "run_k8s_config": {**run, "pod_spec_config": {**run.get("pod_spec_config", {}), **NO_TOKEN}},
    }

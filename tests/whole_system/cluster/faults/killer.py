"""Ends the processes of pods by SIGKILL, as the kernel does when memory is short: nothing is told that it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from imagomortis import version
from tests.whole_system.cluster.installation import Installation, kubectl

NAMESPACE = "imagomortis-killer"

_LABELS = {"app": "killer"}

MANIFESTS: list[dict[str, Any]] = [
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "privileged"}},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "killer", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {
                    "hostPID": True,
                    "tolerations": [{"operator": "Exists"}],
                    "terminationGracePeriodSeconds": 0,
                    "containers": [
                        {
                            "name": "killer",
                            "image": f"imagomortis:{version()}",
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["sleep", "infinity"],
                            "securityContext": {"privileged": True, "runAsUser": 0},
                        }
                    ],
                },
            },
        },
    },
]

KILL = """
import os, pathlib, sys

uids = [spelled for uid in sys.argv[2:] for spelled in (uid, uid.replace("-", "_"))]  # as systemd spells them
killed = 0
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        is_theirs = any(uid in (process / "cgroup").read_text() for uid in uids)
        if is_theirs and (sys.argv[1] == "whole" or (process / "comm").read_text() != "pause\\n"):
            os.kill(int(process.name), 9)
            killed += 1
    except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
        pass
print(killed)
"""
"""Takes the UIDs of pods, which stand in the names of their processes' control groups."""


class Killer:
    """A pod on each node that sees all processes there."""

    def __init__(self, installation: Installation) -> None:
        """Take the installation, which is told of what is killed."""
        self._installation = installation
        self._by_node: dict[str, str] = {}

    def start(self) -> None:
        """Create the pods, once those of an earlier run of the tests are gone."""
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": MANIFESTS}))
        kubectl("-n", NAMESPACE, "rollout", "status", "daemonset/killer", "--timeout=110s")
        found = json.loads(kubectl("-n", NAMESPACE, "get", "pods", "-l", "app=killer", "-o", "json"))["items"]
        self._by_node = {pod["spec"]["nodeName"]: pod["metadata"]["name"] for pod in found}

    def remove(self) -> None:
        """Remove them with their namespace."""
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")

    def kill(self, *pods: Mapping[str, Any], whole: bool = False) -> int:
        """Kill the containers' processes; return how many there were.

        The process that keeps a pod's network stays, as no fault of a program ends it; ``whole`` kills it, too.
        """
        killed = 0
        for node, killer in self._by_node.items():
            uids = [pod["metadata"]["uid"] for pod in pods if pod["spec"].get("nodeName") == node]
            words = ["python", "-c", KILL, "whole" if whole else "programs", *uids]
            killed += int(kubectl("-n", NAMESPACE, "exec", killer, "--", *words)) if uids else 0
        self._installation.kills.update(pod["metadata"]["uid"] for pod in pods)
        return killed

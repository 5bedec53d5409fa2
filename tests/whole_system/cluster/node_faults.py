"""How tests lose nodes, as the environment says. Without it, the tests that are marked `several_nodes` do not run."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence

SHARED_CLASS = os.environ.get("IMAGOMORTIS_TEST_SHARED_CLASS", "")
"""A StorageClass whose volumes all nodes have, so that pods which use them can move."""

STOP_NODE = shlex.split(os.environ.get("IMAGOMORTIS_TEST_STOP_NODE", ""))
START_NODE = shlex.split(os.environ.get("IMAGOMORTIS_TEST_START_NODE", ""))
"""The commands that take a node's name and end it as a power failure does, and start it again."""

PARTITION_NODE = shlex.split(os.environ.get("IMAGOMORTIS_TEST_PARTITION_NODE", ""))
HEAL_NODE = shlex.split(os.environ.get("IMAGOMORTIS_TEST_HEAL_NODE", ""))
"""The commands that take a node's name and cut it off from the network while it works on, and connect it again."""

UNTIL_NOTICED = 25.0
"""Seconds until Kubernetes knows that a node is not there; its pods are replaced later."""


def do(command: Sequence[str], node: str) -> None:
    """Run one of the commands for a node; what it says is in the error if it fails."""
    done = subprocess.run([*command, node], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(done.args)}: {done.stderr}{done.stdout}"

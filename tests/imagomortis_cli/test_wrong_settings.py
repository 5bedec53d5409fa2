"""What every program says of a setting that it cannot use: which, and what it should be, in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BY_PEOPLE = {
    "up": ["imagomortis_cli.main", "up"],
    "doctor": ["imagomortis_cli.main", "doctor"],
    "web": ["imagomortis_cli.machine.front_door.app"],
    "recovery": ["imagomortis_pipeline.upkeep.recovery"],
    "code server": ["dagster", "api", "grpc", "-m", "imagomortis_pipeline.definitions", "-h", "127.0.0.1", "-p", "1"],
}

IN_PODS = {
    "uploader": ["upload_service"],
    "api": ["api_service"],
    "pusher": ["imagomortis_pipeline.dagster_internals.process", "pusher", "dagster", "api", "grpc"],
    "scheduler": ["imagomortis_pipeline.dagster_internals.process", "scheduler", "dagster._daemon", "run"],
    "exporter": ["imagomortis_pipeline.upkeep.exporter"],
    "backup": ["imagomortis_cli.upkeep.installation.backup", "all.tar"],
    "bootstrap": ["imagomortis_cli.upkeep.installation.secrets"],
    "migrate": ["imagomortis_cli.upkeep.installation.migration"],
    "wait": ["imagomortis_cli.upkeep.installation.waiting"],
}

PROGRAMS = {**BY_PEOPLE, **IN_PODS}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_named_with_an_example_and_without_a_traceback(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", *PROGRAMS[name]],
        env={**os.environ, "IMAGOMORTIS_HOME": str(tmp_path), "IMAGOMORTIS_MAX_WORKERS": "many"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert "IMAGOMORTIS_MAX_WORKERS=many" in text
    assert "for example IMAGOMORTIS_MAX_WORKERS=2" in text
    assert "traceback" not in text.lower()
    assert len(text.splitlines()) <= 3
    if name in IN_PODS:
        for line in text.splitlines():
            assert {"time", "level", "part", "event"} <= json.loads(line).keys()

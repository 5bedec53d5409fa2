"""What every program says of a setting that it cannot use: which, and what it should be, in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BY_PEOPLE = {
    "up": ["imagomortis_cli.main", "up"],
    "doctor": ["imagomortis_cli.main", "doctor"],
    "web": ["imagomortis_cli.machine.front_door"],
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


def said(words: list[str], home: Path) -> list[str]:
    """Return the lines of a program that is given a number that is none; it must end with a failure."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", *words],
        env={**os.environ, "IMAGOMORTIS_HOME": str(home), "IMAGOMORTIS_MAX_WORKERS": "many"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode != 0
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("program", {**BY_PEOPLE, **IN_PODS})
def test_it_is_named_with_an_example_and_without_a_traceback(program: str, tmp_path: Path) -> None:
    lines = said({**BY_PEOPLE, **IN_PODS}[program], tmp_path)
    text = "\n".join(lines)
    assert "IMAGOMORTIS_MAX_WORKERS=many" in text
    assert "for example IMAGOMORTIS_MAX_WORKERS=2" in text
    assert "traceback" not in text.lower()
    assert len(lines) <= 3


@pytest.mark.parametrize("program", IN_PODS)
def test_what_runs_in_a_pod_says_it_in_a_line_of_the_log(program: str, tmp_path: Path) -> None:
    for line in said(IN_PODS[program], tmp_path):
        assert {"time", "level", "part", "event"} <= json.loads(line).keys()

"""What every program says of a setting that it cannot use: which, and what it should be, in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

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


@pytest.fixture(scope="module")
def lines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of a program that is given a number that is none; it must end with a failure."""
    home = str(tmp_path_factory.mktemp("home"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", *PROGRAMS[request.param]],
        env={**os.environ, "IMAGOMORTIS_HOME": home, "IMAGOMORTIS_MAX_WORKERS": "many"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode != 0
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("lines", PROGRAMS, indirect=True)
def test_it_is_named_with_an_example_and_without_a_traceback(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert "IMAGOMORTIS_MAX_WORKERS=many" in text
    assert "for example IMAGOMORTIS_MAX_WORKERS=2" in text
    assert "traceback" not in text.lower()
    assert len(lines) <= 3


@pytest.mark.parametrize("lines", IN_PODS, indirect=True)
def test_in_a_pod_the_error_is_a_line_of_the_log(lines: list[str]) -> None:
    for line in lines:
        assert {"time", "level", "part", "event"} <= json.loads(line).keys()

"""What every program says of a setting that it cannot use: which, and what it should be, in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = {
    "uploader": ["upload_service"],
    "api": ["api_service"],
    "up": ["imagomortis_cli.main", "up"],
    "doctor": ["imagomortis_cli.main", "doctor"],
    "web": ["imagomortis_cli.front_door"],
    "recovery": ["imagomortis_pipeline.recovery"],
    "code server": ["dagster", "api", "grpc", "-m", "imagomortis_pipeline.definitions", "-h", "127.0.0.1", "-p", "1"],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_is_named_with_an_example_and_without_a_traceback(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", *PROGRAMS[program]],
        env={**os.environ, "IMAGOMORTIS_HOME": str(tmp_path), "IMAGOMORTIS_MAX_WORKERS": "many"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "IMAGOMORTIS_MAX_WORKERS=many" in said
    assert "for example IMAGOMORTIS_MAX_WORKERS=2" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 3

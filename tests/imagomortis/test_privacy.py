"""Secrets leave the environment of the process that has read them, and files are for one user only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FORGETS = """
import os, subprocess
from pathlib import Path
from imagomortis import privacy
privacy.forget(["IMAGOMORTIS_TOKEN", "DATABASE_URL"])
print(sorted(name for name in os.environ if name.startswith("IMAGOMORTIS_")))
shown = Path("/proc/self/environ").read_bytes()
print(b"hush" in shown, b"IMAGOMORTIS_HOME=/home" in shown)
print(b"hush" in subprocess.run(["env"], capture_output=True, check=True).stdout)
"""


def test_a_forgotten_variable_is_in_no_environment() -> None:
    given = {"PATH": os.environ["PATH"], "IMAGOMORTIS_TOKEN": "hush" * 8, "IMAGOMORTIS_HOME": "/home"}
    done = subprocess.run([sys.executable, "-c", FORGETS], env=given, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["['IMAGOMORTIS_HOME']", "False True", "False"], "")


UMASK_AT_THE_END = """
import atexit, os, runpy, sys
os.umask(0o022)
atexit.register(lambda: print("umask", oct(os.umask(0))))
program = sys.argv.pop(1)
runpy.run_module(program, run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("api_service", []),
        ("upload_service", []),
        ("imagomortis_pipeline.dagster_internals.process", ["pusher", "dagster"]),
        ("imagomortis_pipeline.upkeep.exporter", []),
        ("imagomortis_cli.upkeep.installation.backup", ["backup.tar"]),
        ("imagomortis_cli.upkeep.installation.migration", []),
    ],
)
def test_a_program_of_a_pod_writes_for_its_own_user_alone(program: str, words: list[str], tmp_path: Path) -> None:
    # each ends at its first look at the settings
    given = {"PATH": os.environ["PATH"], "IMAGOMORTIS_LOG_LEVEL": "none such"}
    command = [sys.executable, "-P", "-c", UMASK_AT_THE_END, program, *words]
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "IMAGOMORTIS_LOG_LEVEL" in done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "umask 0o77"

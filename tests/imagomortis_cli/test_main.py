"""The command as a shell runs it: where its output goes, and what it says when that is nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).with_name("imagomortis")
UNREACHABLE = {**os.environ, "IMAGOMORTIS_URL": "http://127.0.0.1:9", "DATABASE_URL": "postgresql://127.0.0.1:9/none"}


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``$I`` is the command."""
    return subprocess.run(
        ["bash", "-c", line], env={**UNREACHABLE, "I": str(COMMAND)}, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="not for this platform: /dev/full is Linux's")
@pytest.mark.parametrize("words", ["--help", "doctor --json"])
def test_output_onto_a_full_disk_is_one_sentence(words: str) -> None:
    ended = shell(f"$I {words} >/dev/full")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == ("Error: The disk of the output is full. Free some space, and try again.")
    assert "Traceback" not in ended.stderr


def test_a_closed_output_is_nobody_who_reads() -> None:
    closed, nowhere = shell("$I doctor --json >&-"), shell("$I doctor --json >/dev/null")
    assert closed.returncode == nowhere.returncode, "what `doctor` found is in its exit code"
    assert closed.stderr == nowhere.stderr


def test_a_reader_that_goes_ends_the_command_quietly() -> None:
    ended = shell("set -o pipefail; $I doctor --json | true")
    assert "Traceback" not in ended.stderr
    assert "Exception" not in ended.stderr

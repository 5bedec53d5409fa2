"""In CI a missing prerequisite is a failure, and a failed test leaves what explains it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import IN_CI
from tests.live import ROOT

MISSING = """
import pytest

@pytest.mark.skipif(True, reason="there is no such program")
def test_by_mark(): ...

def test_by_call():
    pytest.skip("there is no such program")

@pytest.mark.xfail
def test_that_is_known_to_fail():
    assert False
"""

MISSING_FOR_ALL = """
import pytest

pytest.importorskip("no_such_module")
"""

NOT_HERE = """
import pytest

@pytest.mark.skipif(True, reason="not for this platform: it has no such file")
def test_by_mark(): ...
"""


def run(folder: Path, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module of tests by itself, with the hooks of this folder."""
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    environment = {name: value for name, value in os.environ.items() if name not in IN_CI}
    return subprocess.run(
        [*command, "-c", "/dev/null", str(folder)],
        cwd=ROOT,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variable", ["CI", "NO_SKIPS"])
@pytest.mark.parametrize(("text", "failed"), [(MISSING, "1 failed, 1 xfailed, 1 error"), (MISSING_FOR_ALL, "1 error")])
def test_what_is_missing_fails_in_ci_and_is_skipped_elsewhere(
    tmp_path: Path, text: str, failed: str, variable: str
) -> None:
    in_ci = run(tmp_path, text, **{variable: "true"})
    assert in_ci.returncode != 0
    assert failed in in_ci.stdout
    assert "no such" in in_ci.stdout or "no_such" in in_ci.stdout
    assert run(tmp_path, text).returncode in {0, pytest.ExitCode.NO_TESTS_COLLECTED}


def test_what_is_not_for_this_platform_is_skipped_everywhere(tmp_path: Path) -> None:
    assert run(tmp_path, NOT_HERE, CI="true").returncode == 0


FAILED = """
from tests import evidence

class System:
    def testify(self, folder):
        (folder / "system.log").write_text("out of ink")

SYSTEM = System()
evidence.ask(SYSTEM)

def test_it():
    assert False
"""


def test_a_failed_test_keeps_the_logs_of_its_system_and_names_them(tmp_path: Path) -> None:
    output = tmp_path / "output"
    done = run(tmp_path, FAILED, IMAGOMORTIS_TEST_OUTPUT=str(output))
    (kept,) = output.rglob("system.log")
    assert kept.read_text() == "out of ink"
    assert f"Logs of this failure are in {kept.parent}" in done.stdout

"""In CI a missing prerequisite is a failure, and a failed test leaves what explains it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.failures import IN_CI
from tests.support.running_system import ROOT

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


def run(folder: Path, *texts: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run modules of tests by themselves, with the hooks of `tests.support.failures`."""
    for number, text in enumerate(texts):
        (folder / f"test_{number}.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.support.failures",
        "-p",
        "no:cacheprovider",
        f"--rootdir={folder}",
    ]
    environment = {name: value for name, value in os.environ.items() if name not in IN_CI}
    return subprocess.run(
        [*command, "--continue-on-collection-errors", "-c", "/dev/null", str(folder)],
        cwd=ROOT,
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("variable", sorted(IN_CI))
def test_a_missing_prerequisite_fails_in_ci_except_on_other_platforms(tmp_path: Path, variable: str) -> None:
    done = run(tmp_path, MISSING, MISSING_FOR_ALL, NOT_HERE, **{variable: "true"})
    assert "1 failed, 1 skipped, 1 xfailed, 2 errors" in done.stdout
    for reason in ("there is no such program", "no_such_module"):
        assert reason in done.stdout


def test_a_missing_prerequisite_is_a_skip_outside_ci(tmp_path: Path) -> None:
    done = run(tmp_path, MISSING, MISSING_FOR_ALL, NOT_HERE)
    assert "4 skipped, 1 xfailed" in done.stdout
    assert done.returncode == 0


FAILED = """
from tests.support import failures

class System:
    def testify(self, folder):
        (folder / "system.log").write_text("out of ink")

SYSTEM = System()
failures.ask(SYSTEM)

def test_it():
    assert False
"""


def test_a_failed_test_keeps_the_logs_of_its_system_and_names_them(tmp_path: Path) -> None:
    output = tmp_path / "output"
    done = run(tmp_path, FAILED, IMAGOMORTIS_TEST_OUTPUT=str(output))
    (kept,) = output.rglob("system.log")
    assert kept.read_text() == "out of ink"
    assert f"Logs of this failure are in {kept.parent}" in done.stdout

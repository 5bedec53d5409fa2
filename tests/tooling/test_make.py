"""What `make` does before it starts anything: it makes what is missing, once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.running_system import ROOT

PYTHON = """#!/bin/sh
case "$*" in
    *"-m venv"*) mkdir -p .venv/bin && cp python .venv/bin/python && cp imagomortis .venv/bin/;;
    *"-m pip"*) echo begin >> log; sleep 0.2; echo end >> log;;
esac
"""
"""Stands for Python: its environment is a copy of itself, and installing takes a moment."""

PROGRAM = "#!/bin/sh\necho $1 >> log\n"
BUILD = "#!/bin/sh\nmkdir -p webui/dist && echo page >> log && touch webui/dist/index.html\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone as far as the Makefile looks at it."""
    for name in ("Makefile", "pyproject.toml", "requirements"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    for name, text in {"python": PYTHON, "imagomortis": PROGRAM, "webui/build": BUILD}.items():
        program = tmp_path / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(not shutil.which("flock"), reason="without flock nobody waits for another make")
def test_two_at_once_install_one_after_the_other_and_only_once(clone: Path) -> None:
    both = [subprocess.Popen(["make", target, "PYTHON=./python"], cwd=clone) for target in ("up", "demo")]
    assert [each.wait(30) for each in both] == [0, 0]
    log = (clone / "log").read_text().split()
    assert log[:7] == ["begin", "end"] * 3 + ["page"]
    assert sorted(log[7:]) == ["demo", "up"]


def test_without_flock_they_install_as_well(clone: Path) -> None:
    tools = clone / "tools"
    tools.mkdir()
    for name in ("make", "sh", "find", "mkdir", "cp", "touch", "sleep"):
        (tools / name).symlink_to(str(shutil.which(name)))
    command = ["make", "up", "PYTHON=./python"]
    subprocess.run(command, cwd=clone, env={"PATH": str(tools)}, check=True, timeout=30)
    assert (clone / "log").read_text().split() == [*["begin", "end"] * 3, "page", "up"]


def test_where_no_python_fits_the_command_to_try_is_the_one_that_was_typed(clone: Path) -> None:
    done = subprocess.run(["make", "demo", "PYTHON=false"], cwd=clone, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "make demo PYTHON=/path/to/python3.12" in done.stderr

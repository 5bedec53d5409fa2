"""The commands of the README's section on use, typed as they are printed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pictures import photo
from tests.support.running_system import ROOT, Stack

pytestmark = pytest.mark.stack

PORTS = {"30080": "WEB", "30081": "API", "30082": "UPLOAD"}


def commands(section: str) -> list[str]:
    """Every line of the shell that a section of the README shows."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"^## {section}$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no section {section!r}"
    blocks = re.findall(r"^```sh\n(.*?)^```", found[1], re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that has what the commands name: a picture, a folder of pictures, and the programs."""
    (tmp_path / "picture.jpg").write_bytes(photo(96, 64, seed=21))
    (tmp_path / "holiday").mkdir()
    for number in range(3):
        (tmp_path / "holiday" / f"{number}.jpg").write_bytes(photo(96, 64, seed=22 + number))
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return tmp_path


@pytest.mark.parametrize("command", commands("Use it"))
def test_a_command_works_as_printed(stack: Stack, folder: Path, command: str) -> None:
    here = re.sub(r"localhost:(\d+)", lambda found: f"localhost:{stack.ports[PORTS[found[1]]]}", command)
    # curl takes an error of the server for a success unless it is told
    words = here.replace("curl ", "curl --fail-with-body --silent --show-error ")
    done = subprocess.run(
        words, shell=True, cwd=folder, env=stack.environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_commands_to_try() -> None:
    assert len(commands("Use it")) >= 8

"""Every reader of bytes from outside, against bytes that are guided by its coverage, for a minute each."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.whole_system.fuzz.targets import TARGETS

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this machine"),
]

SECONDS = 60


@pytest.mark.parametrize("target", TARGETS)
def test_guided_inputs_are_accepted_or_refused_in_time(target: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.whole_system.fuzz.guided", target, str(SECONDS), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, f"{ended.stderr[-4000:]}\nThe input lies in {tmp_path}."

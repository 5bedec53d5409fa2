"""The definitions in a Dagster of somebody else, as `docs/your-dagster.md` tells it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "your-dagster.md"

YOURS = """
import dagster

@dagster.asset
def numbers() -> None: ...

definitions = dagster.Definitions(assets=[numbers])
"""


@pytest.mark.slow
def test_they_load_beside_another_code_location_in_a_stock_instance(tmp_path: Path, database: str) -> None:
    [workspace] = [
        block
        for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "load_from" in yaml.safe_load(block)
    ]
    (tmp_path / "workspace.yaml").write_text(workspace)
    (tmp_path / "yours.py").write_text(YOURS)
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=tmp_path,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path / "home"), "DATABASE_URL": database},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "imagomortis" in said
    assert "yours.py" in said

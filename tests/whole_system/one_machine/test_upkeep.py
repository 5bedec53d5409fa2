"""The doctor and verify on a running system, and what they say of one that is in trouble."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.pictures import photo
from tests.support.running_system import ROOT, Stack

pytestmark = pytest.mark.stack


def imagomortis(stack: Stack, *words: str, **variables: str) -> tuple[int, Any]:
    """Run a command in a shell that knows the folder and ``variables`` only; return its exit code and its document."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("IMAGOMORTIS_", "DATABASE_URL", "PG"))
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("imagomortis")), *words, "--json"],
        env={**inherited, "IMAGOMORTIS_HOME": str(stack.home), **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def levels(document: Any) -> dict[str, str]:
    return {finding["check"]: finding["level"] for finding in document["findings"]}


def mends(document: Any) -> dict[str, str]:
    return {finding["check"]: finding["mend"] for finding in document["findings"] if finding["level"] == "trouble"}


def test_a_system_is_found_well_while_it_runs_and_its_stop_is_told_afterwards(own_home: Path) -> None:
    stack = Stack(own_home, spool=own_home.with_name("spool"), linger_seconds=1)
    stack.start()
    try:
        stack.wait_until_ended([stack.upload(photo(64, 48, seed=1))])
        code, document = imagomortis(stack, "doctor")
        assert (code, set(levels(document).values())) == (0, {"fine", "skipped"}), document
        assert imagomortis(stack, "verify")[0] == 0
        with stack.catalog() as catalog, catalog.database.connection() as connection:
            connection.execute("UPDATE originals SET bytes = set_byte(bytes, 99, get_byte(bytes, 99) # 1)")
        code, document = imagomortis(stack, "verify")
        assert code == 1
        assert [(each["filename"], each["kind"]) for each in document["damaged"]] == [("picture.jpg", "original")]
        assert imagomortis(stack, "retention", "--dry-run")[0] == 0
    finally:
        stack.stop()
    # at the usual port there may be another system
    port = {"IMAGOMORTIS_WEB_PORT": str(stack.ports["WEB"])}
    only = [word for name in ("services", "database", "leases") for word in ("--only", name)]
    code, document = imagomortis(stack, "doctor", *only, **port)
    assert (code, levels(document)) == (1, {"services": "trouble", "database": "trouble", "leases": "unseen"})
    assert all(mend.endswith("imagomortis up") for mend in mends(document).values())

"""The doctor, verify and retention on a running system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

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


def test_a_system_that_runs_is_found_well(stack: Stack) -> None:
    stack.wait_until_ended([stack.upload(photo(64, 48, seed=31))])
    code, document = imagomortis(stack, "doctor")
    assert (code, set(levels(document).values())) == (0, {"fine", "skipped"}), document
    assert imagomortis(stack, "retention", "--dry-run")[0] == 0


def test_a_changed_byte_is_found(stack: Stack) -> None:
    image_id = stack.upload(photo(64, 48, seed=32), "damaged.jpg")
    stack.wait_until_ended([image_id])
    assert imagomortis(stack, "verify")[0] == 0
    with flipped_byte(stack, image_id):
        code, document = imagomortis(stack, "verify")
    assert code == 1
    assert [(each["filename"], each["kind"]) for each in document["damaged"]] == [("damaged.jpg", "original")]


@contextmanager
def flipped_byte(stack: Stack, image_id: UUID) -> Iterator[None]:
    """Change a byte of an original for the block."""

    def flip() -> None:
        with stack.catalog() as catalog, catalog.database.connection() as connection:
            connection.execute(
                "UPDATE originals SET bytes = set_byte(bytes, 99, get_byte(bytes, 99) # 1) WHERE image_id = %s",
                [image_id],
            )

    flip()
    try:
        yield
    finally:
        flip()

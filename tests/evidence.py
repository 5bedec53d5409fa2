"""Keeps what explains a failed test in `.ci/output`, and names it in the test's report."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

import pytest

OUTPUT = Path(os.environ.get("IMAGOMORTIS_TEST_OUTPUT", Path(__file__).parents[1] / ".ci" / "output"))


class Witness(Protocol):
    """Something that a test started, and that knows what happened in it."""

    def testify(self, folder: Path) -> None:
        """Copy logs and whatever else explains a failure into a folder."""


MOST = 5
"""Failures of one run that are explained: many at once have one cause, and asking for each takes time."""

_witnesses: WeakSet[Witness] = WeakSet()
_kept: list[Path] = []


def ask(witness: Witness) -> None:
    """Ask a witness whenever a test fails, as long as it is there."""
    _witnesses.add(witness)


def keep(report: pytest.TestReport) -> None:
    """Let every witness of a failed test write to the test's own folder, which the report names."""
    if not report.failed or not _witnesses or len(_kept) >= MOST:
        return
    folder = OUTPUT / re.sub(r"[^\w.-]+", "-", report.nodeid)[-150:]
    folder.mkdir(parents=True, exist_ok=True)
    _kept.append(folder)
    for witness in list(_witnesses):
        try:
            witness.testify(folder)
        except Exception as error:  # noqa: BLE001  # a witness that is broken too must not hide the failure itself
            (folder / "not-kept.txt").write_text(f"{witness}: {error!r}\n")
    report.sections.append(("kept", f"Logs of this failure are in {folder}"))

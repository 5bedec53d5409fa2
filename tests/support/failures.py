"""Reports failed tests with the logs that explain them; in CI a test that misses a prerequisite fails.

These hooks import little, so that their own tests start pytest quickly.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Protocol, TypeVar
from weakref import WeakSet

import pytest

OUTPUT = Path(os.environ.get("IMAGOMORTIS_TEST_OUTPUT", Path(__file__).parents[2] / ".ci" / "output"))


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


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

NOT_HERE = "not for this platform"
"""How the reason of a skip begins that is none of a missing prerequisite."""

IN_CI = {"CI", "NO_SKIPS"}
"""Variables that forbid skips; `.ci/run` sets the second one, as with the first one Hypothesis asks for less."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test fail in CI that is skipped because something is missing; keep what explains a failure."""
    report = _missing_nothing((yield))
    keep(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a module fail in CI that is skipped because something is missing."""
    return _missing_nothing((yield))


def _missing_nothing(report: Report) -> Report:
    """Return the report, as a failure where CI would skip for want of a prerequisite."""
    if IN_CI & os.environ.keys() and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(NOT_HERE):
            report.outcome = "failed"
            report.longrepr = f"CI skips nothing that is not marked as {NOT_HERE}. {reason}"
    return report

"""What pytest reports of a test: in CI a skip for want of something is a failure, and a failure names its logs.

These hooks import next to nothing, so that their own tests start pytest quickly.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

from tests import evidence

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

NOT_HERE = "not for this platform"
"""How the reason of a skip begins that is none of a missing prerequisite."""

IN_CI = {"CI", "NO_SKIPS"}
"""Variables that forbid skips; `.ci/run` sets the second one, as with the first one Hypothesis asks for less."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test fail in CI that is skipped because something is missing; keep what explains a failure."""
    report = _missing_nothing((yield))
    evidence.keep(report)
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

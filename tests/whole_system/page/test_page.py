"""The page: its logic by Vitest, its types, and what a person does with it by Playwright on a whole system."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.whole_system.page.conftest import PAGE

SPECS = sorted(path.name for path in (PAGE / "e2e").glob("*.spec.ts"))


def run(*command: str | Path, **environment: str) -> None:
    """Run a program of the page; a failure tells all that it said."""
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=PAGE,
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        pytest.fail(f"{' '.join(str(word) for word in command)}\n{ended.stdout}", pytrace=False)


def module(name: str) -> Path:
    return PAGE / "node_modules" / name


def test_logic(node: Path) -> None:
    run(node, module("vitest/vitest.mjs"), "run")


def test_types_of_the_api_are_up_to_date(node: Path) -> None:
    run(node, "api.mjs", "--check")


@pytest.mark.slow
def test_types(node: Path) -> None:
    run(node, module("svelte-check/bin/svelte-check"), "--fail-on-warnings")


@pytest.fixture(scope="session")
def report(
    request: pytest.FixtureRequest, node: Path, chromium: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Playwright's report on the chosen specs; two workers share them, each with its browser and systems."""
    chosen = [item.callspec.params["spec"] for item in request.session.items if "spec" in _parameters(item)]
    file = tmp_path_factory.mktemp("playwright") / "report.json"
    subprocess.run(
        [node, module("@playwright/test/cli.js"), "test", *chosen, "--reporter=list,json"],
        cwd=PAGE,
        env={**os.environ, "NO_COLOR": "1", "CHROMIUM": str(chromium), "PLAYWRIGHT_JSON_OUTPUT_FILE": str(file)},
        check=False,
    )
    report: dict[str, Any] = json.loads(file.read_text())
    return report


@pytest.mark.browser
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("spec", SPECS)
def test_in_the_browser(report: dict[str, Any], spec: str) -> None:
    tests = [test for suite in report["suites"] if suite["file"] == spec for test in _tests(suite)]
    # one that was not run is "skipped", and none is to be
    failures = [_failure(test) for test in tests if any(one["status"] != "expected" for one in test["tests"])]
    assert tests, f"{spec} was not run: {report['errors']}"
    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)


def _parameters(item: pytest.Item) -> dict[str, object]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def _tests(suite: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what stands in a suite of a report and in those within it."""
    yield from suite["specs"]
    for inner in suite.get("suites", []):
        yield from _tests(inner)


def _failure(test: dict[str, Any]) -> str:
    """Return what went wrong in a test, and where its screenshot and the systems' logs are."""
    results = [result for one in test["tests"] for result in one["results"]]
    errors = [error["message"] for result in results for error in result["errors"]]
    files = [found["path"] for result in results for found in result["attachments"] if "path" in found]
    return "\n".join([f"{test['file']}: {test['title']}", *errors, *files])

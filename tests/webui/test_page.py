"""The page: its logic by Vitest, its types, and what a person does with it by Playwright on a whole system."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.webui.conftest import PAGE

MEASURED = {"figures.spec.ts", "person.spec.ts"}
"""Suites that take the time: nothing else may run beside them."""

SUITES = [
    pytest.param(path.name, marks=pytest.mark.alone if path.name in MEASURED else ())
    for path in sorted((PAGE / "e2e").glob("*.spec.ts"))
]


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


def test_types(node: Path) -> None:
    run(node, module("svelte-check/bin/svelte-check"), "--fail-on-warnings")


@pytest.mark.browser
@pytest.mark.timeout(900)
@pytest.mark.parametrize("suite", SUITES)
def test_in_the_browser(node: Path, chromium: Path, suite: str) -> None:
    run(node, module("@playwright/test/cli.js"), "test", f"e2e/{suite}", CHROMIUM=str(chromium))

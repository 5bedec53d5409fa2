"""One installation for all tests on a cluster; they fail where there is none."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.installation import Installation
from tests.pictures import photo

Tell = Callable[[str], None]
"""Takes a figure for the end of the tests' output."""

_told: list[str] = []


@pytest.fixture
def tell() -> Tell:
    """Takes a figure, which is printed when all tests are over."""
    return _told.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    if _told:
        terminalreporter.section("figures")
        for line in _told:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """A fresh installation, made by the README's command, and left for a look when the tests are over.

    With IMAGOMORTIS_TEST_REUSE an earlier one serves again.
    """
    assert os.environ.get("KUBECONFIG"), "These tests need a cluster: let KUBECONFIG name it."
    assert shutil.which("kubectl"), "These tests need kubectl."
    found = Installation()
    if found.exists() and not os.environ.get("IMAGOMORTIS_TEST_REUSE"):
        found.remove()
    found.apply()
    found.wait_until_ready()
    yield found
    found.forget()


@pytest.fixture(scope="session")
def small_pictures() -> list[bytes]:
    """Different pictures of 480 x 320 pixels, some 25 KB each."""
    pictures = [photo(480, 320, seed=number) for number in range(50)]
    assert 24_000 < statistics.mean(map(len, pictures)) < 26_000
    return pictures


@pytest.fixture
def cold(installation: Installation) -> Installation:
    """The installation, with nothing to do and no worker."""
    installation.settle()
    return installation

"""One installation for all tests on a cluster; they fail where there is none."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.pictures import photo
from tests.whole_system.cluster.installation import Installation
from tests.whole_system.cluster.node_faults import SHARED_CLASS

ORDER = (
    "test_nodes",
    "test_multi_node",
    "test_lab",
    "test_removal",
    "test_backup",
    "test_reprocessing",
    "test_cancelling",
    "test_faults",
    "test_installation",
    "test_latency",
    "test_security",
    "test_throughput",
    "test_upgrade",
    "test_upkeep",
)
"""The order of the files: first the overlay that needs an empty cluster, then the tests that change the installation
and restore it, then those that are quick with few pictures."""

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the files into their order, and leave out what needs more nodes than there are."""
    if not SHARED_CLASS:
        items[:] = [item for item in items if not item.get_closest_marker("several_nodes")]

    def place(item: pytest.Item) -> int:
        return ORDER.index(item.path.stem) if Path(__file__).parent in item.path.parents else len(ORDER)

    items.sort(key=place)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Installation]:
    """A cluster without an installation; with IMAGOMORTIS_TEST_REUSE an earlier one may be there."""
    assert os.environ.get("KUBECONFIG"), "These tests need a cluster: let KUBECONFIG name it."
    assert shutil.which("kubectl"), "These tests need kubectl."
    found = Installation()
    if found.exists() and not os.environ.get("IMAGOMORTIS_TEST_REUSE"):
        found.remove("--ignore-not-found", "--wait=false")
    yield found
    found.forget()


@pytest.fixture(scope="session")
def installation(cluster: Installation) -> Installation:
    """A fresh installation, made by the README's command, and left for a look when the tests are over.

    With IMAGOMORTIS_TEST_REUSE an earlier one serves again.
    """
    cluster.apply()
    cluster.wait_until_ready()
    return cluster


@pytest.fixture(scope="session")
def picture(installation: Installation) -> UUID:
    """A picture that was processed by a new worker, in an installation at rest."""
    installation.settle()
    found = installation.upload(photo(96, 64, seed=5), "flipped.jpg")
    installation.wait_done([found])
    installation.settle()
    return found


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

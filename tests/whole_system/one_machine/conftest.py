"""One running system for the tests of this folder that leave it as they found it; it ends before others run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import running_system


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running_system.Stack]:
    with running_system.running(tmp_path_factory.mktemp("stack") / "home") as found:
        yield found


@pytest.fixture
def own_home(tmp_path: Path) -> Path:
    """The folder of a system that a test starts, breaks and stops by itself."""
    return tmp_path / "home"

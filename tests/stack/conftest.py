"""One running system for the tests of this folder that leave it as they found it; it ends before others run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import live


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Stack]:
    with live.running(tmp_path_factory.mktemp("stack") / "home") as found:
        yield found


@pytest.fixture
def own_home(tmp_path: Path) -> Path:
    """The folder of a system that a test starts, breaks and stops by itself."""
    return tmp_path / "home"

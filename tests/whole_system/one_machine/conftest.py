"""One running system for the tests of this folder that leave it as they found it, and for those that end it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import running_system


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running_system.Stack]:
    with running_system.running(tmp_path_factory.mktemp("stack") / "home") as found:
        yield found

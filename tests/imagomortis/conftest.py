"""A catalog on a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagomortis.catalog import Catalog


@pytest.fixture
def catalog(database: str) -> Iterator[Catalog]:
    with Catalog(database) as found:
        yield found

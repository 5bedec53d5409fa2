"""A system to look at: a catalog and Dagster's tables on the test's own databases, and a home with a spool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from imagomortis_cli.doctor.examination import examine
from imagomortis_cli.doctor.finding import Finding
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.upkeep import dagster_instance

Look = Callable[..., list[Finding]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def look(database: str, empty_database: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Makes one check, with a shell's variables, and returns what it found."""
    Spool(home / "spool").prepare()
    for name in ("IMAGOMORTIS_URL", "IMAGOMORTIS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("IMAGOMORTIS_DAGSTER_DATABASE_URL", empty_database)
    monkeypatch.setenv("IMAGOMORTIS_HOME", str(home))
    monkeypatch.setenv("IMAGOMORTIS_DISK_RESERVE_BYTES", "0")

    def make(name: str, namespace: str | None = None, **variables: str) -> list[Finding]:
        with monkeypatch.context() as patch:
            for variable, value in variables.items():
                patch.setenv(variable, value)
            with Site(Settings.read(), namespace) as site:
                return list(examine(site, [name]))

    return make


@pytest.fixture
def dagster(empty_database: str, tmp_path: Path) -> Iterator[object]:
    """Dagster's instance of that system."""
    with dagster_instance.opened(Settings(home=tmp_path / "home"), empty_database) as instance:
        yield instance

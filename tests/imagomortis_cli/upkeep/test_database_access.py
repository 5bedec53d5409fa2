"""Where `backup` and `restore` find the databases of a system, whether it runs or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from imagomortis.errors import ConfigurationError, Conflict, Unavailable
from imagomortis.settings import Settings, with_database
from imagomortis_cli.machine import home, stack
from imagomortis_cli.machine.postgres import embedded
from imagomortis_cli.upkeep import database_access


@pytest.fixture(autouse=True)
def _no_database_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
def test_the_embedded_postgres_is_started_for_the_time_and_found_while_it_runs(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with database_access.alone(settings) as (catalog, dagster):
        assert (_name(catalog), _name(dagster)) == ("imagomortis", "imagomortis_dagster")
        with psycopg.connect(dagster, autocommit=True) as connection:
            connection.execute("CREATE TABLE runs (id int)")
        _refuses_another(settings)
    assert not _answers(catalog)
    with database_access.any_time(settings) as found:
        assert (found.catalog, found.dagster) == (catalog, dagster)
        assert _answers(catalog)
    assert not _answers(catalog)
    with _up(settings) as where:
        with database_access.any_time(settings) as found:
            assert (found.catalog, found.dagster) == (where.catalog, where.dagster)
        assert _answers(catalog), "it is not to be ended under a running system"


def test_databases_of_the_users_own_are_taken_by_the_environment(
    database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    with database_access.any_time(Settings(home=tmp_path / "nowhere")) as found:
        assert _name(found.catalog) == _name(database)
        assert found.dagster is None, "Dagster has never run there"
    assert not (tmp_path / "nowhere").exists()
    monkeypatch.setenv("DATABASE_URL", with_database(database, "nowhere"))
    with (
        pytest.raises(Unavailable, match="nowhere cannot be reached"),
        database_access.any_time(Settings(home=tmp_path)),
    ):
        pass


def test_one_database_for_both_is_refused(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("IMAGOMORTIS_DAGSTER_DATABASE_URL", database)
    for way in (database_access.any_time, database_access.alone):
        with pytest.raises(ConfigurationError, match="same database"), way(Settings(home=tmp_path)):
            pass


def test_a_folder_without_a_system_is_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with (
            pytest.raises(ConfigurationError, match=f"no database in {folder}"),
            database_access.any_time(Settings(home=folder)),
        ):
            pass


def test_a_system_that_is_still_starting_is_told(tmp_path: Path) -> None:
    with (
        home.hold(tmp_path),
        pytest.raises(Unavailable, match="still starting"),
        database_access.any_time(Settings(home=tmp_path)),
    ):
        pass


@contextmanager
def _up(settings: Settings) -> Iterator[stack.Databases]:
    """Hold the home and run its databases as `up` does."""
    with home.hold(settings.home):
        where = stack.choose_databases(settings)
        assert where.server
        stack.write_variables(settings.home / stack.VARIABLES, stack.own_variables(settings, where))
        with embedded.running(where.server):
            yield where


def _refuses_another(settings: Settings) -> None:
    with pytest.raises(Conflict, match="Stop it first"), database_access.alone(settings):
        pass


def _name(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True

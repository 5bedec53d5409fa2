"""Dagster's storage on one pool whose connections notice that the server is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from imagomortis.errors import ConfigurationError
from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_pipeline.dagster_internals.storage import PooledPostgresStorage
from tests.imagomortis.catalog.connection.test_conninfo import watch
from tests.support.postgres_over_tcp import over_tcp


@pytest.fixture
def storage(empty_database: str) -> Iterator[PooledPostgresStorage]:
    """A storage on a database in which there was nothing, reached over TCP."""
    with over_tcp(empty_database) as url:
        found = PooledPostgresStorage(url)
        yield found
        engines(found)[0].dispose()


def engines(storage: PooledPostgresStorage) -> list[Any]:
    return [one._engine for one in (storage._run_storage, storage._event_log_storage, storage._schedule_storage)]


def test_there_is_one_pool(storage: PooledPostgresStorage) -> None:
    assert len({id(engine) for engine in engines(storage)}) == 1


def test_its_connections_are_watched(storage: PooledPostgresStorage) -> None:
    with engines(storage)[0].connect() as connection:
        assert watch(connection.connection.driver_connection.fileno()) == (5, 2, 3, 10_000)


def test_runs_are_kept_and_found(storage: PooledPostgresStorage) -> None:
    assert storage.run_storage.get_runs_count() == 0
    assert list(storage.schedule_storage.all_instigator_state()) == []


def test_the_webserver_keeps_the_pool_and_does_not_notice_a_restart(
    storage: PooledPostgresStorage, empty_database: str
) -> None:
    for one in (storage._run_storage, storage._event_log_storage, storage._schedule_storage):
        assert hasattr(type(one), "optimize_for_webserver"), "Dagster calls it by this name"
        one.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3600, max_overflow=20)
    test_there_is_one_pool(storage)
    with engines(storage)[0].connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "15s"
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with psycopg.connect(empty_database) as other:
        assert other.execute("SELECT pg_terminate_backend(%s, 60000)", [pid]).fetchone() == (True,)
    assert storage.run_storage.get_runs_count() == 0


def test_a_configuration_without_an_address_means_that_of_the_settings(
    empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_SECRETS", str(tmp_path))
    with pytest.raises(ConfigurationError, match="IMAGOMORTIS_DAGSTER_DATABASE_URL"):
        PooledPostgresStorage.from_config_value(None, {})
    (tmp_path / "IMAGOMORTIS_DAGSTER_DATABASE_URL").write_text(for_dagster(empty_database))
    storage = PooledPostgresStorage.from_config_value(None, {})
    assert storage.run_storage.get_runs_count() == 0
    engines(storage)[0].dispose()

"""Dagster's Postgres storage with a connection pool.

Dagster's own storage opens a connection for each statement. An idle system opens six a second, which is half of its
load. The pool tests a connection before each use, so a restart of Postgres does no harm. If a server is gone with its
machine, the pool notices within seconds. Otherwise a run would wait for minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url

from imagomortis.catalog.connection.conninfo import WATCHFUL
from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings


class PooledPostgresStorage(DagsterPostgresStorage):
    """Stores runs, events and schedules by one common pool; set as `storage: custom`."""

    def __init__(self, postgres_url: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Take SQLAlchemy's URL of the database; make the tables if they are not there."""
        url = make_url(postgres_url)
        url = url.update_query_dict({**WATCHFUL, **url.query})
        postgres_url = url.render_as_string(hide_password=False)
        super().__init__(postgres_url, inst_data=inst_data)
        engine = create_engine(
            postgres_url,
            isolation_level="AUTOCOMMIT",
            pool_size=2,
            max_overflow=18,
            pool_pre_ping=True,
            pool_recycle=600,
            pool_use_lifo=True,
        )
        # each of the three has its own engine, and Dagster has no option for it
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine
            # Dagster's own method replaces the pool by one that does not test its connections
            storage.optimize_for_webserver = self._limit_statements  # type: ignore[method-assign, assignment]

    def _limit_statements(self, statement_timeout: int, **_: int) -> None:
        """Limit statements to so many milliseconds in each connection that the pool opens from now on."""

        def limit(connection: Any, _: object) -> None:
            connection.cursor().execute(f"SET statement_timeout = {statement_timeout}")
            connection.commit()

        engine = self._run_storage._engine
        event.listen(engine, "connect", limit)
        engine.dispose()

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PooledPostgresStorage:
        """Make the storage from `dagster.yaml`, with the configuration of Dagster's own storage.

        If the configuration names no database, it is that of the settings, so a secret can come as a file.
        """
        named = config_value.get("postgres_url") or config_value.get("postgres_db")
        return cls(pg_url_from_config(config_value) if named else _url_of_the_settings(), inst_data)


def _url_of_the_settings() -> str:
    url = Settings.read().dagster_database_url
    if url is None:
        raise ConfigurationError(
            "Dagster's database is not named: set IMAGOMORTIS_DAGSTER_DATABASE_URL, or let your shell read the "
            "variables of the running system, as in: . .imagomortis/env"
        )
    return url.get_secret_value()

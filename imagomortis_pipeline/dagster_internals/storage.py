"""Dagster's Postgres storage with a pool of connections.

Dagster's own opens a connection for each statement, some six a second on an idle system, half of
all that the idle stack costs. A pooled connection is tried before each use, so a restart of Postgres goes unnoticed;
and a server that is gone with its machine is noticed in seconds, where a run would wait for its answer for minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url

from imagomortis.catalog.conninfo import WATCHFUL


class PooledPostgresStorage(DagsterPostgresStorage):
    """The storage of runs, events and schedules, on one pool for the three of them; set as `storage: custom`."""

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
        # each of the three has an engine of its own, and Dagster has no way to give them another
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine
            # the webserver's own version replaces the pool by one that does not test its connections
            storage.optimize_for_webserver = self._limit_statements  # type: ignore[method-assign, assignment]

    def _limit_statements(self, statement_timeout: int, **_: int) -> None:
        """Limit statements to so many milliseconds, in each connection that the one pool makes from now on."""

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
        """Make the storage from the configuration in `dagster.yaml`, which is that of Dagster's own."""
        return cls(pg_url_from_config(config_value), inst_data)

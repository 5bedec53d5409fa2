"""Connects an event loop to Postgres, because a thread per statement would cost more time than the statement."""

from __future__ import annotations

import time
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from imagomortis.catalog.connection.conninfo import watchful
from imagomortis.catalog.connection.database import (
    A_TRY_SECONDS,
    CONNECTING,
    PATIENCE_SECONDS,
    POOLING,
    answering,
    has_news,
    is_worth_another_try,
)
from imagomortis.errors import Unavailable

Connection = psycopg.AsyncConnection[DictRow]


class AsyncDatabase:
    """A pool of autocommitting connections to one Postgres database, used by one event loop."""

    def __init__(self, conninfo: str, connections: int = 4, patience: float = PATIENCE_SECONDS) -> None:
        """Take a libpq connection string, the largest number of connections, and seconds to wait for one."""
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            watchful(conninfo),
            connection_class=cast(type[Connection], psycopg.AsyncConnection),
            kwargs=CONNECTING,
            max_size=connections,
            check=_check,
            open=False,
            **POOLING,
        )
        self._patience = patience

    async def open(self) -> None:
        """Open the pool in the event loop that will use it."""
        await self._pool.open()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def row(self, statement: sql.SQL, **values: Any) -> DictRow | None:
        """Run a statement and return its first row, or None; bytes come in binary form.

        Raises errors and retries like ``Database.rows``.
        """
        for is_last in (False, False, True):
            try:
                with answering():
                    return await self._row(statement, values)
            except Unavailable as error:
                if is_last or not is_worth_another_try(error.__cause__, statement):
                    raise
        raise AssertionError  # the last try returned or raised

    async def _row(self, statement: sql.SQL, values: dict[str, Any]) -> DictRow | None:
        connection = await self._borrow()
        try:
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement, values)
            return await cursor.fetchone()
        finally:
            await self._pool.putconn(connection)

    async def _borrow(self) -> Connection:
        until = time.monotonic() + self._patience
        while True:
            try:
                return await self._pool.getconn(max(0.1, min(A_TRY_SECONDS, until - time.monotonic())))
            except PoolTimeout:
                if time.monotonic() >= until:
                    raise


async def _check(connection: Connection) -> None:
    """Probe a connection that received data without a request, as a closed one does."""
    if has_news(connection.fileno()):
        await AsyncConnectionPool.check_connection(connection)

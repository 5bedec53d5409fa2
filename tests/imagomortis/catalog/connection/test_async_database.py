"""The door for an event loop stands breaks of connections as the other one does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import sql

from imagomortis.catalog.connection.async_database import AsyncDatabase
from imagomortis.errors import Unavailable
from tests.support.waiting import wait_for

ONE = sql.SQL("SELECT %(number)s::int AS number, pg_backend_pid() AS backend")
SLOW = sql.SQL("SELECT pg_sleep(%(seconds)s)")
SLOW_ONCE = sql.SQL("SELECT CASE WHEN nextval('tries') = 1 THEN pg_sleep(300) END")


@asynccontextmanager
async def opened(conninfo: str, connections: int = 2, patience: float = 60.0) -> AsyncIterator[AsyncDatabase]:
    database = AsyncDatabase(conninfo, connections, patience)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def test_a_row_or_none(database: str) -> None:
    async def read() -> None:
        async with opened(database) as found:
            row = await found.row(ONE, number=7)
            assert row is not None
            assert row["number"] == 7
            assert await found.row(sql.SQL("SELECT WHERE false")) is None

    asyncio.run(read())


def test_it_holds_no_more_connections_than_it_may(database: str) -> None:
    async def read() -> None:
        async with opened(database, connections=2) as found:
            found_rows = await asyncio.gather(*(found.row(ONE, number=number) for number in range(50)))
            assert [row["number"] for row in found_rows if row] == list(range(50))
            assert 1 <= len({row["backend"] for row in found_rows if row}) <= 2

    asyncio.run(read())


def test_a_connection_that_broke_is_not_noticed(database: str) -> None:
    """Postgres ends it between two statements, and in the middle of one that only reads."""

    async def read() -> None:
        async with opened(database, connections=1) as found:
            before = await found.row(ONE, number=1)
            assert before is not None
            assert end(database, "pid = %s", before["backend"]) == 1
            after = await found.row(ONE, number=2)
            assert after is not None
            assert after["backend"] != before["backend"]
            with psycopg.connect(database) as connection:
                connection.execute("CREATE SEQUENCE tries")
            slow = asyncio.create_task(found.row(SLOW_ONCE))
            await wait_for(lambda: end(database, "wait_event = %s", "PgSleep"))
            assert await slow is not None

    asyncio.run(read())


def test_a_statement_that_was_given_up_leaves_no_connection_behind(database: str) -> None:
    async def read() -> None:
        async with opened(database, connections=1) as found:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(found.row(SLOW, seconds=30), 0.3)
            began = time.monotonic()
            assert await found.row(ONE, number=3) is not None
            assert time.monotonic() - began < 20

    asyncio.run(read())


def test_a_database_that_is_away_is_said_to_be() -> None:
    async def read() -> None:
        async with opened("host=127.0.0.1 port=1 dbname=none", patience=0.5) as found:
            await found.row(ONE, number=1)

    began = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        asyncio.run(read())
    assert raised.value.members["retry_after"] > 0
    assert time.monotonic() - began < 60


def test_a_database_without_a_catalog_is_being_restored(database: str) -> None:
    async def read() -> None:
        async with opened(database) as found:
            await found.row(sql.SQL("SELECT 1 FROM no_such_table"))

    with pytest.raises(Unavailable, match="holds no catalog"):
        asyncio.run(read())


def end(conninfo: str, condition: str, value: object) -> int:
    """End those connections to this database, but for the own one, whose activity meets a condition; count them."""
    statement = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    )
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return len(connection.execute(statement.encode(), [value]).fetchall())

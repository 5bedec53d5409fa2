"""Lends connections of a pool, and runs statements by their names from the files in `sql/`."""

from __future__ import annotations

import re
import select
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.resources import files
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from imagomortis.catalog.connection.conninfo import watchful
from imagomortis.errors import Unavailable

Connection = psycopg.Connection[DictRow]

PATIENCE_SECONDS: Final = 5.0
"""The default time that a caller waits for a connection."""

A_TRY_SECONDS: Final = 2.5
"""The time of one attempt to get a connection. The pool stops trying to connect earlier, so callers ask it again."""

CONNECTING: Final[dict[str, Any]] = {"autocommit": True, "row_factory": dict_row, "application_name": "imagomortis"}
"""Arguments of every pool's connections."""

POOLING: Final[dict[str, Any]] = {
    "min_size": 0,
    "timeout": A_TRY_SECONDS,
    "max_idle": 60,
    # a longer wait between tries would keep a process away after Postgres is back
    "reconnect_timeout": 2,
}
"""Arguments of every pool."""


@cache
def statements(topic: str) -> dict[str, sql.SQL]:
    """Return the statements of ``sql/<topic>.sql`` by the name in their ``-- name:`` line."""
    text = (files("imagomortis.catalog") / "sql" / f"{topic}.sql").read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return {
        name: sql.SQL(cast(LiteralString, body.strip())) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


class Database:
    """A pool of autocommitting connections to one Postgres database."""

    def __init__(self, conninfo: str, connections: int = 4, patience: float = PATIENCE_SECONDS) -> None:
        """Take a libpq connection string, the largest number of connections, and seconds to wait for one."""
        self.conninfo = watchful(conninfo)
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            self.conninfo,
            connection_class=cast(type[Connection], psycopg.Connection),
            kwargs=CONNECTING,
            max_size=connections,
            check=_check,
            open=True,
            **POOLING,
        )
        self._patience = patience

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection; raises Unavailable if Postgres is away, full or shutting down."""
        with answering(), ExitStack() as lent:
            yield self._borrow(lent)

    def _borrow(self, lent: ExitStack) -> Connection:
        until = time.monotonic() + self._patience
        while True:
            try:
                return lent.enter_context(self._pool.connection(max(0.1, min(A_TRY_SECONDS, until - time.monotonic()))))
            except PoolTimeout:
                if time.monotonic() >= until:
                    raise

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection inside a transaction."""
        with self.connection() as connection, connection.transaction():
            yield connection

    def rows(self, statement: sql.SQL, **values: Any) -> list[DictRow]:
        """Run a statement and return all its rows; bytes come in binary form.

        A statement that Postgres ended because of a deadlock is run again. So is a reading one whose connection broke.
        """
        for is_last in (False, False, True):
            try:
                with self.connection() as connection:
                    return rows(connection, statement, values)
            except Unavailable as error:
                if is_last or not is_worth_another_try(error.__cause__, statement):
                    raise
        raise AssertionError  # the last try returned or raised

    def row(self, statement: sql.SQL, **values: Any) -> DictRow | None:
        """Run a statement and return its first row, or None."""
        found = self.rows(statement, **values)
        return found[0] if found else None

    def listen(self, *channels: str) -> Connection:
        """Open a separate connection that listens to ``channels``; the caller closes it."""
        try:
            connection = psycopg.connect(
                self.conninfo, autocommit=True, row_factory=dict_row, application_name="imagomortis listener"
            )
            for channel in channels:
                connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        except psycopg.OperationalError as error:
            raise unavailable(error) from error
        return connection


@contextmanager
def answering() -> Iterator[None]:
    """Raise Unavailable if Postgres is away, full, shutting down, a standby or without a catalog."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction, PoolTimeout) as error:
        raise unavailable(error) from error
    except psycopg.errors.UndefinedTable as error:
        raise Unavailable(
            "The database holds no catalog: it is being migrated or restored. Try again in a few seconds.",
            retry_after=5,
        ) from error


def is_worth_another_try(cause: BaseException | None, statement: sql.SQL) -> bool:
    """Whether to run a failed statement again; ``cause`` is the error of Postgres or of the connection."""
    if isinstance(cause, psycopg.errors.DeadlockDetected):
        return True
    # no SQLSTATE if the server sent nothing
    is_broken = isinstance(cause, psycopg.errors.AdminShutdown | psycopg.errors.CrashShutdown) or (
        isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None and not isinstance(cause, PoolTimeout)
    )
    return is_broken and re.match(r"(--.*\n|\s)*SELECT\b", statement.as_string()) is not None


def rows(connection: Connection, statement: sql.SQL, values: dict[str, Any]) -> list[DictRow]:
    """Run a statement on ``connection`` and return all its rows; bytes come in binary form."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(statement, values)
        # the cursor's description has the same information, but building it takes a quarter of the statement's time
        has_rows = cursor.pgresult is not None and cursor.pgresult.nfields > 0
        return cursor.fetchall() if has_rows else []


def _check(connection: Connection) -> None:
    """Probe a connection that received data without a request, as a closed one does."""
    if has_news(connection.fileno()):
        ConnectionPool.check_connection(connection)


def has_news(socket: int) -> bool:
    """Whether something arrived unasked at a connection's socket: a server that ends says so, or hangs up."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def unavailable(error: Exception) -> Unavailable:
    """Return what a person should know when Postgres does not answer."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return Unavailable(
        f"The database does not answer right now ({reason}). Nothing is lost; try again in a few seconds.",
        retry_after=5,
    )

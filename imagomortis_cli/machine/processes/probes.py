"""Probes once whether a part answers (an HTTP server, a port, the Dagster daemon), without raising errors."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg

_SECONDS = 3.0


async def http(host: str, port: int, path: str) -> bool:
    """Return whether an HTTP server answers a GET with 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    return (await _exchange(host, port, request.encode())).startswith(b"HTTP/1.1 200 ")


async def port(host: str, number: int) -> bool:
    """Return whether something listens on a port; Dagster's code server does once it has loaded the definitions."""
    return await _exchange(host, number, None) == b"open"


async def postgres(url: str) -> bool:
    """Return whether Postgres accepts connections."""
    try:
        await (await psycopg.AsyncConnection.connect(url, connect_timeout=2)).close()
    except psycopg.Error:
        return False
    return True


async def daemon(dagster: str, started: float) -> bool:
    """Return whether the Dagster daemon has reported to its database (a libpq URL) since it was ``started``."""
    statement = "SELECT count(*) FROM daemon_heartbeats WHERE (body::json->>'timestamp')::float >= %s"
    try:
        async with await psycopg.AsyncConnection.connect(dagster, connect_timeout=2) as connection:
            row = await (await connection.execute(statement, [started])).fetchone()
    except psycopg.Error:
        return False
    return row is not None and row[0] > 0


async def _exchange(host: str, number: int, request: bytes | None) -> bytes:
    """Return the status line of the answer to ``request``, ``open`` if that is None, or nothing after an error."""
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(host, number)
            try:
                if request is None:
                    return b"open"
                writer.write(request)
                return await reader.readline()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, ValueError):  # nothing listens, or it does not speak HTTP
        return b""

"""Connections notice within seconds that their server is gone: what the operating system is told about them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imagomortis.catalog import Catalog
from imagomortis.catalog.connection.conninfo import watchful
from tests.support.postgres_over_tcp import over_tcp

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "TCP_USER_TIMEOUT"), reason="not for this platform: Linux alone has these options"
)


def watch(descriptor: int) -> tuple[int, int, int, int]:
    """Return the silence, interval and number of probes, in seconds, and the milliseconds that an answer may take."""
    with socket.socket(fileno=os.dup(descriptor)) as found:
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        idle, interval, count, answer = (found.getsockopt(socket.IPPROTO_TCP, name) for name in names)
        return idle, interval, count, answer


@pytest.fixture
def url(database: str) -> Iterator[str]:
    """URL of a database, over TCP: a socket file has nothing to watch."""
    with over_tcp(database) as found:
        yield found


def test_a_connection_of_the_pool_is_watched(url: str) -> None:
    with Catalog(url) as catalog, catalog.database.connection() as connection:
        assert watch(connection.fileno()) == (5, 2, 3, 10_000)


def test_a_listener_is_watched(url: str) -> None:
    with Catalog(url) as catalog, catalog.database.listen("anything") as connection:
        assert watch(connection.fileno()) == (5, 2, 3, 10_000)


def test_parameters_of_the_url_are_kept(url: str) -> None:
    own = make_conninfo(url, keepalives_idle=77, tcp_user_timeout=0)
    with psycopg.connect(watchful(own)) as connection:
        assert watch(connection.fileno()) == (77, 2, 3, 0)


def test_connecting_does_not_take_minutes() -> None:
    assert conninfo_to_dict(watchful("host=db dbname=one"))["connect_timeout"] == "5"
    assert conninfo_to_dict(watchful("host=db dbname=one connect_timeout=30"))["connect_timeout"] == "30"

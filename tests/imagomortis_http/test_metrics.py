"""The listener of metrics: it answers Prometheus, waits for nobody, and ends when it is told to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_http import metrics
from tests.support import web
from tests.support.running_system import free_ports
from tests.support.web import HEAD_BYTES, status_for_head_of
from tests.upload_service.uploader import answer


@pytest.fixture
def port() -> Iterator[int]:
    registry = CollectorRegistry()
    Counter("pictures", "Pictures", registry=registry).inc(42)
    [port] = free_ports(1)
    stop = metrics.serve(registry, Settings(api_metrics_port=port), "api_metrics_port")
    yield port
    stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_metrics_are_told(port: int) -> None:
    assert "pictures_total 42.0" in web.get(f"http://127.0.0.1:{port}/metrics").text


def test_a_head_that_is_too_large_is_refused(port: int) -> None:
    assert status_for_head_of(HEAD_BYTES + 1, port) == (431, True)


def test_a_body_is_not_waited_for(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        response = answer(connection)

        assert response.headers["connection"] == "close"
        assert b"pictures_total" in response.body
        assert connection.recv(1) == b""


def test_a_connection_that_is_still_open_does_not_hold_up_the_end(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /metr")


def test_a_port_that_is_taken_is_told(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port} .* in use.* IMAGOMORTIS_API_METRICS_PORT="):
        metrics.serve(CollectorRegistry(), Settings(api_metrics_port=port), "api_metrics_port")

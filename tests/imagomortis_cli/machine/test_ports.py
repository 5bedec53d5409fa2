"""Ports are looked at before anything is started."""

from __future__ import annotations

import socket

import pytest

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_cli.machine import ports
from imagomortis_cli.machine.ports import Port


@pytest.fixture
def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_free_port_is_fine_and_stays_free(free: int) -> None:
    port = Port("the page", "127.0.0.1", free, "IMAGOMORTIS_WEB_PORT")
    ports.check([port])
    ports.check([port])


def test_every_port_in_use_is_named_with_the_variable_that_changes_it(free: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        taken = [listener.getsockname()[1] for listener in (one, two)]
        with pytest.raises(ConfigurationError) as caught:
            ports.check(
                [
                    Port("the page", "127.0.0.1", taken[0], "IMAGOMORTIS_WEB_PORT"),
                    Port("the API", "127.0.0.1", free, "IMAGOMORTIS_API_PORT"),
                    Port("the uploader", "127.0.0.1", taken[1], "IMAGOMORTIS_UPLOAD_PORT"),
                ]
            )
    first, second = caught.value.detail.splitlines()
    assert f"Port {taken[0]} for the page is in use" in first
    assert "IMAGOMORTIS_WEB_PORT" in first
    assert f"Port {taken[1]} for the uploader is in use" in second
    assert "IMAGOMORTIS_UPLOAD_PORT" in second


def test_one_number_for_two_parts_is_named(free: int) -> None:
    two = [Port("the page", "127.0.0.1", free, "A"), Port("the API", "127.0.0.1", free, "B")]
    with pytest.raises(ConfigurationError, match="given to both the page and the API"):
        ports.check(two)


def test_an_address_that_is_not_of_this_machine_is_named() -> None:
    with pytest.raises(ConfigurationError, match="IMAGOMORTIS_BIND"):
        ports.check([Port("the page", "192.0.2.1", 30080, "IMAGOMORTIS_WEB_PORT")])


def test_every_listener_of_the_stack_has_a_variable_that_is_a_setting() -> None:
    fields = {f"IMAGOMORTIS_{field.upper()}" for field in Settings.model_fields}
    found = ports.of(Settings())
    assert {port.variable for port in found} <= fields
    assert len({port.number for port in found}) == len(found)


@pytest.mark.parametrize(("bind", "expected"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5", "10.0.0.5")])
def test_a_listener_on_every_address_is_reached_on_loopback(bind: str, expected: str) -> None:
    assert ports.reachable(bind) == expected


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:30080"),
        ("localhost", "http://localhost:30080"),
        ("0.0.0.0", "http://127.0.0.1:30080"),
        ("::", "http://[::1]:30080"),
        ("fd00::5", "http://[fd00::5]:30080"),
        ("10.0.0.5", "http://10.0.0.5:30080"),
    ],
)
def test_an_address_leads_to_its_listener(bind: str, expected: str) -> None:
    assert ports.url(bind, 30080) == expected

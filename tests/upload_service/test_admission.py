"""Who counts as one client."""

from __future__ import annotations

from fastapi import Request

from upload_service.admission import client_of


def client(address: str) -> str:
    return client_of(Request({"type": "http", "client": (address, 4711)}))


def test_an_ipv6_client_is_one_client_by_all_its_addresses() -> None:
    assert client("2001:db8:1:2::7") == client("2001:db8:1:2:3:4:5:6")
    assert client("2001:db8:1:2::7") != client("2001:db8:1:3::7")
    assert client("192.0.2.7") != client("192.0.2.8")

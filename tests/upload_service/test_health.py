"""Probes: the uploader says that it lives, and whether it can take pictures."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import psutil
import pytest

from imagomortis_http.problems import MEDIA_TYPE as PROBLEM
from tests.support.pictures import photo
from tests.upload_service.conftest import Service, Start
from upload_service import health

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PLACES = ["", "/upload"]


@pytest.mark.parametrize("place", PLACES)
async def test_a_healthy_uploader_lives_and_is_ready(service: Service, place: str) -> None:
    lives = await service.client.get(f"{place}/healthz")
    is_ready = await service.client.get(f"{place}/readyz")

    assert (lives.status_code, lives.json()) == (200, {"status": "ok"})
    assert (is_ready.status_code, is_ready.json()) == (200, {"status": "ready"})
    assert service.contents.begun == []
    assert service.contents.entries == []


@pytest.mark.parametrize("place", PLACES)
async def test_probes_need_no_token_and_no_host_name(start: Start, place: str) -> None:
    async with start(token="a-token-of-some-length") as service:
        response = await service.client.get(f"{place}/readyz", headers={"host": "10.1.2.3:30082"})

    assert response.status_code == 200


async def test_an_uploader_below_its_reserve_lives_and_is_not_ready(start: Start) -> None:
    async with start(disk_reserve_bytes=2**60) as service:
        assert (await service.client.get("/healthz")).status_code == 200
        response = await service.client.get("/readyz")

    assert (response.status_code, response.headers["content-type"]) == (503, PROBLEM)
    assert response.json()["cause"] == "disk-full"
    assert "in reserve" in response.json()["detail"]


@pytest.mark.parametrize("place", PLACES)
async def test_an_uploader_has_started_whatever_its_disk(
    start: Start, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "RECENT_SECONDS", 0.0)
    async with start(disk_reserve_bytes=2**60, token="a-token-of-some-length") as service:
        service.contents.spool.incoming.rmdir()
        response = await service.client.get(f"{place}/startz", headers={"host": "10.1.2.3:30082"})

    assert (response.status_code, response.json()) == (200, {"status": "started"})


async def test_an_uploader_whose_decoder_does_not_start_has_not_started(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    async with start() as service:
        assert (await service.client.get("/healthz")).status_code == 200
        response = await service.client.get("/startz")

    assert (response.status_code, response.json()["type"]) == (503, "urn:imagomortis:not-ready")
    assert (response.json()["cause"], response.json()["detail"][:26]) == ("unavailable", "The decoder does not start")


@pytest.mark.parametrize("is_ready", [True, False])
async def test_many_probes_share_one_trial(start: Start, monkeypatch: pytest.MonkeyPatch, is_ready: bool) -> None:
    monkeypatch.setattr(health, "RECENT_SECONDS", 3600.0)
    async with start() as service:
        incoming = service.contents.spool.incoming
        if not is_ready:
            incoming.rmdir()
        first = await service.client.get("/readyz")
        if is_ready:
            incoming.rmdir()
        else:
            incoming.mkdir()
        later = [await service.client.get(f"{place}/readyz") for place in PLACES * 5]

        assert {answer.status_code for answer in (first, *later)} == {200 if is_ready else 503}


async def test_an_uploader_whose_spool_cannot_be_written_is_not_ready_until_it_can(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "RECENT_SECONDS", 0.0)
    incoming = service.contents.spool.incoming
    incoming.rmdir()
    incoming.touch()
    try:
        response = await service.client.get("/readyz")
        assert (response.status_code, response.json()["cause"]) == (503, "unavailable")
    finally:
        incoming.unlink()
        incoming.mkdir()

    assert (await service.client.get("/readyz")).status_code == 200


async def test_an_uploader_whose_decoders_hang_is_not_ready(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "RECENT_SECONDS", 0.0)
    async with start() as service:
        assert (await service.client.get("/readyz")).status_code == 200
        monkeypatch.setattr(health, "ANSWER_SECONDS", 0.5)
        decoders = [child.pid for child in psutil.Process().children() if "sandbox.child" in " ".join(child.cmdline())]
        for pid in decoders:
            os.kill(pid, signal.SIGSTOP)
        try:
            response = await service.client.get("/readyz")
        finally:
            for pid in decoders:
                with suppress(ProcessLookupError):  # the one that was asked has been ended
                    os.kill(pid, signal.SIGCONT)

    assert (response.status_code, response.json()["type"]) == (503, "urn:imagomortis:not-ready")
    assert "does not answer" in response.json()["detail"]


async def test_decoders_that_were_killed_are_replaced(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "RECENT_SECONDS", 0.0)
    async with start() as service:
        await service.client.get("/readyz")
        for child in psutil.Process().children():
            if "sandbox.child" in " ".join(child.cmdline()):
                child.kill()

        assert (await service.client.get("/readyz")).status_code == 200
        response = await service.client.post("/upload", files={"file": ("a.jpg", photo(64, 48))})
        assert response.status_code == 201


@pytest.mark.parametrize("path", ["/readyz", "/upload", "/nowhere"])
async def test_no_browser_takes_an_answer_for_something_else(service: Service, path: str) -> None:
    """Answers of every kind: good, a method that is not there, an address that is not there."""
    answer = await service.client.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"

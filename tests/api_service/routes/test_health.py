"""Health, also while Postgres is away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from imagomortis.catalog import Catalog, migrate
from imagomortis.settings import Settings
from imagomortis_cli.machine.postgres import embedded
from tests.api_service.conftest import add, process, serving
from tests.api_service.routes.test_events import follow, listening
from tests.support import web
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

IMPATIENT = Settings(database_wait_seconds=2)
PATIENT = Settings(database_wait_seconds=90)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/healthz", "/api/readyz"])
def test_all_is_well(client: TestClient, path: str) -> None:
    assert client.get(path).json() == {"status": "ok"}


def test_a_database_that_is_not_migrated_yet(empty_database: str) -> None:
    with TestClient(create_app(Settings(), empty_database), base_url="http://localhost") as client:
        answers = [client.get("/readyz"), client.get("/images")]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert "migrated" in answers[0].json()["detail"]
        migrate(empty_database)
        assert client.get("/readyz").status_code == 200


def test_it_starts_without_postgres(tmp_path: Path) -> None:
    url = embedded.prepare(tmp_path, embedded.THROWAWAY).superuser_url("postgres")
    with TestClient(create_app(IMPATIENT, url), base_url="http://localhost") as client:
        assert client.get("/healthz").status_code == 200
        away(client.get("/readyz"))
        away(client.get("/events"))


def test_it_recovers_by_itself_when_postgres_is_back(tmp_path: Path) -> None:
    """Also those who listen to events: they are told what changed meanwhile."""
    server = embedded.prepare(tmp_path, embedded.THROWAWAY)
    url = server.superuser_url("postgres")
    with ExitStack() as api:
        with embedded.running(server), Catalog(url) as catalog:
            migrate(url)
            image = add(catalog, b"bytes")
            address = api.enter_context(serving(IMPATIENT, url))
            stream = api.enter_context(listening(address))
            stream.until("stats")
        paths = [
            "/images",
            f"/images/{image}",
            f"/images/{image}/thumbnail",
            f"/images/{image}/info",
            "/readyz",
            "/recipes",
        ]
        with ThreadPoolExecutor(len(paths)) as pool:
            for answer in pool.map(lambda path: web.get(f"{address}{path}", timeout=100), paths):
                away(answer)
        with embedded.running(server), Catalog(url) as catalog:
            wait_until(lambda: web.get(f"{address}/images/{image}", timeout=60).content == b"bytes")
            other = add(catalog, b"other")
            assert str(image) not in follow(stream, {other: "queued"})


def test_a_restart_of_postgres_is_waited_out(tmp_path: Path) -> None:
    """A request that comes meanwhile is answered when it is back."""
    server = embedded.prepare(tmp_path, embedded.THROWAWAY)
    url = server.superuser_url("postgres")
    with ExitStack() as api, ThreadPoolExecutor(1) as pool:
        with embedded.running(server):
            migrate(url)
            address = api.enter_context(serving(PATIENT, url))
            assert web.get(f"{address}/images").json() == []
        asked = pool.submit(web.get, f"{address}/images", timeout=100)
        time.sleep(3)
        assert not asked.done()
        with embedded.running(server):
            assert asked.result().json() == []
            api.close()


def test_pictures_read_in_the_event_loop_wait_out_a_restart_too(tmp_path: Path) -> None:
    """Before it, their connections are there; meanwhile none can be had; then everything is as before."""
    server = embedded.prepare(tmp_path, embedded.THROWAWAY)
    url = server.superuser_url("postgres")
    with ExitStack() as api, ThreadPoolExecutor(3) as pool:
        with embedded.running(server), Catalog(url) as catalog:
            migrate(url)
            image = add(catalog, b"bytes")
            process(catalog, thumbnail=b"small")
            address = api.enter_context(serving(PATIENT, url))
            paths = [f"/images/{image}/original", f"/images/{image}/thumbnail"]
            for _ in range(2):  # the second time it is known which of them are small
                assert [web.get(f"{address}{path}").content for path in paths] == [b"bytes", b"small"]
        asked = [pool.submit(web.get, f"{address}{path}", timeout=100) for path in paths]
        asked.append(pool.submit(web.head, f"{address}{paths[0]}", timeout=100))
        time.sleep(3)
        assert not any(each.done() for each in asked)
        with embedded.running(server):
            assert [each.result().content for each in asked] == [b"bytes", b"small", b""]
            assert {each.result().status_code for each in asked} == {200}
            api.close()


def away(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert int(answer.headers["retry-after"]) > 0

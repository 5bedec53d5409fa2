"""What the doctor finds in the catalog, on the disk, in the settings, and on the clock."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imagomortis.catalog import Catalog
from imagomortis.spool import Spool
from imagomortis_cli.doctor.cluster import _has_ended, _job
from imagomortis_cli.doctor.finding import Finding, Level, exit_code
from tests.imagomortis_cli.backends import serving
from tests.imagomortis_cli.doctor.conftest import Look
from tests.uploads import arrivals, result


def only(findings: list[Finding], level: Level = Level.TROUBLE) -> Finding:
    """The one finding that there is to be."""
    [finding] = findings
    assert finding.level is level, finding
    return finding


def execute(catalog: Catalog, statement: str) -> None:
    with catalog.database.connection() as connection:
        connection.execute(statement)  # type: ignore[call-overload]


class TestConfiguration:
    def test_valid_settings(self, look: Look) -> None:
        assert "only this machine" in only(look("configuration"), Level.FINE).text

    def test_a_name_that_is_no_setting(self, look: Look) -> None:
        found = only(look("configuration", IMAGOMORTIS_MAX_WORKRES="3"))
        assert "IMAGOMORTIS_MAX_WORKRES" in found.text
        assert found.mend == "name it IMAGOMORTIS_MAX_WORKERS"

    def test_a_door_that_needs_a_token(self, look: Look) -> None:
        assert "IMAGOMORTIS_TOKEN" in only(look("configuration", IMAGOMORTIS_BIND="0.0.0.0")).text

    def test_a_door_that_is_open_to_everybody(self, look: Look) -> None:
        found = only(look("configuration", IMAGOMORTIS_BIND="0.0.0.0", IMAGOMORTIS_ACCESS="open"), Level.NOTICE)
        assert "Everybody" in found.text


class TestDatabase:
    def test_one_that_answers(self, look: Look) -> None:
        assert "answers" in only(look("database"), Level.FINE).text

    def test_one_that_does_not(self, look: Look, tmp_path: Path) -> None:
        nowhere = f"postgresql:///pictures?host={tmp_path}"
        assert "pictures cannot be reached" in only(look("database", DATABASE_URL=nowhere)).text
        assert "pictures cannot be reached" in only(look("leases", DATABASE_URL=nowhere), Level.UNSEEN).text


@pytest.mark.usefixtures("dagster")
class TestMigrations:
    def test_all_are_there(self, look: Look) -> None:
        assert "up to date" in only(look("migrations"), Level.FINE).text

    def test_one_is_missing(self, look: Look, catalog: Catalog) -> None:
        execute(catalog, "DELETE FROM migrations WHERE name LIKE '0002%'")
        found = only(look("migrations"))
        assert "0002_expired_runs.sql" in found.text
        assert "imagomortis up" in found.mend

    def test_one_is_of_a_newer_version(self, look: Look, catalog: Catalog) -> None:
        execute(catalog, "INSERT INTO migrations (name) VALUES ('9999_future.sql')")
        assert "newer version (9999_future.sql)" in only(look("migrations")).text

    def test_there_is_no_catalog(self, look: Look, catalog: Catalog) -> None:
        execute(catalog, "DROP TABLE migrations")
        assert "no catalog" in only(look("migrations")).text


class TestSpool:
    def test_one_that_is_emptied(self, look: Look) -> None:
        assert "0 pictures waiting" in only(look("spool"), Level.FINE).text

    def test_one_that_is_not_there(self, look: Look, tmp_path: Path) -> None:
        assert "is not there" in only(look("spool", IMAGOMORTIS_SPOOL=str(tmp_path / "elsewhere"))).text

    def test_one_that_cannot_be_written(self, look: Look, home: Path) -> None:
        (home / "spool" / "incoming").rmdir()
        (home / "spool" / "incoming").touch()  # a user without rights would do, but the tests may run as root
        assert "cannot be written" in look("spool")[0].text

    def test_one_that_nobody_empties(self, look: Look, home: Path) -> None:
        entry = home / "spool" / "ready" / "0d9b5a52-8a43-4c39-9c3c-0f3c51a0c7d1"
        entry.mkdir()
        long_ago = datetime.now(UTC).timestamp() - 600
        os.utime(entry, (long_ago, long_ago))
        found = only(look("spool"))
        assert "1 picture not taken into the catalog, the oldest for 10 min" in found.text

    def test_what_was_rejected_is_noticed(self, look: Look, home: Path) -> None:
        thing = home / "spool" / "inbox" / "page.html"
        thing.write_text("hello")
        Spool(home / "spool").reject(thing, "It is HTML.")
        assert "1 file in" in only(look("spool"), Level.NOTICE).text


class TestDisk:
    def test_room(self, look: Look) -> None:
        assert "left" in only(look("disk"), Level.FINE).text

    def test_less_than_the_reserve(self, look: Look) -> None:
        found = only(look("disk", IMAGOMORTIS_DISK_RESERVE_BYTES=str(10**18)))
        assert "they are refused" in found.text
        assert "IMAGOMORTIS_PICTURE_RETENTION_BYTES" in found.mend


class TestClock:
    def test_clocks_that_agree(self, look: Look) -> None:
        with serving(_server(), date_header=False) as port:
            found = only(look("clock", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}"), Level.FINE)
        assert "the database and the server agree" in found.text

    def test_a_server_whose_clock_is_wrong(self, look: Look) -> None:
        with serving(_server(timedelta(minutes=2)), date_header=False) as port:
            found = only(look("clock", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}"))
        assert "the server is" in found.text
        assert "ahead of this machine's" in found.text


def _server(skew: timedelta = timedelta()) -> Starlette:
    async def healthz(_: Request) -> Response:
        date = format_datetime(datetime.now(UTC) + skew, usegmt=True)
        return JSONResponse({"status": "ok"}, headers={"date": date})

    return Starlette(routes=[Route("/api/healthz", healthz)])


class TestQueue:
    def test_nothing_waits(self, look: Look) -> None:
        assert "0 pictures waiting" in only(look("queue"), Level.FINE).text

    def test_processing_is_paused(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2))
        catalog.control.pause()
        found = only(look("queue"))
        assert "paused" in found.text
        assert "2 pictures waiting" in found.text
        assert found.mend == "imagomortis resume"

    def test_nothing_is_done(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1, datetime.now(UTC) - timedelta(minutes=6)))
        assert "none was done for 6 min" in only(look("queue")).text

    def test_an_old_picture_that_is_processed_again_is_no_trouble(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2, datetime.now(UTC) - timedelta(days=6)))
        lease = catalog.queue.lease("run", 1, 15)
        assert lease
        catalog.queue.save(lease.token, [result(lease.images[0])])
        assert "the oldest for 6 d" in only(look("queue"), Level.FINE).text

    def test_failed_pictures_are_noticed(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        for _ in range(3):
            lease = catalog.queue.lease("run", 1, 15)
            assert lease
            catalog.queue.fail(lease.token, lease.images[0].id, "It does not decode.", "decoder-crashed", 0.1)
        fine, notice = look("queue")
        assert (fine.level, notice.level) == (Level.FINE, Level.NOTICE)
        assert "1 picture failed" in notice.text


class TestLeasesAndWorkers:
    def test_a_lease_that_holds(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        catalog.queue.lease("run", 1, 15)
        only(look("leases"), Level.FINE)

    def test_a_lease_that_nobody_releases(self, look: Look, catalog: Catalog) -> None:
        [image_id] = catalog.queue.add(arrivals(1))
        catalog.queue.lease("run-1", 1, 15)
        execute(catalog, "UPDATE images SET lease_expires_at = now() - interval '10 minutes'")
        found = only(look("leases"))
        assert f"({image_id}), run run-1" in found.text
        assert "for 10 min" in found.text

    def test_a_worker_that_nobody_noted_as_gone(self, look: Look, catalog: Catalog) -> None:
        only(look("workers"), Level.FINE)
        catalog.workers.request(1, datetime.now(UTC))
        execute(catalog, "UPDATE workers SET requested_at = now() - interval '1 hour'")
        assert "1 worker gone" in only(look("workers")).text


class TestServices:
    def test_nobody_answers(self, look: Look) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        found = only(look("services", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}"))
        assert "imagomortis up" in found.mend

    def test_a_part_is_not_ready(self, look: Look) -> None:
        async def away(_: Request) -> Response:
            return JSONResponse({"title": "Temporarily unavailable", "detail": "The database is away."}, 503)

        async def ready(_: Request) -> Response:
            return JSONResponse({"status": "ok"})

        app = Starlette(routes=[Route("/api/readyz", away), Route("/upload/readyz", ready)])
        with serving(app) as port:
            bad, good = look("services", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}")
        assert (bad.level, good.level) == (Level.TROUBLE, Level.FINE)
        assert "api is not ready" in bad.text
        assert "The database is away." in bad.text


class TestJobs:
    def test_no_cluster_is_looked_at_unless_one_is_named(self, look: Look) -> None:
        only(look("jobs"), Level.SKIPPED)

    @pytest.mark.usefixtures("dagster")
    def test_without_kubectl_it_says_so(self, look: Look, tmp_path: Path) -> None:
        assert "kubectl" in only(look("jobs", namespace="pictures", PATH=str(tmp_path)), Level.UNSEEN).text

    def test_a_job_is_read_as_kubectl_shows_it(self) -> None:
        items = [_item("at-work"), _item("done", "Complete"), _item("failed", "Failed"), _item("held", "Suspended")]
        assert [item["metadata"]["name"] for item in items if not _has_ended(item)] == ["at-work", "held"]
        job = _job(items[0])
        assert (job.name, job.run_id) == ("at-work", "run-1")
        assert job.seconds > 86_400


def _item(name: str, condition: str = "") -> dict[str, Any]:
    """A Job as `kubectl get jobs -o json` shows it."""
    labels = {"dagster/run-id": "run-1", "app.kubernetes.io/name": "imagomortis"}
    status = {"conditions": [{"type": condition, "status": "True"}]} if condition else {"active": 1}
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": "2026-11-20T12:00:00Z"}, "status": status}


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ([Level.FINE, Level.NOTICE, Level.SKIPPED], 0),
        ([Level.FINE, Level.UNSEEN], 2),
        ([Level.UNSEEN, Level.TROUBLE], 1),
    ],
)
def test_the_exit_code_tells_a_script(levels: list[Level], code: int) -> None:
    assert exit_code(Finding(level, "") for level in levels) == code

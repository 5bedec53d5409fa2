"""The figures, and the switch."""

from __future__ import annotations

import random
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from api_service.live.statistics import Tally
from imagomortis.catalog import Catalog
from imagomortis.errors import Unavailable
from imagomortis.settings import Settings
from imagomortis.spool.spool import Spool
from tests.api_service.conftest import add, fail, process
from tests.support.uploads import NOON

ELSEWHERE = Spool(Path("/nowhere"))


def count_calls(monkeypatch: pytest.MonkeyPatch, target: object, name: str) -> list[tuple[Any, ...]]:
    """Let a method take down the arguments of its calls."""
    calls: list[tuple[Any, ...]] = []
    method = getattr(target, name)

    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return method(*arguments)

    monkeypatch.setattr(target, name, call)
    return calls


def away() -> NoReturn:
    raise Unavailable("Postgres is away.")


class TestTheSwitch:
    def test_nothing_is_leased_while_processing_is_paused(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog)
        assert client.post("/pause").json() == {"paused": True}
        assert catalog.queue.lease("run", 1, 15) is None
        assert client.post("/resume").json() == {"paused": False}
        assert catalog.queue.lease("run", 1, 15) is not None


class TestReprocessing:
    def test_finished_images_of_a_span_are_queued(
        self, client: TestClient, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.catalog.images.SLICE", 2)
        inside = [add(catalog, created_at=NOON + timedelta(minutes=minute)) for minute in range(5)]
        outside = add(catalog, created_at=NOON + timedelta(hours=1))
        process(catalog)
        span = {"since": NOON.isoformat(), "until": (NOON + timedelta(hours=1)).isoformat()}
        assert client.post("/reprocess", json=span).json() == {"queued": 5}
        states = {image["id"]: image["state"] for image in client.get("/images").json()}
        assert {states[str(image_id)] for image_id in inside} == {"queued"}
        assert states[str(outside)] == "done"

    def test_a_span_that_ends_before_it_begins_is_refused(self, client: TestClient) -> None:
        answer = client.post("/reprocess", json={"since": NOON.isoformat(), "until": NOON.isoformat()})
        assert answer.status_code == 422
        assert "before" in answer.json()["detail"]


class TestCancelling:
    def test_new_images_become_failed_and_can_be_retried(self, client: TestClient, catalog: Catalog) -> None:
        image_id = add(catalog)
        assert client.post("/cancel").json() == {"cancelled": 1}
        info = client.get(f"/images/{image_id}/info").json()
        assert (info["state"], info["error_kind"]) == ("failed", "cancelled")
        assert "Retry it" in info["job"]["error"]
        assert client.post("/retry").json() == {"retried": 1}

    def test_images_with_their_picture_become_done_again(self, client: TestClient, catalog: Catalog) -> None:
        image_id = add(catalog)
        process(catalog)
        client.post(f"/images/{image_id}/retry")
        assert client.post("/cancel").json() == {"cancelled": 1}
        assert client.get(f"/images/{image_id}/info").json()["state"] == "done"

    def test_an_edit_that_waits_is_failed(self, client: TestClient, catalog: Catalog) -> None:
        image_id = add(catalog)
        process(catalog)
        client.patch(f"/images/{image_id}", json={"recipe": "framed"})
        client.post("/cancel")
        assert client.get(f"/images/{image_id}/info").json()["state"] == "failed"


class TestStats:
    def test_images_are_counted_by_state(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog)
        process(catalog)
        add(catalog), add(catalog)
        fail(catalog)
        add(catalog, created_at=NOON), add(catalog), add(catalog)
        catalog.images.delete([add(catalog)])
        stats = client.get("/stats").json()
        assert stats["images"] == {"queued": 3, "processing": 0, "done": 1, "failed": 2, "total": 6}
        assert stats["queue"]["depth"] == 3
        assert datetime.fromisoformat(stats["queue"]["oldest_at"]) == NOON
        assert stats["queue"]["oldest_seconds"] >= 0

    def test_an_empty_system(self, client: TestClient) -> None:
        stats = client.get("/stats").json()
        assert stats["queue"] == {"depth": 0, "oldest_at": None, "oldest_seconds": None}
        assert (stats["images"]["total"], stats["workers"], stats["paused"], stats["links"]) == (0, 0, False, {})
        rate = {"last_minute": 0, "taken_last_minute": 0, "last_hour": [], "p50_seconds": None, "p95_seconds": None}
        assert stats["rate"] == rate

    def test_the_rate_by_minute_and_outcome(self, client: TestClient, catalog: Catalog) -> None:
        for _ in range(3):
            add(catalog)
        process(catalog)
        add(catalog)
        fail(catalog, times=1)
        rate = client.get("/stats").json()["rate"]
        assert rate["last_minute"] == 3
        assert sum(minute["done"] for minute in rate["last_hour"]) == 3
        assert sum(minute["failed"] for minute in rate["last_hour"]) == 1

    def test_images_done_more_than_a_minute_ago_are_not_counted_for_the_last_minute(
        self, client: TestClient, catalog: Catalog
    ) -> None:
        for _ in range(60):
            add(catalog)
        process(catalog)
        with catalog.database.connection() as connection:
            connection.execute("UPDATE attempts SET ended_at = now() - interval '61 seconds'")
        assert client.get("/stats").json()["rate"]["last_minute"] == 0

    def test_uploads_of_the_last_minute_are_counted(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog, created_at=NOON)
        add(catalog, created_at=datetime.now(UTC))
        assert client.get("/stats").json()["rate"]["taken_last_minute"] == 1

    def test_a_spool_that_is_out_of_sight_holds_what_the_pusher_noted_lately(self, catalog: Catalog) -> None:
        for number in (7, 3):
            catalog.figures.note_spooled(number)
        assert Tally(catalog, ELSEWHERE, {}).stats().spool == 3
        with catalog.database.connection() as connection:
            connection.execute("UPDATE spooled SET noted_at = now() - interval '31 seconds'")
        assert Tally(catalog, ELSEWHERE, {}).stats().spool is None

    def test_pictures_in_a_readable_spool_are_counted(self, catalog: Catalog, tmp_path: Path) -> None:
        spool = Spool(tmp_path)
        assert Tally(catalog, ELSEWHERE, {}).stats().spool is None
        spool.prepare()
        assert Tally(catalog, spool, {}).stats().spool == 0
        (spool.ready / str(uuid4())).mkdir()
        assert Tally(catalog, spool, {}).stats().spool == 1

    def test_workers_and_the_switch(self, client: TestClient, catalog: Catalog) -> None:
        catalog.workers.start(uuid4(), NOON, "run")
        catalog.control.pause()
        stats = client.get("/stats").json()
        assert (stats["workers"], stats["paused"], stats["paused_at"] is not None) == (1, True, True)

    def test_an_image_that_is_processed_again_does_not_wait_since_its_upload(
        self, client: TestClient, catalog: Catalog
    ) -> None:
        image_id = add(catalog, created_at=NOON)
        process(catalog)
        client.post(f"/images/{image_id}/retry")
        queue = client.get("/stats").json()["queue"]
        assert datetime.fromisoformat(queue["oldest_at"]) == NOON
        assert 0 <= queue["oldest_seconds"] < 3600

    def test_the_median_and_the_95th_percentile_of_the_last_hour_are_told(
        self, client: TestClient, catalog: Catalog
    ) -> None:
        for _ in range(3):
            add(catalog)
        process(catalog)
        with catalog.database.connection() as connection:
            connection.execute(
                "UPDATE attempts SET seconds = rank.at FROM (SELECT image_id, row_number() OVER () AS at"
                " FROM attempts) AS rank WHERE rank.image_id = attempts.image_id"
            )
        rate = client.get("/stats").json()["rate"]
        assert rate["p50_seconds"] == 2
        assert rate["p95_seconds"] == pytest.approx(2.9)

    def test_running_workers_are_listed_with_their_pictures(self, client: TestClient, catalog: Catalog) -> None:
        for number, name in enumerate("abcd"):
            add(catalog, created_at=NOON + timedelta(seconds=number), filename=f"{name}.jpg")
        catalog.workers.start(busy := uuid4(), NOON, "busy")
        catalog.workers.start(uuid4(), NOON, "idle")
        catalog.workers.request(1, NOON)
        catalog.workers.seen(busy, 7)
        catalog.queue.lease("busy", 4, 15)
        first, second = client.get("/stats").json()["at_work"]
        assert (first["run_id"], first["done"], first["processing"]) == ("busy", 7, 4)
        assert first["filenames"] == ["a.jpg", "b.jpg", "c.jpg"]
        assert (second["run_id"], second["processing"], second["filenames"]) == ("idle", 0, [])

    def test_the_space_that_pictures_take(self, client: TestClient, catalog: Catalog) -> None:
        add(catalog, data=random.Random(1).randbytes(300_000))
        assert 300_000 < client.get("/stats").json()["storage"]["originals"] < 500_000

    def test_sizes_are_asked_again_in_time(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api_service.live.statistics.FRESH_SECONDS", 0)
        monkeypatch.setattr("api_service.live.statistics.STORAGE_SECONDS", 0)
        monkeypatch.setattr("api_service.live.statistics.SHARE", float("inf"))
        tally = Tally(catalog, ELSEWHERE, {})
        before = tally.stats().storage.originals
        add(catalog, data=random.Random(1).randbytes(300_000))
        assert tally.stats().storage.originals > before + 300_000

    def test_where_the_other_parts_are(self, database: str) -> None:
        settings = Settings(dagster_url="http://dagster", grafana_url="http://grafana")
        with TestClient(create_app(settings, database), base_url="http://localhost") as client:
            assert client.get("/stats").json()["links"] == {"dagster": "http://dagster", "grafana": "http://grafana"}


class TestTheTally:
    def test_many_at_once_count_once(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        counted = count_calls(monkeypatch, catalog.images, "counts")
        tally = Tally(catalog, ELSEWHERE, {})
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: tally.stats(), range(50)))
        assert len(counted) == 1
        assert {stats.images.total for stats in found} == {0}

    def test_those_who_waited_for_a_count_that_failed_fail_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each on its own would wait for Postgres as long as the one before."""
        threads = 8
        together = threading.Barrier(threads)
        with Catalog("host=/nowhere", patience=1) as nowhere, ThreadPoolExecutor(threads) as pool:
            tried = count_calls(monkeypatch, nowhere.images, "place")
            tally = Tally(nowhere, ELSEWHERE, {})

            def ask(_: int) -> object:
                together.wait()
                return tally.stats()

            def error(asked: Future[object]) -> type[BaseException]:
                return type(asked.exception())

            assert {error(each) for each in [pool.submit(ask, number) for number in range(threads)]} == {Unavailable}
        assert len(tried) < threads / 2

    def test_a_count_after_one_that_failed_is_tried(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        tally = Tally(catalog, ELSEWHERE, {})
        with monkeypatch.context() as patch:
            patch.setattr(catalog.images, "place", away)
            with pytest.raises(Unavailable):
                tally.stats()
        assert tally.stats().images.total == 0

    def test_nothing_is_counted_while_nothing_changes(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api_service.live.statistics.FRESH_SECONDS", 0)
        counted = count_calls(monkeypatch, catalog.images, "counts")
        tally = Tally(catalog, ELSEWHERE, {})
        before = [tally.stats() for _ in range(3)][-1]
        monkeypatch.setattr("api_service.live.statistics.SHARE", 1e9)
        add(catalog)
        after = [tally.stats() for _ in range(3)][-1]
        assert (len(counted), before.images.total, after.images.total) == (2, 0, 1)

    def test_a_change_while_it_counts_is_not_forgotten(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api_service.live.statistics.FRESH_SECONDS", 0)
        monkeypatch.setattr("api_service.live.statistics.SHARE", 1e9)
        count = catalog.images.counts
        counts = iter([count()])
        # what is counted first is older than the image that comes now
        monkeypatch.setattr(catalog.images, "counts", lambda: next(counts, None) or count())
        tally = Tally(catalog, ELSEWHERE, {})
        tally.stats()
        add(catalog)
        assert tally.stats().images.total == 1

    def test_minutes_that_are_over_are_not_counted_again(
        self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api_service.live.statistics.FRESH_SECONDS", 0)
        asked = count_calls(monkeypatch, catalog.images, "throughput")
        add(catalog)
        process(catalog)
        with catalog.database.connection() as connection:
            connection.execute(
                "UPDATE attempts SET started_at = now() - '1 h'::interval, ended_at = now() - '30 min'::interval"
            )
        tally = Tally(catalog, ELSEWHERE, {})
        [first, second] = [tally.stats() for _ in range(2)]
        now = datetime.now(UTC)
        assert now - asked[0][0] > timedelta(minutes=59)
        assert now - asked[1][0] < timedelta(minutes=4)
        assert [minute.done for minute in second.rate.last_hour] == [1]
        assert first.rate == second.rate

"""Server-sent events over a real socket: nothing is missed, and everything is told once in effect."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from api_service.live import feed as feeds
from imagomortis.catalog import Catalog
from imagomortis.settings import Settings
from tests.api_service.conftest import add, process, serving
from tests.support import web
from tests.support.uploads import arrivals
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Event:
    name: str
    data: Any
    id: str | None


class Stream:
    """Events as they come, one after the other."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200
        self.headers = answer.headers
        self._lines = answer.iter_lines()
        self.last_id: str | None = None

    def next(self) -> Event:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line.startswith((":", "retry")):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                self.last_id = fields.get("id", self.last_id)
                return Event(fields["event"], json.loads(fields["data"]), fields.get("id"))
        raise EOFError

    def until(self, name: str) -> Event:
        while (event := self.next()).name != name:
            pass
        return event

    def images(self) -> Iterator[dict[str, Any]]:
        while True:
            yield self.until("image").data


@contextmanager
def listening(server: str, last_event_id: str | None = None) -> Iterator[Stream]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with web.stream("GET", f"{server}/events", headers=headers, timeout=30) as answer:
        yield Stream(answer)


def is_listened_to(server: str) -> bool:
    """Follow the events for a moment; return False if the API has no place for another client."""
    with web.stream("GET", f"{server}/events") as answer:
        return answer.status_code == 200 and Stream(answer).until("stats").name == "stats"


def follow(stream: Stream, wanted: dict[UUID, str]) -> dict[str, str]:
    """Apply changes as a page does, until every image is in the state that is wanted; return the states."""
    states: dict[str, str] = {}
    for image in stream.images():
        states[image["id"]] = "deleted" if image.get("deleted") else image["state"]
        if all(states.get(str(image_id)) == state for image_id, state in wanted.items()):
            return states
    raise AssertionError


class TestLive:
    def test_a_new_client_is_ready_and_knows_the_figures(self, server: str) -> None:
        with listening(server) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            ready, stats = stream.next(), stream.next()
            assert (ready.name, ready.id is not None, stats.name) == ("ready", True, "stats")
            assert stats.data["images"]["total"] == 0

    def test_an_image_is_told_as_it_stands_in_the_list(self, server: str, catalog: Catalog) -> None:
        with listening(server) as stream:
            stream.until("ready")
            image = add(catalog)
            event = stream.until("image")
        assert event.data == web.get(f"{server}/images").json()[0]
        assert event.data["id"] == str(image)
        assert event.id is not None

    def test_a_deleted_image_is_named(self, server: str, catalog: Catalog) -> None:
        image = add(catalog)
        with listening(server) as stream:
            stream.until("stats")
            catalog.images.delete([image])
            assert follow(stream, {image: "deleted"}) == {str(image): "deleted"}

    def test_every_change_of_many_arrives(self, server: str, catalog: Catalog) -> None:
        with listening(server) as stream:
            stream.until("ready")
            images = [add(catalog, str(number).encode()) for number in range(50)]
            process(catalog)
            assert len(follow(stream, dict.fromkeys(images, "done"))) == 50

    def test_changes_are_looked_for_while_somebody_watches(
        self, database: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feeds, "IDLE_SECONDS", 1000.0)
        with serving(Settings(), database) as server:
            for number in range(2):
                with listening(server) as stream:
                    stream.until("stats")
                    image = add(catalog, str(number).encode())
                    assert follow(stream, {image: "queued"})

    def test_a_slow_transaction_holds_nothing_back_for_ever(self, server: str, catalog: Catalog) -> None:
        """A change is only told when no transaction that began before may still write."""
        with listening(server) as stream, psycopg.connect(catalog.database.conninfo) as slow:
            stream.until("stats")
            slow.execute("SELECT pg_current_xact_id()")
            image = add(catalog)
            time.sleep(0.5)
            slow.commit()
            assert follow(stream, {image: "queued"})

    def test_late_commits_are_not_missed(self, server: str, catalog: Catalog) -> None:
        with listening(server) as stream, psycopg.connect(catalog.database.conninfo) as slow:
            stream.until("stats")
            image = add(catalog)
            follow(stream, {image: "queued"})
            slow.execute("UPDATE images SET filename = 'late.jpg', changed_in = pg_current_xact_id()")
            other = add(catalog)
            slow.commit()
            seen = {found["id"]: found["filename"] for _, found in zip(range(2), stream.images(), strict=False)}
            assert seen == {str(image): "late.jpg", str(other): "picture.jpg"}

    def test_the_figures_are_told_when_they_change(
        self, database: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("api_service.routes.events.STATS_SECONDS", 0.2)
        monkeypatch.setattr("api_service.live.statistics.FRESH_SECONDS", 0.1)
        with serving(Settings(), database) as server, listening(server) as stream:
            stream.until("stats")
            catalog.control.pause()
            while not stream.until("stats").data["paused"]:
                pass

    def test_a_silent_stream_shows_that_it_lives(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api_service.routes.events.HEARTBEAT_SECONDS", 0.2)
        with (
            serving(Settings(), database) as server,
            web.stream("GET", f"{server}/events", timeout=10) as answer,
        ):
            assert any(line == "event: alive" for line in answer.iter_lines())

    def test_a_client_that_left_is_forgotten(self, database: str) -> None:
        with serving(Settings(max_event_streams=1), database) as server:
            for _ in range(3):
                wait_until(lambda: is_listened_to(server))


class TestResuming:
    def test_a_client_that_returns_gets_the_missed_events(self, server: str, catalog: Catalog) -> None:
        kept, gone = add(catalog, b"kept"), add(catalog, b"gone")
        with listening(server) as stream:
            stream.until("stats")
            new = add(catalog, b"seen")
            follow(stream, {new: "queued"})
        catalog.images.delete([gone])
        missed = add(catalog, b"missed")
        with listening(server, stream.last_id) as again:
            states = follow(again, {gone: "deleted", missed: "queued"})
        assert str(kept) not in states
        assert str(new) not in states

    def test_by_a_parameter_too(self, server: str, catalog: Catalog) -> None:
        with listening(server) as stream:
            stream.until("ready")
        image = add(catalog)
        with web.stream("GET", f"{server}/api/events", params={"last_event_id": stream.last_id or ""}) as answer:
            assert follow(Stream(answer), {image: "queued"})

    def test_no_change_is_missed_however_often_the_client_reconnects(self, server: str, catalog: Catalog) -> None:
        images: list[UUID] = []
        over = threading.Event()

        def work() -> None:
            for number in range(60):
                images.append(add(catalog, str(number).encode()))
                if number % 3 == 0:
                    process(catalog)
                if number % 7 == 0:
                    catalog.images.delete([images[number // 2]])
            over.set()

        states: dict[str, str] = {}
        with listening(server) as stream:
            stream.until("ready")
            last_id = stream.last_id

        def catch_up() -> dict[str, str]:
            nonlocal last_id
            with listening(server, last_id) as stream:
                while (event := stream.next()).name == "image":
                    states[event.data["id"]] = "deleted" if event.data.get("deleted") else event.data["state"]
                last_id = stream.last_id or last_id
            return states

        worker = threading.Thread(target=work)
        worker.start()
        while not over.is_set():
            catch_up()
        worker.join()
        answers = {str(image): web.get(f"{server}/images/{image}/info") for image in images}
        ends = {
            image: "deleted" if answer.status_code == 404 else answer.json()["state"]
            for image, answer in answers.items()
        }
        wait_until(lambda: catch_up() == ends)

    @pytest.mark.parametrize(
        "foreign", ["x", "12", "deadbeef-1", "-", "deadbeef-", "\u00e4".encode().decode("latin-1")]
    )
    def test_a_foreign_position(self, server: str, foreign: str) -> None:
        with web.stream("GET", f"{server}/events", params={"last_event_id": foreign}) as answer:
            assert Stream(answer).next().name == "reset"

    def test_a_position_from_the_future(self, server: str) -> None:
        with listening(server) as stream:
            epoch = (stream.until("ready").id or "").partition("-")[0]
        with listening(server, f"{epoch}-{10**15}") as stream:
            assert stream.next().name == "reset"

    def test_a_position_before_what_was_purged(self, server: str, catalog: Catalog) -> None:
        """Nobody can tell any more that a purged image was deleted."""
        image = add(catalog)
        with listening(server) as stream:
            stream.until("ready")
        catalog.images.delete([image])
        assert catalog.images.purge(undo_seconds=0) == 1
        with listening(server, stream.last_id) as again:
            assert again.next().name == "reset"
            position = again.last_id
        with listening(server, position) as again:
            assert again.next().name == "stats"

    def test_too_many_changes(self, server: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        with listening(server) as stream:
            stream.until("ready")
        for number in range(5):
            add(catalog, str(number).encode())
        monkeypatch.setattr("imagomortis.catalog.images.Images.changes.__defaults__", (4,))
        with listening(server, stream.last_id) as again:
            assert again.next().name == "reset"

    def test_watchers_are_told_of_too_many_changes(
        self, server: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with listening(server) as stream:
            stream.until("stats")
            monkeypatch.setattr("imagomortis.catalog.images.Images.changes.__defaults__", (4,))
            catalog.queue.add(arrivals(5))
            assert stream.until("reset").id

    def test_a_restored_database_is_another_one(self, server: str, catalog: Catalog) -> None:
        """A restore makes the tables anew, and with them the epoch."""
        with listening(server) as stream:
            stream.until("stats")
            with catalog.database.connection() as connection:
                connection.execute("ALTER TABLE images RENAME TO former")
                connection.execute("CREATE TABLE images (LIKE former INCLUDING ALL)")
            assert stream.until("reset").id


class TestWhoIsTooSlow:
    @pytest.mark.slow
    def test_a_slow_client_is_sent_away_and_can_come_back(
        self, database: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        count = 200
        monkeypatch.setattr(feeds, "MOST_WAITING", 2)
        monkeypatch.setattr(feeds, "LOOK_SECONDS", 0.01)
        with serving(Settings(), database) as server, listening(server) as stream:
            stream.until("stats")
            with listening(server) as quick:
                # more than the buffers of the sockets take
                for _ in range(count):
                    image = add(catalog, recipe_name="x" * 150_000)
                    follow(quick, {image: "queued"})
            seen = set[str]()
            with pytest.raises((EOFError, httpx.RemoteProtocolError)):
                seen.update(found["id"] for found in stream.images())
            with listening(server, stream.last_id) as again:
                for found in again.images():
                    seen.add(found["id"])
                    if len(seen) == count:
                        break


class TestTheDatabase:
    def test_a_lost_connection_is_made_again(self, server: str, catalog: Catalog) -> None:
        with listening(server) as stream:
            stream.until("stats")
            with catalog.database.connection() as connection:
                ended = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ).fetchall()
            assert len(ended) >= 1
            image = add(catalog)
            assert follow(stream, {image: "queued"})


def test_no_more_clients_follow_than_are_allowed(database: str) -> None:
    with serving(Settings(max_event_streams=2), database) as server:
        with listening(server) as first, listening(server) as second:
            first.until("ready")
            second.until("ready")
            with web.stream("GET", f"{server}/events") as refusal:
                assert (refusal.status_code, refusal.headers.get("retry-after")) == (503, "5")
                assert refusal.headers["content-type"] == "application/problem+json"
        _await_a_place(server)


def _await_a_place(server: str) -> None:
    """Wait until the server has noticed that a client left."""

    def has_one() -> bool:
        with web.stream("GET", f"{server}/events") as answer:
            return answer.status_code == 200

    wait_until(has_one)

"""Uploading and waiting while the system is in trouble."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from imagomortis.errors import DiskFull, ImagoMortisError, Unavailable
from imagomortis_cli.remote import sending, watch
from imagomortis_cli.remote.client import Client, NotReachable
from imagomortis_cli.remote.sending import Sending, UploadOutcome
from imagomortis_cli.remote.watch import End, Watch
from tests.imagomortis_cli.commands.conftest import Run, System
from tests.imagomortis_cli.lines import Line, line
from tests.support import pictures
from tests.support.waiting import wait_until


@pytest.fixture
def wire(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """A line to the system; there is little patience."""
    monkeypatch.setattr(sending, "PAUSES", (0.02, 0.02, 0.02, 0.02))
    monkeypatch.setattr(sending, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(watch, "ASK_SECONDS", 0.05)
    with line(system.origin) as found:
        yield found
    system.faults.next.clear()
    system.faults.always.clear()


def test_a_broken_line_and_a_busy_server_are_tried_again(wire: Line, system: System, tmp_path: Path) -> None:
    path = _picture(tmp_path / "picture.jpg", 21)
    wire.to_cut = 2
    busy = _problem(Unavailable("Too many uploads are under way.", retry_after=5))
    system.faults.next += [("/upload", busy), ("/upload", PlainTextResponse("bad gateway", 502))]
    steps: list[float] = []
    with Client(wire.origin) as client:
        [outcome] = Sending(client, None, steps.append).send([path])
    assert outcome.error is None
    assert wire.connections >= 3
    assert not system.faults.next
    # what the failed tries had sent does not count
    assert path.stat().st_size == sum(steps)
    assert _stored(system, path) == [outcome.id]


def test_a_large_file_goes_on_where_it_was(
    wire: Line, system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sending, "PAUSES", (0.3,) * 40)  # until the server has noticed the broken connection
    path = tmp_path / "large.bmp"
    path.write_bytes(pictures.save(pictures.scene(2000, 1500), "BMP"))
    size = path.stat().st_size
    assert size > sending.RESUMABLE_BYTES
    wire.to_cut_after = [size // 3, size // 4, size // 5]
    steps: list[float] = []
    with Client(wire.origin) as client:
        [outcome] = Sending(client, "black-and-white", steps.append).send([path])
    assert (outcome.error, outcome.filename) == (None, "large.bmp")
    assert wire.connections >= 4
    assert sum(steps) == size
    # each further try left out what the server had, which was more each time
    skipped = [step for step in steps if step > 2**18]
    assert skipped == sorted(skipped)
    assert len(skipped) >= 3
    assert _stored(system, path) == [outcome.id]


def test_a_large_file_begins_anew_when_the_server_has_forgotten_it(wire: Line, system: System, tmp_path: Path) -> None:
    path = tmp_path / "large.bmp"
    path.write_bytes(pictures.save(pictures.scene(2001, 1500), "BMP"))
    with Client(wire.origin) as client:
        sender = Sending(client, None, lambda _: None)
        sender._begun[path] = f"{wire.origin}/upload/tus/{UUID(int=5)}"
        [outcome] = sender.send([path])
    assert outcome.error is None
    assert _stored(system, path) == [outcome.id]


def test_one_that_fails_every_time_does_not_keep_the_others(wire: Line, system: System, tmp_path: Path) -> None:
    paths = [_picture(tmp_path / f"{number}.jpg", 30 + number) for number in range(3)]
    busy = _problem(Unavailable("Too many uploads are under way."))
    system.faults.next += [("/upload", busy)] * (len(sending.PAUSES) + 1)
    with Client(wire.origin) as client:
        outcomes = list(Sending(client, None, lambda _: None, jobs=1).send(paths))
    assert [outcome.error is None for outcome in outcomes] == [False, True, True]
    assert "Too many uploads" in str(outcomes[0].error)


def test_a_full_disk_ends_the_upload_and_tells_what_was_not_sent(run: Run, system: System, tmp_path: Path) -> None:
    for number in range(6):
        _picture(tmp_path / f"{number}.jpg", 40 + number)
    full = _problem(DiskFull("The server's disk is full."))
    system.faults.next += [("/upload", _Passed(system)), ("/upload", full)]
    result = run("upload", tmp_path, "--jobs", 1, "--json")
    outcomes = json.loads(result.out)
    assert result.code == 1
    assert [outcome["error"] is None for outcome in outcomes] == [True, False, False, False, False, False]
    assert all("disk is full" in outcome["error"] for outcome in outcomes[1:])
    system.faults.next += [("/upload", _Passed(system)), ("/upload", full)]
    assert "1 picture stored, 1 not stored, 4 not sent:" in run("upload", tmp_path, "--jobs", 1).err


def test_a_full_disk_at_once_is_an_error(run: Run, system: System, tmp_path: Path) -> None:
    system.faults.next.append(("/upload", _problem(DiskFull("The server's disk is full."))))
    result = run("upload", _picture(tmp_path / "picture.jpg", 50))
    assert result.code == 1
    assert "Error: The disk is full: The server's disk is full." in result.err


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_sent(run: Run, tmp_path: Path) -> None:
    good = _picture(tmp_path / "good.jpg", 51)
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    result = run("upload", tmp_path, "--json")
    assert result.code == 1
    assert {each["file"]: each["error"] for each in json.loads(result.out)} == {
        str(good): None,
        str(tmp_path / "dangling.jpg"): "It cannot be read (No such file or directory).",
    }


def test_without_events_the_watch_asks(wire: Line, system: System, tmp_path: Path) -> None:
    system.faults.always["/api/events"] = PlainTextResponse("not allowed here", 404)
    assert _send_and_watch(wire, [_picture(tmp_path / f"{number}.jpg", 60 + number) for number in range(3)]) == {
        End.DONE: 3
    }


def test_the_watch_goes_on_after_the_line_was_cut(wire: Line, system: System, tmp_path: Path) -> None:
    with Client(wire.origin) as client, system.idle:
        [outcome] = Sending(client, None, lambda _: None).send([_picture(tmp_path / "picture.jpg", 70)])
        found: dict[str, object] = {}
        thread = threading.Thread(target=lambda: found.update(endings=_watch(client, [outcome], None)))
        thread.start()
        for _ in range(3):
            time.sleep(0.3)
            wire.cut()
        assert thread.is_alive()
        system.idle.release()
        thread.join(30)
        system.idle.acquire()
    assert found["endings"] == {End.DONE: 1}


def test_a_server_that_stays_away_is_told(
    wire: Line, system: System, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.3)
    with Client(wire.origin) as client, system.idle:
        [outcome] = Sending(client, None, lambda _: None).send([_picture(tmp_path / "picture.jpg", 71)])
        wire.close()
        with pytest.raises(NotReachable):
            _watch(client, [outcome], None)


def test_one_that_was_deleted_before_the_watch_began_is_not_waited_for(
    wire: Line, system: System, tmp_path: Path
) -> None:
    with Client(wire.origin) as client, system.idle:
        since = watch.place(client)
        [outcome] = Sending(client, None, lambda _: None).send([_picture(tmp_path / "picture.jpg", 72)])
        assert outcome.id
        wait_until(lambda: system.catalog.images.delete([outcome.id]))
        now = system.catalog.images.place().position
        wait_until(lambda: int((watch.place(client) or "").rpartition("-")[2]) >= now)  # until it is old news
        assert _watch(client, [outcome], since) == {End.DELETED: 1}


@pytest.mark.slow
def test_progress_adds_up_to_one_for_each_image(wire: Line, tmp_path: Path) -> None:
    steps: list[float] = []
    with Client(wire.origin) as client:
        since = watch.place(client)
        paths = [_picture(tmp_path / f"{number}.jpg", 80 + number) for number in range(4)]
        outcomes = list(Sending(client, None, lambda _: None).send(paths))
        Watch(client, [outcome.id for outcome in outcomes if outcome.id], steps.append, lambda _: None, since).run()
    assert sum(steps) == pytest.approx(4)


def _send_and_watch(wire: Line, paths: list[Path]) -> dict[End, int]:
    with Client(wire.origin) as client:
        since = watch.place(client)
        return _watch(client, list(Sending(client, None, lambda _: None).send(paths)), since)


def _watch(client: Client, outcomes: list[UploadOutcome], since: str | None) -> dict[End, int]:
    ids = [outcome.id for outcome in outcomes if outcome.id]
    endings = Watch(client, ids, lambda _: None, lambda _: None, since).run().values()
    return {end: sum(ending.end == end for ending in endings) for end in {ending.end for ending in endings}}


class _Passed(Response):
    """No fault: the request is passed on."""

    def __init__(self, system: System) -> None:
        self._app = system.faults.app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


def _problem(error: ImagoMortisError) -> Response:
    return JSONResponse(error.problem(), error.status, media_type="application/problem+json")


def _stored(system: System, path: Path) -> list[UUID]:
    """The images of a file, once nothing is in the spool any more."""
    wait_until(lambda: not system.spool.scan(1))
    digest = hashlib.sha256(path.read_bytes()).digest()
    return [image.id for image in system.catalog.images.page(1000).images if image.sha256 == digest]


def _picture(path: Path, seed: int) -> Path:
    path.write_bytes(pictures.photo(64, 48, seed))
    return path

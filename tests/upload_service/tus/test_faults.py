"""Restarts, kills, several uploaders on one folder, slow clients and large files, against real processes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.support.pictures import photo, save
from tests.support.random_rounds import chance_of
from tests.support.running_system import peak_memory
from tests.support.waiting import wait_until
from tests.upload_service.form.test_faults import seen_by, small_disk
from tests.upload_service.tus.speaker import BYTES, PLACE, RESUMABLE
from tests.upload_service.uploader import Uploader, answer, running

pytestmark = pytest.mark.slow

MIB = 2**20
CLIENT = httpx.Client(timeout=60)
LARGE = save(Image.effect_noise((2400, 1800), 60).convert("RGB"), "BMP")


def begin(uploader: Uploader, length: int) -> str:
    """Begin an upload and return its id."""
    headers = {**RESUMABLE, "Upload-Length": str(length)}
    response = CLIENT.post(uploader.url + PLACE, headers=headers)
    assert response.status_code == 201, response.text
    return response.headers["location"]


def offset(uploader: Uploader, upload: str) -> int:
    response = CLIENT.head(uploader.url + PLACE + upload, headers=RESUMABLE)
    assert response.status_code == 200
    return int(response.headers["upload-offset"])


def append(uploader: Uploader, upload: str, data: bytes | Iterator[bytes], at: int) -> httpx.Response:
    headers = {**RESUMABLE, **BYTES, "Upload-Offset": str(at)}
    return CLIENT.patch(uploader.url + PLACE + upload, headers=headers, content=data)


def head(upload: str, at: int, length: int, **further: str) -> bytes:
    """Return the head of a PATCH with so many bytes."""
    said = {"Host": "localhost", **RESUMABLE, **BYTES, "Upload-Offset": at, "Content-Length": length, **further}
    lines = [f"PATCH {PLACE}{upload} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def test_an_upload_goes_on_after_its_uploader_was_killed(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as uploader, uploader.connect() as connection:
        upload = begin(uploader, len(LARGE))
        connection.sendall(head(upload, 0, len(LARGE)) + LARGE[: 3 * MIB])
        wait_until(lambda: offset(uploader, upload) > MIB)
        told = offset(uploader, upload)
        uploader.process.kill()
        uploader.process.wait()

    with running(tmp_path / "spool") as uploader:
        at = offset(uploader, upload)
        assert told <= at <= 3 * MIB
        assert append(uploader, upload, LARGE[at:], at).status_code == 204
        (entry,) = uploader.contents.entries
        assert (str(entry.upload.id), entry.original.read_bytes()) == (upload, LARGE)


def test_a_client_that_leaves_goes_on_where_it_was(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as uploader:
        upload, at = begin(uploader, len(LARGE)), 0
        for share in (0.2, 0.5, 0.8):
            with uploader.connect() as connection:
                connection.sendall(head(upload, at, len(LARGE) - at) + LARGE[at : int(len(LARGE) * share)])
                wait_until(lambda at=at: offset(uploader, upload) > at + MIB)  # type: ignore[misc]
                connection.shutdown(socket.SHUT_RDWR)
            wait_until(lambda: len(uploader.lines("interrupted")) > 0)
            wait_until(lambda: append(uploader, upload, b"", offset(uploader, upload)).status_code == 204)
            at = offset(uploader, upload)
        assert append(uploader, upload, LARGE[at:], at).status_code == 204
        assert uploader.contents.entries[0].original.read_bytes() == LARGE


def test_a_client_that_leaves_with_the_last_byte_sends_no_more_than_that_again(tmp_path: Path) -> None:
    """Its picture's check is ended, unless that was faster."""
    with running(tmp_path / "spool") as uploader:
        upload = begin(uploader, len(LARGE))
        with uploader.connect() as connection:
            connection.sendall(head(upload, 0, len(LARGE)) + LARGE)
            connection.shutdown(socket.SHUT_WR)
        # whether it left before the end of the check is chance
        wait_until(lambda: offset(uploader, upload) >= len(LARGE) - 1)
        wait_until(lambda: append(uploader, upload, LARGE[(at := offset(uploader, upload)) :], at).status_code == 204)

        assert uploader.contents.ids == {upload}
        assert uploader.contents.entries[0].original.read_bytes() == LARGE


def test_a_full_disk_keeps_what_came_and_goes_on_when_there_is_space_again(tmp_path: Path) -> None:
    data = save(Image.new("RGB", (1000, 1000)), "BMP")
    with running(tmp_path / "disk" / "spool", through=small_disk(tmp_path / "disk")) as uploader:
        contents, upload = seen_by(uploader), begin(uploader, len(data))
        assert append(uploader, upload, data[:1000], 0).status_code == 204
        (contents.spool.folder / "ballast").write_bytes(bytes(3 * MIB))

        for content in (data[1000:], iter([data[1000:]])):  # whether the client says how much comes or not
            response = append(uploader, upload, content, 1000)
            assert (response.status_code, response.json()["type"]) == (507, "urn:imagomortis:disk-full")
        assert offset(uploader, upload) == 1000

        (contents.spool.folder / "ballast").unlink()
        with uploader.connect() as connection:
            connection.sendall(head(upload, 1000, len(data) - 1000) + data[1000:MIB])
            wait_until(lambda: offset(uploader, upload) > 1000)
            (contents.spool.folder / "ballast").write_bytes(bytes(5 * MIB // 2))
            connection.sendall(data[MIB:])
            assert answer(connection).status == 507
        at = offset(uploader, upload)
        assert at > 1000

        (contents.spool.folder / "ballast").unlink()
        assert append(uploader, upload, data[at:], at).status_code == 204
        assert contents.entries[0].original.read_bytes() == data


def test_a_client_that_falls_silent_is_cut_off_and_keeps_what_came(tmp_path: Path) -> None:
    with running(tmp_path / "spool", upload_idle_seconds=1) as uploader, uploader.connect() as connection:
        upload = begin(uploader, len(LARGE))
        connection.sendall(head(upload, 0, len(LARGE)) + LARGE[:5000])
        response = answer(connection)

        assert (response.status, response.json()["type"]) == (408, "urn:imagomortis:request-timeout")
        assert connection.recv(1) == b""
        assert offset(uploader, upload) == 5000


def test_an_upload_under_way_keeps_what_came_when_the_uploader_is_stopped(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as uploader, uploader.connect() as connection:
        upload = begin(uploader, len(LARGE))
        connection.sendall(head(upload, 0, len(LARGE), Expect="100-continue"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(LARGE[:5000])
        uploader.stop()
        assert answer(connection).status == 503
        uploader.process.wait(60)

    with running(tmp_path / "spool") as uploader:
        assert offset(uploader, upload) == 5000


def test_two_uploaders_on_one_folder_serve_the_same_upload(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as one, running(tmp_path / "spool") as other:
        upload = begin(one, len(LARGE))
        with one.connect() as connection:
            connection.sendall(head(upload, 0, len(LARGE)) + LARGE[: 2 * MIB])
            wait_until(lambda: offset(other, upload) > MIB)
            assert append(other, upload, b"x", offset(other, upload)).status_code in {409, 423}
        wait_until(lambda: append(other, upload, b"", offset(other, upload)).status_code == 204)

        at = offset(other, upload)
        assert append(other, upload, LARGE[at:-1000], at).status_code == 204
        assert append(one, upload, LARGE[-1000:], len(LARGE) - 1000).status_code == 204
        assert offset(other, upload) == len(LARGE)
        assert one.contents.entries[0].original.read_bytes() == LARGE


@pytest.mark.parametrize("rounds", [2, pytest.param(25, marks=pytest.mark.soak)])
def test_a_picture_is_stored_exactly_once_whenever_its_uploader_is_killed(tmp_path: Path, rounds: int) -> None:
    """A client that goes on until it is told that all is there: its picture is there, and once."""
    chance = chance_of(rounds)
    pictures: dict[str, bytes] = {}
    for number in range(rounds):
        data = photo(1600, 1200, number)
        with running(tmp_path / "spool") as uploader, uploader.connect() as connection:
            upload = begin(uploader, len(data))
            pictures[upload] = data
            connection.sendall(head(upload, 0, len(data)) + data)
            time.sleep(chance.uniform(0, 0.06))
            uploader.process.kill()
            uploader.process.wait()
        with running(tmp_path / "spool") as uploader:
            while (at := offset(uploader, upload)) < len(data):
                assert append(uploader, upload, data[at:], at).status_code == 204
            stored = {str(entry.upload.id): entry.original.read_bytes() for entry in uploader.contents.entries}
            assert stored == pictures


def test_memory_stays_flat_while_a_large_file_goes_through(tmp_path: Path) -> None:
    data = save(Image.new("RGB", (5700, 5700)), "BMP")
    with running(tmp_path / "spool") as uploader:
        before = peak_memory(uploader.memory.pid)
        for _ in range(3):
            upload = begin(uploader, len(data))
            for start in range(0, len(data), 64 * MIB):
                assert append(uploader, upload, data[start : start + 64 * MIB], start).status_code == 204
        grown = peak_memory(uploader.memory.pid) - before

    assert len(data) > 90 * MIB
    assert grown < 40 * MIB


def test_uploads_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as uploader:
        for data in (photo(64, 48), b"Dear diary, today I drew nothing."):
            append(uploader, begin(uploader, len(data)), data, 0)
        CLIENT.delete(uploader.url + PLACE + begin(uploader, 10), headers=RESUMABLE)
        headers = {**RESUMABLE, "Upload-Length": "1", "Upload-Metadata": "recipe bm9uZQ=="}
        assert CLIENT.post(uploader.url + PLACE, headers=headers).status_code == 422
        text = CLIENT.get(f"http://127.0.0.1:{uploader.metrics_port}/metrics").text

        for outcome, count in {"stored": 1, "refused": 2, "aborted": 1}.items():
            assert f'imagomortis_uploads_total{{outcome="{outcome}",source="tus"}} {count}.0' in text
        assert (len(uploader.lines("stored")), len(uploader.lines("refused"))) == (1, 2)
        assert {line["method"] for line in uploader.lines("request")} >= {"POST", "PATCH", "DELETE"}


def test_a_token_is_asked_for_here_too(tmp_path: Path) -> None:
    token = "a-token-of-some-length"
    with running(tmp_path / "spool", token=token) as uploader:
        assert CLIENT.options(uploader.url + PLACE).status_code == 401
        headers = {**RESUMABLE, "Upload-Length": "10"}
        assert CLIENT.post(uploader.url + PLACE, headers=headers).status_code == 401
        bearer = {"Authorization": f"Bearer {token}"}
        assert CLIENT.post(uploader.url + PLACE, headers=headers | bearer).status_code == 201
        assert CLIENT.post(uploader.url + PLACE, headers=headers | bearer | {"Host": "any.example"}).status_code == 201

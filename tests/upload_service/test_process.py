"""The process: how it starts, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import web
from tests.support.pictures import PDF, photo
from tests.support.waiting import wait_until
from tests.upload_service.uploader import answer, form, head, running

pytestmark = pytest.mark.slow

PICTURE = photo(120, 80)
TOKEN = "of-sixteen-letters-and-more"


# --- the end ----------------------------------------------------------------------------------------------------------


def test_an_upload_under_way_is_finished_when_the_uploader_is_stopped(tmp_path: Path) -> None:
    body = form(PICTURE)
    with running(tmp_path / "spool") as uploader, uploader.connect() as connection:
        connection.sendall(head(len(body), "Expect: 100-continue"))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body[:1000])
        uploader.stop()
        wait_until(lambda: uploader.lines("Shutting down"))
        time.sleep(0.5)
        connection.sendall(body[1000:])

        assert answer(connection).status == 201
        # uvicorn raises the signal again when all is done, and may be gone before it arrives
        assert uploader.process.wait(60) in {0, -signal.SIGTERM}
        assert len(uploader.contents.entries) == 1


def test_everything_in_the_spool_is_for_its_user_alone(tmp_path: Path) -> None:
    """Whatever the umask of whoever starts it: an entry, an unfinished upload, what is refused."""
    before = os.umask(0o022)
    try:
        with running(tmp_path / "spool") as uploader:
            for data in (PICTURE, PDF):
                body = form(data)
                with uploader.connect() as connection:
                    connection.sendall(head(len(body)) + body)
                    answer(connection)
            headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "1000"}
            assert web.post(f"{uploader.url}/upload/tus/", headers=headers).status_code == 201
            (uploader.spool / "inbox" / "a.pdf").write_bytes(PDF)
            wait_until(lambda: uploader.contents.rejected)
    finally:
        os.umask(before)

    found = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "spool").rglob("*") if path.name != "a.pdf"}
    assert {path.name for path in found} >= {"original", "meta.json", "note.json", "a.pdf.reason.txt"}
    assert {path: mode for path, mode in found.items() if mode != (0o700 if path.is_dir() else 0o600)} == {}


def test_the_token_leaves_the_environment(tmp_path: Path) -> None:
    with running(tmp_path / "spool", token=TOKEN) as uploader:
        children = uploader.memory.children(recursive=True)
        assert children
        for process in (uploader.memory, *children):
            assert TOKEN not in process.environ().values()
        assert web.post(f"{uploader.url}/upload").status_code == 401
        headers = {"Authorization": f"Bearer {TOKEN}"}
        assert web.post(f"{uploader.url}/upload", headers=headers, files={"file": PICTURE}).status_code == 201


def test_an_upload_that_does_not_end_is_given_up_when_the_uploader_is_stopped(tmp_path: Path) -> None:
    body = form(bytes(2**20))
    with running(tmp_path / "spool", stop_seconds=2) as uploader, uploader.connect() as connection:
        connection.sendall(head(len(body)) + body[:-1])
        wait_until(lambda: uploader.contents.begun)
        began = time.monotonic()
        uploader.stop()
        response = answer(connection)
        assert time.monotonic() - began > 1.9

        assert response.status == 503
        assert response.headers["retry-after"] == "5"
        uploader.process.wait(60)
        assert uploader.contents.begun == []
        assert uploader.lines("aborted")


def test_a_stopped_uploader_leaves_no_process_behind(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as uploader:
        children = uploader.memory.children(recursive=True)
        assert children
        uploader.stop(signal.SIGINT)
        uploader.process.wait(60)

        wait_until(lambda: not any(child.is_running() for child in children))


# --- the beginning ----------------------------------------------------------------------------------------------------


def refused(tmp_path: Path, **settings: object) -> str:
    """Return what an uploader says that does not start."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("IMAGOMORTIS_")}
    environment |= {"IMAGOMORTIS_SPOOL": str(tmp_path / "spool")}
    environment |= {f"IMAGOMORTIS_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "upload_service"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_setting_that_cannot_be_is_named(tmp_path: Path) -> None:
    assert "IMAGOMORTIS_UPLOAD_PORT" in refused(tmp_path, upload_port="many")


def test_a_spool_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()

    assert "IMAGOMORTIS_SPOOL" in refused(tmp_path)


def test_a_listener_for_everyone_needs_a_token_or_a_word(tmp_path: Path) -> None:
    assert "IMAGOMORTIS_TOKEN" in refused(tmp_path, bind="0.0.0.0")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}" in refused(tmp_path, upload_metrics_port=port)
        assert f"127.0.0.1:{port}" in refused(tmp_path, upload_port=port)

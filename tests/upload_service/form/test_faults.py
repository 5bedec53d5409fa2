"""A disk that fills, a disk that turns read-only, and a process that is killed: what was acknowledged is kept."""

from __future__ import annotations

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from PIL import Image

from imagomortis.spool.spool import Spool
from tests.support import web
from tests.support.pictures import photo, save
from tests.support.random_rounds import chance_of
from tests.support.waiting import wait_until
from tests.upload_service.uploader import Contents, Uploader, running

pytestmark = pytest.mark.slow

# a tmpfs of a few MiB, which only the commands that follow see; it needs no rights
SMALL_DISK = """
mount -t tmpfs -o size=4m,mode=777 tmpfs "$0" && exec "$@"
"""


def small_disk(folder: Path) -> list[str]:
    """Return a command that runs another one with a small disk on ``folder``."""
    folder.mkdir()
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", SMALL_DISK, str(folder)]


def seen_by(uploader: Uploader) -> Contents:
    """Return the spool as the uploader sees it, whose disk is no one else's."""
    return Contents(Spool(Path(f"/proc/{uploader.process.pid}/root{uploader.spool}")))


def upload(uploader: Uploader, data: bytes) -> httpx.Response:
    return web.post(f"{uploader.url}/upload", files={"file": ("picture.bmp", data)}, timeout=30)


def test_a_full_disk_refuses_what_it_cannot_hold_and_keeps_the_rest(tmp_path: Path) -> None:
    large, small = save(Image.new("RGB", (1000, 1000)), "BMP"), photo(64, 48)
    with running(tmp_path / "disk" / "spool", through=small_disk(tmp_path / "disk")) as uploader:
        contents = seen_by(uploader)
        assert upload(uploader, large).status_code == 201

        response = upload(uploader, large)  # 2.9 MiB where 1.1 are left

        assert (response.status_code, response.json()["type"]) == (507, "urn:imagomortis:disk-full")
        assert contents.begun == []
        stored = [upload(uploader, small).json()["uuid"] for _ in range(3)]
        assert contents.ids > set(stored)
        assert len(contents.entries) == 4

        for entry in contents.entries:
            contents.spool.remove(entry.folder)
        assert upload(uploader, large).status_code == 201


def test_a_disk_that_runs_out_of_space_in_the_middle_of_a_picture_keeps_nothing_of_it(tmp_path: Path) -> None:
    data = save(Image.new("RGB", (1400, 1000)), "BMP")
    with running(tmp_path / "disk" / "spool", through=small_disk(tmp_path / "disk")) as uploader:
        contents = seen_by(uploader)
        (contents.spool.folder / "ballast").write_bytes(bytes(3 * 2**20))

        # of unknown length, so that nobody can foresee it
        request = httpx.Request("POST", f"{uploader.url}/upload", files={"file": ("picture.bmp", data)})
        headers = {"content-type": request.headers["content-type"]}
        response = web.post(f"{uploader.url}/upload", content=iter([request.read()]), headers=headers)

        assert (response.status_code, response.json()["type"]) == (507, "urn:imagomortis:disk-full")
        assert contents.begun == []
        assert contents.entries == []
        (contents.spool.folder / "ballast").unlink()
        assert upload(uploader, photo(64, 48)).status_code == 201


def test_a_disk_that_turns_read_only_refuses_and_recovers(tmp_path: Path) -> None:
    with running(tmp_path / "disk" / "spool", through=small_disk(tmp_path / "disk")) as uploader:
        assert upload(uploader, photo(64, 48)).status_code == 201

        _remount(uploader, tmp_path / "disk", "ro")
        response = upload(uploader, photo(64, 48))
        assert (response.status_code, response.json()["type"]) == (503, "urn:imagomortis:unavailable")
        assert "Read-only" in response.json()["detail"]
        assert web.get(f"{uploader.url}/healthz").status_code == 200
        assert web.get(f"{uploader.url}/readyz").status_code == 503

        _remount(uploader, tmp_path / "disk", "rw")
        assert upload(uploader, photo(64, 48)).status_code == 201
        assert len(seen_by(uploader).entries) == 2
        assert seen_by(uploader).begun == []


def _remount(uploader: Uploader, folder: Path, how: str) -> None:
    inside = ["nsenter", "--target", str(uploader.process.pid), "--user", "--mount", "--preserve-credentials"]
    subprocess.run([*inside, "mount", "-o", f"remount,{how}", str(folder)], check=True)


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_acknowledged_pictures_survive_the_uploader(tmp_path: Path, rounds: int) -> None:
    chance = chance_of(rounds)
    acknowledged: dict[UUID, bytes] = {}
    contents = Contents(Spool(tmp_path / "spool"))
    for number in range(rounds):
        with running(tmp_path / "spool") as uploader, ThreadPoolExecutor(4) as clients:
            stop = threading.Event()
            uploading = [
                clients.submit(_upload_until, stop, uploader, acknowledged, 100 * number + client)
                for client in range(4)
            ]
            enough = len(acknowledged) + 6
            wait_until(lambda enough=enough: len(acknowledged) >= enough)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.5))
            uploader.process.kill()
            uploader.process.wait()
            stop.set()
            for client in uploading:
                client.result()

        stored = {entry.upload.id: entry.original.read_bytes() for entry in contents.entries}
        assert acknowledged.items() <= stored.items()
    assert len(acknowledged) > 5 * rounds

    with running(tmp_path / "spool") as uploader:
        assert upload(uploader, photo(64, 48)).status_code == 201
    contents.spool.sweep(-1)
    assert contents.begun == []


def _upload_until(stop: threading.Event, uploader: Uploader, acknowledged: dict[UUID, bytes], seed: int) -> None:
    data = photo(200, 150, seed)
    with httpx.Client(timeout=web.SECONDS) as client:
        while not stop.is_set():
            try:
                response = client.post(f"{uploader.url}/upload", files={"file": ("picture.jpg", data)})
            except httpx.TransportError:
                return
            assert response.status_code == 201
            acknowledged[UUID(response.json()["uuid"])] = data

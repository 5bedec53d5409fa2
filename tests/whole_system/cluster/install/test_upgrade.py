"""Rolling updates under load: a restart of each part, and the next version over the present one."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import yaml
from PIL import Image

from imagomortis import version
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import (
    DEPLOYMENTS,
    HOST,
    INGRESS,
    MANIFESTS,
    NODE_PORTS,
    Installation,
    until,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NEXT = "0.1.1"
"""The next version, whose images the cluster must have: `make test-cluster` builds them."""

STEP = "9999_of_the_next.sql"
"""A step of the schema that only the next version has."""


SLOW_SECONDS = 12.0
"""How long a slow request takes."""


class Load:
    """Uploads, reads and lists at the ingress and at the node ports, and keeps what failed."""

    def __init__(self, installation: Installation, pictures: list[bytes], large: tuple[UUID, bytes] | None) -> None:
        """Take the installation, what to upload, and what to upload and download slowly."""
        self._large = large
        self._headers = {"Authorization": f"Bearer {installation.token}", "Host": HOST}
        self._pictures = pictures
        self.acknowledged: dict[UUID, bytes] = {}
        self.requests: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()

    @contextmanager
    def on(self) -> Iterator[None]:
        """Load the system during a block."""
        places = (INGRESS, f"http://{NODE_PORTS[0]}")
        threads = [threading.Thread(target=self._run, args=[place]) for place in places]
        if self._large:
            threads += [threading.Thread(target=self._upload_slowly, args=[place]) for place in places]
            threads += [threading.Thread(target=self._download_slowly, args=self._large)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _run(self, place: str) -> None:
        with httpx.Client(base_url=place, headers=self._headers, timeout=30) as client:
            number = 0
            while not self._stop.is_set():
                number += 1
                data = self._pictures[number % len(self._pictures)]
                self._try(client, "upload", data)
                self._try(client, "list", data)
                self._try(client, "page", data)
                time.sleep(0.05)

    def _upload_slowly(self, place: str) -> None:
        """Upload a picture of 3 MB piece by piece."""
        data = bitmap(1_000, 1_000)
        request = httpx.Request("POST", f"{place}/upload", headers=self._headers, files={"file": ("slow.bmp", data)})
        body = request.read()
        headers = {**self._headers, "Content-Type": request.headers["Content-Type"], "Content-Length": str(len(body))}
        self.requests["slow upload"] += 1
        try:
            answer = httpx.post(f"{place}/upload", headers=headers, content=slowly(body), timeout=30)
        except httpx.HTTPError as error:
            self.failures.append(f"slow upload at {place}: {error!r}")
            return
        if answer.status_code == 201:
            self.acknowledged[UUID(answer.json()["uuid"])] = data
        else:
            self.failures.append(f"slow upload at {place}: {answer.status_code} {answer.text[:200]}")

    def _download_slowly(self, image_id: UUID, data: bytes) -> None:
        """Download an original from the API, with a buffer so small that most of it has to wait there."""
        small = httpx.HTTPTransport(socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)])
        place = f"http://{NODE_PORTS[1]}/images/{image_id}/original"
        self.requests["slow download"] += 1
        began, came = time.monotonic(), 0
        found = hashlib.sha256()
        try:
            with (
                httpx.Client(transport=small, timeout=30) as client,
                client.stream("GET", place, headers=self._headers) as answer,
            ):
                for piece in answer.iter_raw():
                    found.update(piece)
                    came += len(piece)
                    time.sleep(max(0.0, began + SLOW_SECONDS * came / len(data) - time.monotonic()))
        except httpx.HTTPError as error:
            self.failures.append(f"slow download: {error!r} after {came} of {len(data)} bytes")
            return
        if found.digest() != hashlib.sha256(data).digest():
            self.failures.append(f"slow download: {answer.status_code}, {came} of {len(data)} bytes")

    def _try(self, client: httpx.Client, what: str, data: bytes) -> None:
        self.requests[what] += 1
        try:
            if what == "upload":
                answer = client.post("/upload", files={"file": ("one.jpg", data)})
            else:
                answer = client.get("/api/images?limit=10" if what == "list" else "/")
        except httpx.HTTPError as error:
            self.failures.append(f"{what} at {client.base_url}: {error!r}")
            return
        if answer.status_code not in {200, 201}:
            self.failures.append(f"{what} at {client.base_url}: {answer.status_code} {answer.text[:200]}")
        elif what == "upload":
            self.acknowledged[UUID(answer.json()["uuid"])] = data


def slowly(body: bytes) -> Iterator[bytes]:
    """Yield the pieces of a body, with pauses that make them last."""
    pieces = 80
    size = len(body) // pieces + 1
    for start in range(0, len(body), size):
        yield body[start : start + size]
        time.sleep(SLOW_SECONDS / pieces)


@pytest.fixture(scope="module")
def large(installation: Installation) -> tuple[UUID, bytes]:
    """A picture of 40 MB that is in the system."""
    data = bitmap(3_650, 3_650)
    image_id = installation.upload(data, "large.bmp")
    installation.wait_done([image_id], 180)
    return image_id, data


def bitmap(width: int, height: int) -> bytes:
    file = BytesIO()
    Image.effect_noise((width, height), 90).convert("RGB").save(file, "BMP")
    return file.getvalue()


ALONE = ("uploader", "api")
"""The parts that keep people's data and connections; each is restarted by itself, so that a failure names it."""


@pytest.mark.parametrize(
    "parts", [*((part,) for part in ALONE), tuple(sorted({*DEPLOYMENTS} - {*ALONE}))], ids=" and ".join
)
def test_a_restart_of_parts_fails_no_request(
    installation: Installation,
    small_pictures: list[bytes],
    large: tuple[UUID, bytes],
    parts: tuple[str, ...],
    tell: Tell,
) -> None:
    """`kubectl rollout restart deployment/<part>` under load: no request fails, and every picture is done."""
    load = Load(installation, small_pictures, large)
    names = [f"deployment/{part}" for part in parts]
    before = {pod["metadata"]["uid"] for pod in pods_of(installation, parts)}
    with load.on():
        installation.kubectl("rollout", "restart", *names)
        for name in names:
            installation.kubectl("rollout", "status", name, "--timeout=300s", seconds=310)
        until(
            lambda: before.isdisjoint(pod["metadata"]["uid"] for pod in pods_of(installation, parts)),
            240,
            "the old pods have ended",
        )
    tell(f"restart of {' and '.join(parts)}: {load.requests.total()} requests, {len(load.failures)} failed")
    assert not load.failures
    installation.wait_done(load.acknowledged, 300)


def pods_of(installation: Installation, parts: Iterable[str]) -> list[dict[str, Any]]:
    """Return the pods of some parts, also those that are about to end."""
    return installation.list("pods", f"app.kubernetes.io/component in ({','.join(parts)})")


def test_a_restart_of_postgres_loses_nothing(
    installation: Installation, small_pictures: list[bytes], tell: Tell
) -> None:
    """Uploads go on as if nothing were; the API waits for it, or says that it is away for a moment."""
    load = Load(installation, small_pictures, None)
    with load.on():
        installation.kubectl("rollout", "restart", "statefulset/postgres")
        installation.kubectl("rollout", "status", "statefulset/postgres", "--timeout=300s", seconds=310)
        time.sleep(2)
    tell(f"restart of postgres: {load.requests.total()} requests, {len(load.failures)} failed")
    assert not [text for text in load.failures if text.startswith(("upload", "page")) or " 503 " not in text]
    installation.wait_done(load.acknowledged, 300)


@pytest.fixture
def next_version(installation: Installation, tmp_path: Path) -> Iterator[Path]:
    """The manifests of the next version, which has a step of the schema that is taken back afterwards."""
    folder = tmp_path / "k8s"
    shutil.copytree(MANIFESTS, folder)
    for path in folder.glob("*.yaml"):
        text = path.read_text()
        path.write_text(text.replace(version(), NEXT).replace(dashed(version()), dashed(NEXT)))
    add_a_step(installation, folder / "11-migrate.yaml")
    yield folder
    installation.sql("ALTER TABLE images DROP COLUMN IF EXISTS of_the_next")
    installation.sql(f"DELETE FROM migrations WHERE name = '{STEP}'")
    installation.kubectl("delete", "configmap", "step-of-the-test", "--ignore-not-found")


def test_the_next_version_while_pictures_flow(
    installation: Installation, small_pictures: list[bytes], large: tuple[UUID, bytes], next_version: Path, tell: Tell
) -> None:
    """`kubectl apply` of its manifests over the present ones: it migrates, no request fails, no picture is lost."""
    jobs = [f"job/{name}-{dashed(NEXT)}" for name in ("bootstrap", "migrate")]
    installation.kubectl("delete", *jobs, "--ignore-not-found")
    load = Load(installation, small_pictures, large)
    token = installation.token
    with load.on():
        began = time.monotonic()
        installation.apply(next_version)
        installation.wait_until_ready()
        installation.kubectl("wait", "--for=condition=complete", *jobs, "--timeout=100s")
        tell(f"from version {version()} to {NEXT}: {time.monotonic() - began:.0f} s")
        time.sleep(6)
    tell(f"upgrade: {load.requests.total()} requests, {len(load.failures)} failed")
    assert not load.failures
    installation.wait_done(load.acknowledged, 300)
    assert installation.token == token
    assert installation.sql(f"SELECT count(of_the_next) FROM images JOIN migrations ON name = '{STEP}'") == [["0"]]
    images = {
        container["image"]
        for pod in installation.list("pods", "app.kubernetes.io/component in (api,uploader,webui,pusher,scheduler)")
        if not pod["metadata"].get("deletionTimestamp")
        for container in pod["spec"]["containers"]
    }
    assert images == {f"imagomortis:{NEXT}", f"imagomortis-webui:{NEXT}"}


def test_the_next_versions_runs_use_its_image(installation: Installation, picture: UUID) -> None:
    """Also those that the new code server asks for."""
    ((run_id,),) = installation.sql(f"SELECT run_id FROM images WHERE id = '{picture}'")
    pods = installation.list("pods", f"dagster/run-id={run_id}")
    assert {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods} == {"run", "image-task"}
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {f"imagomortis:{NEXT}"}


def add_a_step(installation: Installation, file: Path) -> None:
    """Let the Job of the migration find one step more than the image has, as the next version's would."""
    where = "import imagomortis.catalog.migrations; print(*imagomortis.catalog.migrations.__path__)"
    folder = installation.kubectl("exec", "deployment/api", "--container=api", "--", "python", "-c", where).strip()
    job = yaml.safe_load(file.read_text())
    spec = job["spec"]["template"]["spec"]
    spec["volumes"].append({"name": "step", "configMap": {"name": "step-of-the-test"}})
    mount = {"name": "step", "mountPath": f"{folder}/{STEP}", "subPath": STEP, "readOnly": True}
    spec["containers"][0]["volumeMounts"].append(mount)
    step = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "step-of-the-test", "namespace": job["metadata"]["namespace"]},
        "data": {STEP: "ALTER TABLE images ADD COLUMN of_the_next text;"},
    }
    file.write_text(yaml.safe_dump_all([step, job]))


def dashed(text: str) -> str:
    """Return a version as it stands in names of Jobs."""
    return text.replace(".", "-")

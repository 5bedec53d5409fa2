"""Apply to ready, a picture's whole way, what people reach, and an apply that changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image, ImageChops

from imagomortis_cli.pictures import draw
from tests.cluster.conftest import Tell
from tests.cluster.installation import (
    DEPLOYMENTS,
    HOST,
    INGRESS,
    NODE_PORTS,
    Installation,
    Refused,
    restart_count,
    until,
)
from tests.pictures import photo

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

MIB = 1024 * 1024


def test_the_demos_pictures_come_out_processed_by_jobs(cold: Installation, tell: Tell) -> None:
    """Uploaded through the ingress; the Jobs that did it are one for the run and one for its step."""
    before = {job["metadata"]["name"] for job in cold.jobs()}
    pictures = [picture.data for picture in draw()]
    acknowledged = cold.upload_all(pictures, threads=4)
    cold.wait_done(acknowledged, 120)

    for image_id, original in acknowledged.items():
        processed = cold.client.get(f"/api/images/{image_id}/processed")
        assert processed.status_code == 200
        was, now = (Image.open(BytesIO(data)).convert("RGB") for data in (original, processed.content))
        assert now.size == was.size
        assert ImageChops.difference(was, now).getbbox(), "circles were drawn"
        assert cold.client.get(f"/api/images/{image_id}/original").content == original
    made = [job for job in cold.jobs() if job["metadata"]["name"] not in before]
    kinds = {job["metadata"]["labels"]["app.kubernetes.io/component"] for job in made}
    assert kinds == {"run", "image-task"}
    assert len(made) <= 4
    tell(f"12 pictures of the demo by the Jobs {', '.join(sorted(job['metadata']['name'] for job in made))}")


def test_page_api_and_uploader_answer_at_ingress_and_node_ports(installation: Installation) -> None:
    """With the token; the page itself needs none, as it asks for it."""
    web, api, upload = (f"http://{address}" for address in NODE_PORTS)
    bearer = {"Authorization": f"Bearer {installation.token}"}
    for page in (httpx.get(INGRESS, headers={"Host": HOST}), httpx.get(web)):
        assert page.status_code == 200
        assert "text/html" in page.headers["content-type"]
        assert "script-src 'self'" in page.headers["content-security-policy"]
    for images in (f"{api}/images", f"{api}/api/images", f"{web}/api/images"):
        assert isinstance(httpx.get(images, headers=bearer).json(), list)
    listed = httpx.get(f"{web}/api/images", headers={**bearer, "Accept-Encoding": "gzip"})
    assert listed.headers["content-encoding"] == "gzip"
    for place in (f"{upload}/upload", f"{web}/upload"):
        answer = httpx.post(place, headers=bearer, files={"file": ("small.jpg", photo(64, 48))})
        assert answer.status_code == 201, answer.text


def test_the_command_line_works_from_outside(installation: Installation, tmp_path: Path) -> None:
    """IMAGOMORTIS_URL and IMAGOMORTIS_TOKEN are all that it needs."""
    (tmp_path / "picture.jpg").write_bytes(photo(320, 200, seed=3))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("imagomortis")), "upload", "--wait", "--json", str(tmp_path)],
        env={"PATH": "", "IMAGOMORTIS_URL": f"http://{NODE_PORTS[0]}", "IMAGOMORTIS_TOKEN": installation.token},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"done"' in done.stdout


def test_a_picture_of_90_mib_passes_the_ingress(installation: Installation, tell: Tell) -> None:
    """No proxy on the way has a limit of its own."""
    picture = Image.effect_noise((5600, 5600), 90).convert("RGB")
    file = BytesIO()
    picture.save(file, "BMP")
    data = file.getvalue()
    assert 88 * MIB < len(data) < 100 * MIB
    began = time.monotonic()
    image_id = installation.upload(data, "large.bmp")
    installation.wait_done([image_id], 120)
    tell(f"90 MiB through the ingress, to done: {time.monotonic() - began:.1f} s")
    installation.client.delete(f"/api/image/{image_id}")


@pytest.mark.parametrize("place", [f"{INGRESS}/api", f"http://{NODE_PORTS[0]}/api"], ids=["ingress", "page's nginx"])
def test_live_events_pass_unbuffered(installation: Installation, place: str) -> None:
    """An event arrives soon after its cause, while the stream goes on; a proxy that buffers would hold it back."""
    came: list[tuple[float, str]] = []
    connected = threading.Event()

    def watch() -> None:
        with httpx.stream("GET", f"{place}/events", headers=dict(installation.client.headers), timeout=60) as stream:
            for line in stream.iter_lines():
                if "ready" in line:
                    connected.set()
                came.append((time.monotonic(), line))
                if accepted and str(accepted[0]) in line:
                    return

    accepted: list[UUID] = []
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    assert connected.wait(10), "the stream begins at once"
    accepted.append(installation.upload(photo(64, 48, seed=9)))
    answered = time.monotonic()
    until(lambda: [at for at, line in came if str(accepted[0]) in line], 30, "the event")
    first = min(at for at, line in came if str(accepted[0]) in line)
    assert first - answered <= 5.0


def test_the_overview_knows_how_much_the_spool_holds(installation: Installation) -> None:
    """Although the API does not see it."""
    until(lambda: installation.client.get("/api/stats").json()["spool"] == 0, 30, "a count")


def test_the_webserver_answers_behind_a_port_forward(installation: Installation) -> None:
    """And knows the code location, with its assets, sensors and schedules."""
    query = (
        "{ repositoriesOrError { ... on RepositoryConnection { nodes { name sensors { name } schedules { name } } } } }"
    )
    with port_forward("svc/dagster-webserver", 80) as address:
        (repository,) = graphql(address, query)["repositoriesOrError"]["nodes"]
    assert {one["name"] for one in repository["sensors"]} == {"pusher_a", "pusher_b"}
    assert {one["name"] for one in repository["schedules"]} == {"sweep", "retention"}


def test_the_webserver_shows_step_logs(installation: Installation) -> None:
    """Compute logs lie on the shared claim, where the webserver finds what a step's pod wrote."""
    image_id = installation.upload(photo(64, 48, seed=4))
    installation.wait_done([image_id], 60)
    installation.settle()
    (run_id,) = installation.sql(f"SELECT run_id FROM attempts WHERE image_id = '{image_id}'")[0]
    with port_forward("svc/dagster-webserver", 80) as address:
        (key,) = {
            event["fileKey"]
            for event in graphql(address, STEP_LOGS, run=run_id)["runOrError"]["eventConnection"]["events"]
            if event.get("fileKey")
        }
        logs = graphql(address, CAPTURED, key=[run_id, "compute_logs", key])["capturedLogs"]
    assert str(image_id) in logs["stdout"]


STEP_LOGS = """query ($run: ID!) {
  runOrError(runId: $run) { ... on Run { eventConnection { events { ... on LogsCapturedEvent { fileKey } } } } }
}"""
CAPTURED = "query ($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }"


def graphql(address: str, query: str, **variables: object) -> dict[str, Any]:
    answer = httpx.post(f"{address}/graphql", json={"query": query, "variables": variables}, timeout=30).json()
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


def test_logs_are_json_lines(installation: Installation) -> None:
    """Every line of every container, init containers, runs, steps and Jobs included; with the same fields.

    Postgres tells no time on the lines of its entrypoint, and on all but the first of a text that has several.
    """
    installation.wait_done([installation.upload(photo(64, 48, seed=6))], 60)
    text, parts = [], set()
    for pod in installation.list("pods", "app.kubernetes.io/component notin (loki, grafana)"):
        part = pod["metadata"]["labels"].get("app.kubernetes.io/component", pod["metadata"]["name"])
        for name, line in lines_of(installation, pod):
            if fields(line) >= {"time", "level", "part", "event"}:
                parts.add(part)
            elif part != "postgres" or fields(line) != {"level", "part", "event"}:
                text.append(f"{part}/{name}: {line[:300]}")
    assert not text, "\n".join(text)
    # Dagster's daemon and a run speak of what is wrong alone
    assert parts >= {*DEPLOYMENTS, "postgres", "bootstrap", "migrate", "image-task"} - {"scheduler"}
    steps = installation.kubectl("logs", "-l", "app.kubernetes.io/component=image-task", "--tail=50").splitlines()
    assert any(json.loads(line)["event"] == "processed" for line in steps if line)


def lines_of(installation: Installation, pod: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the lines of a pod's containers that have begun, each with the container's name."""
    status = pod["status"]
    for one in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        if "waiting" not in one["state"]:
            try:
                told = installation.kubectl("logs", pod["metadata"]["name"], "--container", one["name"])
            except Refused as error:
                if "not found" not in str(error):  # the pod went meanwhile
                    raise
                continue
            yield from ((one["name"], line) for line in told.splitlines() if line)


def fields(line: str) -> set[str]:
    """Return the names of a JSON line's fields, none where it is text."""
    try:
        return set(json.loads(line))
    except (ValueError, TypeError):
        return set()


def test_errors_of_nginx_are_json_lines_too(installation: Installation) -> None:
    """It has JSON for requests alone; a file of the page that is missing is an error to it."""
    assert httpx.get(f"http://{NODE_PORTS[0]}/assets/missing-1b2c.js").status_code == 404

    def told() -> list[str]:
        lines = installation.kubectl("logs", "deployment/webui", "--tail=50").splitlines()
        return [line for line in lines if "missing-1b2c.js" in line and json.loads(line)["level"] == "error"]

    (line,) = until(told, 10, "the error is told")
    assert {"time", "level", "part", "event"} <= set(json.loads(line))


def test_a_second_apply_changes_nothing(installation: Installation) -> None:
    """And leaves the Secrets as they are."""
    token, before = installation.token, generations(installation)
    told = installation.apply()
    assert all(line.endswith("unchanged") for line in told.splitlines()), told
    assert (installation.token, generations(installation)) == (token, before)


def generations(installation: Installation) -> dict[str, int]:
    return {
        item["metadata"]["name"]: item["metadata"]["generation"]
        for item in installation.list("deployments") + installation.list("statefulsets")
    }


def test_no_pod_was_restarted_for_long(installation: Installation) -> None:
    """Parts wait for what they need instead of ending again and again."""
    found = restarts(installation)
    assert max(found.values()) <= 2, found


def restarts(installation: Installation) -> dict[str, int]:
    """Return how often a container of each pod was restarted, those that a test has killed apart."""
    return {
        pod["metadata"]["name"]: restart_count(pod) - installation.kills[pod["metadata"]["uid"]]
        for pod in installation.list("pods", "app.kubernetes.io/name=imagomortis")
    }


class port_forward:  # noqa: N801  # reads as the command that it is
    """A port of this machine that leads to a service, for a block."""

    def __init__(self, service: str, port: int) -> None:
        self._service, self._port = service, port

    def __enter__(self) -> str:
        words = ["kubectl", "-n", "imagomortis", "port-forward", self._service, f":{self._port}"]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        line = self._process.stdout.readline()
        return f"http://127.0.0.1:{line.split('127.0.0.1:')[1].split(' ')[0]}"

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

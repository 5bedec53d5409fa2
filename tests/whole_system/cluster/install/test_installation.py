"""Apply to ready, a picture's whole way, what people reach, and an apply that changes nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from PIL import Image, ImageChops

from imagomortis_cli.pictures import draw
from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.installation import (
    DEPLOYMENTS,
    HOST,
    INGRESS,
    NAMESPACE,
    NODE_PORTS,
    Installation,
    Refused,
    restart_count,
    until,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

MOST_RESTARTS = 5
"""How often a container may begin anew after an apply: nginx ends as long as a Service that it leads to is missing."""

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def jobs_before(installation: Installation) -> set[str]:
    """The names of the Jobs before the demo's, in an installation at rest."""
    installation.settle()
    return {job["metadata"]["name"] for job in installation.jobs()}


@pytest.fixture(scope="module")
def demo(installation: Installation, jobs_before: set[str]) -> dict[UUID, bytes]:
    """The demo's pictures, uploaded through the ingress and processed."""
    acknowledged = installation.upload_all([picture.data for picture in draw()], threads=4)
    installation.wait_done(acknowledged, 240)
    return acknowledged


def test_the_demos_pictures_come_out_processed_by_jobs(
    installation: Installation, jobs_before: set[str], demo: dict[UUID, bytes], tell: Tell
) -> None:
    """The Jobs that did it are one for the run and one for its step."""
    for image_id, original in demo.items():
        processed = installation.client.get(f"/api/images/{image_id}/processed")
        assert processed.status_code == 200
        was, now = (Image.open(BytesIO(data)).convert("RGB") for data in (original, processed.content))
        assert now.size == was.size
        assert ImageChops.difference(was, now).getbbox(), "circles were drawn"
        assert installation.client.get(f"/api/images/{image_id}/original").content == original
    made = [job for job in installation.jobs() if job["metadata"]["name"] not in jobs_before]
    kinds = {job["metadata"]["labels"]["app.kubernetes.io/component"] for job in made}
    assert kinds == {"run", "image-task"}
    assert len(made) <= 4
    tell(f"12 pictures of the demo by the Jobs {', '.join(sorted(job['metadata']['name'] for job in made))}")


@pytest.mark.usefixtures("demo")  # a list so long that nginx compresses it
def test_page_api_and_uploader_answer_at_ingress_and_node_ports(installation: Installation) -> None:
    """With the token; the page itself needs none, as it asks for it."""
    web, api, upload = (f"http://{address}" for address in NODE_PORTS)
    bearer = {"Authorization": f"Bearer {installation.token}"}
    with httpx.Client(timeout=60) as client:
        for page in (client.get(INGRESS, headers={"Host": HOST}), client.get(web)):
            assert page.status_code == 200
            assert "text/html" in page.headers["content-type"]
            assert "script-src 'self'" in page.headers["content-security-policy"]
        for images in (f"{api}/images", f"{api}/api/images", f"{web}/api/images"):
            assert isinstance(client.get(images, headers=bearer).json(), list)
        listed = client.get(f"{web}/api/images", headers={**bearer, "Accept-Encoding": "gzip"})
        assert listed.headers["content-encoding"] == "gzip"
        for place in (f"{upload}/upload", f"{web}/upload"):
            answer = client.post(place, headers=bearer, files={"file": ("small.jpg", photo(64, 48))})
            assert answer.status_code == 201, answer.text


def test_the_command_line_works_from_outside(installation: Installation, tmp_path: Path) -> None:
    """IMAGOMORTIS_URL and IMAGOMORTIS_TOKEN are all that it needs."""
    (tmp_path / "picture.jpg").write_bytes(photo(320, 200, seed=3))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("imagomortis")), "upload", "--wait", "--json", str(tmp_path)],
        env={"PATH": "", "IMAGOMORTIS_URL": f"http://{NODE_PORTS[0]}", "IMAGOMORTIS_TOKEN": installation.token},
        capture_output=True,
        text=True,
        timeout=240,
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
    installation.wait_done([image_id], 240)
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
    assert connected.wait(60), "the stream begins"
    accepted.append(installation.upload(photo(64, 48, seed=9)))
    answered = time.monotonic()
    until(lambda: [at for at, line in came if str(accepted[0]) in line], 60, "the event")
    first = min(at for at, line in came if str(accepted[0]) in line)
    assert first - answered <= 25.0


def test_the_overview_knows_how_much_the_spool_holds(installation: Installation) -> None:
    """Although the API does not see it."""
    until(lambda: installation.client.get("/api/stats").json()["spool"] == 0, 120, "a count")


def test_the_webserver_answers_behind_a_port_forward(installation: Installation) -> None:
    """And knows the code location, with its assets, sensors and schedules."""
    query = (
        "{ repositoriesOrError { ... on RepositoryConnection { nodes { name sensors { name } schedules { name } } } } }"
    )
    with port_forward("svc/dagster-webserver", 80) as address:
        (repository,) = until(
            lambda: graphql(address, query)["repositoriesOrError"].get("nodes"), 60, "the code location is loaded"
        )
    assert {one["name"] for one in repository["sensors"]} == {"pusher_a", "pusher_b"}
    assert {one["name"] for one in repository["schedules"]} == {"sweep", "retention"}


def test_the_webserver_links_to_a_runs_lines_in_grafana(installation: Installation, demo: dict[UUID, bytes]) -> None:
    image_id = next(iter(demo))
    installation.settle()
    (run_id,) = installation.sql(f"SELECT run_id FROM attempts WHERE image_id = '{image_id}'")[0]
    with port_forward("svc/dagster-webserver", 80) as address:
        events = graphql(address, LINKS, run=run_id)["runOrError"]["eventConnection"]["events"]
    (link,) = {event["externalUrl"] for event in events if event.get("externalUrl")}
    assert f"/d/imagomortis-logs?var-search={run_id}&" in link


LINKS = """query ($run: ID!) {
  runOrError(runId: $run) { ... on Run { eventConnection { events { ... on LogsCapturedEvent { externalUrl } } } } }
}"""


def graphql(address: str, query: str, **variables: object) -> dict[str, Any]:
    answer = httpx.post(f"{address}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer["errors"]
    data: dict[str, Any] = answer["data"]
    return data


@pytest.mark.usefixtures("demo")  # whose step has a log
def test_logs_are_json_lines(installation: Installation) -> None:
    """Every line of every container, init containers, runs, steps and Jobs included; with the same fields.

    Postgres tells no time on the lines of its entrypoint, and on all but the first of a text that has several.
    """
    installation.settle()
    selector = "app.kubernetes.io/component notin (loki, grafana)"
    lines = until(lambda: lines_of(installation, selector), 60, "all pods tell their lines")
    labels = {pod["metadata"]["name"]: pod["metadata"]["labels"] for pod in installation.list("pods", selector)}
    text, parts, of_steps = [], set(), set()
    for pod, line in lines:
        part, found = labels.get(pod, {}).get("app.kubernetes.io/component", pod), parsed(line)
        if found.keys() >= {"time", "level", "part", "event"}:
            parts.add(part)
        elif part != "postgres" or found.keys() != {"level", "part", "event"}:
            text.append(f"{pod}: {line[:300]}")
        if part == "image-task":
            of_steps.add(found.get("event"))
    assert not text, "\n".join(text)
    # Dagster's daemon and a run speak of what is wrong alone
    assert parts >= {*DEPLOYMENTS, "postgres", "bootstrap", "migrate", "image-task"} - {"scheduler"}
    assert "processed" in of_steps


def lines_of(installation: Installation, selector: str) -> list[tuple[str, str]]:
    """Return the lines of all containers of some pods, each with its pod; none while a pod begins or goes."""
    try:
        told = installation.kubectl("logs", "-l", selector, "--all-containers", "--prefix", "--tail=-1")
    except Refused:
        return []
    lines = (line.partition(" ") for line in told.split("\n"))  # other separators may stand inside a line
    return [(prefix.split("/")[1], line) for prefix, _, line in lines if line]  # the prefix is [pod/NAME/CONTAINER]


def parsed(line: str) -> dict[str, Any]:
    """Return a JSON line's fields, none where it is text."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def test_errors_of_nginx_are_json_lines_too(installation: Installation) -> None:
    """It has JSON for requests alone; a file of the page that is missing is an error to it."""
    name = f"missing-{uuid4().hex}.js"
    assert httpx.get(f"http://{NODE_PORTS[0]}/assets/{name}", timeout=60).status_code == 404

    def told() -> list[str]:
        lines = installation.kubectl("logs", "deployment/webui", "--since=5m").splitlines()
        return [line for line in lines if name in line and parsed(line).get("level") == "error"]

    (line,) = until(told, 60, "the error is told")
    assert {"time", "level", "part", "event"} <= parsed(line).keys()


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
    assert max(found.values()) <= MOST_RESTARTS, found


def restarts(installation: Installation) -> dict[str, int]:
    """Return how often a container of each pod was restarted, those that a test has killed apart."""
    return {
        pod["metadata"]["name"]: restart_count(pod) - installation.kills[pod["metadata"]["uid"]]
        for pod in installation.list("pods", "app.kubernetes.io/name=imagomortis")
    }


@contextmanager
def port_forward(service: str, port: int) -> Iterator[str]:
    """A port of this machine that leads to a service, for a block."""
    with serving("port-forward", service, f":{port}") as address:
        yield address


@contextmanager
def serving(*words: str) -> Iterator[str]:
    """Run a kubectl that serves at a port of this machine, for a block; yield the address."""
    process, address = until(lambda: started(words), 60, f"kubectl {' '.join(words)} serves")
    try:
        yield address
    finally:
        process.terminate()
        process.wait()


def started(words: Sequence[str]) -> tuple[subprocess.Popen[str], str] | None:
    """Start a kubectl that tells its address first; return None if it does not serve."""
    process = subprocess.Popen(
        ["kubectl", "--namespace", NAMESPACE, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout
    if found := re.search(r"127\.0\.0\.1:\d+", process.stdout.readline()):
        return process, f"http://{found[0]}"
    process.terminate()
    process.wait()
    return None

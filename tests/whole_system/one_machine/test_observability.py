"""What a running system tells: lines with the same fields, no secret in any, and all that dashboards ask for."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import lupa
import psycopg
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from prometheus_client.parser import text_string_to_metric_families

from imagomortis.lifecycle import State
from imagomortis_http.callers.session import COOKIE
from tests.deploy.monitoring.logql import parse
from tests.deploy.monitoring.sources import DEPLOY, EXTERNAL, alerts, metric_names, queries, selected
from tests.support import running_system, web
from tests.support.pictures import photo
from tests.support.running_system import ROOT
from tests.support.span_collector import Collector, Span, collecting
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack

TOKEN = "tokenSECRETtoken0123456789"
SECRET = re.compile("SECRET", re.IGNORECASE)
"""Every secret that is fed to the system has this word in it."""

BEARER = {"Authorization": f"Bearer {TOKEN}"}
ANSWERING = {"uploader", "api", "webui", "dagster-webserver"}
"""The parts that log requests."""
PARTS = ANSWERING | {"up", "postgres", "exporter", "pusher", "image-task", "scheduler"}


@dataclass(frozen=True)
class Witness:
    """A system to which much was done: what it wrote, what its metrics say, and a picture that went through."""

    stack: running_system.Stack
    image: UUID
    lines: list[dict[str, Any]]
    text: str
    metrics: str
    collector: Collector


@pytest.fixture(scope="module")
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    home = tmp_path_factory.mktemp("observed") / "home"
    settings = {"access": "token", "token": TOKEN, "log_level": "debug", "linger_seconds": 1, "sandbox_seconds": 20}
    with collecting() as collector, running_system.running(home, traces_url=collector.url, **settings) as stack:
        image = _upload(stack, photo(320, 240, seed=1))
        broken = _upload(stack, photo(64, 48, seed=2), recipe=_impossible())
        _upload(stack, _with_notes())
        states = stack.wait_until_ended([image, broken])
        assert states == {image: State.DONE, broken: State.FAILED}
        _provoke(stack, image)
        metrics = _await_metrics(stack)
        text = _await_log(stack)
        yield Witness(stack, image, running_system.json_lines(text), text, metrics, collector)


def _upload(stack: running_system.Stack, data: bytes, **fields: str) -> UUID:
    answer = web.post(
        stack.url("UPLOAD", "/upload"), files={"file": ("p.jpg", data)}, data=fields, headers=BEARER, timeout=60
    )
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["uuid"])


def _impossible() -> str:
    """A recipe that fails on a small picture: it wants a part that is not there."""
    return json.dumps({"steps": [{"transform": "crop", "x": 1000, "y": 1000, "width": 10, "height": 10}]})


def _with_notes() -> bytes:
    """A picture with a secret in its EXIF data and in a text chunk."""
    picture = Image.new("RGB", (64, 48), "red")
    exif = Image.Exif()
    exif[0x010E] = "exifSECRETdescription"
    notes = PngInfo()
    notes.add_text("Comment", "commentSECRETtext")
    target = io.BytesIO()
    picture.save(target, "PNG", exif=exif, pnginfo=notes)
    return target.getvalue()


def _provoke(stack: running_system.Stack, image: UUID) -> None:
    """Do what a careless or a hostile client does, each time with a secret in its hands."""
    wrong = {"Authorization": "Bearer wrongSECRETtoken", "Cookie": f"{COOKIE}=cookieSECRETvalue"}
    for part, path in (("API", "/images"), ("UPLOAD", "/upload"), ("WEB", "/api/images"), ("DAGSTER", "/runs")):
        web.get(stack.url(part, f"{path}?token=querySECRET"), headers=wrong)
        web.get(stack.url(part, path), headers=BEARER)
    web.get(stack.url("WEB", "/?token=querySECRET"), headers=wrong)
    web.post(stack.url("API", "/session"), json={"token": TOKEN})
    web.get(stack.url("API", f"/images/{image}/info"), headers=BEARER)
    web.patch(stack.url("API", f"/images/{image}"), json={"recipe": "bodySECRET"}, headers=BEARER)
    damaged = photo(320, 240, seed=3)
    for content in (b"textSECRET of a file that is no picture", damaged[:300] + b"dataSECRET", _with_notes()[:120]):
        web.post(stack.url("UPLOAD", "/upload"), files={"file": ("p.jpg", content)}, headers=BEARER)
    web.post(stack.url("UPLOAD", "/upload"), content=b"bodySECRET", headers={**BEARER, "Content-Type": "text/plain"})
    with psycopg.connect(stack.variables()["DATABASE_URL"], autocommit=True) as connection:
        for statement in ("ALTER ROLE nobody PASSWORD 'sqlSECRET'", "SELECT 'sqlSECRET' FROM nothing"):
            with pytest.raises(psycopg.Error):
                connection.execute(statement)


def _await_metrics(stack: running_system.Stack) -> str:
    """The metrics of every part, once the exporter has counted the attempts."""
    ports = [stack.ports[name] for name in ("API_METRICS", "UPLOAD_METRICS", "PIPELINE_METRICS")]
    counted = re.compile(r'imagomortis_attempts_total\{[^}]*outcome="failed"\} [1-9]')

    def metrics() -> str:
        plain = {"Accept": "text/plain"}
        text = "".join(web.get(f"http://127.0.0.1:{port}/metrics", headers=plain).text for port in ports)
        return text if counted.search(text) else ""

    return wait_until(metrics, 100, stack.tail)


def _await_log(stack: running_system.Stack) -> str:
    """The log, once every part has written and the last of what was provoked stands in it."""

    def whole() -> str:
        text = stack.log.read_text(errors="replace").rpartition("\n")[0]
        lines = running_system.json_lines(text)
        answering = {line["part"] for line in lines if line["event"] == "request"}
        is_whole = {line["part"] for line in lines} >= PARTS and answering >= ANSWERING
        return text if is_whole and 'relation \\"nothing\\" does not exist' in text else ""

    return wait_until(whole, tell=stack.tail)


def test_an_image_has_one_trace_with_spans_of_all_parts(witness: Witness) -> None:
    assert web.get(witness.stack.url("API", f"/images/{witness.image}"), headers=BEARER).status_code == 200
    wanted = {
        ("uploader", "upload"),
        ("pusher", "push"),
        ("image-task", "wait"),
        ("image-task", "process"),
        ("image-task", "save"),
        ("api", "GET /images/{image_id}"),
    }

    def all_spans() -> list[Span]:
        spans = witness.collector.of(witness.image)
        return spans if {(span.part, span.name) for span in spans} >= wanted else []

    spans = wait_until(all_spans, 60)
    [upload] = [span for span in spans if span.name == "upload"]
    assert all(span.parent == upload.id for span in spans if span is not upload)
    [process] = [span for span in spans if span.name == "process"]
    assert len(process.attributes["imagomortis.run"]) == 36
    assert upload.began < process.began < process.ended


def test_every_line_is_json_with_the_common_fields(witness: Witness) -> None:
    assert [line for line in witness.text.splitlines() if not line.startswith("{")] == []
    for line in witness.lines:
        assert {"time", "level", "part", "event"} <= line.keys(), line
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"]), line
        assert line["level"] in {"debug", "info", "warning", "error", "critical"}, line
        assert not {"timestamp", "message", "msg", "levelname"} & line.keys(), line


def test_every_part_writes(witness: Witness) -> None:
    assert {line["part"] for line in witness.lines} == PARTS


def test_a_fact_names_its_image_run_and_attempt(witness: Witness) -> None:
    [processed] = [
        line for line in witness.lines if line["event"] == "processed" and line["image"] == str(witness.image)
    ]
    assert processed["attempt"] == 1
    assert len(processed["run"]) == 36
    assert processed["seconds"] > 0
    failed = [line for line in witness.lines if line["part"] == "image-task" and line["event"] == "failed"]
    assert [line["attempt"] for line in failed] == [1, 2, 3]
    assert {line["kind"] for line in failed} == {"transform-failed"}
    assert all("crop" in line["error"] for line in failed)


def test_requests_are_logged_by_every_part_that_answers_any(witness: Witness) -> None:
    requests = [line for line in witness.lines if line["event"] == "request"]
    assert {line["part"] for line in requests} == ANSWERING
    assert all({"method", "path", "status"} <= line.keys() for line in requests)


def test_no_secret_is_in_any_line(witness: Witness) -> None:
    assert [line for line in witness.text.splitlines() if SECRET.search(line)] == []


def test_no_secret_is_in_what_dagster_keeps_or_metrics_tell(witness: Witness) -> None:
    assert SECRET.search(witness.metrics) is None
    kept = [path for path in (witness.stack.home / "dagster").rglob("*") if path.is_file()]
    assert [path for path in kept if SECRET.search(path.read_text(errors="replace"))] == []
    dagster = witness.stack.variables()["IMAGOMORTIS_DAGSTER_DATABASE_URL"].replace("+psycopg2", "")
    with psycopg.connect(dagster) as connection:
        for table in ("event_logs", "runs", "run_tags", "job_ticks"):
            [(found,)] = connection.execute(
                f"SELECT count(*) FROM {table} WHERE {table}::text ILIKE '%secret%'"  # type: ignore[call-overload]
            ).fetchall()
            assert found == 0, table


@pytest.mark.parametrize(
    "module",
    [
        ["api_service"],
        ["imagomortis_pipeline.upkeep.exporter"],
        ["imagomortis_pipeline.upkeep.recovery"],
        [
            *("imagomortis_pipeline.dagster_internals.process", "scheduler"),
            *("dagster._daemon", "run", "-w", "workspace.yaml"),
        ],
    ],
    ids=["api", "exporter", "recovery", "scheduler"],
)
def test_the_password_of_a_database_that_refuses_is_not_written(module: list[str], tmp_path: Path) -> None:
    """Parts that cannot reach their database tell so, at once or when they are asked, and do not tell the password."""
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    address = "me:passwordSECRET@127.0.0.1:1/imagomortis"
    [api, metrics, pipeline] = running_system.free_ports(3)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "DAGSTER_HOME": str(tmp_path),
        "DATABASE_URL": f"postgresql://{address}",
        "IMAGOMORTIS_DAGSTER_DATABASE_URL": f"postgresql+psycopg2://{address}",
        "IMAGOMORTIS_CODE_PORT": "1",
        "IMAGOMORTIS_API_PORT": str(api),
        "IMAGOMORTIS_API_METRICS_PORT": str(metrics),
        "IMAGOMORTIS_PIPELINE_METRICS_PORT": str(pipeline),
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )

    def tells() -> bool:
        for port in (metrics, pipeline):
            with suppress(httpx.HTTPError):  # it does not listen yet, or that port is another part's
                web.get(f"http://127.0.0.1:{port}/metrics", timeout=15)
        return process.poll() is not None or b"refused" in log.read_bytes()

    try:
        wait_until(tells, 200)
    finally:
        process.terminate()
        process.wait(60)
    text = log.read_text()
    assert "refused" in text
    assert SECRET.search(text) is None
    assert [line for line in text.splitlines() if not line.startswith("{")] == []


def _sent(witness: Witness) -> list[dict[str, Any]]:
    """The lines as Fluent Bit sends them to Loki, each with all of its fields and labels."""
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    lua.execute((DEPLOY / "logging" / "normalize.lua").read_text())
    sent = []
    for line in witness.lines:
        flat = {key: value for key, value in line.items() if value is not None}
        record = lua.table_from({**flat, "kubernetes": {"namespace_name": "imagomortis"}}, recursive=True)
        _, _, found = lua.globals().normalize("kube.x", 0, record)
        sent.append({"job": "imagomortis", **dict(found.items())})
    return sent


def test_every_query_of_the_dashboards_finds_lines_of_the_running_system(witness: Witness) -> None:
    sent = _sent(witness)
    assert len(sent) == len(witness.lines)
    failed_image = next(line["image"] for line in witness.lines if line["event"] == "failed")
    for place, query in queries("loki").items():
        image = failed_image if "failed attempts" in place else str(witness.image)
        found = parse(query.replace("$level", ".*").replace("$search", "").replace("$image", image))
        lines = found.find(sent)
        assert lines, f"nothing is found by {place}"
        for field in found.fields:
            assert any(field in line for line in lines), f"no line has {field}, for {place}"


def test_every_metric_of_the_dashboards_and_alerts_is_told_with_its_labels(witness: Witness) -> None:
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(witness.metrics):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    scraping = {"instance", "job"}  # labels that Prometheus adds
    expressions = {**queries("prometheus"), **{rule["alert"]: rule["expr"] for rule in alerts()}}
    for place, expression in expressions.items():
        assert metric_names(expression) - EXTERNAL <= samples.keys(), place
        for name, label in selected(expression):
            assert label in samples[name] | scraping, f"{name} has no {label}, for {place}"


def test_metrics_are_named_as_prometheus_wants_them(witness: Witness) -> None:
    families = list(text_string_to_metric_families(witness.metrics))
    ours = [family for family in families if family.name.startswith("imagomortis_")]
    assert len(ours) == len({family.name for family in ours})  # no two parts tell the same
    for family in ours:
        assert family.documentation
        assert not re.search(r"_(ms|milliseconds|minutes|kb|mb|percent|count|sum|bucket)$", family.name)
        # no samples without an object store
        if family.samples or not family.name.startswith("imagomortis_object_store_"):
            assert (family.type == "counter") == any(sample.name.endswith("_total") for sample in family.samples)


def test_labels_have_few_values(witness: Witness) -> None:
    values: dict[tuple[str, str], set[str]] = {}
    for family in text_string_to_metric_families(witness.metrics):
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault((family.name, label), set()).add(value)
    assert {key: found for key, found in values.items() if len(found) > 30} == {}
    assert not any(re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", value) for found in values.values() for value in found)

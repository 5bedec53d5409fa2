"""One picture through all parts, as a person sees it."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image, ImageChops

from imagomortis.lifecycle import State
from tests.support import web
from tests.support.pictures import photo
from tests.support.running_system import Stack, json_lines
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack


def test_an_uploaded_picture_comes_back_with_circles_on_it(stack: Stack) -> None:
    original = photo(800, 533, seed=1)
    image_id = stack.upload(original)
    assert stack.wait_until_ended([image_id]) == {image_id: State.DONE}
    assert web.get(stack.url("API", f"/images/{image_id}/original")).content == original
    processed = Image.open(io.BytesIO(web.get(stack.url("WEB", f"/api/images/{image_id}")).content))
    assert processed.size == (800, 533)
    difference = ImageChops.difference(processed.convert("RGB"), Image.open(io.BytesIO(original)).convert("RGB"))
    changed = sum(difference.convert("L").point(lambda value: 255 if value > 40 else 0).histogram()[255:])
    assert changed > 800 * 533 * 0.02


def test_the_front_door_takes_uploads_and_shows_the_page(stack: Stack) -> None:
    answer = web.post(stack.url("WEB", "/upload"), files={"file": ("p.jpg", photo(64, 48, seed=2))})
    assert answer.status_code == 201
    page = web.get(stack.url("WEB", "/"))
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]


def test_a_picture_leads_to_its_run_and_the_run_to_its_log(stack: Stack) -> None:
    image_id = stack.upload(photo(64, 48, seed=3))
    stack.wait_until_ended([image_id])
    run_id = stack.info(image_id)["job"]["job_id"]
    run = stack.ask_dagster("query ($id: ID!) { runOrError(runId: $id) { ... on Run { status jobName } } }", id=run_id)
    assert run["runOrError"]["jobName"] == "process_images"
    captured = "... on EventConnection { events { ... on LogsCapturedEvent { fileKey } } }"
    events = stack.ask_dagster(f"query ($id: ID!) {{ logsForRun(runId: $id) {{ {captured} }} }}", id=run_id)
    [key] = [event["fileKey"] for event in events["logsForRun"]["events"] if event]
    question = "query ($key: [String!]!) { capturedLogs(logKey: $key) { stdout } }"

    def events_of_image() -> set[str]:
        log = stack.ask_dagster(question, key=[run_id, "compute_logs", key])
        lines = json_lines(log["capturedLogs"]["stdout"] or "")
        return {line["event"] for line in lines if line.get("image") == str(image_id)}

    wait_until(lambda: "processed" in events_of_image())


def test_originals_stand_before_renditions_in_the_graph(stack: Stack) -> None:
    nodes = stack.ask_dagster(
        "{ assetNodes { assetKey { path } dependencyKeys { path } isMaterializable description } }"
    )
    found = {node["assetKey"]["path"][0]: node for node in nodes["assetNodes"]}
    assert found.keys() == {"originals", "renditions"}
    assert found["renditions"]["dependencyKeys"] == [{"path": ["originals"]}]
    assert (found["originals"]["isMaterializable"], found["renditions"]["isMaterializable"]) == (False, True)
    assert "uploaded" in found["originals"]["description"], "it is defined, and not only named as what others need"


def test_a_warm_system_is_done_before_a_person_looks_up(stack: Stack) -> None:
    stack.wait_until_ended([stack.upload(photo(64, 48, seed=4))])
    began = time.monotonic()
    stack.wait_until_ended([stack.upload(photo(384, 256, seed=5))])
    assert time.monotonic() - began < 60


def test_a_refused_file_says_why_and_leaves_nothing(stack: Stack) -> None:
    answer = web.post(stack.url("UPLOAD", "/upload"), files={"file": ("page.jpg", b"<html><body>hello</body></html>")})
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"
    assert "HTML" in answer.json()["detail"]
    assert list((stack.home / "spool" / "incoming").iterdir()) == []


def test_every_part_logs_what_it_did_to_an_image(stack: Stack) -> None:
    image_id = stack.upload(photo(64, 48, seed=6))
    stack.wait_until_ended([image_id])

    def facts() -> set[tuple[str, str]]:
        lines = json_lines(stack.log.read_text(errors="replace"))
        return {(line["part"], line["event"]) for line in lines if line.get("image") == str(image_id)}

    wait_until(lambda: facts() >= {("uploader", "stored"), ("pusher", "queued"), ("image-task", "processed")})

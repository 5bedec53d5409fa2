"""Reprocessing by the hour, by the very commands that the README prints."""

from __future__ import annotations

import re
import shlex
import time
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from tests.live import ROOT, Stack
from tests.pictures import photo

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]


@pytest.fixture
def done(stack: Stack) -> UUID:
    """A picture that is done."""
    image_id = stack.upload(photo(64, 48, seed=11))
    stack.wait_until_ended([image_id])
    return image_id


def attempts(stack: Stack, image_id: UUID) -> int:
    with stack.catalog() as catalog:
        return len(catalog.images.attempts(image_id))


def hour_of(stack: Stack, image_id: UUID) -> str:
    created = datetime.fromisoformat(stack.info(image_id)["created_at"]).astimezone(UTC)
    return created.strftime("%Y-%m-%d-%H:00")


def wait_for_attempts(stack: Stack, image_id: UUID, count: int) -> None:
    until = time.monotonic() + 90
    while attempts(stack, image_id) < count:
        assert time.monotonic() < until, stack.tail()
        time.sleep(0.2)
    stack.wait_until_ended([image_id])


def documented(start: str) -> str:
    """The command in the README that starts so."""
    text = (ROOT / "README.md").read_text().replace("\\\n", " ")
    found = [line.strip() for line in text.splitlines() if line.strip().startswith(start)]
    assert found, f"the README has no line that starts with {start!r}"
    return found[0]


@pytest.mark.parametrize("start", ["dagster job backfill", "dagster job launch", "dagster job execute"])
def test_a_command_of_the_readme_processes_an_hour_again(stack: Stack, done: UUID, start: str) -> None:
    command = re.sub(r"\d{4}-\d\d-\d\d-\d\d:00", hour_of(stack, done), documented(start))
    before = attempts(stack, done)
    answer = stack.command(*shlex.split(command))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    wait_for_attempts(stack, done, before + 1)
    assert attempts(stack, done) == before + 1


def test_a_backfill_of_the_webserver_processes_an_hour_again(stack: Stack, done: UUID) -> None:
    before = attempts(stack, done)
    mutation = """
        mutation ($params: LaunchBackfillParams!) {
            launchPartitionBackfill(backfillParams: $params) {
                __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
            }
        }"""
    params = {"assetSelection": [{"path": ["renditions"]}], "partitionNames": [hour_of(stack, done)]}
    answer = httpx.post(
        stack.url("DAGSTER", "/graphql"), json={"query": mutation, "variables": {"params": params}}, timeout=60
    ).json()
    assert answer["data"]["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", answer
    wait_for_attempts(stack, done, before + 1)


def test_a_run_without_an_hour_fails_and_says_how_to_give_one(stack: Stack) -> None:
    answer = stack.command(
        "dagster", "job", "execute", "-m", "imagomortis_pipeline.definitions", "-j", "process_images"
    )
    assert answer.returncode != 0
    assert "names no hour" in answer.stdout + answer.stderr

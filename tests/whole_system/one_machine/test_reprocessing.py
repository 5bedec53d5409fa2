"""Reprocessing by the hour, by the very commands that the README prints."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from imagomortis_pipeline.dagster_internals.run_queue import WORKER_TAG
from tests.support.pictures import photo
from tests.support.running_system import ROOT, Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack

HOUR = "%Y-%m-%d-%H:00"


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
    return created.strftime(HOUR)


def wait_for_attempts(stack: Stack, image_id: UUID, count: int, tell: Callable[[], str] = str) -> None:
    with stack.catalog() as catalog:
        wait_until(lambda: len(catalog.images.attempts(image_id)) >= count, 300, lambda: tell() + stack.tail())
    stack.wait_until_ended([image_id])


def runs_that_name(stack: Stack, hour: str) -> list[str]:
    """The statuses of the runs that somebody, and not the pusher, asked for."""
    query = """
        query ($hour: String!) {
            runsOrError(filter: {tags: [{key: "dagster/partition", value: $hour}]}) {
                ... on Runs { results { status tags { key } } }
            }
        }"""
    found = stack.ask_dagster(query, hour=hour)["runsOrError"]["results"]
    return [run["status"] for run in found if WORKER_TAG not in {tag["key"] for tag in run["tags"]}]


def block_of(section: str) -> str:
    """The first block of shell in a section of the README."""
    found = re.search(
        rf"^## {section}$.*?^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found, f"the README has no commands in the section {section!r}"
    return found[1]


def test_each_of_the_readme_s_commands_processes_an_hour_again_in_one_shell_that_knows_nothing(
    stack: Stack, done: UUID, tmp_path: Path
) -> None:
    for name, target in {
        ".imagomortis": stack.home,
        ".venv/bin": Path(sys.executable).parent,
        "workspace.yaml": ROOT / "workspace.yaml",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(target)
    hour = hour_of(stack, done)
    before = (datetime.strptime(hour, HOUR) - timedelta(hours=1)).strftime(HOUR)
    block = block_of("Reprocess an hour").replace("--from 2026-11-24-09:00", f"--from {before}")
    block = block.replace("2026-11-24-09:00", hour).replace("2026-11-24-12:00", hour)
    earlier, attempted = len(runs_that_name(stack, hour)), attempts(stack, done)
    earlier_before = len(runs_that_name(stack, before))

    log = tmp_path / "log"
    with log.open("wb") as output:
        shell = subprocess.Popen(
            ["sh", "-e"],
            cwd=tmp_path,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    given = 0
    with shell:
        assert shell.stdin
        for line in block.splitlines():
            print(line, file=shell.stdin, flush=True)
            if line.startswith("dagster"):
                given += 1
                wait_for_attempts(stack, done, attempted + given, log.read_text)
    assert shell.returncode == 0, log.read_text()
    assert given == 5
    assert attempts(stack, done) == attempted + given

    def ended() -> list[str]:
        found = runs_that_name(stack, hour)
        return found if len(found) >= earlier + 4 and {"SUCCESS", "FAILURE", "CANCELED"}.issuperset(found) else []

    assert wait_until(ended, 300, stack.tail)[:4] == ["SUCCESS"] * 4, stack.tail()
    assert len(runs_that_name(stack, before)) == earlier_before + 1


def test_a_backfill_of_a_month_is_a_handful_of_runs_and_succeeds_over_empty_hours(stack: Stack, done: UUID) -> None:
    before, last = attempts(stack, done), datetime.strptime(hour_of(stack, done), HOUR)
    hours = [(last - timedelta(hours=number)).strftime(HOUR) for number in reversed(range(720))]
    mutation = """
        mutation ($params: LaunchBackfillParams!) {
            launchPartitionBackfill(backfillParams: $params) {
                __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
            }
        }"""
    params = {"assetSelection": [{"path": ["renditions"]}], "partitionNames": hours}
    answer = stack.ask_dagster(mutation, params=params)["launchPartitionBackfill"]
    assert answer["__typename"] == "LaunchBackfillSuccess", answer

    def asked(fields: str) -> Any:
        question = f"partitionBackfillOrError(backfillId: $id) {{ ... on PartitionBackfill {{ {fields} }} }}"
        found = stack.ask_dagster(f"query ($id: String!) {{ {question} }}", id=answer["backfillId"])
        return found["partitionBackfillOrError"]

    wait_until(lambda: asked("status")["status"].startswith("COMPLETED"), 600, stack.tail)
    backfill = asked("status numPartitions runs { id }")
    assert (backfill["status"], backfill["numPartitions"]) == ("COMPLETED_SUCCESS", 720)
    assert 1 <= len(backfill["runs"]) <= 10
    assert attempts(stack, done) == before + 1


def test_a_run_without_an_hour_fails_and_says_how_to_give_one(stack: Stack) -> None:
    answer = stack.command(
        "dagster", "job", "execute", "-m", "imagomortis_pipeline.definitions", "-j", "process_images"
    )
    assert answer.returncode != 0
    assert "names no hour" in answer.stdout + answer.stderr

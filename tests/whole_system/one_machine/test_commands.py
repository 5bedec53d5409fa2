"""The commands that a person types first and, one day, in a hurry: demo, backup, restore."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from imagomortis.lifecycle import State
from imagomortis_cli.machine import home
from tests.support import web
from tests.support.pictures import photo
from tests.support.running_system import ROOT, Stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, str]]:
    """A system that the demo started, and what the demo said."""
    stack = Stack(tmp_path_factory.mktemp("demo") / "home")
    done = _imagomortis(stack, "demo")
    try:
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        yield stack, done.stdout
    finally:
        _end(stack)


def test_the_demo_starts_the_system_and_ends_with_links_to_processed_pictures(shown: tuple[Stack, str]) -> None:
    stack, text = shown
    links = re.findall(r"http://\S+/processed\S*", text)
    assert len(links) == 12
    for link in links:
        answer = web.get(link)
        assert answer.headers["content-type"].startswith("image/")
        assert len(answer.content) > 10_000
    holder = home.holder(stack.home)
    assert holder
    assert f"Stop it with: kill {holder.pid}" in text
    assert psutil.pid_exists(holder.pid)


def test_the_demo_takes_pictures_of_ones_own_to_the_system_that_runs(shown: tuple[Stack, str], tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").write_bytes(photo(320, 240, seed=1))
    done = _imagomortis(shown[0], "demo", tmp_path)
    assert done.returncode == 0
    assert "mine.jpg" in done.stdout
    assert "Stop it with" not in done.stdout


@dataclass(frozen=True)
class Restored:
    """A system that was restored from a backup of another one, and to which the demo came while it started."""

    stack: Stack
    archive: Path
    before: dict[UUID, bytes]
    demo: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def restored(shown: tuple[Stack, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restored]:
    folder = tmp_path_factory.mktemp("restored")
    (folder / "own.jpg").write_bytes(photo(320, 240, seed=2))
    archive, stack = folder / "backup.tar", Stack(folder / "home")
    before = _back_up_under_load(shown[0], archive)
    done = _imagomortis(stack, "restore", archive)
    assert done.returncode == 0, done.stderr
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(stack.start)
        try:
            wait_until(lambda: home.is_held(stack.home))
            demo = _imagomortis(stack, "demo", folder / "own.jpg")
            starting.result()
            yield Restored(stack, archive, before, demo)
        finally:
            starting.result()
            stack.stop()


def _back_up_under_load(stack: Stack, archive: Path) -> dict[UUID, bytes]:
    """Write a backup while pictures are uploaded; return those that were accepted before."""
    accepted: dict[UUID, bytes] = {}
    stop = threading.Event()

    def upload() -> None:
        while not stop.is_set():
            data = photo(96, 64, seed=1000 + len(accepted))
            accepted[stack.upload(data)] = data

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        wait_until(lambda: len(accepted) >= 20)
        before = dict(accepted)
        done = _imagomortis(stack, "backup", archive)
    finally:
        stop.set()
        thread.join()
    assert done.returncode == 0, done.stderr
    return before


def test_the_demo_waits_for_a_system_that_was_just_started(restored: Restored) -> None:
    demo = restored.demo
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "The system is still starting" in demo.stderr
    assert "Stop it with" not in demo.stdout
    assert len(re.findall(r"http://\S+/processed\S*", demo.stdout)) == 1


def test_a_backup_under_load_is_restored_into_a_new_system(restored: Restored) -> None:
    stack, before = restored.stack, restored.before
    assert set(stack.wait_until_ended(list(before)).values()) == {State.DONE}
    for image_id, data in before.items():
        assert web.get(stack.url("API", f"/images/{image_id}/original")).content == data
    assert len({hashlib.sha256(data).digest() for data in before.values()}) == len(before)
    with stack.catalog() as catalog:
        assert sum(catalog.images.counts().values()) >= len(before) + 12 + 1  # of the demos of both systems


def test_nothing_is_restored_into_a_system_that_runs(restored: Restored) -> None:
    assert "already running" in _imagomortis(restored.stack, "restore", restored.archive).stderr


def _imagomortis(stack: Stack, *words: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("imagomortis")), *map(str, words)]
    return subprocess.run(
        command, env=stack.environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )


def _end(stack: Stack) -> None:
    """End the system that the demo left running."""
    if holder := home.holder(stack.home):
        with suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGTERM)
        with suppress(psutil.NoSuchProcess):
            psutil.Process(holder.pid).wait(60)

"""The sensor of the bucket inboxes: it takes objects in, and keeps a cursor for each source."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from dagster import DagsterInstance, SkipReason, build_sensor_context

from imagomortis.spool.spool import Spool
from imagomortis.work import bucket_inbox as work
from imagomortis_pipeline import bucket_inbox as module
from imagomortis_pipeline.bucket_inbox import bucket_inbox
from tests.support.pictures import PDF, photo


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is an inbox."""
    found = tmp_path / "bucket" / "in"
    found.mkdir(parents=True)
    monkeypatch.setenv("IMAGOMORTIS_INBOXES", f"file://{found}")
    monkeypatch.setenv("IMAGOMORTIS_CHECK_SECONDS", "120")
    return found


def put(folder: Path, **files: bytes) -> None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
        os.utime(folder / name, (0, 0))


def test_a_tick_takes_objects_in(folder: Path, spool: Spool, instance: DagsterInstance) -> None:
    put(folder, a=photo(48, 32), b=PDF)
    told = bucket_inbox(build_sensor_context(instance=instance))
    assert isinstance(told, SkipReason)
    assert told.skip_message == "1 objects taken in, 1 refused."
    assert [spool.read(each).upload.filename for each in spool.scan(10)] == ["a"]


def test_the_next_tick_goes_on_from_the_cursor(
    folder: Path, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0)
    monkeypatch.setattr(work, "AT_ONCE", 1)
    put(folder, a=PDF, b=PDF)
    context = build_sensor_context(instance=instance)
    bucket_inbox(context)
    assert json.loads(context.cursor or "") == {f"file://{folder}": "in/a"}
    assert not (folder / "a").exists()
    bucket_inbox(build_sensor_context(instance=instance, cursor=context.cursor))
    assert not (folder / "b").exists()


def test_a_wrong_recipe_is_told(folder: Path, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGOMORTIS_INBOXES", f'[{{"url": "file://{folder}", "recipe": "circels"}}]')
    told = bucket_inbox(build_sensor_context(instance=instance))
    assert isinstance(told, SkipReason)
    assert str(told.skip_message).startswith("IMAGOMORTIS_INBOXES: ")

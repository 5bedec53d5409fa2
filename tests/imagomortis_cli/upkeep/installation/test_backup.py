"""The nightly backup's lines, which Loki has to know for what they are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from imagomortis.catalog import Catalog
from imagomortis.spool.spool import Spool
from imagomortis_cli.upkeep.installation import backup
from tests.support.uploads import arrivals


@pytest.fixture
def file(database: str, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a pod with these settings is to write a backup."""
    Spool(tmp_path / "spool").prepare()
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("IMAGOMORTIS_DAGSTER_DATABASE_URL", empty_database)
    monkeypatch.setenv("IMAGOMORTIS_SPOOL", str(tmp_path / "spool"))
    found = tmp_path / "imagomortis.tar"
    monkeypatch.setattr(sys, "argv", ["backup", str(found)])
    return found


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    told = capsys.readouterr()
    assert told.err == ""
    found = [json.loads(line) for line in told.out.splitlines()]
    assert {line["part"] for line in found} == {"backup"}
    return found


def test_a_backup_says_what_it_holds(file: Path, catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    catalog.queue.add(arrivals(2))
    backup.main()
    last = lines(capsys)[-1]
    assert (last["level"], last["event"], last["images"]) == ("info", "written", 2)
    assert last["bytes"] > 0
    assert file.is_file()


def test_one_that_fails_says_why_at_level_error(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_SPOOL", str(file.parent / "elsewhere"))
    with pytest.raises(SystemExit) as end:
        backup.main()
    assert end.value.code == 1
    last = lines(capsys)[-1]
    assert (last["level"], last["event"]) == ("error", "failed")
    assert "There is no spool" in last["error"]
    assert not file.exists()


def test_settings_that_make_no_sense_are_such_a_line_too(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGOMORTIS_LOG_LEVEL", "loud")
    with pytest.raises(SystemExit):
        backup.main()
    assert lines(capsys)[-1]["level"] == "error"


def test_the_job_runs_it() -> None:
    from tests.deploy.manifests import base

    (container,) = base().pod("backup").main
    assert f"python -m {backup.__name__} " in container["command"][-1]

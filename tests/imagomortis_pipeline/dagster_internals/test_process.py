"""Dagster's programs log as everyone does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.running_system import json_lines

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]


def output(*words: str, **variables: str) -> str:
    """What a program writes, on both its streams."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr


def program(tmp_path: Path, text: str) -> str:
    """Write a module that stands in the place of Dagster's; return its name."""
    (tmp_path / "stand_in.py").write_text(text)
    return "stand_in"


def run(tmp_path: Path, text: str) -> list[dict[str, Any]]:
    path = os.pathsep.join((str(ROOT), str(tmp_path)))
    words = ("imagomortis_pipeline.dagster_internals.process", "scheduler", program(tmp_path, text), "word")
    return [json.loads(line) for line in output(*words, PYTHONPATH=path).splitlines()]


def test_dagsters_loggers_write_our_fields_once(tmp_path: Path) -> None:
    [line] = run(
        tmp_path,
        "import logging, sys\n"
        "from dagster._utils.log import configure_loggers\n"
        "configure_loggers(formatter='json', log_level='WARNING')\n"
        "logging.getLogger('dagster.daemon').info('quiet')\n"
        "logging.getLogger('dagster.daemon').warning(' '.join(sys.argv[1:]))\n",
    )
    assert (line["part"], line["level"], line["event"], line["logger"]) == (
        "scheduler", "warning", "word", "dagster.daemon",
    )  # fmt: skip


def test_requests_are_logged_without_their_query(tmp_path: Path) -> None:
    [line] = run(
        tmp_path,
        "import logging\n"
        "log = logging.getLogger('uvicorn.access')\n"
        "log.info('%s - \"%s %s HTTP/%s\" %d', '127.0.0.1:5678', 'GET', '/runs?token=SECRET', '1.1', 200)\n",
    )
    assert {"client": "127.0.0.1", "method": "GET", "path": "/runs", "status": 200}.items() <= line.items()
    assert line["event"] == "request"
    assert "SECRET" not in json.dumps(line)


def test_the_webserver_is_guarded(tmp_path: Path) -> None:
    """The program is Dagster's own; only what would listen for ever is replaced."""
    path = tmp_path / "stand_in"
    path.mkdir()
    (path / "sitecustomize.py").write_text(
        "import resource, uvicorn\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (128, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "def run(app, **options):\n"
        "    print(options['http'].__name__, options['limit_concurrency'])\n"
        "    print('files:', resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "    from starlette.testclient import TestClient\n"
        "    for host in ('localhost', 'rebind.evil'):\n"
        "        client = TestClient(app, f'http://{host}')\n"
        "        print(client.get('/graphql', headers={'Accept': 'text/html'}).status_code)\n"
        "uvicorn.run = run\n"
    )
    text = output(
        "imagomortis_pipeline.dagster_internals.process",
        *("dagster-webserver", "dagster_webserver", "--empty-workspace"),
        DAGSTER_HOME=str(tmp_path),
        IMAGOMORTIS_MAX_CONNECTIONS="77",
        PYTHONPATH=os.pathsep.join((str(ROOT), str(path))),
    )
    assert [line for line in text.splitlines() if line.isdigit()] == ["200", "403"], text
    assert "LimitedProtocol 77" in text
    assert "files: 410" in text, "two for each connection, and 256"


def test_a_crash_is_a_line(tmp_path: Path) -> None:
    [line] = run(tmp_path, "raise RuntimeError('boom')\n")
    assert (line["event"], line["error"]) == ("crashed", "RuntimeError('boom')")


def test_a_run_that_fails_says_why_in_our_fields(tmp_path: Path) -> None:
    text = output(
        *("dagster", "job", "execute", "-m", "imagomortis_pipeline.definitions", "-j", "process_images"),
        *("--tags", '{"dagster/partition": "2026-01-01-00:00"}'),
        DAGSTER_HOME=str(tmp_path),
        IMAGOMORTIS_HOME=str(tmp_path),
        PGHOST="",
        DATABASE_URL="",
    )
    assert " - dagster - " not in text
    [failure] = [line for line in json_lines(text) if line.get("step")]
    assert (failure["part"], failure["level"]) == ("image-task", "error")
    assert "DATABASE_URL" in failure["error"]
    assert len(failure["run"]) == 36

"""`imagomortis up` as a person meets it: once, completely, and gone when it is told to."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from PIL import Image
from psycopg import sql

from imagomortis.lifecycle import State
from imagomortis.settings import with_database
from imagomortis_cli import home as homes
from tests import live

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

PARTS = {
    "postgres": "/bin/postgres -D",
    "uploader": "-m upload_service",
    "api": "-m api_service",
    "webui": "-m imagomortis_cli.front_door",
    "exporter": "-m imagomortis_pipeline.exporter",
    "pusher": "dagster_process pusher dagster api grpc",
    "scheduler": "dagster_process scheduler dagster._daemon",
    "dagster-webserver": "dagster_process dagster-webserver dagster_webserver",
}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[live.Stack]:
    """A system that the test starts, and of which nothing is left afterwards."""
    found = live.Stack(tmp_path / "home")
    yield found
    for process in left_of(found):
        process.kill()


def left_of(stack: live.Stack) -> list[psutil.Process]:
    """The processes of a system, whoever their parent is now."""
    marked = homes.marked(stack.home)
    data = stack.home / "postgres"
    return [
        process
        for process in psutil.process_iter(["name"])
        if process.pid in marked or (process.info["name"] == "postgres" and working_folder(process) == data)
    ]


def working_folder(process: psutil.Process) -> Path | None:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return None


def part(stack: live.Stack, name: str) -> psutil.Process:
    """The process of a part, which is a child of `up`."""
    [found] = [child for child in psutil.Process(stack.pid).children() if PARTS[name] in " ".join(child.cmdline())]
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def up(stack: live.Stack, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `imagomortis up` where it is expected to refuse."""
    command = [str(Path(sys.executable).with_name("imagomortis")), "up"]
    environment = {**stack.environment, **changes}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def terminal_closed(stack: live.Stack) -> None:
    process = psutil.Process(stack.pid)
    process.send_signal(signal.SIGHUP)
    process.wait(10)


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "JPEG")
    return file.getvalue()


def test_runs_once_ends_completely_and_runs_again(stack: live.Stack) -> None:
    stack.start()
    try:
        second = up(stack)
        assert second.returncode == 1
        assert f"already running on {stack.home} (process {stack.pid})" in second.stderr
        assert f"http://localhost:{stack.ports['WEB']}" in second.stderr
        assert httpx.get(stack.url("WEB")).status_code == 200
        assert httpx.get(stack.url("WEB", "/api/images")).json() == []
        assert stack.home.joinpath("env").stat().st_mode & 0o077 == 0
    finally:
        seconds = stack.stop()
    assert seconds < 10
    assert left_of(stack) == []
    for name, port in stack.ports.items():
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            raise AssertionError(f"{name} still listens")
    stack.start()
    terminal_closed(stack)
    assert left_of(stack) == []


def test_every_part_that_dies_is_started_again(stack: live.Stack) -> None:
    stack.start()
    try:
        for name in PARTS:
            before = part(stack, name)
            before.send_signal(signal.SIGKILL)
            before.wait(5)
            ready = f'"event": "ready", "name": "{name}"'
            wait_until(lambda ready=ready: stack.log.read_text().count(ready) == 2)  # type: ignore[misc]
            assert part(stack, name).pid != before.pid
        assert stack.log.read_text().count('"cause": "signal SIGKILL"') == len(PARTS)
        uploaded = stack.upload(picture())
        assert stack.wait_until_ended([uploaded]) == {uploaded: State.DONE}
    finally:
        stack.stop()


def test_comes_back_after_its_supervisor_was_killed(stack: live.Stack) -> None:
    stack.start()
    uploaded = stack.upload(picture())
    stack.wait_until_ended([uploaded])
    os.kill(stack.pid, signal.SIGKILL)
    stack.start()
    try:
        assert stack.info(uploaded)["state"] == "done"
    finally:
        stack.stop()


class Guest(live.Stack):
    """A system on the user's own Postgres."""

    database_url = ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of `imagomortis up`."""
        return {**super().environment, "DATABASE_URL": self.database_url}


def test_uses_the_user_s_own_postgres(tmp_path: Path, postgres: str) -> None:
    guest = Guest(tmp_path / "home")
    name = f"guest_{tmp_path.name}"
    guest.database_url = with_database(postgres, name)
    try:
        guest.start()
        try:
            assert not (guest.home / "postgres").exists()
            uploaded = guest.upload(picture())
            assert guest.wait_until_ended([uploaded]) == {uploaded: State.DONE}
        finally:
            guest.stop()
        with psycopg.connect(with_database(postgres, f"{name}_dagster")) as connection:
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    finally:
        with psycopg.connect(postgres, autocommit=True) as connection:
            for each in (name, f"{name}_dagster"):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(each)))


def test_listens_on_ipv6_too(tmp_path: Path) -> None:
    with live.running(tmp_path / "home", bind="::", access="open") as stack:
        found = homes.holder(stack.home)
        assert found
        assert found.addresses["page"] == f"http://[::1]:{stack.ports['WEB']}"
        assert httpx.get(f"{found.addresses['page']}/api/images").json() == []
        listed = stack.command("imagomortis", "list", "--json")
        assert (listed.returncode, listed.stderr) == (0, "")


def test_names_a_port_that_is_in_use_before_it_starts_anything(stack: live.Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.ports["API"])):
        refused = up(stack)
    assert refused.returncode == 1
    assert f"Port {stack.ports['API']} for the API is in use" in refused.stderr
    assert "IMAGOMORTIS_API_PORT" in refused.stderr
    assert not (stack.home / "postgres").exists()


def test_refuses_to_listen_for_everybody_without_a_token(stack: live.Stack) -> None:
    refused = up(stack, IMAGOMORTIS_BIND="0.0.0.0")
    assert refused.returncode == 1
    assert "IMAGOMORTIS_TOKEN" in refused.stderr
    assert not stack.home.exists()


def test_names_a_setting_that_is_wrong(stack: live.Stack) -> None:
    refused = up(stack, IMAGOMORTIS_MAX_WORKERS="many")
    assert refused.returncode == 1
    assert "IMAGOMORTIS_MAX_WORKERS" in refused.stderr


def test_names_variables_of_postgres_that_name_no_server(stack: live.Stack) -> None:
    stack.home.mkdir()
    (stack.home / "spool").write_text("not a folder, so that it ends soon")
    said = up(stack, PGPORT="5433", PGUSER="me", PGDATABASE="pictures", PGTZ="UTC").stdout
    assert "set PGHOST or DATABASE_URL too to use your own" in said
    assert "PGPORT, PGUSER, PGDATABASE" in said
    assert "PGTZ" not in said


def test_says_why_a_part_does_not_start(stack: live.Stack) -> None:
    """A spool that is a file: the uploader dies before it was ever ready, and takes the others with it."""
    stack.home.mkdir()
    (stack.home / "spool").write_text("not a folder")
    refused = up(stack)
    assert refused.returncode == 1
    assert "`uploader` died" in refused.stderr or "`pusher` died" in refused.stderr
    assert left_of(stack) == []

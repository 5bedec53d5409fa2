"""`imagomortis up` as a person meets it: once, completely, and gone when it is told to."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
from PIL import Image
from psycopg import sql
from psycopg.conninfo import make_conninfo

from imagomortis.catalog import Catalog
from imagomortis.lifecycle import State
from imagomortis_cli.machine import home as homes
from imagomortis_cli.machine.postgres import databases
from tests.support import running_system, web
from tests.support.running_system import IPV4, IPV6, LOOPBACKS

pytestmark = pytest.mark.stack

PARTS = {
    "postgres": "/bin/postgres -D",
    "uploader": "-m upload_service",
    "api": "-m api_service",
    "webui": "-m imagomortis_cli.machine.front_door.app",
    "exporter": "-m imagomortis_pipeline.upkeep.exporter",
    "pusher": "dagster_internals.process pusher dagster api grpc",
    "scheduler": "dagster_internals.process scheduler dagster._daemon",
    "dagster-webserver": "dagster_internals.process dagster-webserver dagster_webserver",
}


@pytest.fixture
def unstarted(tmp_path: Path) -> running_system.Stack:
    """A system that refuses to start."""
    return running_system.Stack(tmp_path / "home")


def left_of(stack: running_system.Stack) -> list[psutil.Process]:
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


def up(stack: running_system.Stack, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run `imagomortis up` where it is expected to refuse."""
    command = [str(Path(sys.executable).with_name("imagomortis")), "up"]
    environment = {**stack.environment, **changes}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "JPEG")
    return file.getvalue()


PASSWORD = "a-password-that-this-server-does-not-need"
EVERY_ADDRESS, GUEST_HOST = ("::", "[::1]") if IPV6 in LOOPBACKS else ("0.0.0.0", IPV4)


class Guest(running_system.Stack):
    """A system on the user's own Postgres."""

    databases = ("", "")
    """The URLs of the catalog and of Dagster's database."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of `imagomortis up`."""
        return {**super().environment, "DATABASE_URL": self.databases[0]}

    def catalog(self) -> Catalog:
        """The catalog, whose address is a secret here."""
        return Catalog(self.databases[0])

    def url(self, part: str, path: str = "") -> str:
        """The address of a part, over IPv6 if this machine has it."""
        return f"http://{GUEST_HOST}:{self.ports[part]}{path}"


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory, postgres: str) -> Iterator[Guest]:
    """A system on the user's own Postgres that listens on every address."""
    found = Guest(tmp_path_factory.mktemp("guest") / "home", bind=EVERY_ADDRESS, access="open")
    name = f"guest_{uuid4().hex}"
    names = (name, f"{name}_dagster")
    catalog, dagster = (databases.named(make_conninfo(postgres, password=PASSWORD), each) for each in names)
    found.databases = (catalog, dagster)
    try:
        found.start()
        yield found
    finally:
        for process in left_of(found):
            running_system.with_suppressed(process.kill)
        with psycopg.connect(postgres, autocommit=True) as connection:
            for each in names:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(each)))


def test_uses_the_user_s_own_postgres(guest: Guest) -> None:
    assert not (guest.home / "postgres").exists()
    uploaded = guest.upload(picture())
    assert guest.wait_until_ended([uploaded]) == {uploaded: State.DONE}
    with psycopg.connect(guest.databases[1]) as connection:
        assert connection.execute("SELECT count(*) >= 1 FROM runs").fetchone() == (True,)


def shown_by(processes: Iterable[psutil.Process]) -> Iterator[str]:
    """The variables and the command line of each process that is still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):  # the second for one that is ending
            yield " ".join([*process.environ().values(), *process.cmdline()])


def test_no_process_shows_the_database_s_password(guest: Guest) -> None:
    shown = list(shown_by(guest.processes()))
    assert len(shown) > len(PARTS) - 1  # the server is the user's own
    assert [text for text in shown if PASSWORD in text] == []
    assert PASSWORD not in (guest.home / "env").read_text()
    listed = guest.command("dagster", "run", "list")
    assert listed.returncode == 0, listed.stderr


def test_listens_on_every_address(guest: Guest) -> None:
    found = homes.holder(guest.home)
    assert found
    assert found.addresses["page"] == guest.url("WEB", "")
    assert web.get(f"{found.addresses['page']}/api/images").status_code == 200
    listed = guest.command("imagomortis", "list", "--json")
    assert (listed.returncode, listed.stderr) == (0, "")


def test_ends_completely_when_its_terminal_is_closed(guest: Guest) -> None:
    """The last test of this system."""
    process = psutil.Process(guest.pid)
    process.send_signal(signal.SIGHUP)
    process.wait(60)
    assert left_of(guest) == []


def test_names_a_port_that_is_in_use_before_it_starts_anything(unstarted: running_system.Stack) -> None:
    with socket.create_server(("127.0.0.1", unstarted.ports["API"])):
        refused = up(unstarted)
    assert refused.returncode == 1
    assert f"Port {unstarted.ports['API']} for the API is in use" in refused.stderr
    assert "IMAGOMORTIS_API_PORT" in refused.stderr
    assert not (unstarted.home / "postgres").exists()


def test_refuses_to_listen_for_everybody_without_a_token(unstarted: running_system.Stack) -> None:
    refused = up(unstarted, IMAGOMORTIS_BIND="0.0.0.0")
    assert refused.returncode == 1
    assert "IMAGOMORTIS_TOKEN" in refused.stderr
    assert not unstarted.home.exists()


def test_names_a_setting_that_is_wrong(unstarted: running_system.Stack) -> None:
    refused = up(unstarted, IMAGOMORTIS_MAX_WORKERS="many")
    assert refused.returncode == 1
    assert "IMAGOMORTIS_MAX_WORKERS" in refused.stderr


@pytest.mark.parametrize("given", [{"STORAGE": "file:///dev/null/pictures"}, {"STORAGE_REDIRECT": "true"}])
def test_refuses_a_storage_that_it_cannot_use(unstarted: running_system.Stack, given: dict[str, str]) -> None:
    refused = up(unstarted, **{f"IMAGOMORTIS_{name}": value for name, value in given.items()})
    assert refused.returncode == 1
    assert f"IMAGOMORTIS_{next(iter(given))}" in refused.stderr
    assert not unstarted.home.exists()


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> tuple[running_system.Stack, subprocess.CompletedProcess[str]]:
    """A system whose spool is a file: the uploader dies before it was ever ready, and takes the others with it."""
    stack = running_system.Stack(tmp_path_factory.mktemp("failed") / "home")
    stack.home.mkdir()
    (stack.home / "spool").write_text("not a folder")
    return stack, up(stack, PGPORT="5433", PGUSER="me", PGDATABASE="pictures", PGTZ="UTC")


def test_says_why_a_part_does_not_start(failed: tuple[running_system.Stack, subprocess.CompletedProcess[str]]) -> None:
    stack, refused = failed
    assert refused.returncode == 1
    assert "`uploader` died" in refused.stderr or "`pusher` died" in refused.stderr
    assert left_of(stack) == []


def test_names_variables_of_postgres_that_name_no_server(
    failed: tuple[running_system.Stack, subprocess.CompletedProcess[str]],
) -> None:
    _, refused = failed
    assert "set PGHOST or DATABASE_URL too to use your own" in refused.stdout
    assert "PGPORT, PGUSER, PGDATABASE" in refused.stdout
    assert "PGTZ" not in refused.stdout

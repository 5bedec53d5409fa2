"""The embedded Postgres: it keeps its data, comes back from any death, and ends nobody else's processes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from imagomortis.catalog import migrate
from imagomortis.errors import ConfigurationError, Unavailable
from imagomortis_cli.machine.postgres import embedded
from imagomortis_cli.machine.postgres.embedded import THROWAWAY, EmbeddedServer, prepare, recover, running
from imagomortis_cli.machine.postgres.roles import PARTS
from tests.support.running_system import with_suppressed
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that was made once."""
    return prepare(tmp_path_factory.mktemp("made"), THROWAWAY).data


@pytest.fixture
def empty() -> Iterator[Path]:
    """A folder with a short path, in which no server is left after the test."""
    folder = Path(tempfile.mkdtemp(prefix="imagomortis-test-"))
    yield folder
    recover(folder / "postgres")
    shutil.rmtree(folder)


@pytest.fixture
def home(empty: Path, made: Path) -> Path:
    """A home with a data folder."""
    shutil.copytree(made, empty / "postgres")
    return empty


def execute(server: EmbeddedServer, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.superuser_url("postgres"), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def start_alone(server: EmbeddedServer) -> subprocess.Popen[bytes]:
    """Start the server as a process that nobody looks after."""
    process = subprocess.Popen(
        server.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wait_until(lambda: server.answers() or process.poll() is not None)
    assert process.poll() is None
    return process


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    whole = psutil.Process(process.pid)
    return [whole, *whole.children(recursive=True)]


def test_keeps_what_was_committed(home: Path) -> None:
    with running(prepare(home, THROWAWAY)) as server:
        execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    with running(prepare(home, THROWAWAY)) as server:
        assert execute(server, "TABLE kept") == [(42,)]


def test_the_parts_are_no_superuser(home: Path) -> None:
    with running(prepare(home, THROWAWAY)) as server, psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("COPY (SELECT 1) TO PROGRAM 'true'")


OF_BEFORE = """
CREATE SCHEMA extra;
CREATE TYPE mood AS ENUM ('fine');
CREATE TABLE numbered (id serial PRIMARY KEY, other int GENERATED ALWAYS AS IDENTITY, mood mood);
CREATE TABLE extra.parted (id int) PARTITION BY LIST (id);
CREATE TABLE extra.part PARTITION OF extra.parted DEFAULT;
CREATE SEQUENCE alone;
CREATE VIEW seen AS TABLE numbered;
CREATE FUNCTION twice(number int) RETURNS int LANGUAGE sql RETURN 2 * number;
INSERT INTO numbered DEFAULT VALUES;
"""
"""Objects of each kind."""


def test_data_of_a_version_before_is_handed_to_the_parts(home: Path) -> None:
    """That version had the superuser own everything."""
    with running(prepare(home, THROWAWAY)) as server:
        execute(server, "CREATE DATABASE imagomortis")
        migrate(server.superuser_url("imagomortis"))
        with psycopg.connect(server.superuser_url("imagomortis")) as connection:
            connection.execute(OF_BEFORE)
    with running(prepare(home, THROWAWAY)) as server, psycopg.connect(server.url("imagomortis")) as connection:
        owners = connection.execute(
            "SELECT DISTINCT relowner::regrole::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE nspname IN ('public', 'extra')"
        ).fetchall()
        assert owners == [(PARTS,)]
        connection.execute("INSERT INTO numbered DEFAULT VALUES")
        assert connection.execute("SELECT id, other FROM seen").fetchall() == [(1, 1), (2, 2)]
        for what in (
            "VIEW seen",
            "TABLE numbered",
            "TYPE mood",
            "SEQUENCE alone",
            "FUNCTION twice",
            "SCHEMA extra CASCADE",
        ):
            connection.execute(f"DROP {what}".encode())
        connection.execute("DROP TABLE images CASCADE")


def test_a_laptop_gets_a_server_that_loses_nothing(home: Path) -> None:
    names = ["synchronous_commit", "fsync", "data_checksums", "server_encoding", "listen_addresses"]
    with running(prepare(home)) as server:
        values = [execute(server, f"SHOW {name}")[0][0] for name in names]
        ordered = execute(server, "SELECT 'a' < 'B' COLLATE \"default\", lower('ÄÉ') = 'äé'")
    assert values == ["on", "on", "on", "UTF8", ""]
    assert ordered == [(False, True)], "the order of bytes, the letters of Unicode"


def test_comes_back_after_the_death_of_all_its_processes(home: Path) -> None:
    server = prepare(home, {})
    process = start_alone(server)
    execute(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    for member in family(process):
        with_suppressed(member.kill)
    process.wait()
    with running(prepare(home, {})) as again:
        assert execute(again, "TABLE kept") == [(42,)]


def test_ends_a_server_that_was_left_and_only_that(home: Path) -> None:
    server = prepare(home, THROWAWAY)
    left = start_alone(server)
    bystander = subprocess.Popen(["/bin/sleep", "60"], cwd=server.data)
    try:
        ended = recover(server.data)
        assert left.pid in ended
        assert not ended & {bystander.pid, os.getpid()}
        assert left.wait(60) == 0, "it had the time to end in order"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_ends_the_orphans_of_a_killed_server(home: Path) -> None:
    server = prepare(home, THROWAWAY)
    process = start_alone(server)
    # a backend that is asleep in the kernel's eyes does not notice that its postmaster died
    backend = psycopg.connect(server.superuser_url("postgres"))
    pid = backend.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    process.kill()
    process.wait()
    assert pid in recover(server.data)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    backend.close()


@pytest.mark.parametrize("is_dead", [False, True], ids=["another program", "a killed process that nobody asked after"])
def test_starts_when_the_number_in_its_lock_file_is_no_server(home: Path, *, is_dead: bool) -> None:
    server = prepare(home, THROWAWAY)
    child = subprocess.Popen(["sleep", "0" if is_dead else "60"])
    wait_until(lambda: not is_dead or psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    lines = [child.pid, server.data, 1_700_000_000, 5432, server.sockets, "", "    12345         0", "ready   "]
    (server.data / "postmaster.pid").write_text("\n".join(map(str, lines)) + "\n")
    with running(prepare(home, THROWAWAY)) as again:
        assert execute(again, "SELECT 1") == [(1,)]
    child.kill()
    child.wait()


def test_a_half_made_data_folder_is_made_anew(empty: Path) -> None:
    half = empty / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with running(prepare(empty, THROWAWAY)) as server:
        assert execute(server, "SELECT 1") == [(1,)]
    assert not half.exists()


def test_refuses_the_data_of_another_major_version(home: Path) -> None:
    server = prepare(home, THROWAWAY)
    (server.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(ConfigurationError, match="written by Postgres 17, and this is Postgres 18"):
        prepare(home, THROWAWAY)


def test_runs_below_a_folder_that_only_its_user_may_enter(empty: Path) -> None:
    """As root too: there the server has another number, and no right that its user has not."""
    closed = empty / "closed"
    closed.mkdir(mode=0o700)
    with running(prepare(closed / "inner", THROWAWAY)) as server:
        assert execute(server, "SELECT 1") == [(1,)]
        assert server.data.stat().st_uid == os.geteuid()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_path_may_have_spaces_and_quotes(empty: Path) -> None:
    with running(prepare(empty / 'it\'s "mine" 100%+', THROWAWAY)) as server:
        assert execute(server, "SELECT 1") == [(1,)]


def test_only_its_user_may_reach_the_socket(home: Path) -> None:
    server = prepare(home, THROWAWAY)
    assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    server.sockets.chmod(0o755)
    with pytest.raises(ConfigurationError, match="not private"):
        prepare(home, THROWAWAY)


@pytest.mark.parametrize("name", ["a" * 90, "one, two"])
def test_a_path_that_no_socket_can_have_gets_it_elsewhere(empty: Path, name: str) -> None:
    server = prepare(empty / name, THROWAWAY)
    try:
        with running(server):
            assert execute(server, "SELECT 1") == [(1,)]
        assert not server.sockets.is_relative_to(empty)
    finally:
        shutil.rmtree(server.sockets)


def test_dies_with_its_parent(empty: Path) -> None:
    """Nobody has to clean up after a parent that was killed."""
    program = (
        "import sys, subprocess, time\n"
        "from pathlib import Path\n"
        "from imagomortis_cli.machine.postgres import embedded\n"
        f"server = embedded.prepare(Path({str(empty)!r}), embedded.THROWAWAY)\n"
        "with embedded.running(server): print('up', flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout
    assert parent.stdout.readline() == b"up\n"
    [server] = [child for child in psutil.Process(parent.pid).children() if child.name() == "postgres"]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    psutil.wait_procs([server], timeout=60)
    assert not server.is_running()


def test_says_what_a_server_said_that_does_not_start(home: Path) -> None:
    server = prepare(home, {"shared_buffers": "nonsense"})
    with pytest.raises(Unavailable, match="shared_buffers"), running(server):
        pass


def test_without_the_program_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        embedded.binary("no-such-program")


def test_children_do_not_see_the_user_s_own_postgres() -> None:
    given = {"PGHOST": "db", "DATABASE_URL": "postgresql://elsewhere/", "PATH": "/bin"}
    assert embedded.environment(given) == {"PATH": "/bin"}

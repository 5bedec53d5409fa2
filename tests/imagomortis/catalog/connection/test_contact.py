"""The pusher's contact on real servers: one that stands still, one that crashes, and a standby that takes over."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from imagomortis.catalog import Catalog, migrate
from imagomortis.catalog.queue import Lease
from imagomortis.errors import Unavailable
from imagomortis_cli.machine.postgres.embedded import THROWAWAY, EmbeddedServer, binary, prepare, running
from imagomortis_cli.machine.processes import launch
from tests.support.running_system import suspended, with_suppressed
from tests.support.uploads import NOON, arrivals
from tests.support.waiting import wait_until

LIFE = 5.0
"""The life of a lease, in seconds."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: that of a socket is limited."""
    found = Path(tempfile.mkdtemp(prefix="imagomortis-test-"))
    yield found
    shutil.rmtree(found)


def begin(server: EmbeddedServer) -> tuple[Catalog, Lease]:
    """Let a worker lease an image, while the pusher has been in contact for long."""
    migrate(server.superuser_url("postgres"))
    catalog = Catalog(server.superuser_url("postgres"), patience=30)
    with catalog.database.connection() as connection:
        connection.execute("UPDATE contact SET proven_at = now()")
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    catalog.queue.add(arrivals(1))
    lease = catalog.queue.lease("run", 1, LIFE)
    assert lease
    return catalog, lease


def assert_nobody_is_judged(catalog: Catalog, lease: Lease) -> None:
    assert catalog.queue.release_expired(life=LIFE) == [], "before the pusher has noticed"
    catalog.workers.keep_contact()
    assert catalog.queue.release_expired(life=60) == []
    assert catalog.workers.vanished() == []
    assert catalog.workers.census().alive == 1
    assert catalog.queue.renew(lease.token, [lease.images[0].id], LIFE)


def head_of(server: EmbeddedServer) -> psutil.Process:
    """Return the server's first process, which starts the others."""
    return psutil.Process(int((server.data / "postmaster.pid").read_text().split()[0]))


@pytest.mark.slow
def test_a_server_that_stood_still_costs_nobody_anything(folder: Path) -> None:
    with running(prepare(folder, THROWAWAY)) as server:
        catalog, lease = begin(server)
        with catalog, catalog.database.connection() as connection:
            connection.execute("UPDATE workers SET seen_at = seen_at - interval '14 seconds'")
            with suspended(head_of(server)):
                time.sleep(LIFE + 3)
            assert_nobody_is_judged(catalog, lease)


@pytest.mark.slow
def test_a_server_that_crashes_and_recovers_slowly_costs_nobody_anything(folder: Path) -> None:
    server = prepare(folder, THROWAWAY)
    with running(server):
        catalog, lease = begin(server)
        with catalog.database.connection() as connection:
            connection.execute("UPDATE workers SET seen_at = seen_at - interval '14 seconds'")
            connection.execute("CHECKPOINT")
        head = head_of(server)
        for process in [head, *head.children(recursive=True)]:
            with_suppressed(process.kill)
    time.sleep(LIFE + 3)
    with running(server), catalog:
        assert_nobody_is_judged(catalog, lease)


@pytest.mark.slow
def test_a_standby_that_takes_over_costs_nobody_anything(folder: Path) -> None:
    primary = prepare(folder, THROWAWAY)
    with running(primary):
        catalog, lease = begin(primary)
        with catalog, catalog.database.connection() as connection:
            copy = standby_of(primary, folder)
            with running(copy), Catalog(copy.superuser_url("postgres"), patience=30) as there:
                # forty seconds without a word
                connection.execute(
                    "UPDATE images SET lease_expires_at = lease_expires_at - interval '40 seconds';"
                    "UPDATE workers SET seen_at = seen_at - interval '40 seconds';"
                    "UPDATE contact SET proven_at = proven_at - interval '40 seconds'"
                )
                [row] = connection.execute("SELECT pg_current_wal_lsn()::text AS position").fetchall()
                has_it = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn AS is_so"
                wait_until(lambda: is_so(there, has_it, row["position"]), 60)
                with pytest.raises(Unavailable, match="read-only"):
                    there.queue.release_expired(life=LIFE)
                with there.database.connection() as standby:
                    standby.execute("SELECT pg_promote()")
                wait_until(lambda: is_so(there, "SELECT NOT pg_is_in_recovery() AS is_so"), 60)
                assert_nobody_is_judged(there, lease)


def standby_of(primary: EmbeddedServer, folder: Path) -> EmbeddedServer:
    """Return a standby, not yet started, that follows the primary."""
    home = folder / "standby"
    home.mkdir(mode=0o755)
    copy = prepare(home, THROWAWAY)
    for thing in copy.data.iterdir():
        shutil.rmtree(thing) if thing.is_dir() else thing.unlink()
    argv = [
        binary("pg_basebackup"),
        "-d",
        primary.superuser_url("postgres"),
        "-D",
        copy.data,
        "-R",
        "-c",
        "fast",
        "-X",
        "stream",
    ]
    subprocess.run(launch.command(argv, identity=primary.identity), check=True, capture_output=True)
    return copy


def is_so(catalog: Catalog, question: str, *values: object) -> bool:
    with catalog.database.connection() as connection:
        [row] = connection.execute(question.encode(), values).fetchall()
    return bool(row["is_so"])

"""What many tests share: a real Postgres for the session, and a fresh migrated database for each test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psutil
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from psycopg.rows import TupleRow

from imagomortis.catalog import Catalog, migrate
from imagomortis.settings import with_database
from imagomortis_cli.machine.postgres import embedded
from imagomortis_cli.machine.postgres.databases import for_dagster
from tests.support.failures import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

    from tests.support.object_storage import S3Server

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


SHARED_SYSTEM = tuple(
    f"tests/whole_system/one_machine/test_{name}.py"
    for name in ("whole_path", "upkeep", "readme", "reprocessing", "ending")
)
"""Files whose tests use one running system, the file that ends it last."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Give each process whole files, and the files that share a system to the same one."""
    from xdist.scheduler import LoadFileScheduling  # only those who run several processes need it

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return SHARED_SYSTEM[0] if nodeid.startswith(SHARED_SYSTEM) else super()._split_scope(nodeid)

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected, a fifth of that time, nor later in what is there by then."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, so that the processes that share them end together."""

    def place(item: pytest.Item) -> tuple[bool, bool, int]:
        file = item.nodeid.partition("::")[0]
        order = SHARED_SYSTEM.index(file) if file in SHARED_SYSTEM else len(SHARED_SYSTEM)
        return not item.get_closest_marker("browser"), not item.get_closest_marker("stack"), order

    items.sort(key=place)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests marked ``anyio`` run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of the database from which others are made: IMAGOMORTIS_TEST_DATABASE_URL, or on a server of our own."""
    if given := os.environ.get("IMAGOMORTIS_TEST_DATABASE_URL"):
        yield given
        _administration(given).close()
        return
    home = Path(tempfile.mkdtemp(prefix="imagomortis-test-", dir=_memory()))
    try:
        with embedded.running(embedded.prepare(home, embedded.THROWAWAY)) as server:
            url = server.superuser_url("postgres")
            yield url
            _administration(url).close()
    finally:
        shutil.rmtree(home)


def _memory() -> Path | None:
    """The folder whose files are in memory, if all processes of tests have room there: databases are made faster."""
    folder = Path("/dev/shm")
    room = 4 * 2**30 * int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if not folder.is_dir() or min(shutil.disk_usage(folder).free, psutil.virtual_memory().available) < room:
        return None
    return folder


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """Name of a migrated database that is only there to be cloned."""
    with new_database(postgres) as url:
        migrate(url)
        with psycopg.connect(url) as connection:
            name = connection.info.dbname
        yield name


@pytest.fixture
def database(postgres: str, template: str) -> Iterator[str]:
    """URL of a migrated database of the test's own."""
    with new_database(postgres, template) as url:
        yield url


@pytest.fixture
def catalog(database: str) -> Iterator[Catalog]:
    """A catalog on a database of the test's own, with which a pusher has been in contact for long."""
    with Catalog(database) as found:
        with found.database.connection() as connection:
            connection.execute("UPDATE contact SET proven_at = now() + interval '1 hour'")
        yield found


@pytest.fixture
def empty_database(postgres: str) -> Iterator[str]:
    """URL of a database of the test's own in which there is nothing, as Dagster or a first migration finds it."""
    with new_database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def dagster_template(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a database with Dagster's tables that is only there to be cloned."""
    from dagster import DagsterInstance  # a second, for those who need it

    with new_database(postgres) as url:
        storage = {"storage": {"postgres": {"postgres_url": for_dagster(url)}}}
        with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster")), overrides=storage):
            pass
        with psycopg.connect(url) as connection:
            name = connection.info.dbname
        yield name


@pytest.fixture
def dagster_database(postgres: str, dagster_template: str) -> Iterator[str]:
    """URL of a database of the test's own with Dagster's tables, as all runs but the first find it."""
    with new_database(postgres, dagster_template) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 server for the session."""
    from tests.support import object_storage  # it imports obstore, which only those need who ask for the server

    with object_storage.running() as server:
        yield server


@contextmanager
def new_database(postgres: str, template: str = "template0") -> Iterator[str]:
    """Make a database and drop it after the block; copying its files is the fastest way where nothing is synced."""
    name = sql.Identifier(f"test_{uuid4().hex}")
    administration = _administration(postgres)
    administration.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(name, sql.Identifier(template))
    )
    try:
        yield with_database(postgres, name.as_string().strip('"'))
    finally:
        administration.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@cache
def _administration(postgres: str) -> psycopg.Connection[TupleRow]:
    """The connection that makes and drops databases; one for each would cost a process each."""
    return psycopg.connect(postgres, autocommit=True)

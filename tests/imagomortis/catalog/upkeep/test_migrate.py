"""Migrations: each step once, by one process at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

from imagomortis.catalog import Catalog, migrate
from imagomortis.catalog.upkeep.migrate import steps
from imagomortis.errors import ConfigurationError
from imagomortis.lifecycle import State
from tests.support.uploads import arrivals
from tests.support.waiting import wait_until


def test_an_empty_database_gets_every_step_once(empty_database: str) -> None:
    steps = migrate(empty_database)
    assert steps[0] == "0001_catalog.sql"
    assert steps == sorted(steps)
    assert migrate(empty_database) == []


def test_many_at_once_migrate_once(empty_database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(migrate, [empty_database] * 4))
    assert sorted(len(steps) > 0 for steps in done) == [False, False, False, True]


def test_existing_rows_are_kept(database: str) -> None:
    with Catalog(database) as catalog:
        catalog.queue.add(arrivals(1))
        assert migrate(database) == []
        assert catalog.queue.depth().queued == 1


def test_images_that_were_there_before_they_were_counted_are_counted(database: str) -> None:
    with Catalog(database) as catalog:
        catalog.queue.add(arrivals(3))
        catalog.images.delete([catalog.images.page(1).images[0].id])
        with catalog.database.connection() as connection:
            connection.execute("DROP TABLE image_totals CASCADE")
            connection.execute("DROP FUNCTION count_new_images, count_one_image, count_no_images CASCADE")
            connection.execute("DELETE FROM migrations WHERE name = '0004_image_totals.sql'")
        assert migrate(database) == ["0004_image_totals.sql"]
        assert catalog.images.counts()[State.QUEUED] == 2


def test_a_database_of_a_newer_version_is_left_alone(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO migrations (name) VALUES ('9999_future.sql')")
    with pytest.raises(ConfigurationError, match=r"9999_future\.sql"):
        migrate(database)


def test_a_step_that_fails_leaves_nothing_behind(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE workers (id integer)")
        with pytest.raises(psycopg.errors.DuplicateTable):
            migrate(empty_database)
        assert connection.execute("SELECT to_regclass('images'), (SELECT count(*) FROM migrations)").fetchone() == (
            None,
            0,
        )
        connection.execute("DROP TABLE workers")
    assert migrate(empty_database)


AWAITED = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'images'::regclass"


def test_a_step_waits_for_those_who_read_its_table_and_lets_others_by(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A backup reads for an hour; whoever queues behind it for that long would stop the whole system."""
    step = tmp_path / "9998_odd.sql"
    step.write_text("ALTER TABLE images ADD COLUMN odd integer;")
    for known in steps():
        (tmp_path / known).touch()
    monkeypatch.setattr(import_module("imagomortis.catalog.upkeep.migrate"), "files", lambda _: tmp_path)
    with psycopg.connect(database) as backup, psycopg.connect(database, autocommit=True) as other:
        backup.execute("LOCK TABLE images IN ACCESS SHARE MODE")
        with ThreadPoolExecutor(1) as pool:
            migrating = pool.submit(migrate, database)
            other.execute("SET statement_timeout = '60s'")
            wait_until(lambda: other.execute(AWAITED).fetchall())
            other.execute("SELECT FROM images")
            wait_until(lambda: "waiting" in [record.msg for record in caplog.records])
            assert not migrating.done()
            backup.rollback()
            assert migrating.result(60) == [step.name]

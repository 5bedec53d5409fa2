"""Pods wait for the databases of their version: the catalog's, and Dagster's where they use it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import dagster_postgres
import psycopg
import pytest
from alembic.script import ScriptDirectory
from dagster._core.storage.sql import get_alembic_config

from imagomortis.errors import Unavailable
from imagomortis_cli.machine.postgres import databases
from imagomortis_cli.upkeep.installation import dagster_schema, waiting
from imagomortis_pipeline.dagster_internals.storage import PooledPostgresStorage


@pytest.fixture
def dagster(empty_database: str) -> Iterator[str]:
    """URL of a database with Dagster's tables."""
    storage = PooledPostgresStorage(databases.for_dagster(empty_database))
    yield empty_database
    storage._run_storage._engine.dispose()


def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(get_alembic_config(dagster_postgres.__file__))


def note(database: str, step: str) -> None:
    """Say in a database that this was Dagster's last step."""
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [step])


def test_the_steps_are_those_that_dagster_itself_finds() -> None:
    every = [script.revision for script in scripts().walk_revisions()]
    assert dagster_schema.steps() == (scripts().get_current_head(), set(every[1:]))


def test_a_database_that_dagster_has_made_is_not_waited_for(dagster: str) -> None:
    waiting.check_dagster(dagster)


def test_a_database_without_tables_is_waited_for(empty_database: str) -> None:
    with pytest.raises(Unavailable, match="Dagster's database has not been migrated yet"):
        waiting.check_dagster(empty_database)


def test_a_database_of_an_earlier_dagster_is_waited_for(dagster: str) -> None:
    head = scripts().get_revision("head")
    assert head
    note(dagster, str(head.down_revision))
    with pytest.raises(Unavailable, match=f"it lacks {head.revision}"):
        waiting.check_dagster(dagster)


def test_a_pod_of_this_version_starts_beside_a_later_one(dagster: str) -> None:
    note(dagster, "ffffffffffff")
    waiting.check_dagster(dagster)


def test_both_databases_are_waited_for_where_both_are_named(
    database: str, dagster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("DATABASE_URL", database)
    note(dagster, str(scripts().get_base()))
    waiting.main()
    monkeypatch.setenv("IMAGOMORTIS_DAGSTER_DATABASE_URL", databases.for_dagster(dagster))
    with pytest.raises(Unavailable, match="Dagster"):
        waiting.main()


def test_dagster_is_not_imported_for_it() -> None:
    program = (
        "import sys; from imagomortis_cli.upkeep.installation import waiting, dagster_schema; dagster_schema.steps(); "
        "sys.exit(bool({'dagster', 'alembic', 'sqlalchemy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

"""Whether Postgres answers, and has the tables of this version."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagomortis.catalog import Catalog
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import execute, only


class TestDatabase:
    def test_one_that_answers(self, look: Look) -> None:
        assert "answers" in only(look("database"), Level.FINE).text

    def test_one_that_does_not(self, look: Look, tmp_path: Path) -> None:
        nowhere = f"postgresql:///pictures?host={tmp_path}"
        assert "pictures cannot be reached" in only(look("database", DATABASE_URL=nowhere)).text
        assert "pictures cannot be reached" in only(look("leases", DATABASE_URL=nowhere), Level.UNSEEN).text


@pytest.mark.usefixtures("dagster")
class TestMigrations:
    def test_all_are_there(self, look: Look) -> None:
        assert "up to date" in only(look("migrations"), Level.FINE).text

    def test_one_is_missing(self, look: Look, catalog: Catalog) -> None:
        execute(catalog, "DELETE FROM migrations WHERE name LIKE '0002%'")
        found = only(look("migrations"))
        assert "0002_expired_runs.sql" in found.text
        assert "imagomortis up" in found.mend

    def test_one_is_of_a_newer_version(self, look: Look, catalog: Catalog) -> None:
        execute(catalog, "INSERT INTO migrations (name) VALUES ('9999_future.sql')")
        assert "newer version (9999_future.sql)" in only(look("migrations")).text

    def test_there_is_no_catalog(self, look: Look, catalog: Catalog) -> None:
        execute(catalog, "DROP TABLE migrations")
        assert "no catalog" in only(look("migrations")).text

"""`imagomortis doctor`, `verify`, `storage copy` and `retention` as a person or a script runs them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from imagomortis.catalog import Catalog
from imagomortis.settings import Settings
from imagomortis_cli.upkeep import dagster_instance
from tests.imagomortis.catalog.upkeep.test_verification import flip_a_byte, process
from tests.imagomortis_cli.commands.conftest import Run, call
from tests.support.uploads import arrivals


@pytest.fixture
def here(
    database: str,
    empty_database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs `imagomortis` on the databases of the test, without an API."""
    monkeypatch.delenv("IMAGOMORTIS_URL", raising=False)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("IMAGOMORTIS_DAGSTER_DATABASE_URL", empty_database)
    monkeypatch.setenv("IMAGOMORTIS_HOME", str(tmp_path))
    return lambda *words: call(monkeypatch, capsys, *words)


class TestDoctor:
    def test_all_is_well(self, here: Run) -> None:
        done = here("doctor", "--only", "database", "--only", "leases")
        assert done.code == 0
        assert [line.split()[:2] for line in done.out.splitlines()] == [["FINE", "database"], ["FINE", "leases"]]

    def test_trouble_comes_with_the_command_that_mends_it(self, here: Run, catalog: Catalog) -> None:
        catalog.control.pause()
        done = here("doctor", "--only", "queue")
        assert done.code == 1
        assert "-> imagomortis resume" in done.out

    def test_checks_without_a_database_are_named(self, here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL")
        done = here("doctor", "--only", "leases", "--only", "workers")
        assert done.code == 2
        assert "NOT CHECKED: leases, workers. No database is named here" in done.out

    def test_a_document_for_programs(self, here: Run) -> None:
        document = json.loads(here("doctor", "--only", "leases", "--json").out)
        assert document["exit_code"] == 0
        assert document["findings"][0]["check"] == "leases"

    def test_a_check_that_does_not_exist(self, here: Run) -> None:
        done = here("doctor", "--only", "horoscope")
        assert done.code == 2
        assert "migrations" in done.err

    def test_a_wrong_setting_is_trouble(self, here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("IMAGOMORTIS_WEB_PORT", "eighty")
        done = here("doctor")
        assert done.code == 1
        assert "IMAGOMORTIS_WEB_PORT=eighty" in done.out

    @pytest.mark.slow
    def test_the_queue_is_seen_through_the_api_where_the_database_is_not_to_be_reached(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        assert run("doctor", "--only", "queue", "--only", "services").code == 0
        run("pause")
        until = time.monotonic() + 20
        while (done := run("doctor", "--only", "queue")).code == 0:  # the API counts every few seconds
            assert time.monotonic() < until
        run("resume")
        assert done.code == 1
        assert "imagomortis resume" in done.out


class TestVerify:
    def test_nothing_is_damaged(self, here: Run, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2))
        done = here("verify")
        assert done.code == 0
        assert "2 pictures of 2 images read" in done.out
        assert "none damaged" in done.out

    def test_a_flipped_byte_is_told_by_name_with_the_command_that_mends_it(self, here: Run, catalog: Catalog) -> None:
        [image_id] = catalog.queue.add(arrivals(1))
        process(catalog)
        flip_a_byte(catalog, "renditions", "kind = 'processed'")
        done = here("verify")
        assert done.code == 1
        assert f"DAMAGED picture.jpg, processed of {image_id}: its SHA-256 is" in done.out
        assert f"imagomortis retry {image_id}" in done.out

    def test_a_document_for_programs(self, here: Run, catalog: Catalog) -> None:
        [image_id] = catalog.queue.add(arrivals(1))
        flip_a_byte(catalog, "originals")
        done = here("verify", "--json")
        document = json.loads(done.out)
        assert done.code == 1
        assert (document["images"], document["lost"], document["retry"]) == (1, [str(image_id)], [])
        assert document["damaged"][0]["filename"] == "picture.jpg"

    def test_a_database_that_is_away_is_no_damage(self, here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql:///nowhere?host=/nowhere")
        done = here("verify")
        assert done.code == 2
        assert "cannot be reached" in done.err


class TestStorageCopy:
    @pytest.fixture
    def target(self, catalog: Catalog, tmp_path: Path) -> str:
        """An object store to which the six pictures of two images can be copied."""
        catalog.queue.add(arrivals(2))
        process(catalog)
        return f"file://{tmp_path}/store"

    def test_a_copy_says_how_to_switch(self, here: Run, target: str) -> None:
        done = here("storage", "copy", target)
        assert done.code == 0
        assert "6 objects copied" in done.out
        assert f"IMAGOMORTIS_STORAGE={target}" in done.out

    def test_a_removal_before_the_switch_is_refused(self, here: Run, target: str) -> None:
        done = here("storage", "copy", target, "--remove")
        assert done.code == 1
        assert f"Switch to the target first: IMAGOMORTIS_STORAGE={target}." in done.err

    def test_a_removal_after_the_switch_loses_nothing(
        self, here: Run, target: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGOMORTIS_STORAGE", target)
        done = here("storage", "copy", target, "--from", "postgres", "--remove", "--json")
        document = json.loads(done.out)
        assert (document["objects"], document["removed"], document["damaged"]) == (6, 6, [])
        assert here("verify").code == 0


class TestRetention:
    @pytest.fixture(autouse=True)
    def _dagster(self, empty_database: str, tmp_path: Path) -> None:
        """Dagster has run on the database."""
        with dagster_instance.opened(Settings(home=tmp_path), empty_database):
            pass

    @pytest.mark.slow
    def test_a_dry_run_says_what_would_go_and_leaves_it(
        self, here: Run, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        [image_id] = catalog.queue.add(arrivals(1))
        process(catalog)
        monkeypatch.setenv("IMAGOMORTIS_PICTURE_RETENTION_DAYS", "1")
        done = here("retention", "--dry-run")
        assert done.out == "Would be deleted: 0 runs, 0 ticks, 0 attempts, 1 picture, 0 trashed pictures.\n"
        assert catalog.images.one(image_id)
        assert json.loads(here("retention", "--json").out)["pictures"] == 1
        assert catalog.images.one(image_id) is None

"""What Prometheus may know of the pipeline."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from imagomortis.catalog import Catalog, Database
from imagomortis.catalog.queue import Leased
from imagomortis.recipe.timings import BOUNDS, Timing
from imagomortis.settings import Settings
from imagomortis.storage.usage import Use
from imagomortis_cli.machine.postgres.databases import for_dagster
from imagomortis_pipeline.upkeep.exporter import FRESH_SECONDS, AttemptCounters, registry
from tests.support import web
from tests.support.running_system import free_ports
from tests.support.uploads import NOON, arrivals, result, upload
from tests.support.waiting import wait_until
from tests.support.web import HEAD_BYTES, status_for_head_of

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def dagster(dagster_database: str) -> Iterator[Database]:
    """Dagster's database, with its tables."""
    storage = {"storage": {"postgres": {"postgres_url": for_dagster(dagster_database)}}}
    with DagsterInstance.local_temp(overrides=storage) as instance:
        create_run_for_test(instance, job_name="process_images", status=DagsterRunStatus.SUCCESS)
        database = Database(dagster_database)
        yield database
        database.close()


OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def samples(source: CollectorRegistry | str) -> Samples:
    text = source if isinstance(source, str) else generate_latest(source).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, /, **labels: str) -> float:
    return found[f"imagomortis_{name}", frozenset(labels.items())]


def lease(catalog: Catalog) -> tuple[UUID, list[Leased]]:
    found = catalog.queue.lease("run", 32, 15)
    assert found
    return found.token, list(found.images)


def settle(catalog: Catalog) -> None:
    """Let a minute pass since every attempt ended."""
    with catalog.database.connection() as connection:
        connection.execute("UPDATE attempts SET ended_at = ended_at - interval '1 minute'")


def test_the_queue_the_images_and_the_workers(catalog: Catalog, dagster: Database) -> None:
    catalog.queue.add(arrivals(3, datetime.now(UTC) - timedelta(seconds=90)))
    catalog.workers.request(1, NOON)
    found = samples(registry(catalog, dagster, Settings(max_workers=4, images_per_job=1)))
    assert value(found, "queue_images") == 3
    assert 90 <= value(found, "queue_oldest_seconds") < 150
    assert value(found, "images", state="queued") == 3
    assert value(found, "images", state="done") == 0
    assert value(found, "workers_wanted") == 3
    assert value(found, "workers_alive") == 1
    assert value(found, "storage_bytes", kind="originals") > 0
    assert value(found, "database_up", database="catalog") == 1


def test_objects_of_bucket_inboxes(catalog: Catalog, dagster: Database) -> None:
    for outcome, size in (("stored", 700), ("stored", 50), ("refused", 0)):
        catalog.bucket_objects.count(outcome, size)  # type: ignore[arg-type]
    found = samples(registry(catalog, dagster, Settings()))
    assert value(found, "uploads_total", source="bucket", outcome="stored") == 2
    assert value(found, "uploads_total", source="bucket", outcome="refused") == 1
    assert value(found, "upload_bytes_total", source="bucket") == 750


def test_exports(catalog: Catalog, dagster: Database) -> None:
    recipe = {"steps": [], "export": "file:///exports/{id}"}
    catalog.queue.add([(upload(data, recipe=recipe), data) for data in (b"written", b"fails", b"waits")])
    token, images = lease(catalog)
    catalog.queue.save(token, [result(image) for image in images])
    written, fails = catalog.exports.claim(2)
    catalog.exports.finish(written, ["file:///exports/a"])
    catalog.exports.fail(fails, "The storage refuses this.")
    found = samples(registry(catalog, dagster, Settings()))
    assert value(found, "exports_waiting") == 2
    assert value(found, "exports_failing") == 1
    assert 0 < value(found, "exports_oldest_seconds") < 600
    assert value(found, "exports_total", outcome="written") == 1
    assert value(found, "exports_total", outcome="failed") == 1


def test_an_image_that_is_processed_again_waits_since_the_last_attempt_ended(
    catalog: Catalog, dagster: Database
) -> None:
    catalog.queue.add(arrivals(2, datetime.now(UTC) - timedelta(days=7)))
    token, images = lease(catalog)
    catalog.queue.save(token, [result(image) for image in images])
    catalog.images.retry([image.id for image in images])
    settle(catalog)
    assert 60 <= value(samples(registry(catalog, dagster, Settings())), "queue_oldest_seconds") < 120
    catalog.queue.add(arrivals(1, datetime.now(UTC) - timedelta(seconds=200)))
    assert 200 <= value(samples(registry(catalog, dagster, Settings())), "queue_oldest_seconds") < 260
    with catalog.database.connection() as connection:
        connection.execute("UPDATE attempts SET ended_at = ended_at - interval '5 minutes'")
    assert value(samples(registry(catalog, dagster, Settings())), "queue_oldest_seconds") > 7 * 86_400 - 1


def test_a_new_image_waits_however_many_older_ones_are_processed_again(catalog: Catalog, dagster: Database) -> None:
    catalog.queue.add(arrivals(1001, datetime.now(UTC) - timedelta(days=7)))
    token, images = lease(catalog)
    catalog.queue.save(token, [result(image) for image in images])
    catalog.images.retry([image.id for image in images])
    with catalog.database.connection() as connection:
        connection.execute("UPDATE images SET attempt = 1")
    settle(catalog)
    catalog.queue.add(arrivals(1, datetime.now(UTC) - timedelta(seconds=600)))
    assert 600 <= value(samples(registry(catalog, dagster, Settings())), "queue_oldest_seconds") < 660


def test_a_paused_system_wants_no_workers(catalog: Catalog, dagster: Database) -> None:
    catalog.queue.add(arrivals(3))
    catalog.control.pause()
    found = samples(registry(catalog, dagster, Settings()))
    assert (value(found, "paused"), value(found, "workers_wanted")) == (1, 0)


def test_a_lease_that_ran_out_shows(catalog: Catalog, dagster: Database) -> None:
    catalog.queue.add(arrivals(1))
    lease(catalog)
    with catalog.database.connection() as connection:
        connection.execute("UPDATE images SET lease_expires_at = now() - interval '1 second'")
    assert value(samples(registry(catalog, dagster, Settings())), "leases_expired") == 1


FILL: Final = """
INSERT INTO images (id, created_at, filename, media_type, sha256, size, width, height, state, recipe, recipe_digest,
                    finished_at, error)
SELECT gen_random_uuid(), now() - number * interval '1 second', number || '.jpg', 'image/jpeg',
       sha256(number::text::bytea), 5, 4, 3, CASE number % 1000 WHEN 0 THEN 'queued' ELSE 'done' END, '{}', '0',
       now(), ''
FROM generate_series(1, 30000) AS number
"""

ATTEMPTS: Final = """
INSERT INTO attempts (image_id, attempt, run_id, outcome, started_at, ended_at)
SELECT id, 1, 'run', 'done', created_at, created_at FROM images WHERE state = 'done' ORDER BY created_at
"""

READ: Final = """
SELECT sum(seq_tup_read)::bigint + (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes) AS rows
FROM pg_stat_user_tables
"""


def test_a_scrape_reads_what_waits_and_not_the_whole_catalog(database: str, dagster: Database) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in (FILL, ATTEMPTS, "VACUUM ANALYZE"):
            connection.execute(statement)
    # a backend adds what it read to the statistics before it ends, so the one that filled has ended
    with psycopg.connect(database, autocommit=True) as connection:

        def rows_read() -> int:
            """What all backends that have ended read; this one reads no table."""
            wait_until(lambda: connection.execute(OTHERS).fetchone() == (0,))
            connection.execute("SELECT pg_stat_clear_snapshot()")
            row = connection.execute(READ).fetchone()
            assert row
            return int(row[0])

        before = rows_read()
        with Catalog(database) as catalog:
            found = samples(registry(catalog, dagster, Settings()))
        read = rows_read() - before
    assert (value(found, "images", state="done"), value(found, "queue_images")) == (29_970, 30)
    assert 30 <= read < 1500


def test_attempts_are_counted_once_by_outcome_and_known_cause(catalog: Catalog) -> None:
    catalog.queue.add(arrivals(3))
    token, images = lease(catalog)
    catalog.queue.save(token, [result(images[0])])
    catalog.queue.fail(token, images[1].id, "broken", "broken-picture", 0.2)
    catalog.queue.fail(token, images[2].id, "odd", "unheard-of", 0.3)
    settle(catalog)
    counters = AttemptCounters(catalog, since=datetime.now(UTC) - timedelta(hours=1))
    registered = CollectorRegistry()
    registered.register(counters)
    for _ in range(2):
        counters.update()
    found = samples(registered)
    assert value(found, "attempts_total", outcome="done", cause="") == 1
    assert value(found, "attempts_total", outcome="failed", cause="broken-picture") == 1
    assert value(found, "attempts_total", outcome="failed", cause="other") == 1
    assert value(found, "attempt_seconds_count") == 3
    assert value(found, "attempt_seconds_bucket", le="0.25") == 2
    assert value(found, "attempt_seconds_sum") == pytest.approx(0.502)


def test_a_cause_has_its_series_before_its_first_failure(catalog: Catalog) -> None:
    """Prometheus sees no increase in a series that begins with 1, and those that begin with it are the rare ones."""
    registered = CollectorRegistry()
    registered.register(AttemptCounters(catalog))
    before = {labels for name, labels in samples(registered) if name == "imagomortis_attempts_total"}
    for cause in ("attempt-failed", "broken-picture", "decoder-crashed", "memory-limit", "other", "time-limit"):
        assert frozenset({"outcome": "failed", "cause": cause}.items()) in before
    assert frozenset({"outcome": "lost", "cause": "worker-lost"}.items()) in before
    assert frozenset({"outcome": "done", "cause": ""}.items()) in before


def test_attempts_from_before_the_exporter_are_not_counted(catalog: Catalog, dagster: Database) -> None:
    catalog.queue.add(arrivals(1))
    token, images = lease(catalog)
    catalog.queue.save(token, [result(images[0])])
    settle(catalog)
    assert value(samples(registry(catalog, dagster, Settings())), "attempts_total", outcome="done", cause="") == 0


def test_seconds_by_transform_are_a_cumulative_histogram(catalog: Catalog, dagster: Database) -> None:
    timings = [Timing("blur", 0.01, 2, 0.015), Timing("blur", float("inf"), 1, 40.0), Timing("gone", 0.01, 1, 0.01)]
    for _ in range(2):
        catalog.figures.add_timings(timings)
    found = samples(registry(catalog, dagster, Settings()))
    assert value(found, "transform_seconds_bucket", transform="blur", le="0.005") == 0
    assert value(found, "transform_seconds_bucket", transform="blur", le="0.01") == 4
    assert value(found, "transform_seconds_bucket", transform="blur", le="+Inf") == 6
    assert value(found, "transform_seconds_sum", transform="blur") == pytest.approx(80.03)
    buckets = [key for key in found if key[0] == "imagomortis_transform_seconds_bucket"]
    assert len(buckets) == len(BOUNDS)  # what is no transform has no label


def test_requests_to_the_object_store_are_counted_by_operation(catalog: Catalog, dagster: Database) -> None:
    catalog.figures.add_storage_usage([Use("put", 3, 1, 0.5, 4096), Use("get", 2, 0, 0.25, 1024)])
    catalog.figures.add_storage_usage([Use("put", 1, 0, 0.5, 4)])
    found = samples(registry(catalog, dagster, Settings()))
    names = ("requests", "errors", "seconds", "bytes")
    assert [value(found, f"object_store_{name}_total", operation="put") for name in names] == [4, 1, 1.0, 4100]
    assert [value(found, f"object_store_{name}_total", operation="get") for name in names] == [2, 0, 0.25, 1024]


def test_dagsters_runs_by_status_and_its_event_log(catalog: Catalog, dagster: Database) -> None:
    with dagster.connection() as connection:
        connection.execute(
            "INSERT INTO event_logs (run_id, event, timestamp) "
            "VALUES ('run', '', now() AT TIME ZONE 'UTC' - interval '1 day'), ('run', '', now() AT TIME ZONE 'UTC')"
        )
    found = samples(registry(catalog, dagster, Settings()))
    assert value(found, "dagster_runs", status="success") == 1
    assert value(found, "dagster_runs", status="failure") == 0
    assert value(found, "dagster_event_log_bytes") > 0
    assert value(found, "dagster_event_log_age_seconds") >= 86_400


def test_the_age_of_a_tick_is_that_of_the_last_one(catalog: Catalog, dagster: Database) -> None:
    with dagster.connection() as connection:
        connection.execute(
            "INSERT INTO instigators (selector_id, status, instigator_type, instigator_body) "
            """VALUES ('s', 'RUNNING', 'SENSOR', '{"origin": {"job_name": "pusher_a"}}')"""
        )
        connection.execute(
            "INSERT INTO job_ticks (selector_id, type, timestamp) SELECT 's', 'SENSOR', "
            "(now() AT TIME ZONE 'UTC') - make_interval(secs => age) FROM unnest(ARRAY[500, 30, 200]) AS age"
        )
    found = samples(registry(catalog, dagster, Settings()))
    assert 30 <= value(found, "tick_age_seconds", name="pusher_a", kind="sensor") < 90


def test_a_database_that_is_away_takes_only_its_own_figures_along(catalog: Catalog) -> None:
    nowhere = Database("host=/nowhere", patience=0.2)
    try:
        found = samples(registry(catalog, nowhere, Settings()))
    finally:
        nowhere.close()
    assert value(found, "database_up", database="dagster") == 0
    assert value(found, "database_up", database="catalog") == 1
    assert value(found, "queue_images") == 0
    assert not any(name == "imagomortis_dagster_runs" for name, _ in found)


def test_many_scrapes_ask_once(catalog: Catalog, dagster: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began)
    asked = registry(catalog, dagster, Settings())
    samples(asked)
    catalog.queue.add(arrivals(1))
    assert value(samples(asked), "queue_images") == 0
    monkeypatch.setattr(time, "monotonic", lambda: began + FRESH_SECONDS + 1)
    assert value(samples(asked), "queue_images") == 1


@pytest.mark.slow
def test_the_program_serves_until_it_is_told_to_end(database: str, dagster: Database) -> None:
    [port] = free_ports(1)
    environment = {
        **os.environ,
        "DATABASE_URL": database,
        "IMAGOMORTIS_DAGSTER_DATABASE_URL": for_dagster(dagster.conninfo),
        "IMAGOMORTIS_PIPELINE_METRICS_PORT": str(port),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "imagomortis_pipeline.upkeep.exporter"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert '"listening"' in process.stdout.readline()
        found = samples(web.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": "text/plain"}).text)
        assert value(found, "database_up", database="dagster") == 1
        assert status_for_head_of(HEAD_BYTES + 1, port) == (431, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_port_in_use_is_named(database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = {**os.environ, "DATABASE_URL": database, "IMAGOMORTIS_PIPELINE_METRICS_PORT": port}
        done = subprocess.run(
            [sys.executable, "-m", "imagomortis_pipeline.upkeep.exporter"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    assert done.returncode == 2
    assert port in done.stderr

"""Exports: outputs reach their target, the newest result last, and failures are tried again."""

from __future__ import annotations

import os
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import obstore
import pytest
from obstore.store import S3Store

from imagomortis.catalog import Catalog
from imagomortis.catalog.exports import Export
from imagomortis.catalog.images import CHUNK
from imagomortis.settings import Settings
from imagomortis.storage.storage import LARGE
from imagomortis.work.export_writer import ExportWriter
from tests.support.object_storage import BUCKET, KEY, REGION, SECRET, S3Server
from tests.support.uploads import result, upload
from tests.support.waiting import wait_until

WAITING = """
SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE datname = current_database() AND NOT granted
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the only allowed target."""
    return tmp_path / "allowed"


@pytest.fixture
def writer(catalog: Catalog, folder: Path) -> ExportWriter:
    return writer_to(catalog, f"file://{folder}")


def writer_to(catalog: Catalog, *targets: str, **settings: str) -> ExportWriter:
    return ExportWriter(catalog, Settings(export_targets=",".join(targets), **settings))


def add(catalog: Catalog, target: str | None, filename: str = "harbour.png", data: bytes = b"first") -> UUID:
    """Add an image whose recipe has a target, and process it."""
    new = upload(filename=filename, recipe={"steps": [], **({"export": target} if target else {})})
    catalog.queue.add([(new, b"bytes")])
    process(catalog, data)
    return new.id


def process(catalog: Catalog, data: bytes, **others: bytes) -> None:
    """Process the queued image."""
    lease = catalog.queue.lease("run", 1, 60)
    assert lease is not None
    assert catalog.queue.save(lease.token, [result(lease.images[0], data, **others)])


def edit(catalog: Catalog, image_id: UUID, target: str | None, data: bytes) -> None:
    """Give an image another recipe, and process it."""
    recipe = {"steps": [], **({"export": target} if target else {})}
    assert catalog.images.apply_recipe([image_id], recipe, "1" * 64, None)
    process(catalog, data)


def write(writer: ExportWriter) -> tuple[int, int]:
    return writer.write(time.monotonic() + 600)


def export_of(catalog: Catalog, image_id: UUID) -> Export:
    found = catalog.exports.one(image_id)
    assert found is not None
    return found


def make_due(catalog: Catalog) -> None:
    """Let the pauses after failures and the claims of lost processes end."""
    with catalog.database.connection() as connection:
        connection.execute("UPDATE exports SET next_try_at = now() - interval '1 s'")
        connection.execute("UPDATE exports SET claimed_until = now() - interval '1 s' WHERE claim IS NOT NULL")


def test_a_result_is_written_to_its_target(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    image_id = add(catalog, f"file://{folder}/{{stem}}-{{output}}.{{ext}}", "Größe (1).png")
    assert write(writer) == (1, 0)
    [file] = folder.iterdir()
    assert (file.name, file.read_bytes()) == ("Größe (1)-processed.jpg", b"first")
    found = export_of(catalog, image_id)
    assert (found.urls, found.error, found.next_try_at) == ([f"file://{file}"], None, None)
    assert found.exported_at is not None
    assert write(writer) == (0, 0)


def test_a_recipe_without_a_target_exports_nothing(catalog: Catalog, writer: ExportWriter) -> None:
    assert catalog.exports.one(add(catalog, None)) is None
    assert write(writer) == (0, 0)


def test_every_output_is_written(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    target = f"file://{folder}/{{output}}/{{stem}}.{{ext}}"
    recipe = {"steps": [], "outputs": {"wide": {}, "small": {}}, "first": "wide", "export": target}
    catalog.queue.add([(upload(filename="harbour.png", recipe=recipe), b"bytes")])
    process(catalog, b"wide bytes", small=b"small bytes")
    assert write(writer) == (1, 0)
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}
    assert found == {"wide/harbour.jpg": b"wide bytes", "small/harbour.jpg": b"small bytes"}


def test_the_folders_of_a_target_are_synced(
    catalog: Catalog, writer: ExportWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(catalog, f"file://{folder}/a/{{date}}/{{stem}}")
    synced: list[Path] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    assert write(writer) == (1, 0)
    day = folder / "a" / "2026-11-20"
    assert synced == [day / "harbour", day, folder / "a", folder]


def test_an_edit_is_written_again(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    target = f"file://{folder}/{{stem}}"
    image_id = add(catalog, target)
    assert write(writer) == (1, 0)
    edit(catalog, image_id, target, b"second")
    assert export_of(catalog, image_id).exported_at is None
    assert write(writer) == (1, 0)
    assert (folder / "harbour").read_bytes() == b"second"


def test_an_edit_without_a_target_ends_the_exports(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    image_id = add(catalog, f"file://{folder}/{{stem}}")
    edit(catalog, image_id, None, b"second")
    assert write(writer) == (0, 0)
    assert catalog.exports.one(image_id) is None
    assert not folder.exists()


def test_a_result_that_comes_during_an_export_is_written_after_it(
    catalog: Catalog, writer: ExportWriter, folder: Path
) -> None:
    target = f"file://{folder}/{{stem}}"
    image_id = add(catalog, target)
    [due] = catalog.exports.claim(10)
    edit(catalog, image_id, target, b"second")
    assert write(writer) == (0, 0), "the older result is still on its way"
    catalog.exports.finish(due, ["file:///written"])
    assert export_of(catalog, image_id).urls == []
    assert write(writer) == (1, 0)
    assert (folder / "harbour").read_bytes() == b"second"


def test_an_older_result_that_is_written_late_is_replaced(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    """A process that was lost for longer than its claim wrote after the one in its place."""
    target = f"file://{folder}/{{stem}}"
    image_id = add(catalog, target)
    [lost] = catalog.exports.claim(10)
    edit(catalog, image_id, target, b"second")
    make_due(catalog)
    assert write(writer) == (1, 0)
    (folder / "harbour").write_bytes(b"first")
    catalog.exports.finish(lost, ["file:///written"])
    assert write(writer) == (1, 0)
    assert (folder / "harbour").read_bytes() == b"second"


def test_a_claim_that_is_not_kept_ends(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    add(catalog, f"file://{folder}/{{stem}}")
    assert [len(catalog.exports.claim(10)) for _ in range(2)] == [1, 0]
    make_due(catalog)
    assert write(writer) == (1, 0)


def test_a_failure_is_kept_and_tried_again(
    catalog: Catalog, writer: ExportWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.catalog.exports.PAUSE_SECONDS", 1000)
    image_id = add(catalog, f"file://{folder}/taken/{{stem}}")
    folder.mkdir()
    (folder / "taken").write_bytes(b"a file in place of the folder")
    pauses = []
    for attempt in (1, 2, 3):
        assert write(writer) == (0, 1)
        found = export_of(catalog, image_id)
        assert found.failed_attempts == attempt
        assert "storage" in str(found.error)
        assert found.next_try_at is not None
        assert write(writer) == (0, 0), "it waits"
        pauses.append(pause(catalog))
        make_due(catalog)
    assert pauses == pytest.approx([1000, 2000, 3600], abs=400), "an hour is the longest"
    (folder / "taken").unlink()
    assert write(writer) == (1, 0)
    found = export_of(catalog, image_id)
    assert (found.failed_attempts, found.error) == (0, None)


def pause(catalog: Catalog) -> float:
    """The seconds until the next try."""
    with catalog.database.connection() as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM next_try_at - now())::float8 AS pause FROM exports"
        ).fetchone()
    assert row is not None
    return float(row["pause"])


def test_an_export_that_killed_its_process_waits_before_the_next_try(
    catalog: Catalog, writer: ExportWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.catalog.exports.PAUSE_SECONDS", 1000)
    image_id = add(catalog, f"file://{folder}/{{stem}}")
    pauses = []
    for attempt in (1, 2):
        assert len(catalog.exports.claim(1)) == 1
        assert export_of(catalog, image_id).failed_attempts == attempt - 1, "it is still under way"
        with catalog.database.connection() as connection:
            connection.execute("UPDATE exports SET claimed_until = now()")
        found = export_of(catalog, image_id)
        assert (found.failed_attempts, found.error) == (attempt, "The process that exported it was lost.")
        assert write(writer) == (0, 0), "it waits"
        pauses.append(pause(catalog))
        make_due(catalog)
    assert pauses == pytest.approx([1000, 2000], abs=400)
    assert write(writer) == (1, 0)
    assert export_of(catalog, image_id).failed_attempts == 0


def test_a_secret_that_cannot_be_read_is_a_failure(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "AWS_ACCESS_KEY_ID").write_bytes(b"\xff")
    image_id = add(catalog, "s3://bucket/{stem}")
    assert write(writer_to(catalog, "s3://bucket", secrets=str(tmp_path))) == (0, 1)
    assert "can't decode" in str(export_of(catalog, image_id).error)


def test_a_large_output_is_not_read_into_memory(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    data = bytes(range(256)) * (LARGE // 256 + 1)
    add(catalog, f"file://{folder}/{{stem}}", data=data)
    tracemalloc.start()
    try:
        assert write(writer) == (1, 0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (folder / "harbour").read_bytes() == data
    assert peak < 6 * CHUNK < LARGE


def test_one_thread_writes_at_a_time(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    add(catalog, f"file://{folder}/{{stem}}")
    with ThreadPoolExecutor() as threads:
        with catalog.database.transaction() as connection:
            connection.execute("LOCK TABLE exports")
            first = threads.submit(write, writer)
            wait_until(lambda: connection.execute(WAITING).fetchone() is not None)
            assert threads.submit(write, writer).result(60) == (0, 0)
        assert first.result(60) == (1, 0)


def test_a_claim_is_renewed(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    add(catalog, f"file://{folder}/{{stem}}")
    [due] = catalog.exports.claim(1)
    make_due(catalog)
    assert catalog.exports.renew(due)
    with catalog.database.connection() as connection:
        connection.execute("UPDATE exports SET next_try_at = now()")
    assert catalog.exports.claim(1) == []
    assert writer._export(due)


def test_a_lost_claim_writes_nothing(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    add(catalog, f"file://{folder}/{{stem}}")
    [lost] = catalog.exports.claim(1)
    make_due(catalog)
    [due] = catalog.exports.claim(1)
    assert not writer._export(lost)
    assert not (folder / "harbour").exists()
    assert writer._export(due)


def test_a_result_is_not_written_to_the_target_of_the_one_before(
    catalog: Catalog, writer: ExportWriter, folder: Path
) -> None:
    image_id = add(catalog, f"file://{folder}/former/{{stem}}")
    [due] = catalog.exports.claim(1)
    edit(catalog, image_id, f"file://{folder}/new/{{stem}}", b"second")
    assert not writer._export(due)
    assert write(writer) == (1, 0)
    assert [path.relative_to(folder) for path in folder.rglob("harbour")] == [Path("new/harbour")]


@pytest.mark.parametrize("has_target", [True, False])
def test_a_target_that_a_former_worker_left_is_not_used(
    catalog: Catalog, writer: ExportWriter, folder: Path, has_target: bool
) -> None:
    """A worker of a version without exports saves a result, but leaves the row of its export as it was."""
    image_id = add(catalog, f"file://{folder}/former/{{stem}}")
    with catalog.database.connection() as connection:
        recipe = f"""{{"export": "file://{folder}/new/{{stem}}"}}""" if has_target else "{}"
        connection.execute("UPDATE images SET recipe = %s WHERE id = %s", [recipe, image_id])
    assert write(writer) == (0, 0)
    assert not folder.exists()


def test_a_new_result_is_not_blamed_for_a_failure_of_the_one_before(
    catalog: Catalog, writer: ExportWriter, folder: Path
) -> None:
    target = f"file://{folder}/{{stem}}"
    image_id = add(catalog, target)
    [due] = catalog.exports.claim(10)
    edit(catalog, image_id, target, b"second")
    catalog.exports.fail(due, "The store is away.")
    assert export_of(catalog, image_id).error is None
    assert write(writer) == (1, 0)


def test_a_failure_holds_up_no_other_image(
    catalog: Catalog, writer: ExportWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.catalog.exports.PAUSE_SECONDS", 1000)
    foreign = add(catalog, "file:///elsewhere/{stem}", "a.png")
    others = [add(catalog, f"file://{folder}/{{stem}}", f"{number}.png") for number in range(9)]
    assert write(writer) == (len(others), 1)
    assert "Allowed are URLs below" in str(export_of(catalog, foreign).error)
    assert not Path("/elsewhere").exists()


def test_new_results_come_before_those_that_failed(
    catalog: Catalog, writer: ExportWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.catalog.exports.PAUSE_SECONDS", 1000)
    for number in range(5):
        add(catalog, "file:///elsewhere/{stem}", f"{number}.png")
    assert write(writer) == (0, 5)
    make_due(catalog)
    add(catalog, f"file://{folder}/{{stem}}")
    assert writer.write(time.monotonic()) == (1, 3)


def test_files_of_a_deleted_image_stay(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    image_id = add(catalog, f"file://{folder}/{{stem}}")
    assert write(writer) == (1, 0)
    catalog.images.delete([image_id])
    assert catalog.images.purge(undo_seconds=-1) == 1
    assert (folder / "harbour").read_bytes() == b"first"


def test_a_deleted_image_is_not_exported_until_it_is_restored(
    catalog: Catalog, writer: ExportWriter, folder: Path
) -> None:
    image_id = add(catalog, f"file://{folder}/{{stem}}")
    [due] = catalog.exports.claim(10)
    catalog.images.delete([image_id])
    assert not writer._export(due), "deleted after the claim"
    make_due(catalog)
    assert write(writer) == (0, 0)
    catalog.images.restore([image_id])
    assert write(writer) == (1, 0)
    assert (folder / "harbour").exists()


def test_a_tick_ends_and_the_next_one_goes_on(catalog: Catalog, writer: ExportWriter, folder: Path) -> None:
    for number in range(6):
        add(catalog, f"file://{folder}/{{stem}}", f"{number}.png")
    now = time.monotonic()
    assert [writer.write(now) for _ in range(3)] == [(4, 0), (2, 0), (0, 0)]


def test_a_bucket_gets_them_with_their_media_type(
    catalog: Catalog, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    image_id = add(catalog, f"s3://{BUCKET}/exports/{{date}}/{{stem}} (new).{{ext}}", "Größe.png")
    assert write(writer_to(catalog, f"s3://{BUCKET}/exports", storage_endpoint=s3_server.endpoint)) == (1, 0)
    assert export_of(catalog, image_id).urls == [f"s3://{BUCKET}/exports/2026-11-20/Größe (new).jpg"]
    bucket = S3Store(
        BUCKET,
        endpoint=s3_server.endpoint,
        region=REGION,
        access_key_id=KEY,
        secret_access_key=SECRET,
        client_options={"allow_http": True},
    )
    found = obstore.get(bucket, "exports/2026-11-20/Größe (new).jpg")
    assert bytes(found.bytes()) == b"first"
    assert found.attributes["Content-Type"] == "image/jpeg"


def test_a_store_that_is_away_is_asked_again(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagomortis.storage.object_store.RETRY", {"max_retries": 0})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    image_id = add(catalog, "s3://bucket/{stem}")
    assert write(writer_to(catalog, "s3://bucket", storage_endpoint="http://127.0.0.1:9")) == (0, 1)
    assert "does not answer" in str(export_of(catalog, image_id).error)


def test_a_store_that_is_away_holds_up_no_other(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagomortis.catalog.exports.PAUSE_SECONDS", 1000)
    monkeypatch.setattr("imagomortis.storage.object_store.RETRY", {"max_retries": 0})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    for number in range(6):
        add(catalog, "s3://bucket/exports/{stem}", f"{number}.png")
    add(catalog, f"file://{folder}/{{stem}}")
    writer = writer_to(catalog, "s3://bucket/exports", f"file://{folder}", storage_endpoint="http://127.0.0.1:9")
    assert write(writer) == (1, 4), "two are left for the next tick"
    assert (folder / "harbour").exists()
    assert write(writer) == (0, 2)

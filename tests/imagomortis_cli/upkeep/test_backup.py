"""Backups: everything that was accepted is in them and comes back, or nothing is touched."""

from __future__ import annotations

import hashlib
import json
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from imagomortis.catalog import Catalog, migrate
from imagomortis.catalog.upkeep.transfer import Transfer
from imagomortis.errors import ConfigurationError, Conflict
from imagomortis.lifecycle import State
from imagomortis.picture.header import Header
from imagomortis.settings import Settings, with_database
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.object_spool import ObjectSpool
from imagomortis.spool.spool import Spool
from imagomortis.storage import opened
from imagomortis.storage.object_store import ObjectStore
from imagomortis.work.ingest import ingest
from imagomortis_cli.machine.postgres import embedded
from imagomortis_cli.upkeep import backup, dumps
from imagomortis_cli.upkeep.archive import DamagedBackup, Manifest
from tests.support import uploads

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class System:
    """The databases and the spool of one system."""

    catalog_url: str
    dagster_url: str
    spool: Spool

    def write(self, path: Path) -> Manifest:
        return backup.write(path, self.catalog_url, self.dagster_url, self.spool, _silent)

    def restore(self, path: Path, *, replace: bool = False) -> Manifest:
        return backup.restore(path, self.catalog_url, self.dagster_url, self.spool, _silent, replace=replace)


@pytest.fixture
def system(database: str, postgres: str, tmp_path: Path) -> Iterator[System]:
    """A system with a catalog and a Dagster database that has one run."""
    with _empty_databases(postgres, 1) as [dagster]:
        with psycopg.connect(dagster) as connection:
            connection.execute("CREATE TABLE runs (id serial PRIMARY KEY, body text)")
            connection.execute("INSERT INTO runs (body) VALUES (%s)", ["a\tb\\.\nc \\ d"])
        yield System(database, dagster, _spool(tmp_path / "spool"))


@pytest.fixture
def other(postgres: str, tmp_path: Path) -> Iterator[System]:
    """A system whose databases are empty."""
    with _empty_databases(postgres, 2) as [catalog, dagster]:
        yield System(catalog, dagster, _spool(tmp_path / "other-spool"))


def test_everything_accepted_before_a_backup_under_load_is_in_it(system: System, other: System, tmp_path: Path) -> None:
    load = Load(system)
    with load.running():
        load.wait_for(60)
        accepted = dict(load.accepted)
        manifest = system.write(tmp_path / "backup.tar")
        load.wait_for(len(load.accepted) + 20)
    assert load.done, "the load was to process pictures too"
    assert manifest.images + manifest.uploads >= len(accepted)

    other.restore(tmp_path / "backup.tar")

    with Catalog(other.catalog_url) as catalog:
        ingest(other.spool, catalog)
        for image_id, data in accepted.items():
            assert _original(catalog, image_id) == data
        assert sum(catalog.images.counts().values()) >= len(accepted)
        assert catalog.images.counts()[State.PROCESSING] == 0
        while lease := catalog.queue.lease("run", 32, 15):
            catalog.queue.save(lease.token, [uploads.result(image) for image in lease.images])
        assert catalog.images.counts()[State.QUEUED] == 0
        assert all(catalog.images.renditions(image_id) for image_id in accepted)
    assert list(other.spool.ready.iterdir()) == []


@pytest.mark.parametrize("step", ["uploads", "catalog", "pictures", "runs"])
def test_an_upload_that_the_pusher_moves_during_any_step_is_in_the_backup(
    system: System, other: System, tmp_path: Path, step: str
) -> None:
    image_id = _store(system.spool, b"in the spool when the backup began")
    steps = []

    def begin(label: str, total: int | None) -> Callable[[int], None]:
        steps.append(label)
        if label == step:
            with Catalog(system.catalog_url) as catalog:
                assert ingest(system.spool, catalog) == 1
        return _silent(label, total)

    backup.write(tmp_path / "backup.tar", system.catalog_url, system.dagster_url, system.spool, begin)
    assert step in steps
    other.restore(tmp_path / "backup.tar")
    with Catalog(other.catalog_url) as catalog:
        ingest(other.spool, catalog)
        assert _original(catalog, image_id) == b"in the spool when the backup began"


def test_every_table_comes_back_with_every_row(system: System, other: System, tmp_path: Path) -> None:
    with Catalog(system.catalog_url) as catalog:
        catalog.queue.add(uploads.arrivals(5))
        lease = catalog.queue.lease("run", 2, 15)
        assert lease
        catalog.queue.save(lease.token, [uploads.result(image) for image in lease.images])
        with catalog.database.connection() as connection:  # as a worker left it that did not know whole renditions
            connection.execute("UPDATE renditions SET created_at = now() WHERE kind = 'thumbnail'")
        catalog.recipes.save("mine", "Mine", "with a tab\t, a line\nand a backslash \\", {"steps": []}, "0" * 64)
        catalog.assets.save("logo", b"\x00\\bytes", Header("PNG", "image/png", 4, 3, 1, 1, 7, 7))
        catalog.images.mark_favourites([lease.images[0].id], favourite=True)
        catalog.trash.put([lease.images[0].id], timedelta(days=30))
        catalog.control.pause()
        system.write(tmp_path / "backup.tar")

    other.restore(tmp_path / "backup.tar")

    unchanged = [
        "originals",
        "renditions",
        "attempts",
        "recipes",
        "assets",
        "asset_pictures",
        "favourites",
        "trash",
        "migrations",
        "reprocessings",
        "workers",
    ]
    for table in unchanged:
        assert _rows(other.catalog_url, table) == _rows(system.catalog_url, table)
    assert _rows(other.dagster_url, "runs") == _rows(system.dagster_url, "runs")
    with Catalog(other.catalog_url) as catalog:
        assert catalog.control.paused_at() is not None


def test_a_backup_counts_pictures_in_an_object_store(system: System, other: System, tmp_path: Path) -> None:
    store = opened(Settings(storage=f"file://{tmp_path}/store"))
    [(new, data)] = uploads.arrivals(1)
    with Catalog(system.catalog_url, objects=store) as catalog:
        catalog.queue.add([(new, data)])
    assert system.write(tmp_path / "backup.tar").elsewhere == 1
    assert other.restore(tmp_path / "backup.tar").elsewhere == 1
    with Catalog(other.catalog_url, objects=store) as catalog:
        picture = catalog.images.picture(new.id, head=100)
    assert picture is not None
    assert picture.head == data


def test_leased_images_are_queued_again_with_all_their_attempts(system: System, other: System, tmp_path: Path) -> None:
    with Catalog(system.catalog_url) as catalog:
        [image_id] = catalog.queue.add(uploads.arrivals(1))
        lease = catalog.queue.lease("run", 1, 15)
        assert lease
        catalog.queue.fail(lease.token, image_id, "a cause", "kind", 0.1)
        assert catalog.queue.lease("run", 1, 15)
        catalog.workers.start(uuid4(), uploads.NOON, "run")
        system.write(tmp_path / "backup.tar")

    other.restore(tmp_path / "backup.tar")

    with Catalog(other.catalog_url) as catalog:
        image = catalog.images.one(image_id)
        assert image
        assert (image.state, image.attempt, image.failed_attempts) == (State.QUEUED, 1, 1)
        assert catalog.workers.alive() == 0
        lease = catalog.queue.lease("another run", 1, 15)
        assert lease
        assert catalog.queue.save(lease.token, [uploads.result(lease.images[0])]) == {image_id}


def test_restored_images_are_told_as_changed_whatever_their_stamps_were(
    system: System, other: System, tmp_path: Path
) -> None:
    """Transactions of the new database have numbers below those of the old one."""
    with Catalog(system.catalog_url) as catalog:
        ids = set(catalog.queue.add(uploads.arrivals(3)))
        epoch = catalog.images.place().epoch
        with catalog.database.connection() as connection:
            connection.execute("UPDATE images SET changed_in = '999999999999'")
            connection.execute("UPDATE control SET purged_in = '999999999999'")
        system.write(tmp_path / "backup.tar")

    other.restore(tmp_path / "backup.tar")

    with Catalog(other.catalog_url) as catalog:
        changes = catalog.images.changes(0)
        assert {image.id for image in changes.images or ()} == ids
        place = catalog.images.place()
        assert place.purged is not None
        assert place.purged < place.position
        assert place.epoch != epoch


def test_a_system_that_holds_pictures_is_replaced_only_on_demand(system: System, other: System, tmp_path: Path) -> None:
    with Catalog(system.catalog_url) as catalog:
        kept = set(catalog.queue.add(uploads.arrivals(2)))
    system.write(tmp_path / "backup.tar")
    migrate(other.catalog_url)
    with Catalog(other.catalog_url) as catalog:
        lost = set(catalog.queue.add(uploads.arrivals(1)))

    with pytest.raises(Conflict, match="--replace"):
        other.restore(tmp_path / "backup.tar")
    assert _ids(other) == lost
    other.restore(tmp_path / "backup.tar", replace=True)
    assert _ids(other) == kept
    other.restore(tmp_path / "backup.tar", replace=True)
    assert _ids(other) == kept


def test_a_system_that_holds_only_an_asset_is_replaced_only_on_demand(
    system: System, other: System, tmp_path: Path
) -> None:
    system.write(tmp_path / "backup.tar")
    migrate(other.catalog_url)
    with Catalog(other.catalog_url) as catalog:
        catalog.assets.save("logo", b"bytes", Header("PNG", "image/png", 4, 3, 1, 1, 5, 5))

    with pytest.raises(Conflict, match="--replace"):
        other.restore(tmp_path / "backup.tar")


def test_nothing_is_restored_under_a_working_system(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "LEAVE_SECONDS", 0.2)
    system.write(tmp_path / "backup.tar")
    for name in ("imagomortis", "imagomortis pusher"):
        with (
            psycopg.connect(system.catalog_url, application_name=name),
            pytest.raises(Conflict, match=rf"\({name}\)\. Stop it first"),
        ):
            system.restore(tmp_path / "backup.tar", replace=True)


def test_a_part_that_is_just_leaving_is_waited_for(system: System, tmp_path: Path) -> None:
    system.write(tmp_path / "backup.tar")
    with psycopg.connect(system.catalog_url, application_name="imagomortis") as connection:
        leaving = threading.Timer(0.4, connection.close)
        leaving.start()
        system.restore(tmp_path / "backup.tar", replace=True)
        leaving.join()


@pytest.mark.parametrize("member", ["originals.copy", "catalog.dump", "spool"])
def test_a_changed_byte_is_found_before_anything_is_touched(
    system: System, other: System, tmp_path: Path, member: str
) -> None:
    path = tmp_path / "backup.tar"
    with Catalog(system.catalog_url) as catalog:
        catalog.queue.add(uploads.arrivals(3))
    _store(system.spool, b"waiting")
    system.write(path)
    with tarfile.open(path) as tar:
        place = next(found.offset_data for found in tar if found.name.startswith(member))
    data = bytearray(path.read_bytes())
    data[place + 5] ^= 1
    path.write_bytes(data)

    with pytest.raises(DamagedBackup, match="SHA-256"):
        other.restore(path)
    assert not _tables(other.catalog_url)
    assert not _tables(other.dagster_url)


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _empty(_: bytes) -> bytes:
    return b""


def _foreign(_: bytes) -> bytes:
    return b"a picture, perhaps" * 1000


def _from_the_future(data: bytes) -> bytes:
    return data.replace(b'"format": 1', b'"format": 9')


@pytest.mark.parametrize("damage", [_cut, _empty, _foreign, _from_the_future])
def test_an_incomplete_backup_is_refused(
    system: System, other: System, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "backup.tar"
    system.write(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DamagedBackup, match=r"backup\.tar: .*use another backup"):
        other.restore(path)
    assert not _tables(other.catalog_url)


def test_a_missing_backup_is_named(other: System, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no file .*nowhere\.tar"):
        other.restore(tmp_path / "nowhere.tar")


def test_a_restore_that_fails_halfway_leaves_the_catalog_as_it_was(
    system: System, other: System, tmp_path: Path
) -> None:
    """A backup whose parts are whole, and which has fewer images than it says."""
    path = tmp_path / "backup.tar"
    with Catalog(system.catalog_url) as catalog:
        catalog.queue.add(uploads.arrivals(2))
    system.write(path)
    path.write_bytes(path.read_bytes().replace(b'"images": 2', b'"images": 7'))
    migrate(other.catalog_url)
    with Catalog(other.catalog_url) as catalog:
        before = set(catalog.queue.add(uploads.arrivals(1)))

    with pytest.raises(DamagedBackup, match="nothing was changed"):
        other.restore(path, replace=True)
    assert _ids(other) == before


def test_a_backup_that_fails_leaves_no_file(system: System, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(dumps.DumpFailed, match="nowhere"):
        backup.write(
            folder / "backup.tar", system.catalog_url, with_database(system.dagster_url, "nowhere"), None, _silent
        )
    assert list(folder.iterdir()) == []


def test_a_backup_replaces_an_older_one_of_that_name_only_when_it_is_whole(system: System, tmp_path: Path) -> None:
    path = tmp_path / "backup.tar"
    path.write_bytes(b"older")
    with pytest.raises(dumps.DumpFailed):
        backup.write(
            path, system.catalog_url, with_database(system.dagster_url, "nowhere"), None, _silent, overwrite=True
        )
    with pytest.raises(Conflict, match="--force"):
        system.write(path)
    assert path.read_bytes() == b"older"
    backup.write(path, system.catalog_url, system.dagster_url, system.spool, _silent, overwrite=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert tarfile.is_tarfile(path)


def test_a_database_without_a_catalog_is_nothing_to_back_up(other: System, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="no catalog"):
        other.write(tmp_path / "backup.tar")


def test_uploads_of_a_spool_in_an_object_store_come_back(system: System, other: System, tmp_path: Path) -> None:
    spool, restored = (_spool_in_store(tmp_path / name) for name in ("one", "another"))
    data = {_store(spool, each): each for each in (b"one", b"two")}
    manifest = backup.write(tmp_path / "backup.tar", system.catalog_url, system.dagster_url, spool, _silent)
    assert manifest.uploads == 2
    backup.restore(tmp_path / "backup.tar", other.catalog_url, other.dagster_url, restored, _silent)
    with Catalog(other.catalog_url) as catalog:
        assert ingest(restored, catalog) == 2
        assert {image_id: _original(catalog, image_id) for image_id in data} == data


def test_foreign_things_in_the_spool_are_left_out(system: System, other: System, tmp_path: Path) -> None:
    image_id = _store(system.spool, b"mine")
    (system.spool.ready / "notes.txt").write_text("not an entry")
    (system.spool.ready / str(uuid4())).mkdir()
    assert system.write(tmp_path / "backup.tar").uploads == 1
    other.restore(tmp_path / "backup.tar")
    assert [folder.name for folder in other.spool.ready.iterdir()] == [str(image_id)]


def test_an_archive_is_a_tar_with_a_manifest_of_digests(system: System, tmp_path: Path) -> None:
    _store(system.spool, b"waiting")
    system.write(tmp_path / "backup.tar")
    with tarfile.open(tmp_path / "backup.tar") as tar:
        members = {found.name: tar.extractfile(found) for found in tar}
        contents = {name: file.read() for name, file in members.items() if file}
    manifest = json.loads(contents.pop("manifest.json"))
    assert {each["name"]: (each["size"], each["sha256"]) for each in manifest["members"]} == {
        name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items()
    }


def test_dropping_leaves_no_table_of_any_migration(database: str) -> None:
    assert _tables(database)
    with backup.connected(database) as connection:
        Transfer(connection).drop()
    assert not _tables(database)


def test_a_password_is_not_among_the_arguments_of_a_program(tmp_path: Path) -> None:
    """Every user of a machine can see those."""
    script = tmp_path / "pg_dump"
    script.write_text('#!/bin/sh\necho "$@"\nprintf %s "$PGPASSWORD"\n')
    script.chmod(0o755)
    tool = dumps.PostgresTool(script, 99)
    said = b"".join(dumps.dump(tool, "postgresql://me:se%20cret@localhost/imagomortis")).decode()
    arguments, _, variable = said.partition("\n")
    assert "cret" not in arguments
    assert "dbname=imagomortis" in arguments
    assert variable == "se cret"


def test_a_program_in_path_is_taken_where_the_embedded_one_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dumps.program("pg_dump", 15).path == embedded.binary("pg_dump")
    monkeypatch.setenv("PATH", str(tmp_path))
    for answer, major in (
        ("pg_dump (PostgreSQL) 99.1 (Debian 99.1-1.pgdg120+1)", 99),
        ("pg_dump (PostgreSQL) 98beta2", 98),
    ):
        found = tmp_path / "pg_dump"
        found.unlink(missing_ok=True)
        found.write_text(f"#!/bin/sh\necho '{answer}'\n")
        found.chmod(0o755)
        embedded.major_version.cache_clear()
        assert dumps.program("pg_dump", major) == dumps.PostgresTool(found, major)
        with pytest.raises(ConfigurationError, match=rf"{found} is version {major}.*postgresql-client-100"):
            dumps.program("pg_dump", 100)


def test_a_wrapper_without_its_program_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "pg_dump").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pg_dump").chmod(0o755)
    embedded.major_version.cache_clear()
    with pytest.raises(ConfigurationError, match="postgresql-client-99"):
        dumps.program("pg_dump", 99)


class Load:
    """Uploads, a pusher and a worker at work: the same statements as theirs."""

    def __init__(self, system: System) -> None:
        self.accepted: dict[UUID, bytes] = {}
        self.done: set[UUID] = set()
        self._system = system
        self._stop = threading.Event()
        self._more = threading.Condition()
        self._errors: list[BaseException] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        with Catalog(self._system.catalog_url) as catalog:
            jobs = [self._upload, lambda: ingest(self._system.spool, catalog), lambda: self._process(catalog)]
            threads = [threading.Thread(target=self._repeat, args=[job]) for job in jobs]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                self._stop.set()
                for thread in threads:
                    thread.join()
        assert not self._errors

    def wait_for(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.accepted) >= count or self._errors, timeout=30)

    def _repeat(self, job: Callable[[], object]) -> None:
        while not self._stop.is_set():
            try:
                job()
            except BaseException as error:
                self._errors.append(error)
                raise

    def _upload(self) -> None:
        data = f"picture {len(self.accepted)}".encode() * 500
        image_id = _store(self._system.spool, data)
        with self._more:
            self.accepted[image_id] = data
            self._more.notify_all()

    def _process(self, catalog: Catalog) -> None:
        # some stay leased for a while, as they do in the hands of a worker
        lease = catalog.queue.lease("run", 4, 15)
        self._stop.wait(0.01)
        if lease:
            self.done |= catalog.queue.save(lease.token, [uploads.result(image) for image in lease.images])


def _silent(_label: str, _total: int | None) -> Callable[[int], None]:
    return lambda _: None


def _spool(folder: Path) -> Spool:
    spool = Spool(folder)
    spool.prepare()
    return spool


def _spool_in_store(folder: Path) -> ObjectSpool:
    spool = ObjectSpool(ObjectStore.of(f"file://{folder}/objects"), folder / "drafts")
    spool.prepare()
    return spool


def _store(spool: AnySpool, data: bytes) -> UUID:
    with spool.draft() as draft:
        draft.original.write_bytes(data)
        spool.store(draft, uploads.upload(data, id=draft.id))
    return draft.id


def _original(catalog: Catalog, image_id: UUID) -> bytes:
    picture = catalog.images.picture(image_id, "original")
    assert picture
    return b"".join(catalog.images.read(picture))


def _ids(system: System) -> set[UUID]:
    with psycopg.connect(system.catalog_url) as connection:
        return {image_id for (image_id,) in connection.execute("SELECT id FROM images")}


def _rows(url: str, table: str) -> list[tuple[object, ...]]:
    statement = sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(table))
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def _tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found}


@contextmanager
def _empty_databases(postgres: str, count: int) -> Iterator[list[str]]:
    with psycopg.connect(postgres, autocommit=True) as connection, ExitStack() as stack:
        names = [sql.Identifier(f"test_{uuid4().hex}") for _ in range(count)]
        for name in names:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY file_copy").format(name))
            stack.callback(connection.execute, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        yield [with_database(postgres, name.as_string().strip('"')) for name in names]

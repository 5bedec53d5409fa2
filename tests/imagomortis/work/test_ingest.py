"""Ingesting: from the spool to the catalog, losing nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from imagomortis.catalog import Catalog
from imagomortis.errors import Unavailable
from imagomortis.picture.header import Header
from imagomortis.recipe.recipe import Recipe
from imagomortis.spool.drafts import ORIGINAL
from imagomortis.spool.spool import META, Spool
from imagomortis.storage.object_store import ObjectStore
from imagomortis.work.ingest import ingest
from tests.support.uploads import NOON, upload


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    return spool


def store(spool: Spool, data: bytes, **fields: object) -> UUID:
    """Put an entry into the spool as the uploader does."""
    with spool.draft() as draft:
        draft.original.write_bytes(data)
        spool.store(draft, upload(data, id=draft.id, **fields))
    return draft.id


def originals(catalog: Catalog) -> dict[UUID, bytes]:
    with catalog.database.connection() as connection:
        return {row["image_id"]: row["bytes"] for row in connection.execute("SELECT * FROM originals", binary=True)}


def test_entries_become_queued_images(spool: Spool, catalog: Catalog) -> None:
    stored = {store(spool, data): data for data in (b"one", b"two", b"three")}
    assert ingest(spool, catalog) == 3
    assert originals(catalog) == stored
    assert spool.scan(10) == []


def test_recipes_get_the_digests_of_their_assets(spool: Spool, catalog: Catalog) -> None:
    asset = catalog.assets.save("logo", b"bytes", Header("PNG", "image/png", 4, 3, 1, 1, 5, 5))
    plain, marked = (
        Recipe.parse({"steps": [{"transform": "grayscale"}]}),
        Recipe.parse({"steps": [{"transform": "overlay", "asset": "logo"}]}),
    )
    fixed = marked.with_assets({"logo": asset.sha256.hex()})
    wanted = {
        store(spool, data, recipe=recipe.as_json(), recipe_digest=recipe.digest): result
        for data, recipe, result in [(b"one", marked, fixed), (b"two", plain, plain), (b"three", marked, fixed)]
    }
    assert ingest(spool, catalog) == 3
    for image_id, recipe in wanted.items():
        image = catalog.images.one(image_id)
        assert image
        assert (image.recipe, image.recipe_digest) == (recipe.as_json(), recipe.digest)


def test_a_recipe_with_an_unknown_asset_is_queued_as_it_is(spool: Spool, catalog: Catalog) -> None:
    recipe = Recipe.parse({"steps": [{"transform": "overlay", "asset": "logo"}]})
    image_id = store(spool, b"one", recipe=recipe.as_json(), recipe_digest=recipe.digest)
    assert ingest(spool, catalog) == 1
    image = catalog.images.one(image_id)
    assert image
    assert (image.recipe, image.recipe_digest) == (recipe.as_json(), recipe.digest)


def test_an_empty_spool_is_no_work(spool: Spool, catalog: Catalog) -> None:
    assert ingest(spool, catalog) == 0


def test_large_batches_are_split(spool: Spool, catalog: Catalog) -> None:
    stored = {store(spool, b"%03d" % number) for number in range(150)}
    assert ingest(spool, catalog) == 150
    assert originals(catalog).keys() == stored


def test_no_batch_begins_when_the_time_is_over(spool: Spool, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagomortis.storage.batches.MOST", 2)
    for number in range(5):
        store(spool, bytes([number]))
    assert [ingest(spool, catalog, until=time.monotonic()) for _ in range(3)] == [2, 2, 1]


def test_images_are_created_when_they_were_uploaded(spool: Spool, catalog: Catalog) -> None:
    identifier = store(spool, b"x", created_at=NOON - timedelta(days=3))
    ingest(spool, catalog)
    image = catalog.images.one(identifier)
    assert image is not None
    assert image.created_at == NOON - timedelta(days=3)


def test_an_entry_that_is_in_the_catalog_already_is_removed(spool: Spool, catalog: Catalog) -> None:
    identifier = store(spool, b"x")
    entry = spool.read(spool.ready / str(identifier))
    catalog.queue.add([(entry.upload, b"x")])
    assert ingest(spool, catalog) == 1
    assert catalog.queue.depth().queued == 1
    assert spool.scan(10) == []


def test_entries_wait_while_the_database_is_away(spool: Spool) -> None:
    identifier = store(spool, b"x")
    with Catalog("host=127.0.0.1 port=1 dbname=nowhere connect_timeout=1") as nowhere, pytest.raises(Unavailable):
        ingest(spool, nowhere)
    assert [found.name for found in spool.scan(10)] == [str(identifier)]


def test_entries_wait_while_postgres_has_no_room(spool: Spool, catalog: Catalog) -> None:
    """The server itself says what a full disk makes it say, and half of a batch was written before."""
    stored = {store(spool, data): data for data in (b"one", b"two", b"three")}
    with catalog.database.connection() as connection:
        connection.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF new.bytes = 'three' THEN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END IF; "
            "RETURN new; END $$"
        )
        connection.execute("CREATE TRIGGER no_room BEFORE INSERT ON originals FOR EACH ROW EXECUTE FUNCTION no_room()")
        with pytest.raises(Unavailable, match="could not extend file"):
            ingest(spool, catalog)
        assert {UUID(found.name) for found in spool.scan(10)} == stored.keys()
        assert originals(catalog) == {}
        connection.execute("DROP TRIGGER no_room ON originals")
    assert ingest(spool, catalog) == 3
    assert originals(catalog) == stored
    assert list(spool.rejected.iterdir()) == []


def test_two_pushers_share_the_work(spool: Spool, catalog: Catalog) -> None:
    stored = {store(spool, b"%03d" % number) for number in range(300)}
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: ingest(spool, catalog), range(4)))
    assert originals(catalog).keys() == stored
    assert spool.scan(10) == []
    assert list(spool.rejected.iterdir()) == []


class TestForeignEntries:
    """What no uploader put there is moved aside with its reason, and holds nobody up."""

    @pytest.fixture(autouse=True)
    def neighbour(self, spool: Spool, catalog: Catalog) -> object:
        identifier = store(spool, b"neighbour")
        yield identifier
        assert ingest(spool, catalog) <= 1
        assert originals(catalog) == {identifier: b"neighbour"}
        assert spool.scan(10) == []
        [reason] = spool.rejected.glob("*.reason.txt")
        assert reason.read_text().strip()

    def test_a_file(self, spool: Spool) -> None:
        (spool.ready / "stray.jpg").write_bytes(b"x")

    def test_an_empty_folder(self, spool: Spool) -> None:
        (spool.ready / "0b6f1e7c-7d0c-4b0e-9d6a-0f3f4c1d2e3f").mkdir()

    def test_a_folder_of_another_name(self, spool: Spool) -> None:
        (spool.ready / "lost+found").mkdir()

    def test_an_entry_without_its_bytes(self, spool: Spool) -> None:
        (spool.ready / str(store(spool, b"x")) / ORIGINAL).unlink()

    def test_an_entry_with_other_bytes(self, spool: Spool) -> None:
        (spool.ready / str(store(spool, b"before")) / ORIGINAL).write_bytes(b"behind")

    def test_an_entry_with_a_broken_meta(self, spool: Spool) -> None:
        (spool.ready / str(store(spool, b"x")) / META).write_text("{")

    def test_an_entry_that_leads_in_circles(self, spool: Spool) -> None:
        meta = spool.ready / str(store(spool, b"x")) / META
        meta.unlink()
        meta.symlink_to(meta)

    def test_an_entry_that_postgres_cannot_store(self, spool: Spool) -> None:
        store(spool, b"x", recipe={"steps": [{"transform": "watermark", "text": "a\0b"}]})

    def test_an_entry_under_another_id(self, spool: Spool) -> None:
        entry = spool.ready / str(store(spool, b"x"))
        entry.rename(spool.ready / "0b6f1e7c-7d0c-4b0e-9d6a-0f3f4c1d2e3f")


def test_an_entry_that_can_neither_be_read_nor_moved_holds_nobody_up(spool: Spool, catalog: Catalog) -> None:
    identifier = store(spool, b"neighbour")
    (spool.ready / "stray").write_bytes(b"x")
    spool.rejected.rmdir()
    spool.rejected.symlink_to(spool.rejected)
    assert ingest(spool, catalog) == 1
    assert originals(catalog).keys() == {identifier}
    assert [found.name for found in spool.scan(10)] == ["stray"]


def test_a_removed_entry_is_never_half_there(spool: Spool) -> None:
    folder = spool.ready / str(store(spool, b"x"))
    assert hashlib.sha256((folder / ORIGINAL).read_bytes()).digest() == spool.read(folder).upload.sha256
    spool.remove(folder)
    spool.remove(folder)
    assert not folder.exists()
    assert list(spool.incoming.iterdir()) == []


class TestLargeOriginals:
    """Originals that go from their file to an object store."""

    @pytest.fixture
    def stored(self, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
        monkeypatch.setattr("imagomortis.spool.spool.LARGE", 10)
        with Catalog(database, objects=ObjectStore.of(f"file://{tmp_path}/store")) as found:
            yield found

    def test_they_are_never_in_memory(self, spool: Spool, stored: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        data = b"a large original"
        image_id = store(spool, data)
        monkeypatch.setattr(spool, "read_bytes", lambda entry: pytest.fail(f"{entry} was read into memory"))
        assert ingest(spool, stored) == 1
        lease = stored.queue.lease("run", 1, 15)
        assert lease is not None
        assert stored.queue.originals(lease.images) == {image_id: data}
        assert spool.scan(10) == []

    def test_changed_ones_are_refused(self, spool: Spool, stored: Catalog) -> None:
        image_id = store(spool, b"a large original")
        (spool.ready / str(image_id) / ORIGINAL).write_bytes(b"a large orIginal")
        assert ingest(spool, stored) == 0
        assert stored.images.one(image_id) is None
        assert "SHA-256" in (spool.rejected / f"{image_id}.reason.txt").read_text()

"""Reading pictures again: damage is found, and what only changed meanwhile is not taken for it."""

from __future__ import annotations

import hashlib
import tracemalloc
from uuid import UUID

import pytest

from imagomortis.catalog import Catalog
from imagomortis.catalog.images import Picture
from imagomortis.errors import Unavailable
from tests.support.uploads import arrivals, result, upload


@pytest.fixture
def image_id(catalog: Catalog) -> UUID:
    """An image with its two renditions."""
    [found] = catalog.queue.add(arrivals(1))
    process(catalog)
    return found


def process(catalog: Catalog, data: bytes = b"processed") -> None:
    lease = catalog.queue.lease("run", 100, 15)
    assert lease
    catalog.queue.save(lease.token, [result(image, data) for image in lease.images])


def pictures(catalog: Catalog) -> dict[str, Picture]:
    return {picture.kind: picture for picture in catalog.verification.pictures(UUID(int=0))}


def execute(catalog: Catalog, statement: str) -> None:
    with catalog.database.connection() as connection:
        connection.execute(statement)  # type: ignore[call-overload]


def flip_a_byte(catalog: Catalog, table: str, which: str = "true") -> None:
    """Change the first byte of a picture behind the back of the catalog."""
    execute(catalog, f"UPDATE {table} SET bytes = set_byte(bytes, 0, get_byte(bytes, 0) # 1) WHERE {which}")


def let_reading_fail(catalog: Catalog, state: str) -> None:
    """Let every read of an original end as one of a bad block does."""
    execute(
        catalog,
        f"""CREATE FUNCTION unreadable(bytea) RETURNS bytea LANGUAGE plpgsql AS $$ BEGIN
            RAISE 'could not read block 7 in file "base/1/2"' USING ERRCODE = '{state}'; END $$;
        ALTER TABLE originals RENAME TO readable;
        CREATE VIEW originals AS SELECT image_id, unreadable(bytes) AS bytes FROM readable""",
    )


def problems(catalog: Catalog) -> dict[str, str | None]:
    return {kind: catalog.verification.problem(picture) for kind, picture in pictures(catalog).items()}


@pytest.mark.usefixtures("image_id")
class TestDamage:
    def test_there_is_none(self, catalog: Catalog) -> None:
        assert problems(catalog) == {"original": None, "processed": None, "thumbnail": None}

    def test_a_flipped_byte_of_an_original(self, catalog: Catalog) -> None:
        flip_a_byte(catalog, "originals")
        found = problems(catalog)
        assert "its SHA-256 is" in str(found.pop("original"))
        assert set(found.values()) == {None}

    def test_a_flipped_byte_of_a_rendition(self, catalog: Catalog) -> None:
        flip_a_byte(catalog, "renditions", "kind = 'thumbnail'")
        found = problems(catalog)
        assert "its SHA-256 is" in str(found.pop("thumbnail"))
        assert set(found.values()) == {None}

    def test_a_flipped_byte_of_one_output(self, catalog: Catalog) -> None:
        catalog.images.retry([picture.image_id for picture in pictures(catalog).values()])
        lease = catalog.queue.lease("run", 100, 15)
        assert lease
        catalog.queue.save(lease.token, [result(image, small=b"small") for image in lease.images])
        flip_a_byte(catalog, "renditions", "kind = 'small'")
        found = problems(catalog)
        assert found.keys() == {"original", "processed", "small", "thumbnail"}
        assert [kind for kind, problem in found.items() if problem] == ["small"]

    def test_bytes_that_are_missing(self, catalog: Catalog) -> None:
        execute(catalog, "UPDATE originals SET bytes = substring(bytes FROM 1 FOR 3)")
        assert problems(catalog)["original"] == "it has 3 of its 7 bytes"

    def test_an_original_that_is_not_there(self, catalog: Catalog) -> None:
        execute(catalog, "DELETE FROM originals")
        assert problems(catalog)["original"] == "it has 0 of its 7 bytes"

    @pytest.mark.parametrize("state", ["58030", "58P01", "XX000", "XX001"])
    def test_bytes_that_postgres_cannot_read_are_reported(self, catalog: Catalog, state: str) -> None:
        let_reading_fail(catalog, state)
        found = problems(catalog)
        assert str(found.pop("original")).startswith(
            'Postgres cannot read it (could not read block 7 in file "base/1/2"'
        )
        assert set(found.values()) == {None}

    def test_a_postgres_that_is_away_is_no_damage(self, catalog: Catalog) -> None:
        let_reading_fail(catalog, "57P03")
        with pytest.raises(Unavailable):
            problems(catalog)


class TestWhatIsNone:
    def test_an_image_that_was_purged_meanwhile(self, catalog: Catalog, image_id: UUID) -> None:
        listed = pictures(catalog)
        catalog.images.delete([image_id])
        assert catalog.images.purge(undo_seconds=0) == 1
        assert [catalog.verification.problem(picture) for picture in listed.values()] == [None] * 3

    def test_a_rendition_that_was_replaced_meanwhile(self, catalog: Catalog, image_id: UUID) -> None:
        listed = pictures(catalog)
        catalog.images.retry([image_id])
        process(catalog, b"processed anew")
        assert catalog.verification.problem(listed["processed"]) is None


def test_deleted_pictures_are_read_too_as_they_can_be_restored(catalog: Catalog, image_id: UUID) -> None:
    catalog.images.delete([image_id])
    assert len(pictures(catalog)) == 3


def test_pages_cover_every_image_once(catalog: Catalog) -> None:
    ids = catalog.queue.add(arrivals(7))
    found: list[UUID] = []
    after = UUID(int=0)
    while page := catalog.verification.pictures(after, limit=2):
        found += [picture.image_id for picture in page]
        after = page[-1].image_id
    assert sorted(found) == sorted(ids)
    assert catalog.verification.amount() == (7, 7 * 7)


def test_a_large_picture_takes_little_memory(catalog: Catalog) -> None:
    data = bytes(40_000_000)
    catalog.queue.add([(upload(data, sha256=hashlib.sha256(data).digest()), data)])
    [picture] = catalog.verification.pictures(UUID(int=0))
    tracemalloc.start()
    assert catalog.verification.problem(picture) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000

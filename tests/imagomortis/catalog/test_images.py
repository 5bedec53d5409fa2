"""Images as people see them: pages, bytes, changes, deletion, figures."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from imagomortis.catalog import Catalog
from imagomortis.catalog.images import CHUNK, NEWEST, Cursor, Filter, Image
from imagomortis.lifecycle import Outcome, State
from tests.conftest import new_database
from tests.support.uploads import NOON, arrivals, ids, result, upload
from tests.support.waiting import wait_until

SECOND = timedelta(seconds=1)


def add(catalog: Catalog, data: bytes = b"bytes", created_at: datetime = NOON, **fields: Any) -> UUID:
    [image_id] = catalog.queue.add([(upload(data, created_at, **fields), data)])
    return image_id


def process(catalog: Catalog, data: bytes = b"processed") -> None:
    lease = catalog.queue.lease("run", 1000, 15)
    assert lease is not None
    catalog.queue.save(lease.token, [result(image, data) for image in lease.images])


def walk(catalog: Catalog, limit: int, which: Filter | None = None) -> list[UUID]:
    """The ids of all pages."""
    found, cursor = [], NEWEST
    while True:
        page = catalog.images.page(limit, cursor, which)
        found += [image.id for image in page.images]
        if page.next is None:
            return found
        cursor = page.next


class TestPages:
    @pytest.mark.parametrize("limit", [1, 3, 7, 100])
    def test_they_hold_every_image_once_and_newest_first(self, catalog: Catalog, limit: int) -> None:
        chance = random.Random(limit)
        moments = {add(catalog, created_at=NOON + chance.randrange(4) * SECOND): None for _ in range(20)}
        everything = {image.id: image.created_at for image in catalog.images.page(100).images}
        assert walk(catalog, limit) == sorted(moments, key=lambda found: (everything[found], found), reverse=True)

    @pytest.mark.parametrize(
        "which",
        [
            Filter(states=(State.FAILED,)),
            Filter(states=(State.FAILED, State.QUEUED)),
            Filter(states=(State.DONE,)),
            Filter(states=(State.DONE, State.FAILED)),
            Filter(states=(State.QUEUED,), name="A"),
            Filter(name="b"),
            Filter(recipe="web"),
            Filter(since=NOON + 10 * SECOND),
            Filter(states=(State.FAILED,), since=NOON + 10 * SECOND),
        ],
    )
    @pytest.mark.parametrize("scan", [4, 1000])
    def test_a_filter_finds_what_it_describes(
        self, catalog: Catalog, which: Filter, scan: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.catalog.images.SCAN", scan)
        for number in range(24):
            add(
                catalog,
                created_at=NOON + number * SECOND,
                filename=f"{'ab'[number % 2]}.jpg",
                recipe_name=["web", None][number % 2],
            )
        with catalog.database.connection() as connection:
            connection.execute(
                "UPDATE images SET finished_at = now(), error = 'cause', "
                "state = (ARRAY['queued', 'done', 'failed'])[1 + extract(second from created_at)::int % 3]"
            )
        expected = [image.id for image in catalog.images.page(100).images if self.fits(image, which)]
        assert walk(catalog, 2, which) == expected
        assert expected

    @staticmethod
    def fits(image: Image, which: Filter) -> bool:
        return (
            (which.states is None or image.state in which.states)
            and (which.name is None or which.name.lower() in image.filename.lower())
            and (which.recipe is None or image.recipe_name == which.recipe)
            and image.created_at >= which.since
        )

    def test_a_deleted_image_is_on_none(self, catalog: Catalog) -> None:
        gone, stays = add(catalog), add(catalog)
        catalog.images.delete([gone])
        assert walk(catalog, 10) == [stays]
        assert walk(catalog, 10, Filter(states=(State.QUEUED,))) == [stays]

    def test_an_image_knows_its_renditions(self, catalog: Catalog) -> None:
        image_id = add(catalog)
        [image] = catalog.images.page(1).images
        assert (image.processed, image.thumbnail) == (None, None)
        process(catalog)
        [image] = catalog.images.page(1).images
        made = {rendition.kind: rendition.sha256 for rendition in catalog.images.renditions(image_id)}
        assert {"processed": image.processed, "thumbnail": image.thumbnail} == made
        assert catalog.images.one(image_id) == image


class TestPlans:
    """Every list is served by an index, whatever is asked for."""

    @pytest.fixture(scope="class")
    @classmethod
    def large(cls, postgres: str, template: str) -> Iterator[Catalog]:
        """A catalog with many images, which the tests of the class share."""
        with new_database(postgres, template) as url, Catalog(url) as catalog:
            with catalog.database.connection() as connection:
                connection.execute(
                    "INSERT INTO images (id, created_at, filename, media_type, sha256, size, width, height, state, "
                    "recipe, recipe_digest, finished_at, error) "
                    "SELECT gen_random_uuid(), now() - n * interval '1 second', n || '.jpg', 'image/jpeg', "
                    " sha256(n::text::bytea), 5, 4, 3, CASE n % 50 WHEN 0 THEN 'failed' WHEN 1 THEN 'queued' "
                    "ELSE 'done' END, '{}', '0', now(), 'cause' FROM generate_series(1, 30000) AS n"
                )
                connection.execute("ANALYZE images")
            yield catalog

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("page", {"states": None, "name": None, "recipe": None}),
            ("page", {"states": ["done"], "name": None, "recipe": None, "scan": 50_000}),
            ("page", {"states": None, "name": "%nothing%", "recipe": None, "scan": 20_000}),
            ("page", {"states": None, "name": None, "recipe": "nothing", "scan": 20_000}),
            ("page_of_states", {"states": ["failed"]}),
            ("page_of_states", {"states": ["failed", "queued", "processing"]}),
            ("horizon", {"scan": 20_000}),
        ],
    )
    @pytest.mark.parametrize("generic", [False, True])
    def test_no_list_reads_the_whole_table(
        self, large: Catalog, name: str, values: dict[str, Any], generic: bool
    ) -> None:
        place = {"before": NEWEST.created_at, "before_id": NEWEST.id, "since": datetime(1, 1, 2, tzinfo=UTC)}
        nodes = list(self.explain(large, name, generic, {"limit": 101, "scan": 101, **place, **values}))
        indexes = {node["Index Name"] for node in nodes if node.get("Relation Name") == "images"}
        assert indexes == {"images_by_state" if name == "page_of_states" else "images_newest_first"}

    def test_changes_are_found_by_an_index(self, large: Catalog) -> None:
        nodes = list(self.explain(large, "changes", True, {"since": "1", "limit": 2001}))
        assert {node["Index Name"] for node in nodes if node.get("Relation Name") == "images"} == {"images_by_change"}

    @pytest.mark.parametrize("name", ["counts", "total"])
    def test_counting_looks_at_none_that_is_done(self, large: Catalog, name: str) -> None:
        nodes = list(self.explain(large, name, False, {}))
        assert {node["Index Name"] for node in nodes if "Index Name" in node} == (
            {"images_by_state"} if name == "counts" else set()
        )
        assert not any(node["Node Type"] == "Seq Scan" and node["Relation Name"] == "images" for node in nodes)

    @staticmethod
    def explain(catalog: Catalog, name: str, generic: bool, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The nodes of a plan: for these values, or for any, as a prepared statement may get."""
        statement = catalog.images._sql[name].as_string()
        if generic:
            names = list(values)
            statement = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
        options = "GENERIC_PLAN, FORMAT JSON" if generic else "FORMAT JSON"
        with catalog.database.connection() as connection:
            explain = f"EXPLAIN ({options}) {statement}".encode()
            [row] = connection.execute(explain, None if generic else values)
        waiting = [row["QUERY PLAN"][0]["Plan"]]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.get("Plans", [])


class TestBytes:
    def test_the_processed_picture_or_else_the_original(self, catalog: Catalog) -> None:
        image = add(catalog, b"original")
        assert self.read(catalog, image) == b"original"
        process(catalog)
        assert self.read(catalog, image) == b"processed"

    @pytest.mark.parametrize("head", [0, 1, 8, 100])
    def test_the_first_bytes_come_with_it(self, catalog: Catalog, head: int) -> None:
        image = add(catalog, b"original")
        process(catalog, b"rendered")
        for kind, data in {"original": b"original", "processed": b"rendered", None: b"rendered"}.items():
            picture = catalog.images.picture(image, kind, head=head)  # type: ignore[arg-type]
            assert picture is not None
            assert picture.head == data[:head]

    def test_any_range(self, catalog: Catalog) -> None:
        data = random.Random(1).randbytes(2 * CHUNK + 1000)
        picture = catalog.images.picture(add(catalog, data))
        assert picture is not None
        for start, length in [(0, 1), (CHUNK - 1, 2), (5, CHUNK * 2), (len(data) - 1, 1), (0, len(data))]:
            assert b"".join(catalog.images.read(picture, start, length)) == data[start : start + length]

    def test_a_rendition_that_is_replaced_ends_early(self, catalog: Catalog) -> None:
        image = add(catalog)
        process(catalog, bytes(2 * CHUNK))
        picture = catalog.images.picture(image)
        assert picture is not None
        reading = catalog.images.read(picture)
        next(reading)
        catalog.images.retry([image])
        process(catalog, b"\x01" * 2 * CHUNK)
        assert list(reading) == []

    @staticmethod
    def read(catalog: Catalog, image: UUID) -> bytes:
        picture = catalog.images.picture(image)
        assert picture is not None
        return b"".join(catalog.images.read(picture))


class TestChanges:
    def test_nothing_changed(self, catalog: Catalog) -> None:
        add(catalog)
        place = catalog.images.place()
        changes = catalog.images.changes(place.position)
        assert (changes.images, changes.position) == ([], place.position)
        assert not catalog.images.has_changed(place.position)

    def test_each_change_once_and_as_it_is_now(self, catalog: Catalog) -> None:
        before = catalog.images.place().position
        image, gone = add(catalog, b"one"), add(catalog, b"two")
        process(catalog)
        catalog.images.delete([gone])
        changes = catalog.images.changes(before)
        assert changes.images is not None
        assert {found.id: (found.state, found.deleted_at is None) for found in changes.images} == {
            image: (State.DONE, True),
            gone: (State.DONE, False),
        }
        assert catalog.images.has_changed(before)
        assert catalog.images.changes(changes.position).images == []

    def test_too_many(self, catalog: Catalog) -> None:
        before = catalog.images.place().position
        catalog.queue.add(arrivals(5))
        few, many = catalog.images.changes(before, limit=4), catalog.images.changes(before, limit=5)
        assert few.images is None
        assert few.position == many.position
        assert many.images is not None
        assert len(many.images) == 5

    def test_a_transaction_under_way_holds_the_position(self, catalog: Catalog) -> None:
        image = add(catalog)
        with psycopg.connect(catalog.database.conninfo) as slow:
            slow.execute("UPDATE images SET filename = 'slow', changed_in = pg_current_xact_id()")
            add(catalog)
            changes = catalog.images.changes(catalog.images.place().position)
            assert (changes.images, changes.ahead > changes.position) == ([], True)
            slow.commit()
        later = catalog.images.changes(changes.position)
        assert later.images is not None
        assert image in ids(later.images)
        assert len(later.images) == 2

    def test_a_reader_misses_nothing_that_many_write(self, catalog: Catalog) -> None:
        """Whatever the order in which transactions end, following the positions leads to the present."""
        position = catalog.images.place().position
        catalog.queue.add(arrivals(30))
        everything = [image.id for image in catalog.images.page(100).images]
        over = threading.Event()

        def write(seed: int) -> None:
            chance = random.Random(seed)
            for _ in range(60):
                some = chance.sample(everything, 3)
                chance.choice([catalog.images.delete, catalog.images.restore, catalog.images.retry])(some)
                if chance.random() < 0.2 and (lease := catalog.queue.lease("run", 4, 15)):
                    catalog.queue.save(lease.token, [result(image) for image in lease.images])

        seen: dict[UUID, Image] = {}
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write, seed) for seed in range(4)]
            while not over.is_set():
                if all(writer.done() for writer in writers):
                    over.set()
                changes = catalog.images.changes(position)
                assert changes.images is not None
                seen |= {image.id: image for image in changes.images}
                position = changes.position
            for writer in writers:
                writer.result()
        in_sight = {image.id: image for image in catalog.images.page(100).images}
        assert {image_id: image for image_id, image in seen.items() if image.deleted_at is None} == in_sight
        assert seen.keys() == set(everything)

    def test_the_place_tells_what_was_purged(self, catalog: Catalog) -> None:
        assert catalog.images.place().purged is None
        first, second = add(catalog), add(catalog)
        catalog.images.delete([first])
        before = catalog.images.place().position
        catalog.images.delete([second])
        assert catalog.images.purge(undo_seconds=0) == 2
        purged = catalog.images.place().purged
        assert purged is not None
        assert before <= purged < catalog.images.place().position


class TestDeletion:
    def test_an_attempt_under_way_loses_its_result(self, catalog: Catalog) -> None:
        image = add(catalog)
        lease = catalog.queue.lease("run", 1, 15)
        assert lease is not None
        catalog.images.delete([image])
        assert catalog.queue.save(lease.token, [result(each) for each in lease.images]) == set()
        catalog.images.restore([image])
        found = catalog.images.one(image)
        assert found is not None
        assert found.state is State.QUEUED

    def test_a_purged_image_leaves_nothing(self, catalog: Catalog) -> None:
        image, stays = add(catalog), add(catalog, b"stays")
        process(catalog)
        catalog.images.delete([image])
        assert catalog.images.purge(undo_seconds=60) == 0
        assert catalog.images.purge(undo_seconds=0) == 1
        with catalog.database.connection() as connection:
            for table in ("originals", "renditions", "attempts"):
                found = connection.execute(sql.SQL("SELECT DISTINCT image_id FROM {}").format(sql.Identifier(table)))
                assert [row["image_id"] for row in found] == [stays]

    @pytest.mark.timeout(300)
    def test_many_are_deleted_restored_and_purged_by_a_planner_that_knows_nothing_of_it(self, catalog: Catalog) -> None:
        """Autovacuum is turned off, so that the statistics say throughout that no image is deleted."""
        with catalog.database.connection() as connection:
            connection.execute("ALTER TABLE images SET (autovacuum_enabled = false)")
            connection.execute(
                "INSERT INTO images (id, created_at, filename, media_type, sha256, size, width, height, recipe, "
                "recipe_digest) SELECT gen_random_uuid(), now(), 'x', 'x', sha256('x'), 5, 4, 3, '{}', '0' "
                "FROM generate_series(1, 15000)"
            )
            connection.execute("ANALYZE images")
        assert catalog.images.delete_all() == 15_000
        assert catalog.images.restore_all() == 15_000
        assert catalog.images.delete_all() == 15_000
        assert catalog.images.purge(undo_seconds=0, limit=5_000) == 5_000

    def test_deleting_everything_while_it_is_processed(self, catalog: Catalog) -> None:
        """Whoever waits for whom, nobody fails, and in the end everything is deleted."""
        catalog.queue.add(arrivals(200))

        def work() -> None:
            while lease := catalog.queue.lease("run", 8, 15):
                catalog.queue.renew(lease.token, [image.id for image in lease.images], 15)
                catalog.queue.save(lease.token, [result(image) for image in reversed(lease.images)])

        with ThreadPoolExecutor(3) as pool:
            workers = [pool.submit(work) for _ in range(2)]
            pool.submit(catalog.images.delete_all).result()
            for worker in workers:
                worker.result()
        assert catalog.images.page(1).images == []
        assert catalog.images.restore_all() == 200

    @pytest.mark.parametrize("act", ["delete_all", "cancel_queued"])
    def test_later_uploads_stay_and_delay_nothing(
        self, catalog: Catalog, act: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With every statement there comes a picture more, and yet it ends."""
        catalog.queue.add(arrivals(5, datetime.now(UTC)))
        monkeypatch.setattr("imagomortis.catalog.images.SLICE", 2)
        later: list[UUID] = []
        rows = catalog.database.rows

        def meanwhile(statement: sql.SQL, **values: Any) -> list[Any]:
            found = rows(statement, **values)
            if len(later) < 20:
                moment = datetime.now(UTC) + SECOND
                arrival = upload(str(moment).encode(), moment)
                later.append(arrival.id)
                with monkeypatch.context() as patch:
                    patch.setattr(catalog.database, "rows", rows)
                    catalog.queue.add([(arrival, b"later")])
            return found

        with monkeypatch.context() as patch:
            patch.setattr(catalog.database, "rows", meanwhile)
            assert getattr(catalog.images, act)() == 5
        assert 0 < len(later) < 10
        in_sight = catalog.images.page(100).images
        assert {image.id for image in in_sight if image.state is State.QUEUED} == set(later)

    @pytest.mark.parametrize("act", ["delete_all", "cancel_queued"])
    def test_all_means_also_those_whose_uploader_has_a_fast_clock(self, catalog: Catalog, act: str) -> None:
        add(catalog, created_at=datetime.now(UTC) + timedelta(hours=1))
        add(catalog, b"other", created_at=datetime.now(UTC))
        assert getattr(catalog.images, act)() == 2

    def test_restoring_all_leaves_what_was_deleted_by_itself(self, catalog: Catalog) -> None:
        unwanted, wanted, changed = add(catalog), add(catalog, b"wanted"), add(catalog, b"changed")
        catalog.images.delete([unwanted])
        assert catalog.images.delete_all() == 2
        catalog.images.restore([changed])
        catalog.images.delete([changed])
        assert catalog.images.restore_all() == 1
        assert ids(catalog.images.page(3).images) == {wanted}
        assert set(catalog.images.restore([unwanted, changed])) == {unwanted, changed}

    def test_two_who_lock_each_other_both_succeed(self, catalog: Catalog) -> None:
        """Postgres ends one of two that wait for each other; that one tries again."""
        one, two = add(catalog), add(catalog)
        conninfo = catalog.database.conninfo
        patient = make_conninfo(conninfo, options="-c deadlock_timeout=4s")
        with psycopg.connect(conninfo) as other, Catalog(patient) as deleter, ThreadPoolExecutor(1) as pool:
            other.execute("SET deadlock_timeout = '60s'")
            other.execute("UPDATE images SET filename = 'x' WHERE id = %s", [two])
            deleting = pool.submit(deleter.images.delete, sorted([one, two], key=lambda found: found != one))
            # not pg_stat_activity, which stays as it was at the first look of a transaction
            waits = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            wait_until(lambda: other.execute(waits).fetchall())
            other.execute("UPDATE images SET filename = 'x' WHERE id = %s", [one])
            other.commit()
            assert set(deleting.result()) == {one, two}


class TestFigures:
    def test_counts(self, catalog: Catalog) -> None:
        assert catalog.images.counts() == dict.fromkeys(State, 0)
        catalog.queue.add(arrivals(3))
        process(catalog)
        catalog.images.retry([catalog.images.page(1).images[0].id])
        catalog.images.delete([catalog.images.page(3).images[2].id])
        counts = catalog.images.counts()
        assert sum(counts.values()) == 2
        assert counts == {State.QUEUED: 1, State.PROCESSING: 0, State.DONE: 1, State.FAILED: 0}

    def test_counts_after_images_were_purged_removed_and_folded(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(6))
        first, second, *_ = (image.id for image in catalog.images.page(6).images)
        catalog.images.delete([first, second])
        catalog.images.restore([second])
        catalog.images.purge(undo_seconds=0)
        with catalog.database.connection() as connection:
            connection.execute("DELETE FROM images WHERE id = %s", [second])
        for rows in (6, 1, 1):
            assert sum(catalog.images.counts().values()) == 4
            with catalog.database.connection() as connection:
                assert connection.execute("SELECT count(*) AS rows FROM image_totals").fetchone() == {"rows": rows}
            catalog.images.fold_totals()

    def test_counts_of_many_who_fold_while_others_add(self, catalog: Catalog) -> None:
        with ThreadPoolExecutor(4) as pool:
            adding = [pool.submit(catalog.queue.add, arrivals(5)) for _ in range(20)]
            folding = [pool.submit(catalog.images.fold_totals) for _ in range(20)]
            for each in (*adding, *folding):
                each.result()
        assert catalog.images.counts()[State.QUEUED] == 100

    def test_the_oldest_that_waits(self, catalog: Catalog) -> None:
        assert catalog.images.oldest_queued() is None
        add(catalog, created_at=NOON + SECOND)
        add(catalog, created_at=NOON)
        catalog.control.pause()
        assert catalog.images.oldest_queued() == NOON

    def test_throughput_by_minute_and_outcome(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(3))
        process(catalog)
        found = catalog.images.throughput(datetime.now(UTC) - timedelta(minutes=2))
        assert sum(each.images for each in found) == 3
        assert {each.outcome for each in found} == {Outcome.DONE}
        assert all(each.minute.second == 0 for each in found)
        assert catalog.images.throughput(datetime.now(UTC) + timedelta(minutes=2)) == []

    def test_storage(self, catalog: Catalog) -> None:
        before = catalog.images.storage()
        add(catalog, random.Random(1).randbytes(CHUNK))
        after = catalog.images.storage()
        assert after["originals"] - before["originals"] > CHUNK
        assert after["database"] > after["originals"]


class TestKnownDigests:
    def test_the_oldest_image_of_each(self, catalog: Catalog) -> None:
        old = add(catalog, b"same", NOON)
        add(catalog, b"same", NOON + SECOND)
        other = add(catalog, b"other")
        gone = add(catalog, b"gone")
        catalog.images.delete([gone])
        digests = {image.id: image.sha256 for image in catalog.images.page(10).images}
        asked = [digests[old], digests[other], upload(b"gone").sha256, upload(b"unknown").sha256]
        assert catalog.images.known_digests(asked) == {digests[old]: old, digests[other]: other}


class TestRecipes:
    def test_a_new_recipe_for_those_that_are_there(self, catalog: Catalog) -> None:
        image, gone = add(catalog), add(catalog)
        catalog.images.delete([gone])
        before = catalog.images.one(image)
        former = catalog.images.apply_recipe([image, gone, uuid4()], {"steps": [1]}, "1" * 64, "name")
        found = catalog.images.one(image)
        assert before is not None
        assert found is not None
        assert former == {image: before.recipe}
        assert (found.recipe, found.recipe_digest, found.recipe_name) == ({"steps": [1]}, "1" * 64, "name")


def test_a_cursor_may_be_anywhere(catalog: Catalog) -> None:
    image = add(catalog)
    newer, older = Cursor(NOON + SECOND, uuid4()), Cursor(NOON - SECOND, uuid4())
    assert [ids(catalog.images.page(10, cursor).images) for cursor in (newer, older)] == [{image}, set()]

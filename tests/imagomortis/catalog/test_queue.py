"""The queue: arrivals, leases, results, failures, lost workers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

import pytest
from psycopg import sql

from imagomortis.catalog import QUEUE_CHANNEL, Catalog
from imagomortis.catalog.queue import Lease, Result
from imagomortis.lifecycle import MAX_ATTEMPTS, Outcome, State
from tests.support.uploads import NOON, arrivals, ids, result, upload

HOUR = timedelta(hours=1)


def leased(catalog: Catalog, count: int = 32, seconds: float = 15, run: str = "run") -> Lease:
    lease = catalog.queue.lease(run, count, seconds)
    assert lease is not None
    return lease


def state_of(catalog: Catalog, image_id: UUID) -> State:
    image = catalog.images.one(image_id)
    assert image is not None
    return image.state


def expire(catalog: Catalog) -> None:
    """Let every lease run out."""
    with catalog.database.connection() as connection:
        connection.execute(
            "UPDATE images SET lease_expires_at = now() - interval '1 second' WHERE state = 'processing'"
        )


def save_as_release_before(catalog: Catalog, lease: Lease, version: str) -> None:
    """Save a picture and a thumbnail of each image as workers of an older release do, without outputs and ThumbHash."""
    text = (Path(__file__).parent / "former_saves" / f"{version}.sql").read_text(encoding="utf-8")
    kinds = ["processed", "thumbnail"] * len(lease.images)
    rows = len(kinds)
    found = catalog.database.rows(
        sql.SQL(cast(LiteralString, text)),
        token=lease.token,
        ids=[image.id for image in lease.images],
        seconds=[0.1] * len(lease.images),
        image_ids=[image.id for image in lease.images for _ in range(2)],
        kinds=kinds,
        outputs=[None] * rows,
        thumbhashes=[None] * rows,
        media_types=["image/png"] * rows,
        widths=[4] * rows,
        heights=[3] * rows,
        sizes=[3] * rows,
        sha256s=[b"1" * 32] * rows,
        recipe_digests=[image.recipe_digest for image in lease.images for _ in range(2)],
        bytes=[b"old"] * rows,
    )
    assert len(found) == len(lease.images)


class TestAdding:
    def test_a_new_image_is_queued_with_its_bytes(self, catalog: Catalog) -> None:
        [(new, data)] = arrivals(1)
        assert catalog.queue.add([(new, data)]) == [new.id]
        [image] = leased(catalog).images
        assert (image.id, image.size, image.attempt) == (new.id, len(data), 1)
        assert catalog.queue.originals([image]) == {new.id: data}

    def test_adding_again_changes_nothing(self, catalog: Catalog) -> None:
        both = arrivals(2)
        catalog.queue.add(both[:1])
        assert catalog.queue.add(both) == [both[1][0].id]
        assert catalog.queue.depth().queued == 2

    def test_listeners_are_told(self, catalog: Catalog) -> None:
        with catalog.database.listen(QUEUE_CHANNEL) as connection:
            catalog.queue.add(arrivals(3))
            assert len(list(connection.notifies(timeout=60, stop_after=1))) == 1

    def test_bytes_are_kept_as_they_are(self, catalog: Catalog) -> None:
        data = bytes(range(256)) * 5000
        new = upload(data)
        catalog.queue.add([(new, data)])
        assert catalog.queue.originals(leased(catalog).images)[new.id] == data


class TestLeasing:
    def test_the_oldest_comes_first(self, catalog: Catalog) -> None:
        [young], [old] = arrivals(1, NOON), arrivals(1, NOON - HOUR)
        catalog.queue.add([young, old])
        assert [image.id for image in leased(catalog, count=1).images] == [old[0].id]

    def test_a_span_holds_only_its_own(self, catalog: Catalog) -> None:
        [young], [old] = arrivals(1, NOON), arrivals(1, NOON - HOUR)
        catalog.queue.add([young, old])
        lease = catalog.queue.lease("run", 32, 15, (NOON, NOON + HOUR))
        assert lease is not None
        assert ids(lease.images) == {young[0].id}

    def test_nothing_is_leased_twice(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(200))
        with ThreadPoolExecutor(4) as threads:
            leases = list(threads.map(lambda _: catalog.queue.lease("run", 7, 15), range(40)))
        found = [image.id for lease in leases if lease for image in lease.images]
        assert len(found) == len(set(found)) == 200

    def test_an_empty_queue_leases_nothing(self, catalog: Catalog) -> None:
        assert catalog.queue.lease("run", 32, 15) is None

    def test_an_image_that_failed_is_leased_alone(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(3))
        lease = leased(catalog)
        for image in lease.images[:2]:
            catalog.queue.fail(lease.token, image.id, "no", "crash", 0.1)
        catalog.queue.give_back(lease.token, [lease.images[2].id])
        sizes = sorted(len(leased(catalog).images) for _ in range(3))
        assert sizes == [1, 1, 1]
        assert catalog.queue.lease("run", 32, 15) is None

    def test_nothing_is_leased_while_paused(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        catalog.control.pause()
        assert catalog.queue.lease("run", 32, 15) is None
        assert catalog.queue.depth().queued == 0
        catalog.control.resume()
        assert leased(catalog).images

    def test_a_renewed_lease_does_not_expire(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        lease = leased(catalog, seconds=0.01)
        assert catalog.queue.renew(lease.token, [lease.images[0].id], 60) == ids(lease.images)
        assert catalog.queue.release_expired(life=0) == []


class TestSaving:
    def test_a_result_makes_an_image_done(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        lease = leased(catalog)
        [image] = lease.images
        assert catalog.queue.save(lease.token, [result(image)]) == {image.id}
        assert state_of(catalog, image.id) is State.DONE
        assert [found.kind for found in catalog.images.renditions(image.id)] == ["processed", "thumbnail"]
        [attempt] = catalog.images.attempts(image.id)
        assert (attempt.attempt, attempt.outcome, attempt.run_id) == (1, Outcome.DONE, "run")

    def test_a_result_without_a_lease_is_dropped(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2))
        lease = leased(catalog)
        kept, lost = lease.images
        catalog.images.delete([lost.id])
        assert catalog.queue.save(lease.token, [result(kept), result(lost)]) == {kept.id}
        catalog.images.restore([lost.id])
        assert state_of(catalog, lost.id) is State.QUEUED
        assert catalog.images.renditions(lost.id) == []

    def test_a_worker_that_wakes_too_late_changes_nothing(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        late = leased(catalog)
        expire(catalog)
        catalog.queue.release_expired(life=0)
        early = leased(catalog)
        catalog.queue.save(early.token, [result(early.images[0], b"early")])
        assert catalog.queue.save(late.token, [result(late.images[0], b"late")]) == set()
        assert catalog.queue.fail(late.token, late.images[0].id, "late", "late", 1) is None
        picture = catalog.images.picture(early.images[0].id)
        assert picture is not None
        assert b"".join(catalog.images.read(picture)) == b"early"

    def test_a_new_result_replaces_the_old_one(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        for data in (b"first", b"second"):
            lease = leased(catalog)
            catalog.queue.save(lease.token, [result(lease.images[0], data)])
            catalog.images.retry(list(ids(lease.images)))
        picture = catalog.images.picture(lease.images[0].id)
        assert picture is not None
        assert b"".join(catalog.images.read(picture)) == b"second"

    def test_saving_is_all_or_nothing(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2))
        lease = leased(catalog)
        good, bad = lease.images
        broken = result(bad, small=b"small", original=b"no name of an output")
        with pytest.raises(Exception, match="renditions_kind_check"):
            catalog.queue.save(lease.token, [result(good), broken])
        assert state_of(catalog, good.id) is State.PROCESSING
        assert catalog.images.renditions(good.id) == catalog.images.renditions(bad.id) == []

    def test_all_outputs_are_saved_and_read_by_their_names(self, catalog: Catalog) -> None:
        new = upload(b"bytes", recipe={"steps": [], "outputs": {"large": {}, "small": {}}, "first": "large"})
        catalog.queue.add([(new, b"bytes")])
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(lease.images[0], b"large", small=b"small")])
        found = catalog.images.renditions(new.id)
        assert [(each.kind, each.output) for each in found] == [
            ("processed", "large"),
            ("small", "small"),
            ("thumbnail", None),
        ]
        for name, data in {"processed": b"large", "large": b"large", "small": b"small"}.items():
            picture = catalog.images.picture(new.id, name)
            assert picture is not None
            assert (picture.output or picture.kind, b"".join(catalog.images.read(picture))) == (name, data)
        assert catalog.images.picture(new.id, "medium") is None

    def test_outputs_that_a_new_recipe_lacks_are_removed_and_no_others(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2))
        lease = leased(catalog)
        changed, other = (image.id for image in lease.images)
        catalog.queue.save(lease.token, [result(image, small=b"small") for image in lease.images])
        catalog.images.retry([changed])
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(lease.images[0], tiny=b"tiny")])
        kinds = [{each.kind for each in catalog.images.renditions(image_id)} for image_id in (changed, other)]
        assert kinds == [{"processed", "tiny", "thumbnail"}, {"processed", "small", "thumbnail"}]

    @pytest.mark.parametrize("version", ["0011", "0014"])
    def test_a_worker_of_the_release_before_leaves_nothing_of_an_earlier_result(
        self, catalog: Catalog, version: str
    ) -> None:
        new = upload(b"bytes", recipe={"steps": [], "outputs": {"large": {}, "small": {}}, "first": "large"})
        catalog.queue.add([(new, b"bytes")])
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(lease.images[0], b"large", small=b"small")])
        image = catalog.images.one(new.id)
        assert image is not None
        assert image.thumbhash == b"hash"
        catalog.images.apply_recipe([new.id], {"steps": []}, "1" * 64, None)
        save_as_release_before(catalog, leased(catalog), version)
        assert [(each.kind, each.output) for each in catalog.images.renditions(new.id)] == [
            ("processed", "processed"),
            ("thumbnail", None),
        ]
        image = catalog.images.one(new.id)
        assert image is not None
        assert (image.state, image.thumbhash) == (State.DONE, None)

    def test_outputs_stay_while_a_new_attempt_fails(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(lease.images[0], small=b"small")])
        catalog.images.retry([lease.images[0].id])
        lease = leased(catalog)
        catalog.queue.fail(lease.token, lease.images[0].id, "cause", "kind", 1)
        assert len(catalog.images.renditions(lease.images[0].id)) == 3


class TestForetelling:
    RED, BLUE, GREEN = "1" * 64, "2" * 64, "3" * 64
    SMALL, LARGE = (1000, 1000), (4000, 4000)

    def add(self, catalog: Catalog, recipe: str, size: tuple[int, int]) -> None:
        catalog.queue.add([(upload(recipe_digest=recipe, width=size[0], height=size[1]), b"bytes")])

    def measure(self, catalog: Catalog, recipe: str, size: tuple[int, int], seconds: float) -> None:
        """Let an image have taken so long."""
        self.add(catalog, recipe, size)
        lease = leased(catalog)
        catalog.queue.save(lease.token, [Result(lease.images[0], [], seconds)])

    @pytest.mark.parametrize(
        ("recipe", "size", "seconds"),
        [
            (RED, SMALL, 1.0),
            (RED, (1000, 1040), 1.04),
            (RED, LARGE, 5.0),
            (BLUE, LARGE, 2.0 * 16),
            (GREEN, SMALL, 1.5),
            (GREEN, (10, 10), 0.25),
        ],
        ids=["alike", "almost alike", "alike and large", "of its recipe", "of its size", "unknown"],
    )
    def test_an_image_takes_what_those_like_it_took(
        self, catalog: Catalog, recipe: str, size: tuple[int, int], seconds: float
    ) -> None:
        self.measure(catalog, self.RED, self.SMALL, 0.5)
        self.measure(catalog, self.RED, self.SMALL, 1.5)
        self.measure(catalog, self.RED, self.LARGE, 5.0)
        self.measure(catalog, self.BLUE, self.SMALL, 2.5)
        self.measure(catalog, self.BLUE, self.SMALL, 1.5)
        self.add(catalog, recipe, size)
        assert catalog.queue.seconds_each(0.25) == pytest.approx(seconds)

    def test_many_images_take_what_they_take_in_the_mean(self, catalog: Catalog) -> None:
        self.measure(catalog, self.RED, self.SMALL, 3.0)
        self.add(catalog, self.RED, self.SMALL)
        self.add(catalog, self.BLUE, (10, 10))
        assert catalog.queue.seconds_each(0.2) == pytest.approx(1.6)

    def test_an_empty_queue_says_nothing(self, catalog: Catalog) -> None:
        self.measure(catalog, self.RED, self.SMALL, 3.0)
        assert catalog.queue.seconds_each(0.2) == 0.2


class TestFailing:
    def test_an_image_fails_for_good_after_the_last_attempt(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        for number in range(1, MAX_ATTEMPTS + 1):
            lease = leased(catalog)
            state = catalog.queue.fail(lease.token, lease.images[0].id, f"cause {number}", "crash", 0.1)
            assert state is (State.FAILED if number == MAX_ATTEMPTS else State.QUEUED)
        assert catalog.queue.lease("run", 32, 15) is None
        causes = [attempt.error for attempt in catalog.images.attempts(lease.images[0].id)]
        assert causes == ["cause 1", "cause 2", "cause 3"]

    def test_a_retry_gives_all_attempts_again(self, catalog: Catalog) -> None:
        self.test_an_image_fails_for_good_after_the_last_attempt(catalog)
        [image_id] = catalog.images.retry_failed()
        lease = leased(catalog)
        assert lease.images[0].attempt == MAX_ATTEMPTS + 1
        assert catalog.queue.fail(lease.token, image_id, "again", "crash", 0.1) is State.QUEUED

    def test_an_image_that_is_given_back_keeps_its_attempts(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2))
        lease = leased(catalog)
        assert catalog.queue.give_back(lease.token, [image.id for image in lease.images]) == ids(lease.images)
        assert [image.attempt for image in leased(catalog).images] == [1, 1]


class TestLosing:
    def test_a_lost_lease_costs_an_attempt(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        leased(catalog, run="dead")
        expire(catalog)
        [lost] = catalog.queue.release_expired(life=0)
        assert (lost.state, lost.attempt, lost.run_id) == (State.QUEUED, 1, "dead")
        [attempt] = catalog.images.attempts(lost.id)
        assert attempt.outcome is Outcome.LOST
        assert attempt.error

    def test_a_lease_that_holds_is_not_released(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        leased(catalog, seconds=60)
        assert catalog.queue.release_expired(life=0) == []

    def test_a_lease_that_nobody_could_renew_is_not_lost(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        lease = leased(catalog)
        expire(catalog)
        with catalog.database.connection() as connection:
            connection.execute("UPDATE contact SET since = '-infinity', proven_at = now() - interval '40 seconds'")
        assert catalog.queue.release_expired(life=15) == [], "the gap is seen by the statement itself"
        catalog.workers.keep_contact()
        assert catalog.queue.release_expired(life=15) == []
        assert catalog.queue.renew(lease.token, [lease.images[0].id], 15)

    def test_the_lease_of_a_run_that_ended_is_lost_at_once(self, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        [image] = leased(catalog, run="dead").images
        assert catalog.queue.release_expired(life=15, ended_runs=["other"]) == []
        assert [lost.id for lost in catalog.queue.release_expired(life=15, ended_runs=["dead"])] == [image.id]


def test_progress_and_ends_of_images_notify_nobody(catalog: Catalog) -> None:
    """Postgres commits transactions that notify one after the other, and workers have many of these."""
    catalog.queue.add(arrivals(4))
    lease = leased(catalog)
    reported, saved, failed, given_back = lease.images
    with catalog.database.connection() as connection:
        connection.execute("UPDATE images SET failed_attempts = %s WHERE id = %s", [MAX_ATTEMPTS - 1, failed.id])
    with catalog.database.listen(QUEUE_CHANNEL, "imagomortis_images") as ear:
        catalog.queue.report_progress(lease.token, reported.id, {"circles": 50})
        assert catalog.queue.save(lease.token, [result(saved)]) == {saved.id}
        assert catalog.queue.fail(lease.token, failed.id, "It crashed.", "crash", 0.1) is State.FAILED
        assert list(ear.notifies(timeout=0)) == []
        catalog.queue.give_back(lease.token, [given_back.id])
        assert {word.channel for word in ear.notifies(timeout=60, stop_after=1)} == {QUEUE_CHANNEL}


class TestReprocessing:
    def test_an_hour_goes_back_once_for_a_run(self, catalog: Catalog) -> None:
        catalog.queue.add([*arrivals(2, NOON), *arrivals(1, NOON - HOUR)])
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(image) for image in lease.images])
        assert catalog.images.reprocess_once("run", NOON) == 2
        assert catalog.queue.remaining((NOON, NOON + HOUR)) == {State.QUEUED: 2}
        assert catalog.queue.remaining((NOON - HOUR, NOON)) == {State.DONE: 1}
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(image) for image in lease.images])
        assert catalog.images.reprocess_once("run", NOON) == 0
        assert catalog.images.reprocess_once("another run", NOON) == 2

    def test_a_large_hour_goes_back_in_slices(self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("imagomortis.catalog.images.SLICE", 2)
        catalog.queue.add(arrivals(5))
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(image) for image in lease.images])
        assert catalog.images.reprocess_once("run", NOON) == 5
        with catalog.database.connection() as connection:
            found = connection.execute("SELECT DISTINCT changed_in FROM images").fetchall()
        assert len(found) == 3

    def test_a_run_that_is_repeated_puts_back_what_it_left(
        self, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imagomortis.catalog.images.SLICE", 2)
        catalog.queue.add(arrivals(5))
        lease = leased(catalog)
        catalog.queue.save(lease.token, [result(image) for image in lease.images])
        rows, calls = catalog.database.rows, count()

        def rows_until_it_is_interrupted(*args: Any, **values: Any) -> Any:
            if next(calls) == 2:
                raise InterruptedError
            return rows(*args, **values)

        with monkeypatch.context() as patch:
            patch.setattr(catalog.database, "rows", rows_until_it_is_interrupted)
            with pytest.raises(InterruptedError):
                catalog.images.reprocess_once("run", NOON)
        lease = leased(catalog)
        assert len(lease.images) == 2
        catalog.queue.save(lease.token, [result(image) for image in lease.images])
        assert catalog.images.reprocess_once("run", NOON) == 3
        assert catalog.images.reprocess_once("run", NOON) == 0

"""What the catalog keeps: which runs it refers to, which hours have pictures."""

from __future__ import annotations

from datetime import timedelta

from imagomortis.catalog import Catalog
from tests.imagomortis.catalog.upkeep.test_verification import process
from tests.support.uploads import NOON, arrivals

HOUR = timedelta(hours=1)


def test_the_runs_of_attempts_and_reprocessings_are_known_once_each(catalog: Catalog) -> None:
    catalog.queue.add(arrivals(3))
    for run in ("b", "a", "c"):
        lease = catalog.queue.lease(run, 1, 15)
        assert lease
        catalog.queue.fail(lease.token, lease.images[0].id, "It does not decode.", "decoder-crashed", 0.1)
    process(catalog)
    catalog.images.reprocess_once("d", NOON)
    assert sorted(catalog.retention.runs()) == ["a", "b", "c", "d", "run"]


def test_a_run_that_has_expired_is_referred_to_no_more(catalog: Catalog) -> None:
    [image_id] = catalog.queue.add(arrivals(1))
    process(catalog)
    catalog.images.reprocess_once("by-hand", NOON)
    catalog.retention.expire_runs(["run", "by-hand"])
    assert catalog.retention.runs() == []
    assert [attempt.run_expired for attempt in catalog.images.attempts(image_id)] == [True]


def test_an_hour_has_pictures_until_they_are_deleted(catalog: Catalog) -> None:
    gone = catalog.queue.add(arrivals(1, NOON))
    catalog.queue.add(arrivals(1, NOON + 2 * HOUR - timedelta(microseconds=1)))
    hours = [NOON + number * HOUR for number in range(-1, 4)]
    assert catalog.retention.hours_with_pictures(hours) == {NOON, NOON + HOUR}
    catalog.images.delete(gone)
    assert catalog.retention.hours_with_pictures(hours) == {NOON + HOUR}

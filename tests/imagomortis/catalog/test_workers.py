"""The workers' table: requested, started, seen, gone."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from imagomortis.catalog import Catalog
from imagomortis.catalog.workers import Census
from tests.support.uploads import NOON, arrivals

HOUR = timedelta(hours=1)


def age(catalog: Catalog, seconds: int) -> None:
    """Let time pass for every worker."""
    with catalog.database.connection() as connection:
        connection.execute(
            "UPDATE workers SET requested_at = requested_at - make_interval(secs => %(s)s), "
            "seen_at = seen_at - make_interval(secs => %(s)s)",
            {"s": seconds},
        )


def test_a_requested_worker_counts_at_once(catalog: Catalog) -> None:
    assert len(catalog.workers.request(2, NOON)) == 2
    assert catalog.workers.alive() == 2


def test_a_worker_that_never_starts_is_gone_after_a_minute(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    age(catalog, 45)
    assert catalog.workers.alive() == 1
    age(catalog, 16)
    assert catalog.workers.alive() == 0
    assert catalog.workers.sweep() == [(worker, None)]


def test_a_worker_that_is_expected_anew_has_another_minute(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    age(catalog, 50)
    assert catalog.workers.expect([worker]) == 1
    age(catalog, 50)
    assert catalog.workers.alive() == 1
    catalog.workers.start(worker, NOON, "run")
    assert catalog.workers.expect([worker]) == 0


def test_a_worker_that_is_not_seen_is_gone_after_15_seconds(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    age(catalog, 8)
    assert catalog.workers.alive() == 1
    age(catalog, 8)
    assert catalog.workers.alive() == 0


def stand_still(catalog: Catalog, seconds: int) -> None:
    """Let nobody write for so many seconds, and the pusher notice it."""
    age(catalog, seconds)
    with catalog.database.connection() as connection:
        connection.execute(
            "UPDATE contact SET since = '-infinity', proven_at = now() - make_interval(secs => %s)", [seconds]
        )


def last(catalog: Catalog, seconds: int) -> None:
    """Let the contact have lasted for so many seconds."""
    with catalog.database.connection() as connection:
        connection.execute("UPDATE contact SET since = since - make_interval(secs => %s)", [seconds])


@pytest.mark.parametrize("is_noticed", [False, True])
def test_nobody_is_gone_who_could_not_be_seen(catalog: Catalog, *, is_noticed: bool) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    stand_still(catalog, 40)
    if is_noticed:
        catalog.workers.keep_contact()
    assert catalog.workers.census().alive == 1
    assert catalog.workers.vanished() == []
    assert catalog.workers.sweep() == []


def test_a_worker_that_stays_silent_in_a_new_contact_is_gone(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    stand_still(catalog, 40)
    catalog.workers.keep_contact()
    last(catalog, 16)
    assert catalog.workers.census().alive == 0
    assert catalog.workers.vanished() == [(worker, "run")]
    assert catalog.workers.sweep() == [(worker, "run")]


def test_a_contact_goes_on_over_a_short_gap(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    age(catalog, 16)
    stand_still(catalog, 0)
    assert catalog.workers.vanished() == [(worker, "run")]


def test_a_requested_worker_is_waited_for_as_long_as_the_contact_lasts(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    stand_still(catalog, 40)
    catalog.workers.keep_contact()
    assert catalog.workers.waiting(5) == []
    last(catalog, 6)
    assert catalog.workers.waiting(5) == [worker]


def test_a_requested_worker_is_not_gone_because_it_could_not_start(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    stand_still(catalog, 70)
    catalog.workers.keep_contact()
    last(catalog, 20)
    assert catalog.workers.census().alive == 1
    assert catalog.workers.sweep() == []
    last(catalog, 50)
    assert catalog.workers.census().alive == 0
    assert catalog.workers.sweep() == [(worker, None)]


def test_the_contact_is_proven_only_for_somebody_who_is_judged_by_it(catalog: Catalog) -> None:
    stand_still(catalog, 40)
    catalog.workers.keep_contact()
    assert not is_proven(catalog)
    catalog.queue.add(arrivals(1))
    catalog.queue.lease("run", 1, 15)
    catalog.workers.keep_contact()
    assert is_proven(catalog)


def is_proven(catalog: Catalog) -> bool:
    with catalog.database.connection() as connection:
        [row] = connection.execute("SELECT in_contact_for(0) AS is_proven").fetchall()
    return bool(row["is_proven"])


def test_all_may_be_known_to_be_gone(catalog: Catalog) -> None:
    [worker, _] = catalog.workers.request(2, NOON)
    catalog.workers.start(worker, NOON, "run")
    assert catalog.workers.end_all() == 2
    assert (catalog.workers.alive(), catalog.workers.end_all()) == (0, 0)


def test_a_worker_that_wakes_up_counts_again(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    age(catalog, 20)
    catalog.workers.sweep()
    catalog.workers.seen(worker, 3)
    assert catalog.workers.alive() == 1


def test_a_worker_leaves_only_an_empty_queue(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.workers.start(worker, NOON, "run")
    catalog.queue.add(arrivals(1))
    assert not catalog.workers.leave(worker, 0)
    assert catalog.workers.alive() == 1
    catalog.queue.lease("run", 1, 15)
    assert catalog.workers.leave(worker, 0)
    assert catalog.workers.alive() == 0


def test_a_worker_that_nobody_asked_for_counts_too(catalog: Catalog) -> None:
    catalog.workers.start(uuid4(), NOON, "backfill")
    assert catalog.workers.alive() == 1


def test_a_worker_that_keeps_to_its_hour_is_told_from_others(catalog: Catalog) -> None:
    catalog.workers.start(uuid4(), NOON, "worker")
    catalog.workers.start(uuid4(), NOON, "backfill", only_hour=True)
    assert catalog.workers.census() == Census(alive=2, of_one_hour=1)
    age(catalog, 16)
    assert catalog.workers.census() == Census(alive=0)


def test_a_worker_whose_run_died_before_it_began_is_buried(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    age(catalog, 6)
    assert catalog.workers.waiting(5) == [worker]
    assert catalog.workers.bury([worker]) == 1
    assert catalog.workers.alive() == 0


def test_a_worker_that_goes_on_to_another_hour_leaves_the_one_before(catalog: Catalog) -> None:
    [worker] = catalog.workers.request(1, NOON)
    catalog.queue.add(arrivals(1, NOON - HOUR))
    catalog.workers.start(worker, NOON - HOUR, "run", only_hour=True)
    assert catalog.queue.depth_elsewhere().queued == 0
    catalog.workers.start(worker, NOON, "run", only_hour=True)
    assert catalog.queue.depth_elsewhere().queued == 1


def test_the_workers_that_came_last_stand_by(catalog: Catalog) -> None:
    first, second, third = uuid4(), uuid4(), uuid4()
    for worker in (first, second, third):
        catalog.workers.start(worker, NOON, "run")
    assert [catalog.workers.leave(worker, 0, standby=2) for worker in (third, second, first)] == [False, False, True]
    assert catalog.workers.leave(third, 0, standby=2) is False
    assert catalog.workers.leave(third, 0, anyway=True, standby=2) is True


def test_a_worker_that_is_about_to_leave_stays_until_others_stand_by(catalog: Catalog) -> None:
    old, older, new = uuid4(), uuid4(), uuid4()
    for worker in (old, older):
        catalog.workers.start(worker, NOON, "run")
    assert [catalog.workers.retire(worker, 1) for worker in (older, old)] == [True, False]
    assert catalog.workers.census() == Census(alive=2, leaving=2)
    catalog.workers.request(1, NOON)
    catalog.workers.start(uuid4(), NOON, "backfill", only_hour=True)
    assert not catalog.workers.retire(old, 1), "none has started that takes any image"
    catalog.workers.start(new, NOON, "run")
    assert [catalog.workers.retire(old, standby) for standby in (1, 2)] == [True, False]
    assert not catalog.workers.leave(new, 0, standby=1)


def test_nobody_who_is_gone_or_kept_to_an_hour_stands_by(catalog: Catalog) -> None:
    here, silent, gone = uuid4(), uuid4(), uuid4()
    catalog.workers.start(here, NOON, "run")
    catalog.workers.start(silent, NOON, "run")
    age(catalog, 16)
    catalog.workers.seen(here, 0)
    catalog.workers.start(gone, NOON, "run")
    catalog.workers.leave(gone, 0)
    catalog.workers.start(uuid4(), NOON, "backfill", only_hour=True)
    catalog.workers.request(1, NOON)
    assert catalog.workers.leave(here, 0, standby=1) is False

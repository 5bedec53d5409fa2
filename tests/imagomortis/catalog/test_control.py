"""The switch that pauses processing."""

from __future__ import annotations

from imagomortis.catalog import QUEUE_CHANNEL, Catalog
from tests.support.uploads import arrivals


def test_nothing_is_leased_while_it_is_off(catalog: Catalog) -> None:
    catalog.queue.add(arrivals(1))
    catalog.control.pause()
    assert catalog.queue.lease("run", 1, 15) is None
    assert catalog.queue.depth().queued == 0
    catalog.control.resume()
    assert catalog.queue.lease("run", 1, 15) is not None


def test_it_knows_since_when(catalog: Catalog) -> None:
    assert catalog.control.paused_at() is None
    catalog.control.pause()
    since = catalog.control.paused_at()
    catalog.control.pause()
    assert since is not None
    assert catalog.control.paused_at() == since
    catalog.control.resume()
    assert catalog.control.paused_at() is None


def test_workers_are_told_that_it_goes_on(catalog: Catalog) -> None:
    catalog.control.pause()
    with catalog.database.listen(QUEUE_CHANNEL) as connection:
        catalog.control.resume()
        assert len(list(connection.notifies(timeout=60, stop_after=1))) == 1

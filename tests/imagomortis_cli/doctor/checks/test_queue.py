"""Whether what waits goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from imagomortis.catalog import Catalog
from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import execute, only
from tests.support.uploads import arrivals, result


class TestQueue:
    def test_nothing_waits(self, look: Look) -> None:
        assert "0 pictures waiting" in only(look("queue"), Level.FINE).text

    def test_processing_is_paused(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2))
        catalog.control.pause()
        found = only(look("queue"))
        assert "paused" in found.text
        assert "2 pictures waiting" in found.text
        assert found.mend == "imagomortis resume"

    def test_in_a_cluster_a_command_reaches_the_api_from_its_pod(self, look: Look, catalog: Catalog) -> None:
        catalog.control.pause()
        assert only(look("queue", namespace="pictures")).mend == (
            "kubectl -n pictures exec deployment/api -- env IMAGOMORTIS_URL=http://localhost:30081 imagomortis resume"
        )

    def test_nothing_is_done(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1, datetime.now(UTC) - timedelta(minutes=6)))
        assert "none was done for 6 min" in only(look("queue")).text

    def test_an_old_picture_that_is_processed_again_is_no_trouble(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(2, datetime.now(UTC) - timedelta(days=6)))
        lease = catalog.queue.lease("run", 1, 15)
        assert lease
        catalog.queue.save(lease.token, [result(lease.images[0])])
        assert "the oldest for 6 d" in only(look("queue"), Level.FINE).text

    def test_failed_pictures_are_noticed(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        for _ in range(3):
            lease = catalog.queue.lease("run", 1, 15)
            assert lease
            catalog.queue.fail(lease.token, lease.images[0].id, "It does not decode.", "decoder-crashed", 0.1)
        fine, notice = look("queue")
        assert (fine.level, notice.level) == (Level.FINE, Level.NOTICE)
        assert "1 picture failed" in notice.text


class TestLeasesAndWorkers:
    def test_a_lease_that_holds(self, look: Look, catalog: Catalog) -> None:
        catalog.queue.add(arrivals(1))
        catalog.queue.lease("run", 1, 15)
        only(look("leases"), Level.FINE)

    def test_a_lease_that_nobody_releases(self, look: Look, catalog: Catalog) -> None:
        [image_id] = catalog.queue.add(arrivals(1))
        catalog.queue.lease("run-1", 1, 15)
        execute(catalog, "UPDATE images SET lease_expires_at = now() - interval '10 minutes'")
        found = only(look("leases"))
        assert f"({image_id}), run run-1" in found.text
        assert "for 10 min" in found.text

    def test_a_worker_that_nobody_noted_as_gone(self, look: Look, catalog: Catalog) -> None:
        only(look("workers"), Level.FINE)
        catalog.workers.request(1, datetime.now(UTC))
        execute(catalog, "UPDATE workers SET requested_at = now() - interval '1 hour'")
        assert "1 worker gone" in only(look("workers")).text

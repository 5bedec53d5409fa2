"""UploaderMetrics: on a port of their own, and true."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support import web
from tests.support.pictures import PDF, photo
from tests.support.waiting import wait_until
from tests.upload_service.uploader import Uploader, form, head, running


def scrape(uploader: Uploader) -> dict[str, float]:
    """Return samples by name and the sorted values of their labels."""
    response = web.get(f"http://127.0.0.1:{uploader.metrics_port}/metrics")
    samples = [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]
    return {" ".join([sample.name, *sorted(sample.labels.values())]): sample.value for sample in samples}


def test_uploads_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    picture = photo(64, 48)
    with running(tmp_path / "spool") as uploader:
        web.post(f"{uploader.url}/upload", files=[("file", ("a.jpg", picture)), ("file", ("b.jpg", picture))])
        web.post(f"{uploader.url}/upload", files={"file": ("a.pdf", PDF)})
        with uploader.connect() as connection:
            connection.sendall(head(1000) + form(picture)[:500])
            wait_until(lambda: scrape(uploader)["imagomortis_uploads_in_flight"] == 1)
        wait_until(lambda: scrape(uploader)["imagomortis_uploads_in_flight"] == 0)

        samples = scrape(uploader)
        assert samples["imagomortis_uploads_total http stored"] == 2
        assert samples["imagomortis_uploads_total http refused"] == 1
        assert samples["imagomortis_uploads_total aborted http"] == 1
        assert samples["imagomortis_upload_bytes_total http"] == 2 * len(picture)
        assert samples["imagomortis_upload_seconds_count"] == 3
        assert samples["imagomortis_spool_ready_entries"] == 2
        assert samples["imagomortis_spool_free_bytes"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.05)

        assert web.get(f"{uploader.url}/metrics").status_code == 404


def test_a_spool_that_is_away_has_no_figures_and_hides_no_others(tmp_path: Path) -> None:
    with running(tmp_path / "spool") as uploader:
        shutil.rmtree(uploader.spool)

        samples = scrape(uploader)
        assert "imagomortis_spool_ready_entries" not in samples
        assert samples["imagomortis_uploads_in_flight"] == 0

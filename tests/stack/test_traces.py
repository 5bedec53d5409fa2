"""One trace from the upload to the result, across all parts of a running system."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests import live
from tests.collector import collecting
from tests.pictures import photo

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]


def test_an_image_has_one_trace_with_spans_of_all_parts(own_home: Path) -> None:
    with collecting() as collector, live.running(own_home, traces_url=collector.url, linger_seconds=1) as stack:
        image = stack.upload(photo(160, 120, seed=1))
        stack.wait_until_ended([image])
        assert httpx.get(stack.url("API", f"/images/{image}")).status_code == 200
        spans = collector.wait_for(image, {"uploader", "pusher", "image-task", "api"}, seconds=30)
    [upload] = [span for span in spans if span.name == "upload"]
    assert upload.part == "uploader"
    assert all(span.parent == upload.id for span in spans if span is not upload)
    assert {(span.part, span.name) for span in spans} >= {
        ("pusher", "push"),
        ("image-task", "wait"),
        ("image-task", "process"),
        ("image-task", "save"),
        ("api", "GET /images/{image_id}"),
    }
    [process] = [span for span in spans if span.name == "process"]
    assert len(process.attributes["imagomortis.run"]) == 36
    assert upload.began < process.began < process.ended

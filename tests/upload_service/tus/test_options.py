"""``OPTIONS``: what the server can do."""

from __future__ import annotations

import pytest

from tests.upload_service.tus.speaker import Speaker

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("place", ["/upload/tus/", "/upload/tus", "/upload/tus/any"])
async def test_tells_version_extensions_size_and_checksums(tus: Speaker, place: str) -> None:
    response = await tus.options(place)

    assert response.status_code == 204
    assert response.headers["tus-version"] == "1.0.0"
    assert response.headers["tus-max-size"] == str(2**20)
    extensions = set(response.headers["tus-extension"].split(","))
    assert extensions == {"creation", "creation-with-upload", "expiration", "checksum", "termination"}
    assert {"sha1", "sha256"} <= set(response.headers["tus-checksum-algorithm"].split(","))


async def test_ignores_the_version_of_the_client(tus: Speaker) -> None:
    assert (await tus.options(Tus_Resumable="0.0.1")).status_code == 204

"""``POST``: how an upload begins."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from uuid import UUID

import pytest

from imagomortis.recipe.recipe import Recipe
from tests.support.pictures import PDF, photo
from tests.upload_service.conftest import Service, Start
from tests.upload_service.tus.speaker import PLACE, Speaker, check_problem, coded
from upload_service.tus.protocol import ENCODED_RECIPE_BYTES, METADATA_BYTES

pytestmark = pytest.mark.anyio

PICTURE = photo(120, 80)
RECIPE = json.dumps({"steps": [{"transform": "grayscale"}]})


async def test_an_upload_begins_at_a_place_of_its_own(tus: Speaker) -> None:
    response = await tus.post(1000)

    assert response.status_code == 201
    assert response.headers["tus-resumable"] == "1.0.0"
    assert response.headers["location"] == str(UUID(response.headers["location"]))  # relative: any prefix will do
    assert await tus.offset(PLACE + response.headers["location"]) == 0


async def test_the_place_is_right_without_the_last_slash_too(service: Service, tus: Speaker) -> None:
    response = await service.client.post("/upload/tus", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "10"})

    assert await tus.offset(str(response.request.url.join(response.headers["location"]))) == 0


async def test_it_is_told_when_the_upload_expires(tus: Speaker) -> None:
    response = await tus.post(1000)

    expires = parsedate_to_datetime(response.headers["upload-expires"])
    assert response.headers["upload-expires"].endswith(" GMT")
    assert 86_000 < expires.timestamp() - time.time() <= 86_400


async def test_a_wrong_version_is_not_processed(service: Service, tus: Speaker) -> None:
    for version in (None, "0.2.2"):
        response = await tus.post(1000, Tus_Resumable=version)

        check_problem(response, 412, "wrong-version")
        assert response.headers["tus-version"] == "1.0.0"


@pytest.mark.parametrize("length", [None, "-1", "1.5", "ten", "+5", "\u0663", "9" * 30])
async def test_a_length_must_be_a_number(tus: Speaker, length: str | None) -> None:
    response = await tus.client.post(PLACE, headers=[(b"Tus-Resumable", b"1.0.0"), *_length(length)])

    check_problem(response, 400, "wrong-header")


def _length(text: str | None) -> list[tuple[bytes, bytes]]:
    return [] if text is None else [(b"Upload-Length", text.encode())]


async def test_a_length_cannot_be_told_later(tus: Speaker) -> None:
    check_problem(await tus.post(None, Upload_Defer_Length="1"), 400, "wrong-header")


async def test_a_length_over_the_most_is_refused(tus: Speaker) -> None:
    check_problem(await tus.post(2**20 + 1), 413, "picture-too-large")
    assert (await tus.post(2**20)).status_code == 201


@pytest.mark.parametrize("value", ["filename !", "filename a", "a YQ==,a Yg=="])
async def test_metadata_must_be_as_the_protocol_has_it(tus: Speaker, value: str) -> None:
    check_problem(await tus.post(10, Upload_Metadata=value), 400, "wrong-header")


@pytest.mark.parametrize("further", ["", "," + coded(recipe=RECIPE.ljust(30_000))])
async def test_metadata_has_a_limit_besides_the_recipe(tus: Speaker, further: str) -> None:
    most = "filename YS5qcGc=,notes " + "A" * (METADATA_BYTES - 32)
    assert (await tus.post(10, Upload_Metadata=most + further)).status_code == 201

    check_problem(await tus.post(10, Upload_Metadata=f"{most}AAAAAAAAAAAA{further}"), 431, "metadata-too-large")


async def test_a_recipe_in_the_metadata_has_a_limit(tus: Speaker) -> None:
    recipe = "recipe " + "A" * ENCODED_RECIPE_BYTES
    check_problem(await tus.post(10, Upload_Metadata=f"{recipe}AAAA"), 431, "metadata-too-large")


async def test_no_more_uploads_are_begun_than_the_settings_say(start: Start) -> None:
    async with start(max_unfinished_uploads=2, max_unfinished_bytes=1000) as service:
        tus = Speaker(service.client)
        check_problem(await tus.post(1001), 503, "unavailable")
        place = await tus.begin(600)
        check_problem(await tus.post(600), 503, "unavailable")
        await tus.begin(1)
        response = await tus.post(1)
        check_problem(response, 503, "unavailable")
        assert response.headers["retry-after"] == "60"

        await tus.delete(place)
        await tus.begin(1)


async def test_a_key_needs_no_value(tus: Speaker) -> None:
    response = await tus.post(10, Upload_Metadata="is_confidential,filename YS5qcGc=")

    assert response.status_code == 201


async def test_a_recipe_that_is_none_is_refused_before_the_bytes_come(tus: Speaker) -> None:
    for recipe in ("no-such-recipe", '{"steps": 5}', b"\xff"):
        check_problem(await tus.post(10, Upload_Metadata=coded(recipe=recipe)), 422, "invalid-recipe")


@pytest.mark.parametrize("text", ["black-and-white", RECIPE, ""], ids=["name", "JSON", "nothing"])
async def test_name_and_recipe_are_kept_with_the_picture(service: Service, tus: Speaker, text: str) -> None:
    place = await tus.begin(len(PICTURE), filename="../Zürich.jpg", filetype="image/jpeg", recipe=text)
    assert (await tus.patch(place, 0, PICTURE)).status_code == 204

    (entry,) = service.contents.entries
    assert str(entry.upload.id) == place.rpartition("/")[2]
    assert entry.upload.filename == "Zürich.jpg"
    assert entry.upload.recipe == Recipe.parse(text or "circles").as_json()
    assert entry.upload.recipe_name == (None if text.startswith("{") else text or "circles")
    assert (entry.upload.sha256, entry.upload.size) == (hashlib.sha256(PICTURE).digest(), len(PICTURE))
    assert entry.original.read_bytes() == PICTURE


async def test_an_empty_file_is_refused_as_in_a_form(service: Service, tus: Speaker) -> None:
    response = await tus.post(0, Upload_Metadata=coded(filename="empty.jpg"))
    same = await service.client.post("/upload", files={"file": ("empty.jpg", b"")})

    assert (response.status_code, response.json()) == (same.status_code, same.json())
    assert list(service.contents.spool.tus.iterdir()) == []


async def test_a_disk_below_its_reserve_takes_nothing(start: Start) -> None:
    async with start(disk_reserve_bytes=2**62) as service:
        check_problem(await Speaker(service.client).post(10), 507, "disk-full")
        assert list(service.contents.spool.tus.iterdir()) == []


# --- with the first bytes ---------------------------------------------------------------------------------------------


async def test_the_first_bytes_may_come_along(service: Service, tus: Speaker) -> None:
    response = await tus.post(len(PICTURE), PICTURE[:1000])

    assert (response.status_code, response.headers["upload-offset"]) == (201, "1000")
    assert (await tus.patch(PLACE + response.headers["location"], 1000, PICTURE[1000:])).status_code == 204
    assert service.contents.ids == {response.headers["location"]}


async def test_all_bytes_may_come_along(service: Service, tus: Speaker) -> None:
    response = await tus.post(len(PICTURE), PICTURE)

    assert (response.status_code, response.headers["upload-offset"]) == (201, str(len(PICTURE)))
    assert "upload-expires" not in response.headers
    assert service.contents.ids == {response.headers["location"]}
    assert await tus.offset(PLACE + response.headers["location"]) == len(PICTURE)


async def test_first_bytes_must_be_declared(service: Service, tus: Speaker) -> None:
    check_problem(await tus.post(len(PICTURE), PICTURE, Content_Type="image/jpeg"), 415, "not-offset")
    check_problem(await tus.post(100, PICTURE), 413, "too-many-bytes")
    assert list(service.contents.spool.tus.iterdir()) == []


async def test_a_beginning_whose_client_leaves_is_forgotten(service: Service, tus: Speaker) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield PICTURE[:1000]
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await tus.post(len(PICTURE), body())
    assert list(service.contents.spool.tus.iterdir()) == []


async def test_a_refused_picture_that_came_at_once_leaves_nothing(service: Service, tus: Speaker) -> None:
    check_problem(await tus.post(len(PDF), PDF), 415, "unsupported-picture")
    assert list(service.contents.spool.tus.iterdir()) == []
    assert service.contents.begun == []

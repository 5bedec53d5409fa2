"""``POST /upload``: what is answered, and what lies in the spool afterwards."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from imagomortis.logs import FIELDS
from imagomortis.recipe.recipe import Recipe, builtin
from imagomortis_http.callers.session import COOKIE, Session
from imagomortis_http.problems import MEDIA_TYPE as PROBLEM
from tests.support.pictures import HTML, PDF, photo, save, scene
from tests.upload_service.conftest import Service, Start
from tests.upload_service.uploader import CONTENT_TYPE, form
from upload_service import admission
from upload_service.form import assembly as forms
from upload_service.store import intake

pytestmark = pytest.mark.anyio

PICTURE = photo(120, 80)
RECIPE = {"steps": [{"transform": "grayscale"}, {"transform": "flip", "direction": "horizontal"}]}


async def send(service: Service, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    """Upload files by their names, and fields after them."""
    return await service.client.post("/upload", files=[("file", file) for file in files], data=fields)


async def send_raw(service: Service, body: bytes, content_type: str = CONTENT_TYPE) -> httpx.Response:
    return await service.client.post("/upload", content=body, headers={"content-type": content_type})


def check_problem(response: httpx.Response, status: int, kind: str, text: str = "") -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    assert response.json()["type"] == f"urn:imagomortis:{kind}"
    assert response.json()["status"] == status
    assert text in response.json()["detail"]


# --- one picture ------------------------------------------------------------------------------------------------------


async def test_a_picture_is_answered_with_its_id_and_name(service: Service) -> None:
    response = await send(service, ("Zürich.jpg", PICTURE))

    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"uuid": service.contents.ids.pop(), "filename": "Zürich.jpg"}


async def test_a_stored_picture_is_described_completely(service: Service) -> None:
    before = datetime.now(UTC)
    await send(service, ("picture.jpg", PICTURE))

    (entry,) = service.contents.entries
    upload = entry.upload
    assert entry.original.read_bytes() == PICTURE
    assert upload.sha256 == hashlib.sha256(PICTURE).digest()
    assert (upload.size, upload.media_type, upload.width, upload.height) == (len(PICTURE), "image/jpeg", 120, 80)
    assert before <= upload.created_at <= datetime.now(UTC)
    assert upload.created_at.utcoffset() == timedelta(0)
    assert service.contents.begun == []


async def test_without_a_recipe_the_default_is_kept_complete(service: Service) -> None:
    await send(service, ("picture.jpg", PICTURE))

    (entry,) = service.contents.entries
    circles = builtin()["circles"].recipe
    assert (entry.upload.recipe, entry.upload.recipe_digest) == (circles.as_json(), circles.digest)
    assert entry.upload.recipe_name == "circles"


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("text", ["black-and-white", json.dumps(RECIPE), ""], ids=["name", "JSON", "nothing"])
async def test_a_recipe_may_come_before_or_after_the_file(service: Service, text: str, is_before: bool) -> None:
    fields, files = [("recipe", (None, text))], [("file", ("picture.jpg", PICTURE))]
    response = await service.client.post("/upload", files=[*fields, *files] if is_before else [*files, *fields])

    assert response.status_code == 201
    (entry,) = service.contents.entries
    expected = Recipe.parse(text or "circles")
    assert (entry.upload.recipe, entry.upload.recipe_digest) == (expected.as_json(), expected.digest)
    assert entry.upload.recipe_name == (None if text.startswith("{") else text or "circles")


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [("../../etc/passwd", "passwd"), ("C:\\fakepath\\a.jpg", "a.jpg"), ("x" * 300 + ".jpg", "x" * 251 + ".jpg")],
)
async def test_a_name_is_cleaned(service: Service, given_name: str, kept: str) -> None:
    response = await send(service, (given_name, PICTURE))

    assert response.json()["filename"] == kept
    assert service.contents.entries[0].upload.filename == kept


async def test_a_file_needs_no_name(service: Service) -> None:
    response = await send_raw(service, form(file=PICTURE.decode("latin-1")).decode().encode("latin-1"))

    assert response.json()["filename"] == "picture"
    assert service.contents.entries[0].original.read_bytes() == PICTURE


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"])
async def test_the_media_type_is_found_in_the_file(service: Service, kind: str) -> None:
    response = await send(service, ("picture.jpg", save(scene(64, 48), kind)))

    assert response.status_code == 201
    assert service.contents.entries[0].upload.media_type == f"image/{'heic' if kind == 'HEIF' else kind.lower()}"


async def test_the_same_picture_is_stored_as_often_as_it_is_uploaded(service: Service) -> None:
    answers = [(await send(service, ("picture.jpg", PICTURE))).json()["uuid"] for _ in range(2)]

    assert service.contents.ids == set(answers)
    assert len(set(answers)) == 2


async def test_a_field_that_is_not_known_is_ignored(service: Service) -> None:
    response = await send(service, ("picture.jpg", PICTURE), submit="Upload")

    assert response.status_code == 201


# --- several pictures -------------------------------------------------------------------------------------------------


async def test_several_pictures_are_answered_with_a_list_in_order(service: Service) -> None:
    response = await send(service, *((f"{number}.jpg", photo(64, 48, number)) for number in range(5)))

    assert response.status_code == 201
    assert [each["filename"] for each in response.json()] == [f"{number}.jpg" for number in range(5)]
    assert {each["uuid"] for each in response.json()} == service.contents.ids
    by_id = {str(entry.upload.id): entry.original.read_bytes() for entry in service.contents.entries}
    assert [by_id[each["uuid"]] for each in response.json()] == [photo(64, 48, number) for number in range(5)]


async def test_a_bad_picture_among_good_ones_is_refused_alone(service: Service) -> None:
    files = [("a.jpg", PICTURE), ("b.pdf", PDF), ("c.jpg", PICTURE)]
    response = await send(service, *files, recipe="vivid")

    assert response.status_code == 201
    first, second, third = response.json()
    assert second["filename"] == "b.pdf"
    assert second["problem"]["type"] == "urn:imagomortis:unsupported-picture"
    assert {first["uuid"], third["uuid"]} == service.contents.ids
    assert {entry.upload.recipe_name for entry in service.contents.entries} == {"vivid"}
    assert service.contents.begun == []


async def test_several_bad_pictures_have_the_status_of_the_first(service: Service) -> None:
    response = await send(service, ("a.jpg", PICTURE[:-100]), ("b.pdf", PDF))

    assert response.status_code == 422
    assert [each["problem"]["status"] for each in response.json()] == [422, 415]
    assert service.contents.entries == []
    assert service.contents.begun == []


async def test_an_empty_field_beside_a_picture_is_no_second_file(service: Service) -> None:
    response = await send(service, ("picture.jpg", PICTURE), ("", b""))

    assert response.json()["filename"] == "picture.jpg"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status", "kind", "text"),
    [
        (b"", 422, "broken-picture", "empty"),
        (b"Dear diary", 415, "unsupported-picture", "text"),
        (HTML, 415, "unsupported-picture", "HTML"),
        (PICTURE[: len(PICTURE) // 2], 422, "broken-picture", "cut off"),
        (PICTURE + HTML, 422, "broken-picture", "HTML"),
        (photo(1200, 1000), 413, "picture-too-large", "1200 x 1000"),
    ],
    ids=["empty", "text", "page", "half", "tail", "pixels"],
)
async def test_a_bad_picture_is_refused_and_leaves_nothing(
    service: Service, data: bytes, status: int, kind: str, text: str
) -> None:
    response = await send(service, ("picture.jpg", data))

    check_problem(response, status, kind, text)
    assert service.contents.entries == []
    assert service.contents.begun == []


@pytest.mark.slow
async def test_the_check_has_a_time_limit_of_its_own(start: Start) -> None:
    async with start(check_seconds=0.05) as service:
        response = await send(service, ("picture.jpg", photo(8000, 6000)))
    check_problem(response, 422, "broken-picture", "cannot be decoded within")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (form(), "no field `file`"),
        (form(picture="x"), "no field `file`"),
        (form(recipe="circles"), "no field `file`"),
        (form(PICTURE)[:-6], "ends in the middle"),
        (form(PICTURE)[: len(PICTURE) // 2], "ends in the middle"),
        (b"", "ends in the middle"),
        (b"something else", "not a valid form"),
        (form(PICTURE).replace(b'name="file"; ', b""), "has no name"),
        (form(PICTURE).replace(b"Content-Disposition", b"Content Disposition"), "not a valid form"),
    ],
)
async def test_a_form_that_is_none_is_refused_with_an_example(service: Service, body: bytes, text: str) -> None:
    response = await send_raw(service, body)

    check_problem(response, 422, "invalid-request", text)
    assert "curl -F file=@picture.jpg http" in response.json()["detail"]
    assert service.contents.entries == []
    assert service.contents.begun == []


@pytest.mark.parametrize("content_type", ["application/json", "image/jpeg", "multipart/mixed; boundary=x", "", "x;;=,"])
async def test_a_body_that_is_no_form_is_refused(service: Service, content_type: str) -> None:
    check_problem(await send_raw(service, PICTURE, content_type), 415, "not-multipart", "curl -F")


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "x" * 1000])
async def test_a_form_without_a_proper_boundary_is_refused(service: Service, boundary: str) -> None:
    check_problem(await send_raw(service, form(PICTURE), f"multipart/form-data{boundary}"), 422, "invalid-request")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("circels", "Did you mean 'circles'?"),
        ('{"steps": []}', "steps"),
        ('{"steps": [{"transform": "explode"}]}', "explode"),
        ("{", "JSON"),
        (" " * 70_000, "65,536"),
    ],
    ids=["name", "empty", "transform", "JSON", "long"],
)
async def test_a_bad_recipe_is_refused_and_nothing_is_stored(service: Service, text: str, said: str) -> None:
    response = await send(service, ("picture.jpg", PICTURE), recipe=text)

    check_problem(response, 422, "invalid-recipe", said)
    assert service.contents.entries == []
    assert service.contents.begun == []


async def test_a_recipe_may_export_only_where_the_operator_allows_it(start: Start) -> None:
    recipe = '{"steps": [{"transform": "grayscale"}], "export": "s3://bucket/%s{stem}.{ext}"}'
    async with start(export_targets="s3://bucket/exports") as service:
        foreign = await send(service, ("picture.jpg", PICTURE), recipe=recipe % "other/")
        allowed = await send(service, ("picture.jpg", PICTURE), recipe=recipe % "exports/")
    check_problem(foreign, 422, "invalid-recipe", "Allowed are URLs below s3://bucket/exports/")
    assert allowed.status_code == 201


async def test_a_recipe_that_is_no_text_is_refused(service: Service) -> None:
    response = await service.client.post("/upload", files=[("recipe", b"\xff\xfe"), ("file", ("picture.jpg", PICTURE))])

    check_problem(response, 422, "invalid-recipe", "UTF-8")


async def test_two_recipes_are_refused(service: Service) -> None:
    fields: Any = [("file", ("a.jpg", PICTURE)), ("recipe", (None, "vivid")), ("recipe", (None, "circles"))]

    check_problem(await service.client.post("/upload", files=fields), 422, "invalid-request", "more than once")


@pytest.mark.parametrize("name", ["file", "recipe", "other"])
async def test_too_many_parts_are_refused(service: Service, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(forms, "MAX_PARTS", 2)
    fields: Any = [("file", ("a.jpg", PICTURE)), ("file", ("", b"")), (name, ("", b""))]
    response = await service.client.post("/upload", files=fields)

    check_problem(response, 422, "invalid-request", "more than 2 parts")
    assert service.contents.entries == []
    assert service.contents.begun == []


async def test_many_pictures_of_one_request_do_not_stand_in_their_own_way(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_WAITING", intake.CHECKERS)
    response = await send(service, *[("a.jpg", PICTURE)] * 12)

    assert len(service.contents.ids) == 12
    assert {each["uuid"] for each in response.json()} == service.contents.ids


async def test_too_large_a_request_of_unknown_length_is_refused_while_it_comes(service: Service) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield form(PICTURE)[:200]
        for _ in range(160):
            sent += 2**16
            yield bytes(2**16)

    response = await service.client.post("/upload", content=body(), headers={"content-type": CONTENT_TYPE})

    check_problem(response, 413, "picture-too-large", "larger than 1 MiB")
    assert service.contents.begun == []


async def test_too_large_a_file_among_others_is_refused_alone(service: Service) -> None:
    response = await send(service, ("big.jpg", bytes(2**20 + 1)), ("small.jpg", PICTURE))

    assert response.status_code == 201
    refused, stored = response.json()
    assert refused["problem"]["type"] == "urn:imagomortis:picture-too-large"
    assert service.contents.ids == {stored["uuid"]}
    assert service.contents.begun == []


async def test_a_file_of_just_the_right_size_is_not_too_large(service: Service) -> None:
    data = save(scene(500, 400), "BMP")
    data += bytes(2**20 - len(data))
    response = await send(service, ("full.bmp", data))

    assert len(data) == 2**20
    assert response.status_code == 201


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_another_method_is_told_the_right_one(service: Service, method: str) -> None:
    response = await service.client.request(method, "/upload")

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.headers["content-type"] == PROBLEM


# --- the disk ---------------------------------------------------------------------------------------------------------


async def test_below_the_reserve_nothing_is_taken(start: Start) -> None:
    async with start(disk_reserve_bytes=2**60) as service:
        check_problem(await send(service, ("picture.jpg", PICTURE)), 507, "disk-full", "in reserve")
        assert service.contents.begun == []


@pytest.mark.parametrize("folder", ["incoming", "ready"])
async def test_while_the_spool_cannot_be_written_nothing_is_taken_and_afterwards_all_is_well(
    service: Service, folder: str
) -> None:
    path = service.contents.spool.folder / folder
    path.rmdir()
    path.touch()
    try:
        response = await send(service, ("picture.jpg", PICTURE))
        check_problem(response, 503, "unavailable", "IMAGOMORTIS_SPOOL")
        assert response.headers["retry-after"] == "30"
    finally:
        path.unlink()
        path.mkdir()

    assert service.contents.begun == []
    assert (await send(service, ("picture.jpg", PICTURE))).status_code == 201


async def test_too_many_uploads_at_once_are_asked_to_come_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MAX_REQUESTS", 0)
    response = await send(service, ("picture.jpg", PICTURE))

    check_problem(response, 503, "unavailable", "in a moment")
    assert response.headers["retry-after"] == "5"


# --- access, logs -----------------------------------------------------------------------------------------------------


async def test_with_a_token_nobody_uploads_without_it(start: Start) -> None:
    token = "a-token-of-some-length"
    async with start(token=token) as service:
        check_problem(await send(service, ("picture.jpg", PICTURE)), 401, "unauthorized")
        assert service.contents.entries == []
        service.client.headers["authorization"] = f"Bearer {token}"
        assert (await send(service, ("picture.jpg", PICTURE))).status_code == 201


async def test_a_page_elsewhere_uploads_nothing(service: Service) -> None:
    for headers in ({"host": "evil.example"}, {"origin": "https://evil.example"}):
        response = await service.client.post("/upload", files={"file": PICTURE}, headers=headers)
        check_problem(response, 403, "forbidden")
    assert service.contents.entries == []


async def test_no_answer_invites_pages_elsewhere(service: Service) -> None:
    response = await service.client.options(
        "/upload", headers={"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    )

    assert response.status_code == 405
    assert not [name for name in response.headers if name.startswith("access-control")]


async def test_a_page_of_an_allowed_origin_uploads_also_in_pieces(start: Start) -> None:
    page, token = "http://localhost:30080", "a-token-of-some-length"
    async with start(token=token, allowed_origins=page) as service:
        asked = {"origin": page, "access-control-request-method": "PATCH"}
        asked["access-control-request-headers"] = "authorization,tus-resumable,upload-offset"
        preflight = await service.client.options("/upload/tus/any", headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (204, page)
        assert preflight.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
        given = {"origin": page, "authorization": f"Bearer {token}"}
        pieces = {"tus-resumable": "1.0.0", "upload-length": "1000", **given}
        begun = await service.client.post("/upload/tus", headers=pieces)
        assert "Location" in begun.headers["access-control-expose-headers"]
        whole = await service.client.post("/upload", files={"file": PICTURE}, headers=given)
        assert (whole.status_code, whole.headers["access-control-allow-origin"]) == (201, page)
        stranger = await service.client.options("/upload", headers={**asked, "origin": "http://localhost:30081"})
        assert (stranger.status_code, "access-control-allow-origin" in stranger.headers) == (401, False)


async def test_a_session_of_the_page_uploads(start: Start) -> None:
    token = "a-token-of-some-length"
    async with start(token=token) as service:
        service.client.cookies.set(COOKIE, Session.begin(60).signed("another-token-of-some-length"))
        check_problem(await send(service, ("picture.jpg", PICTURE)), 401, "unauthorized")
        service.client.cookies.set(COOKIE, Session.begin(60).signed(token))
        assert (await send(service, ("picture.jpg", PICTURE))).status_code == 201


async def test_stored_and_refused_pictures_are_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = (await send(service, ("a.jpg", PICTURE), ("b.pdf", PDF))).json()

    facts = {record.getMessage(): getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)}
    assert str(facts["stored"]["image"]) == answer[0]["uuid"]
    assert facts["stored"].items() >= {
        ("filename", "a.jpg"),
        ("bytes", len(PICTURE)),
        ("media_type", "image/jpeg"),
        ("resolution", "120x80"),
    }
    assert 0 < facts["stored"]["seconds"] < 10
    assert (facts["refused"]["filename"], facts["refused"]["kind"]) == ("b.pdf", "unsupported-picture")
    assert facts["refused"]["error"] == answer[1]["problem"]["detail"]
    assert (facts["request"]["path"], facts["request"]["status"]) == ("/upload", 201)
    assert facts["request"]["client"] == "127.0.0.1"

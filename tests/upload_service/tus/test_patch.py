"""``PATCH``: bytes are added, and the last one stores the picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.pictures import HTML, PDF, photo, truncated
from tests.upload_service.conftest import Service
from tests.upload_service.tus.speaker import BYTES, PLACE, RESUMABLE, Speaker, check_problem
from upload_service import admission
from upload_service.store import intake

pytestmark = pytest.mark.anyio

PICTURE = photo(120, 80)


async def test_bytes_are_acknowledged_with_the_new_offset(tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    response = await tus.patch(place, 0, PICTURE[:100])

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["upload-offset"] == "100"
    assert "upload-expires" in response.headers


async def test_the_last_byte_stores_the_picture(service: Service, tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    await tus.patch(place, 0, PICTURE[:-1])
    assert service.contents.entries == []

    response = await tus.patch(place, len(PICTURE) - 1, PICTURE[-1:])

    assert (response.status_code, response.headers["upload-offset"]) == (204, str(len(PICTURE)))
    assert "upload-expires" not in response.headers
    (entry,) = service.contents.entries
    assert entry.original.read_bytes() == PICTURE
    assert {path.name for path in entry.folder.iterdir()} == {"original", "meta.json"}


async def test_a_client_that_leaves_during_the_check_ends_it_and_may_come_back(
    service: Service, tus: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await tus.begin(len(PICTURE))
    is_at_check, is_ended = asyncio.Event(), asyncio.Event()
    body = [{"type": "http.request", "body": PICTURE, "more_body": False}]

    async def check_for_ever(*_: object) -> None:
        is_at_check.set()
        try:
            await asyncio.Event().wait()
        finally:
            is_ended.set()

    async def send_all_and_leave() -> dict[str, object]:
        if body:
            return body.pop()
        await is_at_check.wait()
        return {"type": "http.disconnect"}

    async def ignore(_: object) -> None: ...

    headers = {"host": "localhost", **RESUMABLE, **BYTES, "Upload-Offset": "0", "Content-Length": str(len(PICTURE))}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "PATCH",
        "scheme": "http",
        "path": place,
        "raw_path": place.encode(),
        "query_string": b"",
        "client": ("192.0.2.1", 1),
        "server": ("localhost", 80),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    with monkeypatch.context() as patch:
        patch.setattr(intake.Intake, "check", check_for_ever)
        await service.app(scope, send_all_and_leave, ignore)

    assert is_ended.is_set()
    assert await tus.offset(place) == len(PICTURE) - 1
    assert (await tus.patch(place, len(PICTURE) - 1, PICTURE[-1:])).status_code == 204
    assert len(service.contents.entries) == 1


@pytest.mark.parametrize("offset", [0, 99, 101, len(PICTURE)])
async def test_bytes_for_another_offset_change_nothing(tus: Speaker, offset: int) -> None:
    place = await tus.begin(len(PICTURE))
    await tus.patch(place, 0, PICTURE[:100])

    check_problem(await tus.patch(place, offset, b"x"), 409, "wrong-offset")
    assert await tus.offset(place) == 100


@pytest.mark.parametrize("offset", [None, "-1", "ten", ""])
async def test_an_offset_must_be_a_number(tus: Speaker, offset: str | None) -> None:
    place = await tus.begin(10)

    check_problem(await tus.patch(place, None, b"x", Upload_Offset=offset), 400, "wrong-header")


@pytest.mark.parametrize("media_type", [None, "application/octet-stream", "image/jpeg"])
async def test_bytes_must_be_declared(tus: Speaker, media_type: str | None) -> None:
    place = await tus.begin(10)

    check_problem(await tus.patch(place, 0, b"x", Content_Type=media_type), 415, "not-offset")
    assert await tus.offset(place) == 0


async def test_a_wrong_version_is_not_processed(tus: Speaker) -> None:
    place = await tus.begin(10)

    for version in (None, "2.0.0"):
        check_problem(await tus.patch(place, 0, b"x", Tus_Resumable=version), 412, "wrong-version")
    assert await tus.offset(place) == 0


async def test_an_unknown_upload_accepts_no_bytes(tus: Speaker) -> None:
    check_problem(await tus.patch(PLACE + str(uuid4()), 0, b"x"), 404, "not-found")


async def test_no_bytes_are_fine_too(tus: Speaker) -> None:
    place = await tus.begin(10)

    assert (await tus.patch(place, 0, b"")).headers["upload-offset"] == "0"


async def test_more_bytes_than_announced_are_refused_before_any_is_taken(tus: Speaker) -> None:
    place = await tus.begin(100)

    check_problem(await tus.patch(place, 0, bytes(101)), 413, "too-many-bytes")
    assert await tus.offset(place) == 0


async def test_more_bytes_than_announced_are_noticed_while_they_come(service: Service, tus: Speaker) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield PICTURE[:60]
        yield bytes(len(PICTURE))

    place = await tus.begin(len(PICTURE))

    check_problem(await tus.patch(place, 0, body()), 413, "too-many-bytes")
    assert await tus.offset(place) == 60
    assert service.contents.entries == []


async def test_a_complete_upload_takes_no_more(service: Service, tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    await tus.patch(place, 0, PICTURE)

    assert (await tus.patch(place, len(PICTURE), b"")).status_code == 204
    check_problem(await tus.patch(place, len(PICTURE), b"x"), 413, "too-many-bytes")
    check_problem(await tus.patch(place, 0, PICTURE), 409, "wrong-offset")
    assert len(service.contents.entries) == 1


@pytest.mark.parametrize("data", [PDF, HTML, truncated(PICTURE, 0.7), photo(2000, 1000)], ids=["a", "b", "c", "d"])
async def test_a_refused_picture_is_answered_as_in_a_form_and_leaves_nothing(
    service: Service, tus: Speaker, data: bytes
) -> None:
    place = await tus.begin(len(data), filename="a.jpg")
    await tus.patch(place, 0, data[:50])
    response = await tus.patch(place, 50, data[50:])
    same = await service.client.post("/upload", files={"file": ("a.jpg", data)})

    assert (response.status_code, response.json()) == (same.status_code, same.json())
    assert (await tus.head(place)).status_code == 404
    assert list(service.contents.spool.tus.glob(f"{place.removeprefix(PLACE)}*")) == []
    assert (service.contents.entries, service.contents.begun) == ([], [])


async def test_an_uploader_with_too_much_to_do_keeps_the_bytes(
    service: Service, tus: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await tus.begin(len(PICTURE))
    with monkeypatch.context() as patch:
        patch.setattr(intake, "MAX_WAITING", 0)
        response = await tus.patch(place, 0, PICTURE)
        check_problem(response, 503, "unavailable")
        assert response.headers["retry-after"] == "5"

    # the last byte counts as missing until the picture is stored
    assert await tus.offset(place) == len(PICTURE) - 1
    assert (await tus.patch(place, len(PICTURE) - 1, PICTURE[-1:])).status_code == 204
    assert service.contents.entries[0].original.read_bytes() == PICTURE


async def test_too_many_requests_are_turned_away(tus: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    place = await tus.begin(10)
    monkeypatch.setattr(admission, "MAX_REQUESTS", 0)

    check_problem(await tus.patch(place, 0, b"x"), 503, "unavailable")


async def test_two_clients_at_once_do_not_mix_their_bytes(service: Service, tus: Speaker) -> None:
    is_at_work, may_go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield PICTURE[:100]
        is_at_work.set()
        await may_go_on.wait()
        yield PICTURE[100:]

    place = await tus.begin(len(PICTURE))
    first = asyncio.create_task(tus.patch(place, 0, slow()))
    await is_at_work.wait()

    for refused in (await tus.patch(place, 0, PICTURE), await tus.delete(place)):
        check_problem(refused, 423, "locked")
        assert refused.headers["retry-after"] == "1"
    assert (await tus.head(place)).status_code == 200

    may_go_on.set()
    assert (await first).status_code == 204
    assert service.contents.entries[0].original.read_bytes() == PICTURE


async def test_another_name_of_the_method_counts(service: Service, tus: Speaker) -> None:
    place = await tus.begin(len(PICTURE))
    headers = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
    for method, length in (("POST", 100), ("PUT", 200)):
        said = headers | {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": str(length - 100)}
        response = await service.client.request(method, place, headers=said, content=PICTURE[length - 100 : length])
        assert (response.status_code, response.headers["upload-offset"]) == (204, str(length))
    said = {"Tus-Resumable": "1.0.0", "X-HTTP-Method-Override": "DELETE"}
    assert (await service.client.post(place, headers=said)).status_code == 204
    assert (await tus.head(place)).status_code == 404


async def test_another_name_of_the_method_opens_no_back_door(service: Service, tus: Speaker) -> None:
    place = await tus.begin(10)
    foreign = {"Tus-Resumable": "1.0.0", "Origin": "https://evil.example", "X-HTTP-Method-Override": "DELETE"}

    assert (await service.client.get(place, headers=foreign)).status_code == 403
    assert (await tus.head(place)).status_code == 200


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, len(PICTURE)), st.booleans()), max_size=6))
async def test_any_split_with_any_interruptions_gives_the_same_picture(
    service: Service, tus: Speaker, cuts: list[tuple[int, bool]]
) -> None:
    """A client that is cut off anywhere, and goes on at the offset that it is told, loses and doubles nothing."""
    place = await tus.begin(len(PICTURE))
    for cut, is_interrupted in [*sorted(cuts), (len(PICTURE), False)]:
        offset = await tus.offset(place)
        data = PICTURE[offset : max(offset, cut)]

        async def body(data: bytes = data) -> AsyncIterator[bytes]:
            yield data
            raise ConnectionAbortedError

        if is_interrupted:
            with pytest.raises(ConnectionAbortedError):
                await tus.patch(place, offset, body())
        else:
            assert (await tus.patch(place, offset, data)).status_code == 204

    entry = service.contents.spool.read(service.contents.spool.ready / place.removeprefix(PLACE))
    assert service.contents.spool.read_bytes(entry) == PICTURE

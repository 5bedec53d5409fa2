"""Who gets through to a listener, and who does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from imagomortis_http.callers.access import OPEN_PATHS, SESSION_PATHS, AccessMiddleware, current_session, never_ends
from imagomortis_http.callers.session import COOKIE, Session
from imagomortis_http.callers.token_gate import FREE, TokenGate
from imagomortis_http.problems import MEDIA_TYPE

TOKEN = "a-token-of-some-length"
SIGNED_IN = Session.begin(86_400).signed(TOKEN)
HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

pytestmark = pytest.mark.anyio


async def _answer(_: Request) -> PlainTextResponse:
    return PlainTextResponse("let through")


def _client(
    token: str | None = None,
    hosts: frozenset[str] = HOSTS,
    url: str = "http://localhost",
    origins: frozenset[str] = frozenset(),
    has_ended: Callable[[Session], Awaitable[bool]] = never_ends,
) -> httpx.AsyncClient:
    inner = Starlette(routes=[Route("/{path:path}", _answer, methods=["GET", "POST", "DELETE"])])
    transport = httpx.ASGITransport(AccessMiddleware(inner, TokenGate.of(token), hosts, origins, has_ended))
    return httpx.AsyncClient(transport=transport, base_url=url)


async def test_without_the_token_nothing_is_answered() -> None:
    response = await _client(TOKEN).get("/images")

    assert response.status_code == 401
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN} "},
        {"cookie": f"{COOKIE}={SIGNED_IN}"},
        {"cookie": f"theme=dark; {COOKIE}={SIGNED_IN}"},
        {"cookie": f'{COOKIE}="{SIGNED_IN}"'},
        {"cookie": f'prefs={{"a":1}}; {COOKIE}={SIGNED_IN}'},
        {"cookie": f"foo; {COOKIE}={SIGNED_IN}; bar"},
        {"cookie": f"a[0]=1,2; b=; =c; d=e=f; {COOKIE}={SIGNED_IN}"},
        {"cookie": f"{COOKIE}={SIGNED_IN}", "authorization": "Basic dXNlcjpwYXNz"},
    ],
)
async def test_the_token_or_a_session_lets_through(headers: dict[str, str]) -> None:
    response = await _client(TOKEN).get("/images", headers=headers)

    assert response.text == "let through"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer another-token-of-some-length"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer t\u00f6ken"},
        {"authorization": TOKEN},
        {"cookie": f"{COOKIE}={SIGNED_IN[:-1]}"},
        {"cookie": f"{COOKIE}={TOKEN}"},
        {"cookie": f"imagomortis_token={TOKEN}"},
        {"cookie": f"other={SIGNED_IN}"},
        {"cookie": f"{COOKIE}="},
        {"cookie": SIGNED_IN},
        {"cookie": f"{COOKIE}={SIGNED_IN}", "authorization": "Bearer another-token-of-some-length"},
        {"x-token": TOKEN},
    ],
)
async def test_nothing_else_lets_through(headers: dict[str, str]) -> None:
    encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    response = await _client(TOKEN).get("/images", headers=encoded)

    assert response.status_code == 401


async def test_a_session_comes_back_as_it_was_set() -> None:
    answer = PlainTextResponse("signed in")
    session = Session.begin(86_400)
    answer.set_cookie(COOKIE, session.signed(TOKEN))
    given = Headers({"cookie": f"foo; {answer.headers['set-cookie'].partition('; Path')[0]}"})

    assert current_session(given, TokenGate(TOKEN)) == session


async def test_a_session_that_was_signed_out_lets_nobody_through() -> None:
    ended = Session.begin(86_400)

    async def has_ended(session: Session) -> bool:
        return session == ended

    client = _client(TOKEN, has_ended=has_ended)
    assert (await client.get("/images", headers={"cookie": f"{COOKIE}={ended.signed(TOKEN)}"})).status_code == 401
    assert (await client.get("/images", headers={"cookie": f"{COOKIE}={SIGNED_IN}"})).text == "let through"


async def test_wrong_tokens_are_answered_ever_more_slowly() -> None:
    client = _client(TOKEN)
    for _ in range(FREE):
        assert (await client.get("/images", headers={"authorization": "Bearer wrong"})).status_code == 401
    answers = [await client.get("/images", headers={"authorization": "Bearer wrong"}) for _ in range(20)]

    [slow, *_] = [answer for answer in answers if answer.status_code == 429]
    assert int(slow.headers["retry-after"]) >= 1
    assert slow.headers["content-type"] == MEDIA_TYPE
    # a session is nobody's guess
    assert (await client.get("/images", headers={"cookie": f"{COOKIE}={SIGNED_IN}"})).text == "let through"


async def test_the_token_is_not_taken_from_the_address() -> None:
    response = await _client(TOKEN).get("/images", params={"token": TOKEN})

    assert response.status_code == 401


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_probes_need_neither_token_nor_host(path: str) -> None:
    response = await _client(TOKEN, url="http://10.1.2.3:30082").get(path)

    assert response.text == "let through"


@pytest.mark.parametrize("path", ["/healthz/", "/healthz/../images", "/Healthz", "/upload/healthz.jpg"])
async def test_paths_that_resemble_probes_need_access(path: str) -> None:
    response = await _client(TOKEN).get(path)

    assert response.status_code == 401


@pytest.mark.parametrize("path", sorted(SESSION_PATHS))
async def test_the_sign_in_is_reached_without_a_token(path: str) -> None:
    response = await _client(TOKEN).post(path)

    assert response.text == "let through"


async def test_a_token_works_by_any_host_name() -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    response = await _client(TOKEN, url="http://pictures.example").get("/images", headers=headers)

    assert response.text == "let through"


@pytest.mark.parametrize("host", ["localhost", "localhost:30082", "LOCALHOST:1", "127.0.0.1:30082", "[::1]:30082"])
async def test_an_open_listener_answers_to_the_names_of_this_machine(host: str) -> None:
    response = await _client().get("/images", headers={"host": host})

    assert response.text == "let through"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:30082", "10.0.0.1", "[::2]:80", ""])
async def test_an_open_listener_answers_to_no_other_name(host: str) -> None:
    response = await _client().get("/images", headers={"host": host})

    assert response.status_code == 403
    assert "IMAGOMORTIS_ALLOWED_HOSTS" in response.json()["detail"]


async def test_an_open_listener_without_names_answers_to_any() -> None:
    response = await _client(hosts=frozenset()).get("/images", headers={"host": "anything.example"})

    assert response.text == "let through"


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://localhost.evil.example", "http://[::1]", "http://[", ""),
        *("https://localhost", "http://localhost:30080", "http://localhost:8", "localhost", "http://user@localhost"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_page_elsewhere_changes_nothing(method: str, origin: str) -> None:
    for client, headers in ((_client(), {}), (_client(TOKEN), {"cookie": f"{COOKIE}={SIGNED_IN}"})):
        response = await client.request(method, "/images", headers={**headers, "origin": origin})
        assert response.status_code == 403


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://localhost", "http://localhost"),
        ("http://localhost:30080", "http://localhost:30080"),
        ("http://LOCALHOST:80", "http://localhost"),
        ("http://[::1]:30080", "http://[::1]:30080"),
    ],
)
async def test_a_page_of_our_own_may_change_things(url: str, origin: str) -> None:
    response = await _client(url=url).post("/images", headers={"origin": origin, "host": url.partition("//")[2]})

    assert response.text == "let through"


async def test_a_page_of_an_allowed_origin_may_change_things() -> None:
    client = _client(origins=frozenset({"http://LOCALHOST:30080", "https://gallery.example:443"}))

    for origin in ("http://localhost:30080", "https://gallery.example"):
        assert (await client.post("/images", headers={"origin": origin})).text == "let through"
    for origin in ("https://localhost:30080", "http://localhost:30081", "https://gallery.example.evil"):
        assert (await client.post("/images", headers={"origin": origin})).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_change_for_another_site_is_refused_also_without_its_origin(site: str) -> None:
    response = await _client().post("/images", headers={"sec-fetch-site": site})

    assert response.status_code == 403


async def test_a_page_behind_a_proxy_is_our_own_by_the_name_that_the_proxy_was_called() -> None:
    headers = {"origin": "https://pictures.example", "x-forwarded-host": "pictures.example"}
    headers |= {"x-forwarded-proto": "https", "authorization": f"Bearer {TOKEN}"}

    assert (await _client(TOKEN).post("/images", headers=headers)).text == "let through"


async def test_a_proxy_that_hides_the_scheme_is_told_what_to_send() -> None:
    headers = {"origin": "https://localhost"}
    response = await _client().post("/images", headers=headers)

    assert response.status_code == 403
    assert "X-Forwarded-Proto" in response.json()["detail"]


async def test_a_page_elsewhere_may_read_what_is_open() -> None:
    response = await _client().get("/images", headers={"origin": "https://evil.example"})

    assert response.text == "let through"

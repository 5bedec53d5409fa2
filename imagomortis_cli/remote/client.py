"""Calls the uploader and the API, both below one origin, and turns every failed answer into an error for people."""

from __future__ import annotations

import json
import re
import ssl
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any, Final, Self, cast
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from imagomortis.errors import ConfigurationError, ImagoMortisError, Unavailable
from imagomortis.settings import Settings
from imagomortis_cli.machine import home, ports
from imagomortis_cli.output import clean
from imagomortis_cli.remote import documents

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 120.0
"""How long the server may be silent. At the end of an upload, the answer waits for the picture's check."""

PAGE: Final = 1000
"""Images on a page if all are wanted."""

_SET_URL = "Set IMAGOMORTIS_URL to the address of its page, for example IMAGOMORTIS_URL=http://127.0.0.1:30080."
_UNKNOWN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_TUS = {"Tus-Resumable": "1.0.0"}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NotReachable(Unavailable):
    """A server that cannot be connected to."""

    slug = "not-reachable"
    title = "Nothing answers"


class ConnectionLost(Unavailable):
    """A connection that broke, or a server that fell silent, before the answer was complete."""

    slug = "connection-lost"
    title = "The connection was lost"


class ForeignServer(ImagoMortisError):
    """A server that is not ImagoMortis, or an address that is not that of its page."""

    slug = "foreign-server"
    title = "This is another server"


class ServerProblem(ImagoMortisError):
    """A problem document: its status, its kind, and the seconds to wait before another try, if it says so."""

    slug = "server-problem"
    title = "The server refused"

    def __init__(self, document: Mapping[str, Any], hint: str = "") -> None:
        """Take the document, and the command line's advice about it."""
        title, detail = clean(str(document.get("title", ""))), clean(str(document.get("detail", "")))
        # some details begin with their title
        begin = "" if detail.lower().startswith(title.lower().rstrip(".")) else f"{title}:"
        super().__init__(" ".join(text for text in (begin, detail, hint) if text))
        self.document = document
        self.code = int(document.get("status", 0))
        self.kind = str(document.get("type", ""))

    @property
    def retry_after(self) -> float:
        """Seconds to wait before another try; 0 if the server does not say."""
        given = self.document.get("retry_after")
        return float(given) if isinstance(given, int | float) else 0.0


@dataclass(frozen=True)
class StoredUpload:
    """A picture that the uploader stored: its id and its file name there."""

    id: UUID
    filename: str


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    name: str
    id: str | None
    data: Any


class Client:
    """A client of the server, for any number of threads."""

    def __init__(self, origin: str, token: str | None = None, silence: float = ANSWER_SECONDS) -> None:
        """Take the page's address, the access token, and for how many seconds the server may be silent.

        Raises ConfigurationError if the origin is not an address.
        """
        self.origin = origin.rstrip("/")
        host = _host(self.origin)
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(silence, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=32),
            # a proxy is useless for connections to this machine
            trust_env=host not in _LOOPBACK,
            # reading every root certificate takes 30 ms
            verify=httpx.URL(self.origin).scheme == "https" or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the client of the server that the settings name, or of the one that runs on this machine."""
        token = settings.token.get_secret_value() if settings.token else None
        return cls(address(settings), token)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def api(self, path: str) -> str:
        """Return the full address of an API ``path``, such as one of an image's links."""
        return f"{self.origin}/api/{path.lstrip('/')}"

    def ask(self, path: str) -> httpx.Response:
        """Return the answer to a GET of ``path`` below the page's address; raise an error unless it is a success."""
        return self._call("GET", f"{self.origin}{path}")

    def get(self, path: str, **query: Any) -> Any:
        """Return the document at ``path`` of the API."""
        return self._json(self._call("GET", self.api(path), params=query))

    def post(self, path: str, document: object = None) -> Any:
        """Post a document to the API, and return its answer."""
        return self._json(self._call("POST", self.api(path), json=document))

    def delete(self, path: str, **query: Any) -> None:
        """Delete ``path`` in the API."""
        self._call("DELETE", self.api(path), params=query)

    def images(self, limit: int | None = None, **query: Any) -> Iterator[documents.ImageDocument]:
        """Yield images, newest first: ``limit`` of them, or all; ``query`` is the API's filter."""
        rest = limit
        target: httpx.URL | None = httpx.URL(
            self.api("images"), params={**_given(query), "limit": min(rest or PAGE, PAGE)}
        )
        while target is not None:
            response = self._call("GET", target)
            for image in self._json(response):
                if rest == 0:
                    return
                yield cast(documents.ImageDocument, image)
                rest = rest - 1 if rest is not None else None
            following = response.links.get("next", {}).get("url")
            target = target.join(following) if following and rest != 0 else None

    def stats(self) -> documents.StatsDocument:
        """Return the system's figures."""
        return cast(documents.StatsDocument, self.get("stats"))

    def info(self, image_id: UUID | str) -> documents.InfoDocument:
        """Return everything about an image; raises ServerProblem with code 404 if it does not exist."""
        return cast(documents.InfoDocument, self.get(f"images/{image_id}/info"))

    def known(self, digests: Sequence[str]) -> dict[str, str]:
        """Return the SHA-256 digests of which the server has originals, each with an image's id."""
        return cast(dict[str, str], self.post("digests", {"sha256": list(digests)}))

    def upload(self, file: IO[bytes], filename: str, recipe: str | None = None) -> StoredUpload:
        """Upload one picture, read from ``file`` while it is sent; on return it is durable."""
        fields = {"recipe": recipe} if recipe else {}
        response = self._call("POST", f"{self.origin}/upload", data=fields, files={"file": (filename, file)})
        answer = self._json(response)
        return StoredUpload(UUID(answer["uuid"]), clean(str(answer["filename"])))

    def begin(self, size: int, filename: str, recipe: str | None = None) -> str:
        """Begin a resumable upload of ``size`` bytes; return its address."""
        said = {"filename": filename, **({"recipe": recipe} if recipe else {})}
        metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in said.items())
        headers = {**_TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
        response = self._call("POST", f"{self.origin}/upload/tus/", headers=headers)
        return str(response.request.url.join(response.headers["location"]))

    def offset(self, upload: str) -> int | None:
        """Return how many bytes of an upload the server has; None if it no longer knows the upload."""
        with self._translated():
            response = self._http.head(upload, headers=_TUS)
        if response.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return None
        return int(self._checked(response).headers["upload-offset"])

    def append(self, upload: str, portions: Iterable[bytes], offset: int, count: int) -> None:
        """Append ``count`` bytes to an upload; on return after the last byte, the picture is durable."""
        headers = {
            **_TUS,
            "Upload-Offset": str(offset),
            "Content-Length": str(count),
            "Content-Type": "application/offset+octet-stream",
        }
        self._call("PATCH", upload, headers=headers, content=portions)

    def stream(
        self, method: str, path: str, document: object = None, **query: Any
    ) -> AbstractContextManager[httpx.Response]:
        """Lend an answer of the API whose body is still unread, for `iter_bytes`."""
        return self._stream(method, path, params=_given(query), json=document)

    @contextmanager
    def events(self, last_id: str | None, silence: float) -> Iterator[Iterator[Event]]:
        """Lend the stream of events after ``last_id``; raise ConnectionLost after ``silence`` seconds without data."""
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        timeout = httpx.Timeout(silence, connect=CONNECT_SECONDS)
        with self._stream("GET", "events", headers=headers, timeout=timeout) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise self._foreign(response)
            yield _events(response.iter_lines())

    def _call(self, method: str, url: str | httpx.URL, **details: Any) -> httpx.Response:
        with self._translated():
            return self._checked(self._http.request(method, url, **details))

    @contextmanager
    def _stream(self, method: str, path: str, **details: Any) -> Iterator[httpx.Response]:
        with self._translated(), self._http.stream(method, self.api(path), **details) as response:
            if not response.is_success:
                response.read()
            yield self._checked(response)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise NotReachable(
                f"Nothing answers at {self.origin} ({_reason(error)}). Start the system with `imagomortis up` (or "
                "`make up`), or set IMAGOMORTIS_URL to the address of its page."
            ) from error
        except httpx.TransportError as error:
            raise ConnectionLost(
                f"The connection to {self.origin} broke ({_reason(error)}). Try again; `imagomortis status` tells "
                "whether the system is well."
            ) from error
        except httpx.DecodingError as error:
            raise ConnectionLost(f"What {self.origin} sent cannot be read ({_reason(error)}). Try again.") from error

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        document = _problem(response) or self._proxy_problem(response)
        if document is None:
            raise self._foreign(response)
        if document.get("type") == "about:blank" and response.status_code in _UNKNOWN:
            request = response.request
            raise ForeignServer(f"{self.origin} knows no {request.method} {request.url.path}. {_SET_URL}")
        hint = ""
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            hint = "On the command line: set IMAGOMORTIS_TOKEN to it."
        raise ServerProblem({"status": response.status_code, **document}, hint)

    def _proxy_problem(self, response: httpx.Response) -> dict[str, Any] | None:
        """Return a problem for the answer of a proxy that finds no system behind it."""
        if response.status_code not in {
            HTTPStatus.BAD_GATEWAY,
            HTTPStatus.SERVICE_UNAVAILABLE,
            HTTPStatus.GATEWAY_TIMEOUT,
        }:
            return None
        detail = f"{self.origin} answers, but not the part behind it. Try again in a few seconds."
        return {"title": "A part of the system is away", "detail": detail}

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise self._foreign(response) from error

    def _foreign(self, response: httpx.Response) -> ForeignServer:
        kind = response.headers.get("content-type", "something of no type")
        return ForeignServer(
            f"{self.origin} is no ImagoMortis: {response.request.method} {response.request.url.path} was answered with "
            f"{response.status_code} and {clean(kind)}. {_SET_URL}"
        )


def address(settings: Settings) -> str:
    """Return the page's address: from the settings, from the system that runs on this machine, or the default."""
    if settings.url:
        return settings.url
    running = home.holder(settings.home)
    return (running.addresses.get("page") if running else None) or ports.url(settings.bind, settings.web_port)


def _host(origin: str) -> str:
    try:
        url = httpx.URL(origin)
        scheme, host, _ = url.scheme, url.host, urlsplit(origin).port
        url.raw_host.decode().encode("idna")  # as the resolver will do
    except (ValueError, httpx.InvalidURL):
        scheme, host = "", ""
    if scheme not in {"http", "https"} or not host:
        raise ConfigurationError(
            f"IMAGOMORTIS_URL={origin} is not an address: give scheme, host and port, for example "
            "IMAGOMORTIS_URL=http://127.0.0.1:30080."
        )
    return host


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    """Return the problem document of an answer; None if it has none."""
    try:
        found = response.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) and "title" in found else None


def _events(lines: Iterator[str]) -> Iterator[Event]:
    """Yield the events of a stream (WHATWG HTML, section 9.2) with JSON data; comments are dropped."""
    name, identifier, data = "message", None, list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if line == "":
            if data:
                yield Event(name, identifier, json.loads("\n".join(data)))
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            identifier = value


def _given(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _reason(error: Exception) -> str:
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__

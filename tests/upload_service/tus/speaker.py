"""A client of the protocol that says exactly what a test tells it to."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import httpx

PLACE = "/upload/tus/"
RESUMABLE = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def coded(**values: str | bytes) -> str:
    """Return Upload-Metadata."""
    pairs = {key: value.encode() if isinstance(value, str) else value for key, value in values.items()}
    return ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in pairs.items())


@dataclass(frozen=True)
class Speaker:
    """Says the protocol's requests; ``headers`` are added to what they need, or taken away where they are None."""

    client: httpx.AsyncClient

    async def post(self, length: int | None, content: Any = b"", **headers: str | None) -> httpx.Response:
        said = {"Upload-Length": None if length is None else str(length), **(BYTES if content else {})}
        return await self._say("POST", PLACE, content, said, headers)

    async def begin(self, length: int, **metadata: str | bytes) -> str:
        """Begin an upload and return where it is."""
        response = await self.post(length, Upload_Metadata=coded(**metadata) or None)
        assert response.status_code == 201, response.text
        return str(response.request.url.join(response.headers["location"]).path)

    async def patch(self, place: str, offset: int | None, content: Any, **headers: str | None) -> httpx.Response:
        said = {"Upload-Offset": None if offset is None else str(offset), **BYTES}
        return await self._say("PATCH", place, content, said, headers)

    async def head(self, place: str, **headers: str | None) -> httpx.Response:
        return await self._say("HEAD", place, b"", {}, headers)

    async def offset(self, place: str) -> int:
        return int((await self.head(place)).headers["upload-offset"])

    async def delete(self, place: str, **headers: str | None) -> httpx.Response:
        return await self._say("DELETE", place, b"", {}, headers)

    async def options(self, place: str = PLACE, **headers: str | None) -> httpx.Response:
        return await self._say("OPTIONS", place, b"", {"Tus-Resumable": None}, headers)

    async def _say(
        self, method: str, place: str, content: Any, said: dict[str, str | None], further: dict[str, str | None]
    ) -> httpx.Response:
        all_of_them = {**RESUMABLE, **said, **{name.replace("_", "-"): value for name, value in further.items()}}
        headers = {name: value for name, value in all_of_them.items() if value is not None}
        return await self.client.request(method, place, content=content, headers=headers)


def check_problem(response: httpx.Response, status: int, kind: str) -> None:
    """An error is told as everywhere, and carries the version."""
    assert (response.status_code, response.json()["type"]) == (status, f"urn:imagomortis:{kind}")
    assert response.headers["tus-resumable"] == "1.0.0"

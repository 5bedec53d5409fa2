"""Whether the parts answer."""

from __future__ import annotations

import socket

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only
from tests.imagomortis_cli.machine.front_door.backends import serving


class TestServices:
    def test_nobody_answers(self, look: Look) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        found = only(look("services", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}"))
        assert "imagomortis up" in found.mend

    def test_a_pod_cannot_reach_them_and_need_not(self, look: Look) -> None:
        assert "IMAGOMORTIS_URL" in only(look("services", IMAGOMORTIS_EXECUTOR="kubernetes"), Level.SKIPPED).text

    def test_a_part_is_not_ready(self, look: Look) -> None:
        async def away(_: Request) -> Response:
            return JSONResponse({"title": "Temporarily unavailable", "detail": "The database is away."}, 503)

        async def ready(_: Request) -> Response:
            return JSONResponse({"status": "ok"})

        app = Starlette(routes=[Route("/api/readyz", away), Route("/upload/readyz", ready)])
        with serving(app) as port:
            bad, good = look("services", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}")
        assert (bad.level, good.level) == (Level.TROUBLE, Level.FINE)
        assert "api is not ready" in bad.text
        assert "The database is away." in bad.text
        assert "imagomortis up" in bad.mend

    def test_a_part_that_waits_for_another_thing_sends_there(self, look: Look) -> None:
        async def away(_: Request) -> Response:
            return JSONResponse({"type": "urn:imagomortis:unavailable", "title": "Away", "detail": "Away."}, 503)

        async def full(_: Request) -> Response:
            document = {"type": "urn:imagomortis:not-ready", "title": "Full", "detail": "Full.", "cause": "disk-full"}
            return JSONResponse(document, 503)

        app = Starlette(routes=[Route("/api/readyz", away), Route("/upload/readyz", full)])
        with serving(app) as port:
            found = look("services", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}")
        assert [each.mend for each in found] == [
            "imagomortis doctor --only database",
            "imagomortis doctor --only disk",
        ]

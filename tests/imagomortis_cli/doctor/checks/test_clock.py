"""Whether the clocks agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from imagomortis_cli.doctor.finding import Level
from tests.imagomortis_cli.doctor.conftest import Look
from tests.imagomortis_cli.doctor.looking import only
from tests.imagomortis_cli.machine.front_door.backends import serving


class TestClock:
    def test_clocks_that_agree(self, look: Look) -> None:
        with serving(_server(), date_header=False) as port:
            found = only(look("clock", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}"), Level.FINE)
        assert "the database and the server agree" in found.text

    def test_a_server_whose_clock_is_wrong(self, look: Look) -> None:
        with serving(_server(timedelta(minutes=2)), date_header=False) as port:
            found = only(look("clock", IMAGOMORTIS_URL=f"http://127.0.0.1:{port}"))
        assert "the server is" in found.text
        assert "ahead of this machine's" in found.text


def _server(skew: timedelta = timedelta()) -> Starlette:
    async def healthz(_: Request) -> Response:
        date = format_datetime(datetime.now(UTC) + skew, usegmt=True)
        return JSONResponse({"status": "ok"}, headers={"date": date})

    return Starlette(routes=[Route("/api/healthz", healthz)])

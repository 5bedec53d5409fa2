"""The HTTP protocol of the uploader: uvicorn's, but it does not wait for ever for the head of a request."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 20.0
"""How long a connection may take to send the head of a request."""


class ImpatientProtocol(HttpToolsProtocol):
    """Closes connections whose request does not begin, or whose head does not end."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Start to wait for the end of the head."""
        super().on_message_begin()
        self._stop_waiting()
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Wait no more: what follows is the application's business."""
        self._stop_waiting()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

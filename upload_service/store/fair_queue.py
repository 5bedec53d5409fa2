"""Shares a few places fairly among clients: none of them can take all."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A fair queue for a number of places: clients take turns, and the requests of one client keep their order."""

    def __init__(self, places: int, most_of_one: int) -> None:
        """Take the number of places, and the number that one client may have."""
        self._free = places
        self._most = most_of_one
        self._held = Counter[str]()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for the client's turn, and hold a place during the block."""
        granted = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(granted)
        self._grant()
        try:
            await granted
            yield
        finally:
            if not granted.cancelled():
                self._give_back(client)

    def _grant(self) -> None:
        while self._free and (client := self._next()) is not None:
            line = self._lines.pop(client)
            granted = line.popleft()
            if line:
                self._lines[client] = line  # behind the other clients
            if granted.cancelled():
                continue
            granted.set_result(None)
            self._free -= 1
            self._held[client] += 1

    def _next(self) -> str | None:
        # reading a Counter adds no entry
        return next((client for client in self._lines if self._held[client] < self._most), None)

    def _give_back(self, client: str) -> None:
        self._free += 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._grant()

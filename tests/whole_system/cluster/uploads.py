"""Clients that go on uploading while parts of the cluster are lost."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Sequence
from typing import Self
from uuid import UUID

import httpx

from tests.support.pictures import photo
from tests.whole_system.cluster.installation import HOST, INGRESS, Installation, until
from tests.whole_system.cluster.node_faults import do


class Uploads:
    """Clients that upload all the time, each picture until it is acknowledged, as a ``with`` block."""

    CLIENTS, PAUSE, PATIENCE = 6, 0.25, 600.0

    def __init__(self, installation: Installation) -> None:
        """Nothing is sent before the block begins."""
        self._pictures = [photo(96, 64, seed=number) for number in range(50)]
        headers = {"Host": HOST, "Authorization": f"Bearer {installation.token}"}
        self._client = httpx.Client(base_url=INGRESS, headers=headers, timeout=5)
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._go, args=(number,)) for number in range(self.CLIENTS)]
        self.acknowledged: dict[UUID, bytes] = {}
        self.slowest = 0.0
        """The longest time in seconds from the first attempt to the acknowledgement of a picture."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def wait_for(self, count: int) -> None:
        """Wait until so many pictures were acknowledged."""
        until(lambda: len(self.acknowledged) >= count, self.PATIENCE, lambda: f"{len(self.acknowledged)} of {count}")

    def lose(self, node: str, begin: Sequence[str], end: Sequence[str], seconds: float = 0) -> None:
        """Lose a node for so many seconds while pictures come in; wait until they come in after it is back."""
        do(begin, node)
        time.sleep(seconds)
        do(end, node)
        self.wait_for(len(self.acknowledged) + 50)

    def _go(self, number: int) -> None:
        for place in itertools.count(number):
            if self._end.wait(self.PAUSE):
                return
            data = self._pictures[place % len(self._pictures)]
            began = time.monotonic()
            while (image_id := self._send(data)) is None:
                if time.monotonic() > began + self.PATIENCE:
                    return
                time.sleep(0.2)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.acknowledged[image_id] = data

    def _send(self, data: bytes) -> UUID | None:
        try:
            answer = self._client.post("/upload", files={"file": ("picture.jpg", data, "image/jpeg")})
        except httpx.HTTPError:
            return None
        return UUID(answer.json()["uuid"]) if answer.status_code == 201 else None

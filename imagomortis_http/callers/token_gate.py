"""Checks access tokens, and slows down an address that guesses."""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from imagomortis.errors import TooManyAttempts, Unauthorized
from imagomortis.logs import Log
from imagomortis_http.callers.client_address import network_of

log = Log(__name__)

FREE: Final = 3
"""Wrong tokens that cost an address no waiting."""

LONGEST_SECONDS: Final = 60.0

FORGET_SECONDS: Final = 600.0
"""An address that sent no wrong token for this long starts again from zero."""

MOST_ADDRESSES: Final = 10_000
"""Addresses that are remembered. The oldest one is forgotten first."""


@dataclass
class _Record:
    """An address's wrong tokens in a row, the end of its waiting time, and whether it ever sent the right token."""

    failures: int = 0
    until: float = 0.0
    is_known: bool = False


class TokenGate:
    """Checks tokens in one process. Each process counts for itself, and forgets its counts when it ends.

    An address that sent the right token before need not wait to send it again. Otherwise a neighbour behind the same
    proxy, or an old script with an old token, would lock it out.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.token = token
        self._clock = clock
        self._records: dict[str, _Record] = {}

    @classmethod
    def of(cls, token: str | None) -> TokenGate | None:
        """Return a gate for the token; None if no token is required."""
        return cls(token) if token else None

    def check(self, given: str, address: str) -> None:
        """Raise Unauthorized for a wrong token, and TooManyAttempts for one that comes too soon after wrong ones."""
        record = self._record(address)
        is_right = hmac.compare_digest(given.encode(), self.token.encode())
        wait = record.until - self._clock()
        if wait > 0 and not (is_right and record.is_known):
            raise TooManyAttempts(
                f"Too many wrong tokens came from {address}. Wait {math.ceil(wait)} s, then try again.",
                retry_after=math.ceil(wait),
            )
        if not is_right:
            self._fail(record, address)
            raise Unauthorized("The access token is not the right one. Ask whoever runs this server for it.")
        record.failures, record.until, record.is_known = 0, 0.0, True

    def _record(self, address: str) -> _Record:
        network = network_of(address)
        if network not in self._records:
            if len(self._records) >= MOST_ADDRESSES:
                del self._records[next(iter(self._records))]
            self._records[network] = _Record()
        return self._records[network]

    def _fail(self, record: _Record, address: str) -> None:
        now = self._clock()
        if now - record.until > FORGET_SECONDS:
            record.failures = 0
        record.failures += 1
        wait = min(LONGEST_SECONDS, 2.0 ** min(record.failures - FREE, 10)) if record.failures >= FREE else 0.0
        record.until = now + wait
        log.warning("wrong token", client=address, failures=record.failures, wait_seconds=wait)

"""Signs and checks sessions, which a browser keeps in a cookie instead of the token.

A session is a random id and its end, signed with the token. Every process that knows the token can check it without a
database, and a new token ends all sessions. If the token is random, it cannot be computed from a session.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Final

COOKIE: Final = "imagomortis_session"


@dataclass(frozen=True)
class Session:
    """A sign-in, and the Unix time at which it ends."""

    id: str
    ends: int

    @classmethod
    def begin(cls, seconds: float) -> Session:
        """Return a new session that lasts ``seconds``."""
        return cls(secrets.token_urlsafe(16), int(time.time() + seconds))

    @classmethod
    def read(cls, cookie: str, token: str) -> Session | None:
        """Return the session in a cookie's value; None if it is over, or not signed with the token."""
        id_, _, rest = cookie.partition(".")
        ends = rest.partition(".")[0]
        if not (ends.isascii() and ends.isdecimal() and len(ends) <= 12):
            return None
        session = cls(id_, int(ends))
        is_signed = hmac.compare_digest(session.signed(token).encode(), cookie.encode())
        return session if is_signed and session.ends > time.time() else None

    def signed(self, token: str) -> str:
        """Return the cookie's value."""
        text = f"{self.id}.{self.ends}"
        return f"{text}.{hmac.digest(token.encode(), f'imagomortis session {text}'.encode(), 'sha256').hex()}"

"""How soon a connection to Postgres notices that nobody is there any more.

When a machine or a pod goes, its address goes with it, and what is sent there is answered by nobody. The system's own
defaults wait for minutes (connecting), a quarter of an hour (an answer) or two hours (silence).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

WATCHFUL: Final[Mapping[str, str]] = {
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""libpq's parameters, in seconds, the last in milliseconds: a peer that is gone is noticed after some ten seconds."""


def watchful(conninfo: str) -> str:
    """Return a libpq connection string or URL with these parameters where it has none of its own."""
    return make_conninfo("", **{**WATCHFUL, **conninfo_to_dict(conninfo)})

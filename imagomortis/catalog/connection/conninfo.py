"""Sets the timeouts by which a connection notices that its Postgres server is gone.

When a machine or a pod disappears, nothing answers at its address any more. The system's defaults wait for minutes
(connecting), a quarter of an hour (an answer) or two hours (an idle connection).
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
"""libpq's parameters in seconds, the last one in milliseconds. They detect a lost server after about ten seconds."""


def watchful(conninfo: str) -> str:
    """Return a libpq connection string or URL with these parameters added, except those that it sets itself."""
    return make_conninfo("", **{**WATCHFUL, **conninfo_to_dict(conninfo)})

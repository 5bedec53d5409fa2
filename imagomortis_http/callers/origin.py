"""Finds which web page a request comes from, and refuses pages of foreign origins.

A browser sends the page's origin with every request that can change something, and with every WebSocket. A script
cannot forge it, nor add ``X-Forwarded-*`` to a request for another origin. So these headers are trusted here, whichever
client sent them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imagomortis.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.datastructures import Headers

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_SCHEMES: Final = {"ws": "http", "wss": "https"}
_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})


def normal(origin: str) -> str:
    """Return an origin as browsers write it: in lower case, and without the scheme's default port."""
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], ""))


def check_page(scheme: str, headers: Headers, allowed: Collection[str] = ()) -> None:
    """Raise Forbidden if the page that sent the request is neither ours nor of ``allowed`` origins (in normal form)."""
    origin = headers.get("origin")
    if origin is None:
        if headers.get("sec-fetch-site") in _ELSEWHERE:
            raise Forbidden("A page of another site may not do this.")
        return
    own = _own(scheme, headers)
    if normal(origin) not in {*allowed, *own}:
        raise Forbidden(
            f"A page of {origin} may not do this on {' or '.join(sorted(own))}. If the page is yours, let its proxy "
            "set X-Forwarded-Proto, or add the page's origin to IMAGOMORTIS_ALLOWED_ORIGINS."
        )


def _own(scheme: str, headers: Headers) -> set[str]:
    """Return the listener's own origins, according to the names in the request."""
    scheme = headers.get("x-forwarded-proto", scheme).partition(",")[0].strip().lower()
    hosts = filter(None, (headers.get("host"), headers.get("x-forwarded-host")))
    return {normal(f"{_SCHEMES.get(scheme, scheme)}://{host}") for host in hosts}

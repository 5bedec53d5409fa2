"""httpx's requests over plain http, with the patience of a minute: a busy machine may take longer than its 5 s."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

import httpx

SECONDS = 60

# otherwise httpx reads every root certificate for each request, which takes 30 ms of a processor
_over_plain_http: dict[str, Any] = {"timeout": SECONDS, "verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}

get = partial(httpx.get, **_over_plain_http)
head = partial(httpx.head, **_over_plain_http)
patch = partial(httpx.patch, **_over_plain_http)
post = partial(httpx.post, **_over_plain_http)
stream = partial(httpx.stream, **_over_plain_http)

"""httpx's requests with the patience of a minute: a machine that is busy may take longer than its 5 s."""

from __future__ import annotations

from functools import partial

import httpx

SECONDS = 60

get = partial(httpx.get, timeout=SECONDS)
patch = partial(httpx.patch, timeout=SECONDS)
post = partial(httpx.post, timeout=SECONDS)
stream = partial(httpx.stream, timeout=SECONDS)

"""Forms on their way into the spool."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from starlette.datastructures import Headers
from starlette.types import Message

from imagomortis.picture.header import Limits
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.spool.spool import Spool
from upload_service.body import Body
from upload_service.form import assembly
from upload_service.form.multipart import FormReader
from upload_service.store.intake import CHECKERS, Arrival, Intake

pytestmark = pytest.mark.anyio

SIZE = 10_000


def messages() -> Iterator[Message]:
    """A form with a file that comes byte by byte."""
    yield {
        "type": "http.request",
        "body": b'--X\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
        "more_body": True,
    }
    for _ in range(SIZE):
        yield {"type": "http.request", "body": b"x", "more_body": True}
    yield {"type": "http.request", "body": b"\r\n--X--\r\n", "more_body": False}


@pytest.mark.slow
async def test_a_file_that_comes_byte_by_byte_takes_little_more_memory_than_it_is(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.prepare()
    intake, left = Intake(spool, SandboxPool(CHECKERS, Limits(), 2**30, 60)), messages()

    async def receive() -> Message:
        await asyncio.sleep(0)
        return next(left)

    async with AsyncExitStack() as drafts:
        tracemalloc.start()
        try:
            found = await assembly.receive(Body(Headers({}), receive, SIZE, 60), FormReader(b"X"), intake, drafts, SIZE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        (file,) = found.files
        assert isinstance(file, Arrival)
        assert (file.size, file.path.read_bytes()) == (SIZE, b"x" * SIZE)
    await intake.close()
    assert peak < 50 * SIZE

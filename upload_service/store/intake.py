"""Writes, checks and stores drafts of the spool, without blocking the event loop."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from imagomortis.errors import Unavailable
from imagomortis.picture.header import Header
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.recipe_choice import ChosenRecipe
from imagomortis.sandbox.sandbox import Aborted, Sandbox, SandboxPool
from imagomortis.spool.any_spool import AnySpool, AnyUploads
from imagomortis.spool.drafts import Draft, storage_error
from imagomortis.spool.upload import Upload, clean_filename
from imagomortis.work import acceptance
from upload_service.store.announced_bytes import Promises
from upload_service.store.fair_queue import Turns

T = TypeVar("T")

CHECKERS: Final = 3
"""Child processes that check pictures."""

MOST_OF_ONE: Final = 2
"""Checkers that one client may use at a time, so that one is always free for the others."""

MAX_WAITING: Final = 1024
"""The limit of pictures that are being checked or queued for a check."""

_DISK_THREADS = 16
_UNCHANGED = Recipe.parse({"steps": [{"transform": "auto_orient"}]})


class WholeFile(Protocol):
    """A complete file in a draft that can become an entry of the spool."""

    @property
    def draft(self) -> Draft:
        """The path of the file."""

    def store(self, upload: Upload) -> None:
        """Make the draft a durable entry of the spool; raises DiskFull or Unavailable."""


@dataclass(frozen=True)
class Arrival:
    """A complete file in a draft: its id, and what is known before its check."""

    id: UUID
    file: WholeFile
    filename: str
    sha256: bytes
    size: int

    @property
    def path(self) -> Path:
        """The path of its bytes."""
        return self.file.draft.original


class DraftFile:
    """The file of a draft while it is written. Its methods block, so threads call them, one at a time."""

    def __init__(self, spool: AnySpool, before: Callable[[], None]) -> None:
        """Take the spool, and a function that is called before the first file is created."""
        self.draft = spool.plan()
        self._spool = spool
        self._before = before
        self._descriptor: int | None = None
        self._sha256 = hashlib.sha256()
        self._size = 0
        self.is_begun = False
        """Whether there can be files to remove."""

    def append(self, portions: Iterable[bytes | bytearray]) -> None:
        """Write and hash some bytes; raises DiskFull or Unavailable."""
        try:
            descriptor = self._open()
            for data in portions:
                self._spool.check_space(len(data))
                self._sha256.update(data)
                _write_all(descriptor, memoryview(data))
                self._size += len(data)
        except OSError as error:
            raise storage_error(error) from error

    def finish(self, filename: str | None, portions: Iterable[bytes | bytearray] = ()) -> Arrival:
        """Write the last bytes, and return the complete file; raises DiskFull or Unavailable."""
        self.append(portions)
        self._close()
        return Arrival(self.draft.id, self, clean_filename(filename), self._sha256.digest(), self._size)

    def store(self, upload: Upload) -> None:
        """Make the draft a durable entry of the spool; raises DiskFull or Unavailable."""
        self._spool.store(replace(self.draft, id=upload.id), upload)
        self.discard()

    def discard(self) -> None:
        """Remove the draft unless it was stored."""
        self._close()
        self._spool.discard(self.draft)
        self.is_begun = False

    def _open(self) -> int:
        if self._descriptor is None:
            self._before()
            self.is_begun = True
            self._spool.begin(self.draft)
            self._descriptor = os.open(self.draft.original, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return self._descriptor

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Intake:
    """Checks pictures in child processes, and stores them by threads."""

    def __init__(
        self,
        spool: AnySpool,
        pool: SandboxPool,
        uploads: AnyUploads | None = None,
        export_prefixes: Sequence[str] = (),
    ) -> None:
        """Take the spool, a pool of CHECKERS sandboxes, which ``close`` ends, and the spool's resumable uploads.

        Recipes may export to URLs that begin with one of ``export_prefixes``.
        """
        self.spool = spool
        self.export_prefixes = export_prefixes
        self.promises = Promises(spool, uploads)
        self._pool = pool
        self._disk = ThreadPoolExecutor(_DISK_THREADS, "disk")
        self._checkers = ThreadPoolExecutor(CHECKERS, "check")
        self._turns = Turns(CHECKERS, MOST_OF_ONE)
        self._waiting = 0
        self._checks: set[asyncio.Future[Any]] = set()
        self._works = 0
        self._is_clear = asyncio.Event()
        self._answered = -float("inf")

    @asynccontextmanager
    async def draft(self, before: Callable[[], None] = lambda: None) -> AsyncIterator[DraftFile]:
        """Lend a draft, which is removed at the end unless it was stored; ``before`` is called when it is made."""
        file = DraftFile(self.spool, before)
        with self.at_work():
            try:
                yield file
            finally:
                if file.is_begun:
                    await self.run(file.discard)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Let ``close`` wait for the end of the block, for a moment."""
        self._works += 1
        self._is_clear.clear()
        try:
            yield
        finally:
            self._works -= 1
            if self._works == 0:
                self._is_clear.set()

    async def check(self, path: Path, client: str) -> Header:
        """Let a child process check a picture, and return its header.

        Clients take turns; the pictures of one client are checked in the order of their arrival. The child process is
        ended if this call is cancelled. Raises RefusedPicture, or Unavailable if too many pictures are queued.
        """
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many pictures are queued for their check. Upload again in a moment.", retry_after=5)
        return await self._in_checker(client, lambda sandbox: acceptance.check(sandbox, path))

    async def try_decoder(self, picture: bytes) -> None:
        """Let a child process open a picture from memory; raises Unavailable, RefusedPicture or AttemptFailed."""
        await self._in_checker("probe", lambda sandbox: sandbox.preview(picture, _UNCHANGED))

    async def store(self, arrival: Arrival, header: Header, choice: ChosenRecipe) -> Upload:
        """Make an arrival a durable entry of the spool; raises DiskFull or Unavailable."""
        upload = acceptance.accepted(
            arrival.id, header, choice, filename=arrival.filename, size=arrival.size, sha256=arrival.sha256
        )
        await self.run(lambda: acceptance.store(upload, arrival.file.store))
        return upload

    async def run(self, action: Callable[[], T]) -> T:
        """Do disk work in a thread, and return when it has ended, even if this call is cancelled."""
        future = asyncio.get_running_loop().run_in_executor(self._disk, action)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait({future})
            raise

    def checked_within(self, seconds: float) -> bool:
        """Whether a picture passed its check in the last ``seconds``."""
        return time.monotonic() - self._answered < seconds

    async def warm(self) -> None:
        """Start the child processes; raises Unavailable if they do not start."""
        await self._submit(lambda: self._pool.warm(MOST_OF_ONE))

    async def close(self, seconds: float = 2.0) -> None:
        """End the threads and children; wait up to ``seconds`` for current work to be cleaned up."""
        if self._works:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_clear.wait(), seconds)
        self._checkers.shutdown(wait=False, cancel_futures=True)
        self._disk.shutdown(wait=False)
        # a child that still works then cannot be ended here; it ends with this process
        if not self._checks or not (await asyncio.wait(self._checks, timeout=seconds))[1]:
            self._pool.close()

    async def _in_checker(self, client: str, action: Callable[[Sandbox], T]) -> T:
        """Do ``work`` in a checker when it is the client's turn; end the work if this call is cancelled."""
        self._waiting += 1
        try:
            async with self._turns.turn(client):
                work = _Work(self._pool, action)
                future = self._submit(work.do)
                try:
                    result = await asyncio.shield(future)
                except asyncio.CancelledError:
                    work.abort()
                    await asyncio.gather(future, return_exceptions=True)
                    raise
        finally:
            self._waiting -= 1
        self._answered = time.monotonic()
        return result

    def _submit(self, action: Callable[[], T]) -> asyncio.Future[T]:
        future = asyncio.get_running_loop().run_in_executor(self._checkers, action)
        self._checks.add(future)
        future.add_done_callback(self._checks.discard)
        return future


class _Work(Generic[T]):
    """The work of a checker in one thread, which another thread can end."""

    def __init__(self, pool: SandboxPool, action: Callable[[Sandbox], T]) -> None:
        self._pool = pool
        self._action = action
        self._sandbox: Sandbox | None = None
        self._is_aborted = False
        # so that only its own checker is aborted
        self._lock = threading.Lock()

    def do(self) -> T:
        with self._pool.borrow() as sandbox:
            sandbox.warm()  # a child that is starting serves the next client, even if this one leaves
            self._begin(sandbox)
            try:
                return self._action(sandbox)
            finally:
                self._end(sandbox)

    def abort(self) -> None:
        with self._lock:
            self._is_aborted = True
            if self._sandbox:
                self._sandbox.abort()

    def _begin(self, sandbox: Sandbox) -> None:
        with self._lock:
            if self._is_aborted:
                raise Aborted
            self._sandbox = sandbox

    def _end(self, sandbox: Sandbox) -> None:
        with self._lock:
            self._sandbox = None
            sandbox.rearm()


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]

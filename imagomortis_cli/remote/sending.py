"""Sends many files, several at a time; retries a file while the server is away, and never resends a completed one."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final, cast
from uuid import UUID

from imagomortis.errors import ImagoMortisError
from imagomortis.spool.upload import clean_filename
from imagomortis_cli.remote.client import Client, ConnectionLost, NotReachable, ServerProblem, StoredUpload
from imagomortis_cli.terminal import Advance

PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Back-off between the tries of one file, in seconds. Each pause varies a little, so that tries do not coincide."""

LONGEST_PAUSE: Final = 30.0

RESUMABLE_BYTES: Final = 4 * 1024 * 1024
"""Files of at least this size resume after a broken connection."""

LONG_RECIPE_BYTES: Final = 3072
"""Longer recipes are sent in forms, because many proxies refuse a header of more than 8 KiB."""

ASK_AT_ONCE: Final = 500
"""Digests per request; the API accepts 1,000."""

SUFFIXES: Final = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .dib .tif .tiff .avif .heic .heif".split()  # noqa: SIM905 - a long list
)
"""The suffixes of the supported picture formats."""

_PORTION = 256 * 1024
_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,  # the server has more bytes than expected
        HTTPStatus.LOCKED,  # the server still waits on the broken connection
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
# these concern every picture, so the next one would get the same answer
_GENERAL = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.INSUFFICIENT_STORAGE}
)


class Unreadable(ImagoMortisError):
    """A file of this machine that cannot be read."""

    slug = "unreadable"
    title = "The file cannot be read"


class NotSent(ImagoMortisError):
    """A file that was not tried, because the failure of another one would repeat."""

    slug = "not-sent"
    title = "The file was not sent"


@dataclass(frozen=True)
class UploadOutcome:
    """What became of a file: its new or already known (`is_known`) image, or why there is none."""

    path: Path
    id: UUID | None = None
    filename: str | None = None
    is_known: bool = False
    error: ImagoMortisError | None = None


class Sending:
    """Sends files to a server."""

    def __init__(self, client: Client, recipe: str | None, advance: Advance, jobs: int = 4) -> None:
        """Take the recipe (a built-in name, JSON, or None for the default) and how many files are sent at a time."""
        self._client = client
        self._recipe = recipe
        self._has_long_recipe = len((recipe or "").encode()) > LONG_RECIPE_BYTES
        self._advance = advance
        self._jobs = jobs
        self._begun: dict[Path, str] = {}
        self._stop = threading.Event()
        self._was_answered = False
        self._was_stored = False
        self._cause: ImagoMortisError | None = None

    def send(self, paths: Sequence[Path], *, skip_known: bool = False) -> Iterator[UploadOutcome]:
        """Send files, and yield the outcome of each, in the order in which they end.

        With ``skip_known``, the server is asked first, and known files are not sent. An error that concerns every file
        (a server that is away or full, a wrong token) is raised if nothing was stored yet. Later it ends the remaining
        files.
        """
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="send") as pool, self._stopping(pool):
            for group in _groups(paths, ASK_AT_ONCE if skip_known else len(paths)):
                known = self._known(pool, group) if skip_known and not self._cause else {}
                for path, image_id in known.items():
                    self._advance(_size(path))
                    yield UploadOutcome(path, image_id, is_known=True)
                sent = {pool.submit(self._send, path): path for path in group if path not in known}
                for future in as_completed(sent):
                    yield self._outcome(sent[future], future)

    def _outcome(self, path: Path, future: Future[UploadOutcome]) -> UploadOutcome:
        try:
            outcome = future.result()
        except _Stopped:
            return UploadOutcome(path, error=NotSent(self._cause.detail if self._cause else "The upload was ended."))
        except ImagoMortisError as error:
            if not self._was_stored:
                raise
            return UploadOutcome(path, error=error)
        self._was_stored = self._was_stored or outcome.id is not None
        return outcome

    @contextmanager
    def _stopping(self, pool: ThreadPoolExecutor) -> Iterator[None]:
        """End the current uploads if the block is left early."""
        try:
            yield
        except BaseException:
            self._stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _known(self, pool: ThreadPoolExecutor, paths: Sequence[Path]) -> dict[Path, UUID]:
        digests = dict(zip(paths, pool.map(_digest, paths), strict=True))
        found = self._client.known(sorted({digest for digest in digests.values() if digest}))
        return {path: UUID(found[digest]) for path, digest in digests.items() if digest and digest in found}

    def _send(self, path: Path) -> UploadOutcome:
        if self._stop.is_set():
            raise _Stopped
        try:
            return self._send_patiently(path)
        except OSError as error:
            return UploadOutcome(path, error=Unreadable(f"It cannot be read ({error.strerror})."))
        except ImagoMortisError as error:
            if isinstance(error, ServerProblem) and error.code not in _GENERAL:
                return UploadOutcome(path, error=error)
            self._cause = self._cause or error
            self._stop.set()
            raise

    def _send_patiently(self, path: Path) -> UploadOutcome:
        for pause in (*PAUSES, None):
            try:
                return self._send_once(path)
            except (ServerProblem, NotReachable, ConnectionLost) as error:
                if pause is None or not self._is_passing(error):
                    raise
                asked = error.retry_after if isinstance(error, ServerProblem) else 0.0
                seconds = max(pause * random.uniform(0.75, 1.25), min(asked, LONGEST_PAUSE))  # noqa: S311 - no secret
                if self._stop.wait(seconds):
                    raise
        raise AssertionError("the last try returns or raises")

    def _send_once(self, path: Path) -> UploadOutcome:
        with path.open("rb") as file:
            body = _Body(file, self._advance, self._stop)
            try:
                if _size(path) >= RESUMABLE_BYTES and not self._has_long_recipe:
                    stored = self._send_rest(path, body)
                else:
                    stored = self._client.upload(cast(IO[bytes], body), clean_filename(path.name), self._recipe)
            except BaseException:
                body.rewind()
                raise
        self._was_answered = True
        return UploadOutcome(path, stored.id, stored.filename)

    def _send_rest(self, path: Path, body: _Body) -> StoredUpload:
        """Send the bytes of a file that the server does not have yet."""
        size, filename = os.fstat(body.fileno()).st_size, clean_filename(path.name)
        upload = self._begun.get(path)
        offset = self._client.offset(upload) if upload else None
        if upload is None or offset is None:
            upload = self._begun[path] = self._client.begin(size, filename, self._recipe)
            offset = 0
        body.skip(offset)
        if offset < size:
            self._client.append(upload, body.portions(), offset, size - offset)
        return StoredUpload(UUID(upload.rpartition("/")[2]), filename)

    def _is_passing(self, error: ImagoMortisError) -> bool:
        if isinstance(error, ServerProblem):
            self._was_answered = True
            return error.code in _PASSING
        # a server that never answered will hardly appear within a minute
        return self._was_answered or isinstance(error, ConnectionLost)


class _Stopped(Exception):
    """This file is no longer wanted."""


class _Body:
    """A file that reports how much of it was read, and stops when it is no longer wanted."""

    def __init__(self, file: IO[bytes], advance: Advance, stop: threading.Event) -> None:
        self._file = file
        self._advance = advance
        self._stop = stop
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise _Stopped
        data = self._file.read(size)
        self._read += len(data)
        self._advance(len(data))
        return data

    def skip(self, count: int) -> None:
        """Skip the bytes that were sent before."""
        self._file.seek(count)
        self._read += count
        self._advance(count)

    def portions(self) -> Iterator[bytes]:
        """Yield the remaining bytes."""
        while data := self.read(_PORTION):
            yield data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def fileno(self) -> int:
        return self._file.fileno()

    def rewind(self) -> None:
        """Take back the progress of a failed try."""
        self._advance(-self._read)
        self._read = 0


def find(places: Iterable[Path], *, everything: bool = False) -> list[Path]:
    """Return the files among ``places``, and those in its folders with a picture's suffix, or ``everything`` there.

    In folders, files and folders whose names begin with a dot are skipped.
    """
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            found |= dict.fromkeys(path for path in _below(place) if everything or path.suffix.lower() in SUFFIXES)
        else:
            found[place] = None
    return list(found)


def _below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(here, name) for name in sorted(files) if not name.startswith("."))


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file; None if it cannot be read, which is reported when it is sent."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def total_size(paths: Iterable[Path]) -> int:
    """Return the bytes of all files."""
    return sum(_size(path) for path in paths)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _groups(paths: Sequence[Path], length: int) -> Iterator[list[Any]]:
    rest = iter(paths)
    while group := list(islice(rest, max(1, length))):
        yield group

"""Decodes and transforms pictures in child processes with limited memory, time and rights.

A picture that crashes its decoder, or exceeds a limit, costs only its own attempt. A child is reused for the next
picture as long as it answers. After a crash, a limit or an exception in the caller, the child is ended and replaced. A
picture can also take over its child, so every answer is validated before use.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, Self, TypeVar

from imagomortis.errors import (
    AttemptFailed,
    BrokenPicture,
    DecoderCrashed,
    MemoryLimitExceeded,
    PictureTooLarge,
    TimeLimitExceeded,
    Unavailable,
)
from imagomortis.logs import Log
from imagomortis.picture import sheet
from imagomortis.picture.codec import THUMBNAIL_LONGEST
from imagomortis.picture.header import Header, Limits
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.render import PREVIEW_SIDE, WHOLE, Rendition, Shrunk
from imagomortis.recipe.timings import StepSeconds
from imagomortis.sandbox import answers
from imagomortis.sandbox.answers import Sizes
from imagomortis.sandbox.child import OUT_OF_MEMORY, too_much
from imagomortis.sandbox.protocol import Disconnected, Garbled, Line

__all__ = ["Rendition", "Sandbox", "SandboxPool"]

CHILD: Final = "imagomortis.sandbox.child"
"""The module that a child runs."""

NO_FILES: Final[Mapping[str, bytes]] = MappingProxyType({})

_START_SECONDS: Final = 60.0
_FAREWELL_SECONDS: Final = 2.0
_LOG_TAIL_BYTES: Final = 2000
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

log = Log(__name__)

Progress = Callable[[Mapping[str, int]], None]
_Header = dict[str, Any]
_T = TypeVar("_T")


class Aborted(Exception):
    """Another thread ended this call."""


class Sandbox:
    """One child process, started on first use. One thread uses it at a time, except for ``abort``."""

    def __init__(self, limits: Limits, memory_bytes: int, seconds: float) -> None:
        """Take the limits of pictures, and the memory (beyond the idle child's) and the seconds that each may take."""
        self._limits = limits
        self._memory = memory_bytes
        self._seconds = seconds
        self._child: _Child | None = None
        self._is_aborted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id; None if there is no child."""
        child = self._child
        return child.pid if child else None

    @property
    def missing(self) -> Mapping[str, str]:
        """The layers of ``confinement`` that the child lacks, and why. Starts the child if there is none."""
        return self._warmed().missing

    def warm(self) -> None:
        """Start the child if there is none; raise Unavailable if it does not become ready."""
        self._warmed()

    def _warmed(self) -> _Child:
        if self._child is None:
            self._child = _Child(self._memory)
        return self._child

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child:
            child.dismiss()

    def abort(self) -> None:
        """End the current call, which then raises Aborted, as do all later calls until ``rearm``."""
        self._is_aborted = True
        if child := self._child:
            child.end()

    def rearm(self) -> None:
        """Allow calls after ``abort``."""
        self._is_aborted = False

    def check(self, path: Path) -> Header:
        """Check a file's header, decode the file once to know that it is complete, and return the header.

        Raises PictureTooLarge, UnsupportedPicture or BrokenPicture, also if the decoder crashes on the picture or
        exceeds a limit. Raises FileNotFoundError if the path does not exist.
        """
        try:
            return self._check(path)
        except DecoderCrashed as error:
            if error.members.get("signal") not in {each.name for each in _FROM_OUTSIDE}:
                raise BrokenPicture(f"The picture is damaged in a way that {_DECODER_ENDS}.") from error
        # somebody ended the child, perhaps for lack of memory, which is not always the picture's fault
        try:
            return self._check(path)
        except DecoderCrashed as error:
            raise BrokenPicture(f"The picture was tried twice, and each time {_DECODER_ENDS}.") from error

    def _check(self, path: Path) -> Header:
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                return self._call(
                    {"job": "check"}, file=file, read=lambda found, _: answers.header(found, self._limits, size)
                )
        except MemoryLimitExceeded as error:
            raise PictureTooLarge(error.detail) from error
        except TimeLimitExceeded as error:
            raise BrokenPicture(f"The picture cannot be decoded within {self._seconds:.0f} seconds.") from error

    def process(
        self,
        original: bytes,
        recipe: Recipe,
        on_progress: Progress | None = None,
        on_steps: Callable[[Sequence[StepSeconds]], object] | None = None,
        assets: Mapping[str, bytes] = NO_FILES,
    ) -> list[Rendition]:
        """Return the outputs, the first one as `processed`, and then the thumbnail.

        ``on_progress`` gets each step's percentage by its label. At the end, ``on_steps`` gets the seconds of each step
        by its label. ``assets`` are the bytes of the recipe's assets by their SHA-256. Raises the refusals of ``check``
        for the original; TransformFailed, naming output and step; MemoryLimitExceeded, TimeLimitExceeded, or
        DecoderCrashed, naming the signal.
        """
        job = {
            "job": "process",
            "recipe": recipe.canonical,
            "progress": on_progress is not None,
            "assets": list(assets),
        }
        sizes: Sizes = {**dict.fromkeys(recipe.branches, self._limits), "thumbnail": _square(THUMBNAIL_LONGEST)}
        renditions, seconds = self._call(
            job,
            *assets.values(),
            original,
            read=lambda found, blobs: (answers.renditions(found, blobs, sizes), answers.seconds(found, recipe)),
            read_progress=lambda found: answers.progress(found, recipe),
            on_progress=on_progress,
        )
        if on_steps:
            on_steps(seconds)
        return renditions

    def preview(
        self,
        original: bytes,
        recipe: Recipe,
        longest_side: int = PREVIEW_SIDE,
        shrunk: Shrunk = WHOLE,
        assets: Mapping[str, bytes] = NO_FILES,
    ) -> Rendition:
        """Return a picture of at most ``longest_side`` pixels, as ``render.preview`` does; raise as `process`."""
        job = {
            "job": "preview",
            "recipe": recipe.canonical,
            "side": longest_side,
            "scale": shrunk.scale,
            "seed": shrunk.seed.hex(),
            "assets": list(assets),
        }
        sizes: Sizes = {"preview": _square(longest_side)}
        (rendition,) = self._call(
            job, *assets.values(), original, read=lambda found, blobs: answers.renditions(found, blobs, sizes)
        )
        return rendition

    def sheet(self, thumbnails: Sequence[bytes]) -> bytes:
        """Return a contact sheet, as ``sheet.draw`` draws it; raise as `process`."""
        sizes: Sizes = {"thumbnail": _square(max(sheet.COLUMNS, sheet.MOST // sheet.COLUMNS) * sheet.TILE)}
        (drawn,) = self._call(
            {"job": "sheet"}, *thumbnails, read=lambda found, blobs: answers.renditions(found, blobs, sizes)
        )
        return drawn.data

    def _call(self, job: _Header, *blobs: bytes, read: Callable[[_Header, list[bytes]], _T], **more: Any) -> _T:
        """Let the child do a job, and read its answer. A child without a valid answer is ended."""
        child = self._warmed()
        try:
            if self._is_aborted:
                raise Aborted
            found = self._converse(child, job, blobs, **more)
            with self._explained(child):
                if "error" not in found[0]:
                    return read(*found)
                error = answers.error(found[0])
        except BaseException as failure:
            self._discard(child)
            if self._is_aborted and isinstance(failure, DecoderCrashed):
                raise Aborted from failure
            raise
        if type(error) in {MemoryLimitExceeded, AttemptFailed}:
            self._discard(child)
        if trace := error.members.pop("trace", None):
            log.error("decoder failed", traceback=trace)
        raise error

    def _discard(self, child: _Child) -> None:
        self._child = None
        child.kill()

    def _converse(
        self,
        child: _Child,
        job: _Header,
        blobs: tuple[bytes, ...],
        *,
        file: IO[bytes] | None = None,
        read_progress: Callable[[_Header], Mapping[str, int]] | None = None,
        on_progress: Progress | None = None,
    ) -> tuple[_Header, list[bytes]]:
        deadline = time.monotonic() + self._seconds
        job = {**job, "limits": asdict(self._limits), "seconds": self._seconds}
        with self._explained(child):
            child.line.send(job, *blobs, deadline=deadline)
            if file:
                child.line.send_file(file.fileno(), deadline)
        while True:
            with self._explained(child):
                header, results = child.line.receive(deadline)
                if read_progress is None or "progress" not in header:
                    return header, results
                done = read_progress(header)
            if on_progress:
                on_progress(done)

    @contextmanager
    def _explained(self, child: _Child) -> Iterator[None]:
        """Translate errors of the line into errors of the picture."""
        try:
            yield
        except TimeoutError:
            raise TimeLimitExceeded(
                f"The picture takes more than {self._seconds:g} seconds, which is what one picture may take "
                "(IMAGOMORTIS_SANDBOX_SECONDS). Use fewer or smaller steps, a smaller picture, or a higher limit."
            ) from None
        except Disconnected:
            raise child.obituary() from None
        except (Garbled, ValueError) as error:
            log.error("decoder answered nonsense", pid=child.pid, error=str(error))
            raise DecoderCrashed("The decoder answered what makes no sense, and was ended.") from None


class SandboxPool:
    """A fixed number of sandboxes that threads borrow. Each child starts on first use."""

    def __init__(
        self,
        size: int,
        limits: Limits,
        memory_bytes: int,
        seconds: float,
        wait_seconds: float = 30.0,
        *,
        most_borrowers: int | None = None,
    ) -> None:
        """Take the number of sandboxes, the limits of each, and how long a borrower waits for one.

        If ``most_borrowers`` is given, at most that many hold a sandbox or wait for one at a time.
        """
        self._wait = wait_seconds
        self._places = threading.Semaphore(most_borrowers) if most_borrowers else None
        self._all = [Sandbox(limits, memory_bytes, seconds) for _ in range(size)]
        # last in, first out: at low load the same warm child serves, and the others need not start
        self._idle: queue.LifoQueue[Sandbox] = queue.LifoQueue()
        for sandbox in self._all:
            self._idle.put(sandbox)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def borrow(self) -> Iterator[Sandbox]:
        """Lend a sandbox for the duration of a block; raise Unavailable if none becomes free in time.

        Raises Unavailable at once if too many borrowers are waiting already.
        """
        with self._place():
            try:
                sandbox = self._idle.get(timeout=self._wait)
            except queue.Empty:
                raise _busy() from None
            try:
                yield sandbox
            finally:
                self._idle.put(sandbox)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._places is None:
            yield
            return
        if not self._places.acquire(blocking=False):
            raise _busy()
        try:
            yield
        finally:
            self._places.release()

    def warm(self, most: int | None = None) -> None:
        """Start the children of all idle sandboxes, or of at most ``most``."""
        borrowed: list[Sandbox] = []
        try:
            with suppress(queue.Empty):
                while len(borrowed) != most:
                    borrowed.append(self._idle.get_nowait())
            for sandbox in borrowed:
                sandbox.warm()
        finally:
            for sandbox in borrowed:
                self._idle.put(sandbox)

    def close(self) -> None:
        """End every child. Nothing can be borrowed afterwards."""
        for sandbox in self._all:
            sandbox.close()


def _busy() -> Unavailable:
    return Unavailable("All decoders are busy with other pictures. Try again in a moment.", retry_after=1)


class _Child:
    """A running child process and the line to it."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        here, there = socket.socketpair()
        # the child ends when the other end of this pipe closes, which only this process holds
        ending, self._lifeline = os.pipe()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the child
        try:
            self._process = _start(there.fileno(), ending, memory, self._stderr)
        except BaseException:
            here.close()
            os.close(self._lifeline)
            self._stderr.close()
            raise
        finally:
            there.close()
            os.close(ending)
        # no answer is larger than the memory that the child may have
        self.line = Line(here, memory)
        self.missing = self._await_ready()
        _tell(tuple(sorted(self.missing.items())))

    @property
    def pid(self) -> int:
        return self._process.pid

    def _await_ready(self) -> dict[str, str]:
        """Return which layers of confinement are missing, and why. The child has not seen any picture yet."""
        try:
            ready, _ = self.line.receive(time.monotonic() + _START_SECONDS)
            return dict(ready["missing"])
        except (Disconnected, TimeoutError):
            self._process.kill()
            self._process.wait()
            said = self._last_words()
            self._release()
            raise Unavailable(f"The decoder does not start: {said or 'it says nothing'}") from None
        except BaseException:
            self.kill()
            raise

    def obituary(self) -> AttemptFailed:
        """Return the error that says how the child ended, after its line closed."""
        try:
            code = self._process.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code == -signal.SIGXCPU:
            return TimeLimitExceeded("The picture takes more processor time than one picture may take.")
        if code == OUT_OF_MEMORY:
            return too_much(self._memory)
        words = self._last_words()
        if words:
            log.warning("decoder crashed", pid=self.pid, code=code, said=words)
        if code >= 0:
            return DecoderCrashed(f"The decoder ended with code {code}.", code=code)
        name = signal.Signals(-code).name
        if code == -signal.SIGSYS:
            log.error("decoder was stopped by the sandbox", pid=self.pid)
            return DecoderCrashed("The decoder was ended, as it tried what no decoder has to do.", signal=name)
        cause = "; perhaps the machine or the container ran out of memory" if code == -signal.SIGKILL else ""
        return DecoderCrashed(f"The decoder was ended by signal {name}{cause}.", signal=name)

    def end(self) -> None:
        """Kill the child, from any thread. The thread that uses it then finds the line closed."""
        self._process.kill()

    def kill(self) -> None:
        """End the child at once."""
        self._process.kill()
        self._process.wait()
        self._release()

    def dismiss(self) -> None:
        """Close the line, so that the child ends by itself; kill it if it does not."""
        self.line.close()
        try:
            self._process.wait(_FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._release()

    def _last_words(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - _LOG_TAIL_BYTES))
        return self._stderr.read().decode(errors="replace").strip()

    def _release(self) -> None:
        self.line.close()
        self._stderr.close()
        os.close(self._lifeline)


def _start(line: int, lifeline: int, memory: int, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    # only what Python needs to find the same modules, because the parent's environment holds secrets
    environment = {
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path),
        "PYTHONUTF8": "1",
        "MALLOC_ARENA_MAX": "2",
        # the kernel hands out a large picture's memory in huge pages: 2 MiB a page fault instead of 4 KiB
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
        # searching all packages for plugins takes a third of the child's start
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", CHILD, str(line), str(lifeline), str(memory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=(line, lifeline),
        env=environment,
        # Ctrl-C in the terminal is for the parent, which then ends the child in order
        start_new_session=True,
    )


def _square(side: int) -> Limits:
    return Limits(max_pixels=side * side, max_side=side)


@lru_cache
def _tell(missing: tuple[tuple[str, str], ...]) -> None:
    """Log once how decoders are confined in this process."""
    if missing:
        log.warning("decoders are confined in part", missing=dict(missing))
    else:
        log.info("decoders are confined")


_DECODER_ENDS = "ends the decoder"

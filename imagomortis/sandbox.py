"""Decodes and transforms pictures in child processes with limits of memory and time.

A picture that crashes its decoder, or takes too much, costs its own attempt and nothing else. A child is kept for the
next picture as long as it answers; after anything else (a crash, a limit, an exception in the caller) it is ended and
a new one takes its place.
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
from pathlib import Path
from typing import IO, Any, Final, Self

from imagomortis import errors
from imagomortis.errors import (
    AttemptFailed,
    BrokenPicture,
    DecoderCrashed,
    ImagoMortisError,
    MemoryLimitExceeded,
    PictureTooLarge,
    TimeLimitExceeded,
    Unavailable,
)
from imagomortis.image import Header, Limits
from imagomortis.logs import Log
from imagomortis.recipe import Recipe
from imagomortis.rendition import PREVIEW_SIDE, Rendition
from imagomortis.sandboxed import OUT_OF_MEMORY, too_much
from imagomortis.timings import StepSeconds
from imagomortis.wire import Disconnected, Line

__all__ = ["Rendition", "Sandbox", "SandboxPool"]

_START_SECONDS: Final = 60.0
_FAREWELL_SECONDS: Final = 2.0
_LOG_TAIL_BYTES: Final = 2000
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
# what the child answers with, by slug
_ERRORS: dict[str, type[ImagoMortisError]] = {
    kind.slug: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, (errors.RefusedPicture, AttemptFailed, errors.InvalidRecipe))
}

log = Log(__name__)

Progress = Callable[[Mapping[str, int]], None]


class Aborted(Exception):
    """A call that another thread has ended."""


class Sandbox:
    """One child process, started when it is first needed; used by one thread at a time, except for ``abort``."""

    def __init__(self, limits: Limits, memory_bytes: int, seconds: float) -> None:
        """Take the limits of pictures, the memory (above the idle child's) and the time that each may take."""
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
        """The child's process id; None when there is none."""
        child = self._child
        return child.pid if child else None

    def warm(self) -> None:
        """Start the child if there is none; raise Unavailable if it does not get ready."""
        if self._child is None:
            self._child = _Child(self._memory)

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child:
            child.dismiss()

    def abort(self) -> None:
        """End the call that is under way, which then raises Aborted, as do all others until ``rearm``."""
        self._is_aborted = True
        if child := self._child:
            child.end()

    def rearm(self) -> None:
        """Allow calls after ``abort``."""
        self._is_aborted = False

    def check(self, path: Path) -> Header:
        """Check a file's header and decode it once, as far as needed to know that it is whole; return its header.

        Raises PictureTooLarge, UnsupportedPicture or BrokenPicture; also for a picture on which the decoder crashes or
        takes too much. Raises FileNotFoundError for a path that is not there.
        """
        path.stat()
        try:
            return self._check(path)
        except DecoderCrashed as error:
            if error.members.get("signal") not in {each.name for each in _FROM_OUTSIDE}:
                raise BrokenPicture(f"The picture is damaged in a way that {_DECODER_ENDS}.") from error
        # somebody ended the child, perhaps for want of memory: that need not be the picture's fault
        try:
            return self._check(path)
        except DecoderCrashed as error:
            raise BrokenPicture(f"The picture was tried twice, and each time {_DECODER_ENDS}.") from error

    def _check(self, path: Path) -> Header:
        try:
            header, _ = self._call({"job": "check", "path": os.fspath(path.absolute())})
        except MemoryLimitExceeded as error:
            raise PictureTooLarge(error.detail) from error
        except TimeLimitExceeded as error:
            raise BrokenPicture(f"The picture cannot be decoded within {self._seconds:.0f} seconds.") from error
        return Header(**header["header"])

    def process(
        self,
        original: bytes,
        recipe: Recipe,
        on_progress: Progress | None = None,
        on_steps: Callable[[Sequence[StepSeconds]], object] | None = None,
    ) -> tuple[Rendition, Rendition]:
        """Return the processed picture and its thumbnail.

        ``on_progress`` gets the percentage of each step by its label, ``on_steps`` in the end how long each step took.
        Raises the refusals of ``check`` for the
        original; TransformFailed, naming the step; MemoryLimitExceeded, TimeLimitExceeded, or DecoderCrashed, naming
        the signal.
        """
        job = {"job": "process", "recipe": recipe.canonical, "progress": on_progress is not None}
        header, blobs = self._call(job, original, on_progress=on_progress)
        if on_steps:
            on_steps([(name, seconds) for name, seconds in header["seconds"]])
        processed, thumbnail = _renditions(header, blobs)
        return processed, thumbnail

    def preview(self, original: bytes, recipe: Recipe, longest_side: int = PREVIEW_SIDE) -> Rendition:
        """Return a picture of at most ``longest_side`` pixels that looks like the processed one; raise as `process`."""
        job = {"job": "preview", "recipe": recipe.canonical, "side": longest_side}
        (rendition,) = _renditions(*self._call(job, original))
        return rendition

    def _call(
        self, job: dict[str, Any], *blobs: bytes, on_progress: Progress | None = None
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Let the child do a job; a child that does not come to a clean answer is ended."""
        self.warm()
        child = self._child
        assert child is not None  # noqa: S101 (warm has just seen to it)
        try:
            if self._is_aborted:
                raise Aborted
            answer = self._converse(child, job, blobs, on_progress)
        except BaseException as error:
            self._discard(child)
            if self._is_aborted and isinstance(error, DecoderCrashed):
                raise Aborted from error
            raise
        if answer[0].get("error") in {MemoryLimitExceeded.slug, AttemptFailed.slug}:
            self._discard(child)
        _raise_error(answer[0])
        return answer

    def _discard(self, child: _Child) -> None:
        self._child = None
        child.kill()

    def _converse(
        self, child: _Child, job: dict[str, Any], blobs: tuple[bytes, ...], on_progress: Progress | None
    ) -> tuple[dict[str, Any], list[bytes]]:
        deadline = time.monotonic() + self._seconds
        job = {**job, "limits": asdict(self._limits), "seconds": self._seconds}
        with self._explained(child):
            child.line.send(job, *blobs, deadline=deadline)
        while True:
            with self._explained(child):
                header, results = child.line.receive(deadline)
            if "progress" not in header:
                return header, results
            if on_progress:
                on_progress(header["progress"])

    @contextmanager
    def _explained(self, child: _Child) -> Iterator[None]:
        """Turn what happens on the line into what it means for the picture."""
        try:
            yield
        except TimeoutError:
            raise TimeLimitExceeded(
                f"The picture takes more than {self._seconds:g} seconds, which is what one picture may take "
                "(IMAGOMORTIS_SANDBOX_SECONDS). Use fewer or smaller steps, a smaller picture, or a higher limit."
            ) from None
        except Disconnected:
            raise child.obituary() from None


class SandboxPool:
    """A number of sandboxes that threads borrow; each child starts when it is first needed."""

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
        """Take how many sandboxes there are, what each is given, and how long a borrower waits for one.

        No more than ``most_borrowers`` have one or wait for it at a time, if that is given.
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
        """Lend a sandbox for the length of a block; raise Unavailable when none gets free in time.

        Raises Unavailable at once where too many wait already.
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
        """Start every child that is idle now, or so many of them."""
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
        """End every child; nothing may be borrowed any more."""
        for sandbox in self._all:
            sandbox.close()


def _busy() -> Unavailable:
    return Unavailable("All decoders are busy with other pictures. Try again in a moment.", retry_after=1)


class _Child:
    """A running child process and the line to it."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        here, there = socket.socketpair()
        # the child ends when the other end of this pipe, which only this process has, closes
        ending, self._lifeline = os.pipe()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the child)
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
        self.line = Line(here)
        self._await_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _await_ready(self) -> None:
        try:
            self.line.receive(time.monotonic() + _START_SECONDS)
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
        """Return the error that says how the child, whose line is dead, ended."""
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
        cause = "; perhaps the machine or the container ran out of memory" if code == -signal.SIGKILL else ""
        return DecoderCrashed(f"The decoder was ended by signal {name}{cause}.", signal=name)

    def end(self) -> None:
        """Send the child its end, from any thread; who talks with it finds the line dead."""
        self._process.kill()

    def kill(self) -> None:
        """End the child at once."""
        self._process.kill()
        self._process.wait()
        self._release()

    def dismiss(self) -> None:
        """Hang up, so that the child ends by itself; end it if it does not."""
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
    # nothing of the parent's environment, which holds secrets, but what Python needs to find the same modules
    environment = {
        "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path),
        "PYTHONUTF8": "1",
        "MALLOC_ARENA_MAX": "2",
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "imagomortis.sandboxed", str(line), str(lifeline), str(memory)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=(line, lifeline),
        env=environment,
        # a Ctrl-C in the terminal is for the parent, which then ends the child in order
        start_new_session=True,
    )


def _raise_error(header: dict[str, Any]) -> None:
    if "error" not in header:
        return
    trace = header["members"].pop("trace", None)
    if trace:
        log.error("decoder failed", traceback=trace)
    raise _ERRORS.get(header["error"], AttemptFailed)(header["detail"], **header["members"])


def _renditions(header: dict[str, Any], blobs: list[bytes]) -> list[Rendition]:
    return [
        Rendition(**{**described, "sha256": bytes.fromhex(described["sha256"])}, data=data)
        for described, data in zip(header["renditions"], blobs, strict=True)
    ]


_DECODER_ENDS = "ends the decoder"

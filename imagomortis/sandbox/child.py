"""Runs as a sandbox child: decodes and transforms one picture after the other, with limited resources and rights.

``sandbox`` runs it as ``python -m imagomortis.sandbox.child LINE LIFELINE MEMORY``: two inherited file descriptors and
the bytes of memory that a picture may take. The child holds no secrets, and ends with its parent. Before the first
picture arrives, it loads everything that it will need. Then it gives up the right to open anything: see
``confinement``.
"""

from __future__ import annotations

import fcntl
import gc
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from imagomortis.errors import AttemptFailed, BrokenPicture, ImagoMortisError, MemoryLimitExceeded
from imagomortis.picture import codec
from imagomortis.picture.codec import Encoded, verify
from imagomortis.picture.header import MIB, Header, Limits, read_header
from imagomortis.picture.sheet import draw
from imagomortis.recipe.assets import AssetFiles
from imagomortis.recipe.recipe import Recipe
from imagomortis.recipe.render import Rendition, Shrunk, preview, render
from imagomortis.recipe.timings import StepSeconds
from imagomortis.recipe.transforms.drawing import fonts
from imagomortis.sandbox.confinement import confine
from imagomortis.sandbox.processor_time import processor_limit
from imagomortis.sandbox.protocol import Disconnected, Line

OUT_OF_MEMORY = 3
"""Exit code of a child that lacks the memory even to receive a job."""

WALK_SECONDS = 1.0
"""Processor time that reading a picture's structure may take in a check."""

_REPORT_SECONDS = 0.02
# libraries loaded later, and memory-mapped files; both count as address space, not as data
_MAPPED_BYTES = 1024 * MIB
_LOG_BYTES = MIB
_TRACE_LENGTH = 8000
# the need of a decoder that keeps its own copy of the picture beside the result
_BYTES_A_PIXEL = 8
_OPEN_FILES = 64
_THREADS = 16_384  # of all processes of the user, if the user has no limit
_PROCESSORS = os.cpu_count() or 1


def main() -> None:
    """Serve jobs until the parent closes the line."""
    line, lifeline, memory = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    _end_with(lifeline)
    warnings.simplefilter("ignore")  # nobody here needs Pillow's warnings about odd files
    codec.load()
    fonts.load()
    _limit(memory)
    Child(Line(socket.socket(fileno=line)), memory).serve(confine())


class Child:
    """Answers jobs, one at a time."""

    def __init__(self, line: Line, memory: int) -> None:
        """Take the line to the parent, and the bytes that a picture may take, for messages."""
        self._line = line
        self._memory = memory

    def serve(self, missing: Mapping[str, str]) -> None:
        """Report readiness and the missing layers of confinement, then answer jobs until the line closes."""
        gc.freeze()
        try:
            self._line.send({"missing": missing})
            while True:
                job, blobs = self._line.receive()
                self._answer(job, blobs)
                del blobs
                # some decoders leave reference cycles, which would keep their pictures in memory until much later
                gc.collect()
        except Disconnected:
            return
        except MemoryError:
            # the picture's file alone is too large; the unread rest of it on the line makes this child useless
            sys.exit(OUT_OF_MEMORY)

    def _answer(self, job: dict[str, Any], blobs: list[bytes]) -> None:
        _allow_processor_time(job["seconds"])
        try:
            header, results = self._do(job, blobs)
        except Disconnected:
            raise
        except MemoryError:
            header, results = _described_error(too_much(self._memory)), ()
        except ImagoMortisError as error:
            header, results = _described_error(too_much(self._memory) if self._was_short(error) else error), ()
        except Exception as error:  # noqa: BLE001  # our own mistake; the parent logs it with its traceback
            fault = AttemptFailed(f"{type(error).__name__}: {error}", trace=traceback.format_exc()[-_TRACE_LENGTH:])
            header, results = _described_error(fault), ()
        self._line.send(header, *results)

    def _do(self, job: dict[str, Any], blobs: list[bytes]) -> tuple[dict[str, Any], tuple[bytes, ...]]:
        limits = Limits(**job["limits"])
        if job["job"] == "check":
            return {"header": asdict(_verified(self._line.receive_file(), limits))}, ()
        if job["job"] == "sheet":
            sheet = draw(blobs)
            return {"renditions": [_facts(sheet)]}, (sheet.data,)
        recipe, original = _recipe(job["recipe"]), [blobs.pop()]
        assets = AssetFiles(dict(zip(job["assets"], blobs, strict=True)))
        if job["job"] == "preview":
            shrunk = Shrunk(job["scale"], bytes.fromhex(job["seed"]))
            return _described(preview(original.pop(), recipe, limits, job["side"], shrunk, assets=assets))
        progress = _Reporter(self._line) if job["progress"] else None
        seconds: list[StepSeconds] = []
        described, results = _described(
            *render(
                original.pop(),
                recipe,
                limits,
                progress,
                lambda label, took: seconds.append((label, took)),
                assets=assets,
            )
        )
        return {**described, "seconds": seconds}, results

    def _was_short(self, error: ImagoMortisError) -> bool:
        """Return whether a library failed for lack of memory; most say so, but some call the file damaged."""
        width, height = error.members.get("width"), error.members.get("height")
        if isinstance(width, int) and isinstance(height, int) and width * height * _BYTES_A_PIXEL > self._memory:
            return True
        return _says_so(error)


class _Reporter:
    """Sends progress to the parent, but not more often than people can notice."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._next = 0.0
        self._sent: dict[str, int] = {}

    def __call__(self, done: Mapping[str, int]) -> None:
        now = time.monotonic()
        due = now >= self._next or all(share == 100 for share in done.values())
        if due and done != self._sent:
            self._next, self._sent = now + _REPORT_SECONDS, dict(done)
            self._line.send({"progress": self._sent})


def _verified(descriptor: int, limits: Limits) -> Header:
    try:
        with processor_limit(WALK_SECONDS, _too_many_pieces()):
            header = read_header(descriptor, limits)
        return verify(descriptor, limits, header)
    finally:
        os.close(descriptor)


def _too_many_pieces() -> BrokenPicture:
    return BrokenPicture(
        "The picture's file is made of so many pieces that looking through them takes too long. Save it again with a "
        "photo program, and upload that."
    )


def _described(*renditions: Rendition) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    return {"renditions": [_facts(each) for each in renditions]}, tuple(each.data for each in renditions)


def _facts(made: Rendition | Encoded) -> dict[str, Any]:
    facts = {"media_type": made.media_type, "width": made.width, "height": made.height}
    return {**facts, "thumbhash": made.thumbhash.hex()} if made.thumbhash else facts


def _described_error(error: ImagoMortisError) -> dict[str, Any]:
    return {"error": error.slug, "detail": error.detail, "members": error.members}


def too_much(memory: int) -> MemoryLimitExceeded:
    """Return the error for a picture that needs more than ``memory`` bytes."""
    return MemoryLimitExceeded(
        f"The picture needs more than {memory // MIB} MiB of memory, which is what one picture may take "
        "(IMAGOMORTIS_SANDBOX_MEMORY_BYTES). Use smaller sizes in the recipe, a smaller picture, or a higher limit."
    )


def _says_so(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


@lru_cache(maxsize=64)
def _recipe(text: str) -> Recipe:
    return Recipe.parse(text)


def _end_with(lifeline: int) -> None:
    """Let the kernel end this process when the parent's end of the pipe closes, even during a long decoding.

    Linux's parent-death signal is no alternative: it is sent when the thread that forked ends.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(lifeline, 0)
    if poll.poll(0):
        sys.exit(0)


def _limit(memory: int) -> None:
    """Limit memory beyond what the idle child has, files and threads, and forbid core dumps."""
    resource.setrlimit(resource.RLIMIT_DATA, (_status("VmData") + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + memory + _MAPPED_BYTES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LOG_BYTES, _LOG_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    # the kernel counts all processes and threads of the user, so half of them are left to other processes
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    threads = _THREADS if most == resource.RLIM_INFINITY else most // 2
    resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))


def _allow_processor_time(seconds: float) -> None:
    """Limit the next job's processor time, on all cores together, in case the parent cannot end it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = used.ru_utime + used.ru_stime + seconds * _PROCESSORS
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(allowed) + 2, hard))


def _status(field: str) -> int:
    """Return a memory field of ``/proc/self/status``, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kibibytes = next(line.split()[1] for line in lines if line.startswith(field + ":"))
    return int(kibibytes) * 1024


if __name__ == "__main__":
    main()

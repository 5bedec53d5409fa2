"""Runs the parts of the stack: starts them in order, restarts dead ones, and ends all of them within ten seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from imagomortis.errors import ImagoMortisError, Unavailable
from imagomortis.logs import Log
from imagomortis_cli.machine.processes import process_table
from imagomortis_cli.output import readable

log = Log(__name__)

PATIENCE: Final = 6.0
"""Seconds from the first signal until the rest of a part, its descendants included, is killed."""

Ladder = Sequence[tuple[float, signal.Signals]]

POLITELY: Final = ((0.0, signal.SIGTERM), (PATIENCE, signal.SIGKILL))

_LONGEST_LINE = 32_768


@dataclass(frozen=True)
class Part:
    """A program of the stack: how to start it, how to know that it is ready, and how to end it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[float], Awaitable[bool]]
    """Whether it answers; takes its start time, in seconds since the epoch."""
    needs: frozenset[str] = frozenset()
    before: Callable[[], object] = lambda: None
    """Called in a thread before each start."""
    after: Callable[[], object] = lambda: None
    """Called in a thread when it is ready for the first time, before the parts that need it are started."""
    ladder: Ladder = POLITELY
    """The signals that end it, each with its delay in seconds; the first goes to its whole process group."""
    last: bool = False
    """Whether it is ended after all others."""
    line: Callable[[str], str] = str
    """Converts a line of its own format to a JSON line."""


@dataclass(frozen=True)
class RestartPolicy:
    """How long the supervisor waits, in seconds, and how often it tries."""

    ready: float = 120.0
    tries: int = 3
    """A part that dies this often before it was ever ready has a fault that another start will not fix."""
    first_pause: float = 0.2
    longest_pause: float = 5.0
    healthy: float = 5.0
    """After a life of this length, the back-off starts again at the first pause."""


@dataclass
class _Child:
    """A running part: its process and its last lines."""

    part: Part
    process: Process | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    said: deque[str] = field(default_factory=lambda: deque(maxlen=20))
    readers: set[asyncio.Task[None]] = field(default_factory=set)
    keeper: asyncio.Task[None] | None = None
    steps: int = 0
    """How many signals of the ladder were sent."""

    @property
    def running(self) -> Process | None:
        """Its process, while that is alive."""
        return self.process if self.process and self.process.returncode is None else None


class Supervisor:
    """Keeps the parts running from `start` to `stop`."""

    def __init__(
        self,
        parts: Sequence[Part],
        show: Callable[[str, str], None],
        strays: Callable[[], set[int]] = set,
        limits: RestartPolicy | None = None,
    ) -> None:
        """Take the parts, a function that shows their lines (name, line), and one that finds living descendants."""
        self._children = {part.name: _Child(part) for part in parts}
        self._show = show
        self._strays = strays
        self._limits = limits or RestartPolicy()
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start every part once the parts that it needs are ready, and return when all are.

        Raises Unavailable, with its last lines, for a part that does not become ready; call `stop` in that case, too.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for child in self._children.values():
                    group.create_task(self._start(child))
        except ExceptionGroup as group_of_one:  # the group cancels the others at the first failure
            raise group_of_one.exceptions[0] from None

    async def wait(self) -> None:
        """Wait until `stop` was called; raises errors of the supervisor itself."""
        await asyncio.gather(*(child.keeper for child in self._children.values() if child.keeper))

    async def stop(self, hurry: asyncio.Event | None = None) -> None:
        """End every part, those marked ``last`` after the others; once ``hurry`` is set, at once."""
        self._stopping.set()
        hurry = hurry or asyncio.Event()
        children = self._children.values()
        await self._end([child for child in children if not child.part.last], self._strays, hurry)
        await self._end([child for child in children if child.part.last], set, hurry)
        for reader in [reader for child in children for reader in child.readers]:
            reader.cancel()

    async def _start(self, child: _Child) -> None:
        for name in child.part.needs:
            await self._children[name].ready.wait()
        first = asyncio.get_running_loop().create_future()
        child.keeper = asyncio.create_task(self._keep(child, first))
        await first
        await asyncio.to_thread(child.part.after)
        child.ready.set()

    async def _keep(self, child: _Child, first: asyncio.Future[None]) -> None:
        """Run the part again and again; ``first`` is done once it was ready, or has failed for good."""
        pause, deaths = self._limits.first_pause, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            cause = await self._run(child, first)
            if self._stopping.is_set() or first.cancelled() or (first.done() and first.exception()):
                return
            deaths += 1
            if not first.done() and deaths >= self._limits.tries:
                first.set_exception(_failure(child, f"died {deaths} times ({cause}) before it was ready"))
                return
            if time.monotonic() - began > self._limits.healthy:
                pause = self._limits.first_pause
            log.warning("died", name=child.part.name, cause=cause, restart_in=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(pause * 2, self._limits.longest_pause)

    async def _run(self, child: _Child, first: asyncio.Future[None]) -> str:
        """Run the part once, from its start to its end; return why it ended."""
        try:
            await asyncio.to_thread(child.part.before)
            if self._stopping.is_set():
                return "the stack stops"
            started = time.time()
            child.process, output = await _start_process(child.part)
        except (ImagoMortisError, OSError) as error:
            return str(error)
        reader = asyncio.create_task(self._read(child, output))
        child.readers.add(reader)
        reader.add_done_callback(child.readers.discard)
        readiness = asyncio.create_task(self._watch(child, started, first))
        code = await child.process.wait()
        readiness.cancel()
        # for its last lines; a descendant can hold the pipe open much longer
        await asyncio.wait([reader], timeout=0.2)
        return _cause(code)

    async def _watch(self, child: _Child, started: float, first: asyncio.Future[None]) -> None:
        """Wait until the part answers, and report it, or report that it does not."""
        try:
            async with asyncio.timeout(self._limits.ready):
                while not await child.part.ready(started):  # noqa: ASYNC110  # the state is in another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            failure = _failure(child, f"was not ready within {self._limits.ready:g} seconds")
            if first.done():
                log.error("not ready", name=child.part.name, error=failure.detail)
            else:
                first.set_exception(failure)
            return
        log.info("ready", name=child.part.name, seconds=round(time.time() - started, 2))
        if not first.done():
            first.set_result(None)

    async def _read(self, child: _Child, output: BinaryIO) -> None:
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), output)
        try:
            async for text in _lines(stream):
                line = child.part.line(text)
                child.said.append(line)
                self._show(child.part.name, line)
        finally:
            transport.close()

    async def _end(self, children: Sequence[_Child], strays: Callable[[], set[int]], hurry: asyncio.Event) -> None:
        """End the children and the processes that ``strays`` finds, also those that are just starting."""
        began = time.monotonic()
        told: dict[int, float] = {}
        while (kept := [child for child in children if child.keeper and not child.keeper.done()]) or strays():
            elapsed = float("inf") if hurry.is_set() else time.monotonic() - began
            for child in kept:
                _climb(child, elapsed)
            own = {child.running.pid for child in kept if child.running}
            for pid in strays():
                if elapsed > PATIENCE:
                    process_table.send(pid, signal.SIGKILL)
                # again after a while, because a program that is just starting can miss the first one
                elif pid not in own and elapsed - told.get(pid, float("-inf")) > PATIENCE / 2:
                    process_table.send(pid, signal.SIGTERM)
                    told[pid] = elapsed
            await asyncio.sleep(0.02)


def _climb(child: _Child, elapsed: float) -> None:
    """Send the child the next signal of its ladder, if it is due."""
    process, ladder = child.running, child.part.ladder
    while process and child.steps < len(ladder) and ladder[child.steps][0] <= elapsed:
        how = ladder[child.steps][1]
        with suppress(ProcessLookupError):
            if child.steps == 0:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
                log.debug("ended by force", name=child.part.name, signal=how.name)
        child.steps += 1


async def _start_process(part: Part) -> tuple[Process, BinaryIO]:
    """Start the part's program; return it and the pipe that carries its output.

    The pipe is not asyncio's: with its own pipe, `Process.wait` can wait for the end of the output too. A descendant
    that outlives the program holds the pipe open (Python issue 119710).
    """
    read_end, write_end = os.pipe()
    output = os.fdopen(read_end, "rb", buffering=0)
    try:
        process = await asyncio.create_subprocess_exec(
            *part.command, env=part.environment, stdin=DEVNULL, stdout=write_end, stderr=STDOUT, start_new_session=True
        )
    except BaseException:
        output.close()
        raise
    finally:
        os.close(write_end)
    return process, output


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Yield the lines of a stream; a line that is too long is split."""
    rest = b""
    while chunk := await stream.read(65_536):
        *lines, rest = (rest + chunk).split(b"\n")
        while len(rest) > _LONGEST_LINE:
            lines.append(rest[:_LONGEST_LINE])
            rest = rest[_LONGEST_LINE:]
        for line in lines:
            yield line.rstrip(b"\r").decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _cause(code: int) -> str:
    """Return why a process ended, from its exit code as `subprocess` gives it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _failure(child: _Child, what: str) -> Unavailable:
    said = "\n".join(f"    {line}" for text in child.said for line in readable(text))
    return Unavailable(
        f"The part `{child.part.name}` {what}. " + (f"Its last lines:\n{said}" if said else "It said nothing.")
    )

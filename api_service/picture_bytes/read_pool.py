"""Threads of their own for short reads, beside the many that all other endpoints share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from fastapi.concurrency import run_in_threadpool

Result = TypeVar("Result")


class Lane:
    """A few threads that are quickly reached; what finds all of them busy goes to the shared ones and never waits here.

    They are few because the threads of a process take turns: more of them do not read more. A thread begins when it is
    needed for the first time, and ends with the lane or the process.
    """

    def __init__(self, threads: int) -> None:
        """Take how many there may be."""
        self._most = threads
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """Return what ``function`` returns in a thread; called from one event loop only."""
        if self._busy == self._most:
            return await run_in_threadpool(function, *arguments)
        self._busy += 1
        if self._busy > len(self._threads):
            self._begin_thread()
        job = _Job(function, arguments)
        self._jobs.put(job)
        try:
            result: Result = await job.future
        finally:
            self._busy -= 1
        return result

    def close(self) -> None:
        """End the threads behind what is under way."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _begin_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"lane-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while job := self._jobs.get():
            job.run()


class _Job:
    """A call, and who waits for its result."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self._loop.create_future()
        self._function = function
        self._arguments = arguments

    def run(self) -> None:
        result, error = None, None
        try:
            result = self._function(*self._arguments)
        except BaseException as fault:  # noqa: BLE001  # whatever it is, it is raised where the result is awaited
            error = fault
        self._loop.call_soon_threadsafe(self._settle, result, error)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.future.cancelled():
            return
        if error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

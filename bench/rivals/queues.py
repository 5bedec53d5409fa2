"""Defines the contenders Celery (with Redis) and procrastinate: two processes each, one image per task."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.rivals.contest import Program, fresh, running
from imagomortis.catalog import Catalog
from imagomortis.errors import ConfigurationError
from imagomortis.spool.spool import Spool


@contextmanager
def celery(server: str) -> Iterator[tuple[Spool, Catalog]]:
    """Yield Celery with its own Redis, which stores nothing on disk, and a worker with two child processes."""
    with fresh(server) as (spool, catalog), _redis() as broker:
        variables = {"BENCH_BROKER": broker, "BENCH_DATABASE": catalog.database.conninfo}
        options = ["--concurrency=2", "--loglevel=error", "--without-gossip", "--without-mingle"]
        command = ["-m", "celery", "--quiet", "-A", "bench.rivals.celery_tasks", "worker", *options]
        # it warns if root runs it
        working = Program(command, {**variables, "PYTHONWARNINGS": "ignore"}, lines=2)
        feeding = Program(["-m", "bench.rivals.celery_tasks", str(spool.folder)], variables)
        with running(working, feeding):
            yield spool, catalog


@contextmanager
def procrastinate(server: str) -> Iterator[tuple[Spool, Catalog]]:
    """Yield procrastinate in the catalog's own database, and two workers."""
    with fresh(server) as (spool, catalog):
        variables = {"BENCH_DATABASE": catalog.database.conninfo}
        working, feeding, setting_up = (
            Program(["-c", f"from bench.rivals import procrastinate_tasks as tasks; tasks.{call}"], variables)
            for call in ("work()", f"feed({str(spool.folder)!r})", "set_up()")
        )
        with running(setting_up):
            pass
        with running(working, working, feeding):
            yield spool, catalog


@dataclass(frozen=True)
class Rival:
    """A contender, and the Python packages and programs that it needs."""

    contender: Callable[[str], AbstractContextManager[tuple[Spool, Catalog]]]
    packages: tuple[str, ...]
    programs: tuple[str, ...] = ()

    def lacks(self) -> str:
        """Return what is not installed; empty if nothing is missing."""
        packages = [name for name in self.packages if find_spec(name) is None]
        programs = [name for name in self.programs if shutil.which(name) is None]
        steps = []
        if packages:
            steps.append(f"the Python packages {', '.join(packages)}, which are pinned in requirements/dev.txt")
        if programs:
            steps.append(f"the program {', '.join(programs)} (on Debian: apt-get install {' '.join(programs)})")
        return " and ".join(steps)


RIVALS: Final = {
    "Celery with Redis": Rival(celery, ("celery", "redis"), ("redis-server",)),
    "procrastinate": Rival(procrastinate, ("procrastinate",)),
}


def present() -> dict[str, Rival]:
    """Return the installed rivals by name."""
    return {name: rival for name, rival in RIVALS.items() if not rival.lacks()}


def missing() -> str:
    """Return which rivals are not installed, and what to install; empty if all are."""
    lacking = {name: rival.lacks() for name, rival in RIVALS.items()}
    return "\n".join(f"{name} was not measured. Install {what}." for name, what in lacking.items() if what)


@contextmanager
def _redis() -> Iterator[str]:
    """Run a Redis on its own socket that stores nothing on disk; yield its address for Celery."""
    with TemporaryDirectory(prefix="imagomortis-bench-") as folder:
        where = Path(folder, "redis.sock")
        options = ["--port", "0", "--unixsocket", str(where), "--save", "", "--appendonly", "no", "--dir", folder]
        process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        try:
            while not where.exists():
                if process.poll() is not None:
                    raise ConfigurationError(f"redis-server ended with code {process.returncode}.")
                time.sleep(0.02)
            yield f"redis+socket://{where}"
        finally:
            process.terminate()
            process.wait()

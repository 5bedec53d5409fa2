"""Dumps whole databases by Postgres's own programs, and restores them in one transaction."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imagomortis.errors import ConfigurationError, ImagoMortisError
from imagomortis_cli.machine.postgres import embedded

CHUNK: Final = 1024 * 1024

_SKIPPED: Final = (b"\\restrict ", b"\\unrestrict ", b"SET transaction_timeout = ")
"""Lines of a script that only `psql` understands, or that servers before 17 do not know."""


class DumpFailed(ImagoMortisError):
    """A program of Postgres failed."""

    slug = "dump-failed"
    title = "Postgres could not be copied"


@dataclass(frozen=True)
class PostgresTool:
    """A program of Postgres and its major version."""

    path: Path
    major: int


def program(name: str, oldest: int) -> PostgresTool:
    """Return the embedded Postgres's program ``name``, or the one in PATH, of at least major version ``oldest``.

    Raises ConfigurationError if there is none.
    """
    found = []
    for path in _places(name):
        found.append(PostgresTool(path, embedded.major_version(path)))
        if found[-1].major >= oldest:
            return found[-1]
    versions = ", ".join(f"{one.path} is version {one.major}" for one in found) or "there is none"
    raise ConfigurationError(
        f"This needs `{name}` of version {oldest} or later, and {versions}. Install the client programs of Postgres "
        f"{oldest} (on Debian the package postgresql-client-{oldest}) so that `{name}` is in PATH."
    )


def dump(tool: PostgresTool, conninfo: str, options: Sequence[str] = ()) -> Iterator[bytes]:
    """Yield the output of `pg_dump` for a database, in its custom format; raises DumpFailed."""
    fixed = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--no-password"]
    where, secrets = _login(conninfo)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [tool.path, *fixed, *options, f"--dbname={where}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **secrets},
        )
        try:
            yield from _chunks(process.stdout)
            _check(process, "pg_dump", errors)
        finally:
            _end(process)


def script(tool: PostgresTool, chunks: Iterable[bytes], options: Sequence[str] = ()) -> Iterator[bytes]:
    """Yield the lines of the SQL script that `pg_restore` makes from a dump; raises DumpFailed."""
    fixed = ["--file=-", "--no-owner", "--no-privileges"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [tool.path, *fixed, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        feeder = _Feeder(process.stdin, chunks)
        try:
            feeder.start()
            yield from process.stdout or ()
            feeder.join()
            if feeder.error:
                raise feeder.error
            _check(process, "pg_restore", errors)
        finally:
            _end(process)


def run(connection: psycopg.Connection[Any], lines: Iterable[bytes]) -> None:
    """Run a script of `pg_restore` on a connection, in its current transaction.

    COPY blocks are sent as such. The statements between two of them are sent together.
    """
    rest = iter(lines)
    statements: list[bytes] = []
    for line in rest:
        if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            _execute(connection, statements)
            with connection.cursor() as cursor, cursor.copy(line) as copy:
                for block in _copied(rest):
                    copy.write(block)
        elif not line.startswith(_SKIPPED):
            statements.append(line)
    _execute(connection, statements)


class _Feeder(threading.Thread):
    """Writes chunks into a program's standard input, and keeps the error if reading them fails."""

    def __init__(self, target: IO[bytes] | None, chunks: Iterable[bytes]) -> None:
        super().__init__(name="feed", daemon=True)
        self._target = target
        self._chunks = chunks
        self.error: Exception | None = None

    def run(self) -> None:
        if self._target is None:
            return
        try:
            # a program that has read enough, or died, closes its end; its exit code shows which
            with suppress(BrokenPipeError), self._target:
                for chunk in self._chunks:
                    self._target.write(chunk)
        except Exception as error:  # noqa: BLE001  # the reading thread raises any error of the source
            self.error = error


def _copied(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the rows of a COPY block, many at a time, and consume its end marker."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        if line == b"\\.\n":
            break
        block.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def _execute(connection: psycopg.Connection[Any], statements: list[bytes]) -> None:
    if statements:
        connection.execute(b"".join(statements))
        statements.clear()


def _chunks(source: IO[bytes] | None) -> Iterator[bytes]:
    while source and (chunk := source.read(CHUNK)):
        yield chunk


def _check(process: subprocess.Popen[bytes], name: str, errors: IO[bytes]) -> None:
    code = process.wait()
    if code != 0:
        errors.seek(0)
        said = " ".join(errors.read().decode(errors="replace").split())
        raise DumpFailed(f"`{name}` ended with code {code}: {said[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that is no longer needed, and close its pipes."""
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(BrokenPipeError):
                pipe.close()


def _login(conninfo: str) -> tuple[str, Mapping[str, str]]:
    """Return ``conninfo`` without its password, which every user of the machine could see, and a variable for it."""
    words = conninfo_to_dict(conninfo)
    password = words.pop("password", None)
    return make_conninfo("", **words), {"PGPASSWORD": str(password)} if password else {}


def _places(name: str) -> Iterator[Path]:
    with suppress(ConfigurationError):  # there are none for this machine
        yield embedded.binary(name)
    if found := shutil.which(name):
        yield Path(found)

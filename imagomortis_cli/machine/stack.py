"""Defines the parts of the stack on one machine: their commands, environments and start order."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagomortis import storage
from imagomortis.catalog import Catalog, migrate
from imagomortis.settings import Settings
from imagomortis_cli.machine import dagster_home, home, shipped
from imagomortis_cli.machine.ports import LOOPBACK, reachable
from imagomortis_cli.machine.postgres import databases, embedded, json_log
from imagomortis_cli.machine.processes import launch, probes
from imagomortis_cli.machine.processes.supervisor import POLITELY, Ladder, Part

POSTGRES: Final = "postgres"
PUSHER: Final = "pusher"
SCHEDULER: Final = "scheduler"
WEBSERVER: Final = "dagster-webserver"
EXPORTER: Final = "exporter"
VARIABLES: Final = "env"
"""The file in the home that a shell reads before the `dagster` command."""

SECRETS: Final = "secrets"
"""The folder in the home with one file for each secret."""

IMAGE_TASK: Final = "image-task"

NAMES: Final = (POSTGRES, "uploader", "api", "webui", EXPORTER, PUSHER, IMAGE_TASK, SCHEDULER, WEBSERVER)
"""The names under which lines are shown. Image tasks run below the pusher's code server."""

_POSTGRES_LADDER: Final = ((0.0, embedded.STOP), (2.5, signal.SIGQUIT), (3.0, signal.SIGKILL))
# a pusher's tick lasts 20 seconds and can be cut off without loss; the scheduler waits for it, so it ends first
_SCHEDULER_LADDER: Final = ((0.0, signal.SIGTERM), (1.0, signal.SIGKILL))
_PUSHER_LADDER: Final = ((0.0, signal.SIGTERM), (1.3, signal.SIGKILL))

Readiness = Callable[[float], Awaitable[bool]]


@dataclass(frozen=True)
class Databases:
    """The databases of the catalog and of Dagster, as libpq URLs, and the embedded server of them, if any."""

    catalog: str
    dagster: str
    server: embedded.EmbeddedServer | None


def choose_databases(settings: Settings) -> Databases:
    """Return the databases that the environment names, or else those of the embedded server, which is prepared."""
    if settings.conninfo is None:
        server = embedded.prepare(settings.home)
        return Databases(server.url(), server.url(f"{databases.DEFAULT}_dagster"), server)
    name = databases.catalog_name(settings.conninfo)
    given = settings.dagster_database_url
    dagster = databases.from_dagster(given.get_secret_value()) if given else None
    return Databases(
        databases.named(settings.conninfo, name),
        dagster or databases.named(settings.conninfo, f"{name}_dagster"),
        server=None,
    )


def own_variables(settings: Settings, where: Databases) -> dict[str, str]:
    """Return the variables for the parts and for a person's `dagster` command, without secrets."""
    root = settings.home.resolve()
    return {
        "IMAGOMORTIS_HOME": str(root),
        "IMAGOMORTIS_SECRETS": str(root / SECRETS),
        **{name: url for name, url in _addresses(where).items() if not databases.has_password(url)},
        "IMAGOMORTIS_DAGSTER_URL": settings.dagster_url or f"http://{LOOPBACK}:{settings.dagster_port}",
        "IMAGOMORTIS_CODE_PORT": str(settings.code_port),
        "DAGSTER_HOME": str(root / "dagster"),
    }


def own_secrets(settings: Settings, where: Databases) -> dict[str, str]:
    """Return the secret variables, which `up` writes to files.

    They are the token, addresses of databases with a password, and an object store's credentials if they came as files.
    """
    token = {"IMAGOMORTIS_TOKEN": settings.token.get_secret_value()} if settings.token else {}
    addresses = {name: url for name, url in _addresses(where).items() if databases.has_password(url)}
    return {**token, **addresses, **storage.credentials(settings, settings.storage, *settings.export_prefixes)}


def _addresses(where: Databases) -> dict[str, str]:
    return {"DATABASE_URL": where.catalog, "IMAGOMORTIS_DAGSTER_DATABASE_URL": databases.for_dagster(where.dagster)}


def write_secrets(folder: Path, secrets: Mapping[str, str]) -> None:
    """Write one file for each variable into the folder, in place of those of an earlier start."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    for name, value in secrets.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(value)


def read_secrets(folder: Path) -> dict[str, str]:
    """Return the variables that `up` wrote; none while it is starting."""
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.is_dir() else {}


def write_variables(path: Path, variables: Mapping[str, str]) -> None:
    """Write the variables as a file that a shell can source."""
    path.touch(mode=0o600)
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()))


class Stack:
    """The parts of one home, and their databases."""

    def __init__(self, settings: Settings, where: Databases, base: Mapping[str, str]) -> None:
        """Take the settings, the databases, and the user's environment without secrets, which the parts inherit."""
        self._settings = settings
        self._where = where
        inherited = embedded.environment(base) if where.server else dict(base)
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # with bytecode the parts start in a third of the time
        self._base = {**inherited, "PYTHONUNBUFFERED": "1", **own_variables(settings, where)}
        self._variables = {**self._base, **home.mark(settings.home)}

    def create_databases(self) -> None:
        """Create missing databases, and migrate both schemas to this version."""
        if self._where.server:
            self._where.server.settle()
        for url in (self._where.catalog, self._where.dagster):
            databases.ensure(url, databases.catalog_name(url))
        migrate(self._where.catalog)
        dagster_home.migrate(self._settings.home / "dagster", self._where.dagster, self._variables)

    def end_leftover_runs(self) -> None:
        """Mark all runs of an earlier start as ended, in Dagster and in the catalog."""
        dagster_home.end_leftover_runs(self._where.dagster, self._variables)
        with Catalog(self._where.catalog) as catalog:
            catalog.workers.end_all()

    def parts(self) -> list[Part]:
        """Return the parts. If the embedded server is one of them, those that need a database wait for it."""
        server = [self._postgres(self._where.server)] if self._where.server else []
        return [*server, *self._services(), *self._dagster()]

    def _postgres(self, server: embedded.EmbeddedServer) -> Part:
        return Part(
            POSTGRES,
            server.command(),
            self._base,  # without the mark, or it would be ended with the others
            lambda _: probes.postgres(server.superuser_url("postgres")),
            before=lambda: embedded.recover(server.data),
            after=self.create_databases,
            ladder=_POSTGRES_LADDER,
            last=True,
            line=json_log.as_json,
        )

    def _services(self) -> list[Part]:
        def healthy(port: int) -> Readiness:
            return lambda _: probes.http(reachable(self._settings.bind), port, "/healthz")

        return [
            self._python("uploader", ["upload_service"], healthy(self._settings.upload_port), database=False),
            self._python("api", ["api_service"], healthy(self._settings.api_port)),
            self._python(
                "webui", ["imagomortis_cli.machine.front_door.app"], healthy(self._settings.web_port), database=False
            ),
            self._python(
                EXPORTER, ["imagomortis_pipeline.upkeep.exporter"], self._listens(self._settings.pipeline_metrics_port)
            ),
        ]

    def _listens(self, port: int) -> Readiness:
        return lambda _: probes.port(reachable(self._settings.bind), port)

    def _dagster(self) -> list[Part]:
        settings, where = self._settings, self._where
        level = "info" if settings.log_level.lower() == "debug" else "warning"
        requests = "info" if settings.log_level.lower() in {"debug", "info"} else "warning"
        workspace = ["-w", str(shipped.file("workspace.yaml"))]
        code = ["-m", "imagomortis_pipeline.definitions", "--location-name", "imagomortis"]
        code_address = ["-h", LOOPBACK, "-p", str(settings.code_port)]
        web_address = ["-h", LOOPBACK, "-p", str(settings.dagster_port)]
        logs, web_logs = ["--log-level", level], ["--dagster-log-level", level, "--uvicorn-log-level", requests]
        return [
            self._python(
                PUSHER,
                [*_program(PUSHER, "dagster"), "api", "grpc", *code, *code_address, *logs],
                lambda _: probes.port(LOOPBACK, settings.code_port),
                after=self.end_leftover_runs,  # afterwards the scheduler, which waits for this part, starts new ones
                ladder=_PUSHER_LADDER,
            ),
            self._python(
                SCHEDULER,
                [*_program(SCHEDULER, "dagster._daemon"), "run", *workspace, *logs],
                lambda started: probes.daemon(where.dagster, started),
                needs={PUSHER},
                ladder=_SCHEDULER_LADDER,
            ),
            self._python(
                WEBSERVER,
                [*_program(WEBSERVER, "dagster_webserver"), *workspace, *web_address, *web_logs],
                lambda _: probes.http(LOOPBACK, settings.dagster_port, "/server_info"),
                needs={PUSHER},
            ),
        ]

    def _python(
        self,
        name: str,
        words: list[str],
        ready: Readiness,
        *,
        database: bool = True,
        needs: Set[str] = frozenset(),
        after: Callable[[], object] = lambda: None,
        ladder: Ladder = POLITELY,
    ) -> Part:
        server = {POSTGRES} if database and self._where.server else set()
        return Part(
            name,
            launch.command([sys.executable, "-P", "-m", *words]),
            self._variables,
            ready,
            needs=frozenset(needs | server),
            after=after,
            ladder=ladder,
        )


def _program(part: str, module: str) -> list[str]:
    """Return the arguments that run a program of Dagster with log lines like those of all parts."""
    return ["imagomortis_pipeline.dagster_internals.process", part, module]

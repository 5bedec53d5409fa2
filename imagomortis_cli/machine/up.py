"""Runs the whole system on one machine in the foreground: `imagomortis up`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from imagomortis import privacy, storage
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log
from imagomortis.settings import Settings, secret_variables
from imagomortis_cli.machine import dagster_home, home, ports, stack
from imagomortis_cli.machine.postgres import databases
from imagomortis_cli.machine.processes.supervisor import Part, Supervisor
from imagomortis_cli.output import MergedLogs

log = Log(__name__)

PART = "up"


def run(*, raw: bool = False) -> None:
    """Start everything, keep it running, and end it on the first signal; ``raw`` shows the logs as JSON lines.

    Raises Conflict if it is running already, ConfigurationError for a setting or a port that cannot be used, and
    Unavailable for a part that does not become ready.
    """
    if sys.platform != "linux":
        raise ConfigurationError("ImagoMortis runs on Linux; elsewhere use a virtual machine, on Windows that is WSL.")
    began = time.monotonic()
    settings = Settings.read()
    _check(settings)
    console = Console()
    output = MergedLogs([*stack.NAMES, PART], raw=raw, colour=console.is_terminal and not console.no_color)
    output.log(PART, settings.log_level)
    with home.hold(settings.home) as holder:
        parts = _prepare(settings)
        supervisor = Supervisor(parts, output.line, lambda: home.marked(settings.home))

        def ready() -> None:
            addresses = _addresses(settings)
            home.tell(holder, addresses)
            log.info("all ready", seconds=round(time.monotonic() - began, 1), **addresses)
            if not raw:
                console.print(_table(addresses, settings))

        asyncio.run(_supervise(supervisor, ready))


def _check(settings: Settings) -> None:
    """Raise ConfigurationError for settings with which some part would not start."""
    _ = settings.required_token, settings.redirects
    storage.opened(settings)


def _prepare(settings: Settings) -> Sequence[Part]:
    """Prepare the first part: end leftovers, check ports, create folders and databases."""
    if left := home.end_leftovers(settings.home):
        log.warning("ended what an earlier run left", processes=sorted(left))
    ports.check(ports.of(settings), patience=3.0 if left else 0.0)
    log.info("starting", home=str(settings.home.resolve()))
    where = stack.choose_databases(settings)
    if where.server and (ignored := databases.naming_no_server(os.environ)):
        log.warning(
            "these name no server, so the embedded Postgres is used: set PGHOST or DATABASE_URL too to use your own",
            variables=", ".join(ignored),
        )
    dagster_home.place(settings.home)
    stack.write_secrets(settings.home / stack.SECRETS, stack.own_secrets(settings, where))
    stack.write_variables(settings.home / stack.VARIABLES, stack.own_variables(settings, where))
    privacy.forget(secret_variables())
    found = stack.Stack(settings, where, os.environ)
    if where.server is None:
        found.create_databases()
    return found.parts()


async def _supervise(supervisor: Supervisor, ready: Callable[[], None]) -> None:
    """Run the parts until a signal arrives, or until one cannot be started; a second signal ends them at once."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal(number: signal.Signals) -> None:
        log.info("stopping at once" if stop.is_set() else "stopping", signal=number.name)
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    work = asyncio.create_task(_work(supervisor, ready))
    asked = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        began = time.monotonic()
        stop.set()
        await supervisor.stop(hurry)
        log.info("stopped", seconds=round(time.monotonic() - began, 1))
    asked.cancel()
    if work.done():
        work.result()
    work.cancel()


async def _work(supervisor: Supervisor, ready: Callable[[], None]) -> None:
    await supervisor.start()
    ready()
    await supervisor.wait()


def _addresses(settings: Settings) -> dict[str, str]:
    # the usual name, if the listener is on loopback
    host = "localhost" if ports.reachable(settings.bind) == ports.LOOPBACK else settings.bind
    return {
        "page": ports.url(host, settings.web_port),
        "api": ports.url(host, settings.api_port),
        "uploader": ports.url(host, settings.upload_port),
        "dagster": f"http://{ports.LOOPBACK}:{settings.dagster_port}",
    }


def _table(addresses: Mapping[str, str], settings: Settings) -> Table:
    table = Table(show_header=False, title="ImagoMortis is ready", title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    labels = {"page": "Drop pictures here", "api": "API", "uploader": "Uploader", "dagster": "Dagster"}
    for name, address in addresses.items():
        table.add_row(labels[name], f"[link={address}]{address}[/link]")
    table.add_row("State", str(settings.home.resolve()))
    table.add_row("For dagster commands", f". {settings.home / stack.VARIABLES}")
    table.add_row("Stop", "Ctrl-C")
    return table

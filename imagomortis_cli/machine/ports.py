"""Checks before a start that the ports are free, and names the setting that changes a taken one."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from dataclasses import dataclass

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_http.listener import open_sockets


@dataclass(frozen=True)
class Port:
    """A port that a part will listen on, and the variable that sets it."""

    purpose: str
    host: str
    number: int
    variable: str


LOOPBACK = "127.0.0.1"


def of(settings: Settings) -> list[Port]:
    """Return the ports that the stack listens on."""
    return [
        Port("the page", settings.bind, settings.web_port, "IMAGOMORTIS_WEB_PORT"),
        Port("the API", settings.bind, settings.api_port, "IMAGOMORTIS_API_PORT"),
        Port("the uploader", settings.bind, settings.upload_port, "IMAGOMORTIS_UPLOAD_PORT"),
        Port("the Dagster webserver", LOOPBACK, settings.dagster_port, "IMAGOMORTIS_DAGSTER_PORT"),
        Port("the code server", LOOPBACK, settings.code_port, "IMAGOMORTIS_CODE_PORT"),
        Port("the API's metrics", settings.bind, settings.api_metrics_port, "IMAGOMORTIS_API_METRICS_PORT"),
        Port("the uploader's metrics", settings.bind, settings.upload_metrics_port, "IMAGOMORTIS_UPLOAD_METRICS_PORT"),
        Port(
            "the pipeline's metrics", settings.bind, settings.pipeline_metrics_port, "IMAGOMORTIS_PIPELINE_METRICS_PORT"
        ),
    ]


def reachable(bind: str) -> str:
    """Return an address of this machine at which a listener bound to ``bind`` can be reached."""
    return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(bind, bind)  # noqa: S104  # nothing is bound here


def url(bind: str, number: int) -> str:
    """Return the URL at which a program of this machine reaches a listener bound to ``bind``."""
    host = reachable(bind)
    return f"http://[{host}]:{number}" if ":" in host else f"http://{host}:{number}"


def check(ports: Sequence[Port], patience: float = 0.0) -> None:
    """Raise ConfigurationError that names every unavailable port, and the variable that changes it.

    ``patience`` is how many seconds the kernel has to close the sockets of processes that have just ended.
    """
    until = time.monotonic() + patience
    while problems := _problems(ports):
        if time.monotonic() >= until:
            raise ConfigurationError("\n".join(problems))
        time.sleep(0.05)


def _problems(ports: Sequence[Port]) -> list[str]:
    problems: list[str] = []
    taken: dict[int, Port] = {}
    for port in ports:
        if other := taken.get(port.number):
            problems.append(f"Port {port.number} is given to both {other.purpose} and {port.purpose}: {_change(port)}")
        elif problem := _problem(port):
            problems.append(problem)
        taken.setdefault(port.number, port)
    return problems


def _problem(port: Port) -> str | None:
    try:
        for listener in open_sockets(port.host, port.number):
            listener.close()
        return None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"Port {port.number} for {port.purpose} is in use: end what listens there, or {_change(port)}"
        if error.errno == errno.EACCES:
            return f"Port {port.number} for {port.purpose} may not be opened by this user: {_change(port)}"
        return (
            f"The address {port.host} with port {port.number} for {port.purpose} cannot be used ({error.strerror}): "
            f"set IMAGOMORTIS_BIND to an address of this machine, or {_change(port)}"
        )


def _change(port: Port) -> str:
    return f"set {port.variable} to another one, for example {port.variable}={port.number + 100}."

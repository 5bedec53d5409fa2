"""Runs a program of Dagster with our log lines, and guards its webserver and its daemon.

    python -m imagomortis_pipeline.dagster_internals.process PART MODULE ARGUMENT...

For example ``… process scheduler dagster._daemon run -w workspace.yaml``. Dagster's own ``--log-format json``
names time and logger otherwise and has no part. It writes warnings, tracebacks and the webserver's requests as text.
"""

from __future__ import annotations

import logging
import runpy
import sys

from dagster._utils import log as dagsters_log
from sqlalchemy.engine import make_url

from imagomortis import logs, privacy
from imagomortis.errors import ConfigurationError
from imagomortis.logs import FIELDS
from imagomortis.settings import Settings
from imagomortis_pipeline import daemon_lock
from imagomortis_pipeline.dagster_internals.run_log import make_default

DAGSTERS_LOGGERS = ("dagster", "dagster-webserver")


class _Request(logging.Filter):
    """Turns a record of uvicorn's access log into ours, without the client's port and the query."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not isinstance(record.args, tuple) or len(record.args) != 5:
            return True
        client, method, path, _, status = record.args
        record.msg, record.args = "request", ()
        facts = {"method": method, "path": str(path).partition("?")[0], "status": status}
        setattr(record, FIELDS, {"client": str(client).rpartition(":")[0], **facts})
        return True


def adopt(part: str, level: str) -> None:
    """Let all loggers of Dagster and uvicorn write JSON lines of ``part``. Call it before they are configured."""
    logs.configure(part, level)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs each of its plugins

    def configure_loggers(handler: str = "", formatter: str = "", log_level: str | int = "INFO") -> None:  # noqa: ARG001
        for name in DAGSTERS_LOGGERS:
            logging.getLogger(name).setLevel(log_level)

    dagsters_log.configure_loggers = configure_loggers
    make_default()  # runs and steps log before they load the definitions
    logging.getLogger("uvicorn.access").addFilter(_Request())
    logging.getLogger("uvicorn.access").propagate = True


def _leave_uvicorn_alone() -> None:
    """Empty the configuration by which uvicorn would replace ours. The webserver has no option for it."""
    from uvicorn.config import LOGGING_CONFIG

    LOGGING_CONFIG.update(formatters={}, handlers={}, loggers={})


def main() -> None:
    """Run the program that the arguments name in this process."""
    privacy.keep()
    part, module, *_ = sys.argv[1:]
    try:
        settings = Settings.read()
    except ConfigurationError as error:
        logs.give_up(part, error.detail)
    adopt(part, settings.log_level)
    if module == "dagster_webserver":
        from starlette.middleware import Middleware  # no other part serves HTTP

        from imagomortis_pipeline.dagster_internals.webserver import limit, put_first
        from imagomortis_pipeline.webserver_guard import WebserverGuard

        _leave_uvicorn_alone()
        put_first(Middleware(WebserverGuard, hosts=settings.hosts))
        limit(settings.max_connections)
    if module == "dagster._daemon" and settings.dagster_database_url:
        url = make_url(settings.dagster_database_url.get_secret_value()).set(drivername="postgresql")
        daemon_lock.claim(url.render_as_string(hide_password=False))
    del sys.argv[:2]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

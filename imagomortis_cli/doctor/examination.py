"""Runs the checks of `imagomortis doctor`, which report what is wrong and how to fix it.

A check is a function that takes the `Site` and yields findings. It raises CannotLook for a part that it cannot reach.
It is registered by its name below, in the order in which people look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import psycopg

from imagomortis.errors import ImagoMortisError
from imagomortis_cli.doctor.checks import (
    clock,
    cluster,
    configuration,
    database,
    disk,
    inboxes,
    pipeline,
    queue,
    sandbox,
    services,
    storage,
)
from imagomortis_cli.doctor.finding import CannotLook, Finding, Level
from imagomortis_cli.doctor.site import Site

Check = Callable[[Site], Iterator[Finding]]

CHECKS: Final[Mapping[str, Check]] = {
    "configuration": configuration.check,
    "services": services.check,
    "database": database.check,
    "migrations": database.check_migrations,
    "storage": storage.check,
    "inboxes": inboxes.check,
    "spool": disk.check_spool,
    "disk": disk.check,
    "clock": clock.check,
    "sensors": pipeline.check_sensors,
    "runs": pipeline.check_runs,
    "queue": queue.check,
    "leases": queue.check_leases,
    "workers": queue.check_workers,
    "jobs": cluster.check_jobs,
    "sandbox": sandbox.check,
}


def examine(site: Site, names: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield the findings of all checks, or of the named ones, as they appear."""
    for name, check in CHECKS.items():
        if not names or name in names:
            yield from (replace(finding, check=name) for finding in _made(check, site))


def _made(check: Check, site: Site) -> Iterator[Finding]:
    try:
        yield from check(site)
    except CannotLook as error:
        yield Finding(Level.UNSEEN, str(error))
    except ImagoMortisError as error:
        yield Finding(Level.UNSEEN, error.detail)
    except psycopg.Error as error:  # the database went away meanwhile, or is of another version
        yield Finding(Level.UNSEEN, f"The database answered: {' '.join(str(error).split())}")

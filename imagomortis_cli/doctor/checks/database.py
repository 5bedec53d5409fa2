"""Checks that Postgres answers, and has the tables of this version."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from imagomortis.catalog.upkeep.migrate import steps
from imagomortis.errors import Unavailable
from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, trouble
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.machine.postgres.databases import OLDEST

FEW_CONNECTIONS = 5
"""With fewer free connections, the next part that starts can get none."""


def check(site: Site) -> Iterator[Finding]:
    """Connect, and check its version and its free connections."""
    if site.databases is None and not (site.settings.home / "postgres").is_dir():
        raise CannotLook(site.database_problem)
    if site.database_problem or site.databases is None:
        is_ours = site.databases is None or site.is_up
        mend = site.start("postgres") if is_ours else "start its server, or correct DATABASE_URL"
        rest = "" if is_ours and not site.is_up else " Uploads go on into the spool; nothing else works."
        yield trouble(f"{site.database_problem}{rest}", mend)
        return
    with psycopg.connect(site.databases.catalog, connect_timeout=5) as connection:
        version = connection.info.server_version // 10_000
        used, most, size = _use(connection)
    if version < OLDEST:
        yield trouble(f"Postgres {version} is older than {OLDEST}.", "upgrade Postgres")
    if most - used < FEW_CONNECTIONS:
        yield trouble(
            f"{used} of {most} connections are in use.",
            f"raise max_connections in Postgres, or lower IMAGOMORTIS_DATABASE_CONNECTIONS={most // 10}",
        )
    else:
        yield fine(f"Postgres {version} answers; the catalog takes {size}, {used} of {most} connections are in use.")


def _use(connection: psycopg.Connection[tuple[object, ...]]) -> tuple[int, int, str]:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
        " current_setting('max_connections')::int, pg_size_pretty(pg_database_size(current_database()))"
    ).fetchone()
    used, most, size = row or (0, 0, "")
    return int(str(used)), int(str(most)), str(size)


def check_migrations(site: Site) -> Iterator[Finding]:
    """Compare the schemas of both databases with this version's."""
    catalog = list(_catalog(site))
    yield from catalog
    current, head = site.dagster.event_log_storage.alembic_version() or (None, None)
    if current != head:
        yield trouble("Dagster's tables are of another version.", _mend(site))
    elif not catalog:
        yield fine(f"Both databases are up to date: {steps()[-1]}, and {current} of Dagster.")


def _catalog(site: Site) -> Iterator[Finding]:
    catalog = site.catalog
    try:
        known = catalog.health.migrations()
    except Unavailable:
        yield trouble("The database holds no catalog.", _mend(site))
        return
    if missing := [step for step in steps() if step not in known]:
        yield trouble(f"The catalog lacks {', '.join(missing)}: an older version made it.", _mend(site))
    if unknown := sorted(known - set(steps())):
        yield trouble(
            f"The catalog was migrated by a newer version ({', '.join(unknown)}).",
            "install that version or a later one, or restore a backup that this one made",
        )


def _mend(site: Site) -> str:
    """Return what migrates the tables: a start of this version on one machine, its Job in a cluster."""
    return "kubectl apply -f deploy/k8s/, of this version" if site.namespace else site.start("postgres")

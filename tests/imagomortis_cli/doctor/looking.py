"""What the tests of the doctor share."""

from __future__ import annotations

from imagomortis.catalog import Catalog
from imagomortis_cli.doctor.finding import Finding, Level


def only(findings: list[Finding], level: Level = Level.TROUBLE) -> Finding:
    """The one finding that there is to be."""
    [finding] = findings
    assert finding.level is level, finding
    return finding


def execute(catalog: Catalog, statement: str) -> None:
    with catalog.database.connection() as connection:
        connection.execute(statement)  # type: ignore[call-overload]

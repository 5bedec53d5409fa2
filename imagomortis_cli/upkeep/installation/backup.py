"""Writes the nightly backup, with log lines: ``python -m imagomortis_cli.upkeep.installation.backup FILE``.

A failure is logged at level error, and ends with exit code 1.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from imagomortis import logs, privacy
from imagomortis.errors import ImagoMortisError
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis_cli.upkeep import backup, database_access
from imagomortis_cli.upkeep.archive import Advance

PART: Final = "backup"

log = Log(__name__)


def _begin(step: str, size: int | None) -> Advance:
    log.info("begun", step=step, bytes=size)
    return lambda _: None


def main() -> None:
    """Back up the databases and the spool of this pod's settings; on failure log the reason and exit with 1."""
    parser = ArgumentParser(description="Write everything into one file, with log lines as JSON.")
    parser.add_argument("file", type=Path, help="the file to write, a tar archive")
    file = parser.parse_args().file
    privacy.keep()
    logs.configure(PART)
    try:
        settings = Settings.read()
        logs.configure(PART, settings.log_level)
        with database_access.any_time(settings) as where:
            manifest = backup.write(file, where.catalog, where.dagster, backup.spool_of(settings), _begin)
    except ImagoMortisError as error:
        log.error("failed", file=str(file), error=error.detail)
        sys.exit(1)
    log.info("written", file=str(file), images=manifest.images, uploads=manifest.uploads, bytes=manifest.size)


if __name__ == "__main__":
    main()

"""Checks that the clocks of this machine, of the database and of the server agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from imagomortis.errors import ImagoMortisError
from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, trouble
from imagomortis_cli.doctor.site import Site

MOST: Final = timedelta(seconds=5)
"""The uploader's clock decides a picture's hour, and the database's the end of leases: seconds do no harm."""

HTTP_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"
"""RFC 9110, section 5.6.7."""


def check(site: Site) -> Iterator[Finding]:
    """Compare the clocks."""
    asked: dict[str, Callable[[], datetime]] = {
        "the database": lambda: _of_database(site),
        "the server": lambda: _date(site),
    }
    skews, problems = {}, []
    for name, moment in asked.items():
        try:
            skews[name] = _skew(moment)
        except (CannotLook, ImagoMortisError) as error:
            problems.append(str(error))
    if not skews:
        raise CannotLook(" ".join(problems))
    wrong = {name: skew for name, skew in skews.items() if abs(skew) > MOST}
    for name, skew in wrong.items():
        seconds, way = abs(skew).total_seconds(), "ahead of" if skew > timedelta() else "behind"
        yield trouble(
            f"The clock of {name} is {seconds:.0f} s {way} this machine's.",
            "timedatectl set-ntp true, on the machine whose clock is wrong (`timedatectl` shows it)",
        )
    if not wrong:
        yield fine(f"The clocks of this machine and of {' and '.join(skews)} agree.")


def _skew(moment: Callable[[], datetime]) -> timedelta:
    """Return how far a clock is ahead of ours, which is read before and after it."""
    before = datetime.now(UTC)
    theirs = moment()
    after = datetime.now(UTC)
    return theirs - (before + (after - before) / 2)


def _of_database(site: Site) -> datetime:
    return site.catalog.health.moment()


def _date(site: Site) -> datetime:
    """Return the date of an answer, in whole seconds."""
    try:
        return datetime.strptime(site.client.ask("/api/healthz").headers.get("date", ""), HTTP_DATE).replace(tzinfo=UTC)
    except ValueError as error:
        raise CannotLook("The server does not say what time it is.") from error

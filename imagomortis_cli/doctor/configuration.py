"""Whether the settings make sense: names that exist, and who may use the system."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Access, Settings
from imagomortis_cli import home
from imagomortis_cli.doctor.finding import Finding, fine, notice, trouble
from imagomortis_cli.doctor.site import Site, environment

NO_SETTINGS: Final = frozenset({home.MARK, "IMAGOMORTIS_TEST_DATABASE_URL"})

HAVE_IT: Final = "uploader and API alone have the token, and ask for it"
"""What is true in the pods of a cluster that have no door."""


def check(site: Site) -> Iterator[Finding]:
    """Look for names that mean nothing, and for a door that is open to everybody."""
    settings = site.settings
    has_no_door = site.is_in_cluster and settings.token is None and settings.access is not Access.OPEN
    found = [*_unknown(), *(() if has_no_door else _access(settings))]
    yield from found or [fine(f"The settings are valid; {HAVE_IT if has_no_door else _who(settings)}.")]


def _unknown() -> Iterator[Finding]:
    known = {f"IMAGOMORTIS_{name.upper()}" for name in Settings.model_fields}
    for name in sorted(environment().keys() - known - NO_SETTINGS):
        close = get_close_matches(name, known, 1)
        mend = f"name it {close[0]}" if close else f"unset {name}; docs/settings.md lists the settings"
        yield trouble(f"There is no setting {name}, so it does nothing.", mend)


def _access(settings: Settings) -> Iterator[Finding]:
    try:
        token = settings.required_token
    except ConfigurationError as error:
        yield trouble(error.detail, "IMAGOMORTIS_TOKEN=$(openssl rand -hex 24)")
        return
    if token is None and not settings.is_loopback:
        yield notice(
            f"Everybody on the network may see and delete every picture: IMAGOMORTIS_ACCESS=open at {settings.bind}.",
            "unset IMAGOMORTIS_ACCESS, and set IMAGOMORTIS_TOKEN=$(openssl rand -hex 24)",
        )


def _who(settings: Settings) -> str:
    if settings.required_token:
        return "a token is asked for"
    return "only this machine has access"

"""Checks the settings: that their names exist, and who may use the system."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_cli.doctor.finding import Finding, fine, notice, trouble
from imagomortis_cli.doctor.site import Site, environment
from imagomortis_cli.machine import home

NO_SETTINGS: Final = frozenset({home.MARK, "IMAGOMORTIS_TEST_DATABASE_URL"})


def check(site: Site) -> Iterator[Finding]:
    """Look for unknown names, and for access that is open to everybody."""
    settings = site.settings
    if site.is_in_cluster:  # there only the listening parts get the token, and none of them starts without it
        yield from list(_unknown()) or [fine("The settings are valid.")]
        return
    found = [*_unknown(), *_access(settings)]
    yield from found or [fine(f"The settings are valid; {_who(settings)}.")]


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

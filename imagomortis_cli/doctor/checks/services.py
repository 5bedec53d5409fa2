"""Checks that page, API and uploader answer and are ready."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from imagomortis.errors import ImagoMortisError
from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, skipped, trouble
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.remote.client import NotReachable, ServerProblem

PARTS: Final = {"api": "/api/readyz", "uploader": "/upload/readyz"}

REASONS: Final = {
    ("api", "unavailable"): "database",
    ("uploader", "unavailable"): "spool",
    ("uploader", "disk-full"): "disk",
}
"""The check that knows how to fix a part that is not ready through another part's fault, by the kind of its error."""


def check(site: Site) -> Iterator[Finding]:
    """Ask each part, through the page's address, whether it is ready."""
    if site.is_in_cluster and not site.given.url:  # network policies let no pod there
        yield skipped("A pod cannot reach the page; IMAGOMORTIS_URL names its address from outside.")
        return
    well = []
    for part, path in PARTS.items():
        try:
            site.client.ask(path)
        except NotReachable as error:
            if not (site.is_here or site.given.url):
                raise CannotLook(error.detail) from error
            yield trouble(error.detail, site.start("webui"))
            return
        except ImagoMortisError as error:
            yield trouble(f"The {part} is not ready. {error.detail}", _mend(site, part, error))
        else:
            well.append(part)
    if well:
        yield fine(f"{' and '.join(well)} at {site.client.origin} {'is' if len(well) == 1 else 'are'} ready.")


def _mend(site: Site, part: str, error: ImagoMortisError) -> str:
    """Return what fixes a part that is not ready: a restart helps only if nothing else is to blame."""
    if isinstance(error, ServerProblem):
        kind = str(error.document.get("cause") or error.kind.rpartition(":")[2])
        if check := REASONS.get((part, kind)):
            return site.doctor(check)
    return site.start(part)

"""Whether page, API and uploader answer, and can do what they are for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from imagomortis.errors import ImagoMortisError
from imagomortis_cli.client import NotReachable
from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, trouble
from imagomortis_cli.doctor.site import Site

PARTS: Final = {"api": "/api/readyz", "uploader": "/upload/readyz"}


def check(site: Site) -> Iterator[Finding]:
    """Ask each part, through the page's address, whether it is ready."""
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
            yield trouble(f"The {part} is not ready. {error.detail}", site.start(part))
        else:
            well.append(part)
    if well:
        yield fine(f"{' and '.join(well)} at {site.client.origin} {'is' if len(well) == 1 else 'are'} ready.")

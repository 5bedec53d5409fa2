"""Checks that objects can be taken out of each place that IMAGOMORTIS_INBOXES names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from imagomortis.errors import BytesDamaged, ConfigurationError, InvalidRecipe, Unavailable
from imagomortis.inbox_sources import InboxSource, Take
from imagomortis.recipe.recipe_choice import choose
from imagomortis.settings import Settings
from imagomortis.storage import opened_at
from imagomortis_cli.doctor.checks.storage import mend, try_out
from imagomortis_cli.doctor.finding import Finding, fine, notice, skipped, trouble
from imagomortis_cli.doctor.site import Site

SETTING: Final = "IMAGOMORTIS_INBOXES"

SHOWN: Final = 5
"""Refused objects that stay in place, the newest ones."""


def check(site: Site) -> Iterator[Finding]:
    """List each source; put, read and remove an object of its own if objects are moved or deleted there."""
    settings = site.settings
    if not settings.inbox_sources:
        yield skipped("No bucket is an inbox.")
        return
    for source in settings.inbox_sources:
        yield _of_source(source, settings)
    if any(source.take is Take.KEEP for source in settings.inbox_sources):
        for refusal in site.catalog.bucket_objects.refusals(SHOWN):
            yield notice(f"{refusal.name} was refused: {refusal.refusal}")


def _of_source(source: InboxSource, settings: Settings) -> Finding:
    try:
        choose(source.recipe, settings.export_prefixes)
        store = opened_at(settings, source.root)
        if source.take is Take.KEEP:
            next(store.listed(folder=source.folder), None)
        else:
            try_out(store, source.folder)
    except (InvalidRecipe, ConfigurationError) as error:
        return trouble(f"{source.url}: {error.detail}", f"correct {SETTING}")
    except (Unavailable, BytesDamaged) as error:
        return trouble(f"{source.url}: {error.detail}", mend(error.detail, SETTING))
    can = "listed" if source.take is Take.KEEP else "listed, read, written and emptied"
    return fine(f"{source.url} can be {can}.")

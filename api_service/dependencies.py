"""Provides the services that the endpoints use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from api_service import models
from api_service.live.feed import Feed
from api_service.live.sign_outs import SignOuts
from api_service.live.statistics import Tally
from api_service.picture_bytes.read_pool import ReadPool
from imagomortis.catalog import Catalog
from imagomortis.catalog.connection.async_database import AsyncDatabase
from imagomortis.catalog.images import Filter
from imagomortis.catalog.queue import ALWAYS
from imagomortis.lifecycle import State
from imagomortis.sandbox.sandbox import SandboxPool
from imagomortis.settings import Settings
from imagomortis_http.callers.token_gate import TokenGate


@dataclass(frozen=True)
class Service:
    """Everything that an endpoint can use."""

    settings: Settings
    catalog: Catalog
    gate: TokenGate | None
    sign_outs: SignOuts
    tally: Tally
    feed: Feed
    previews: SandboxPool
    read_pool: ReadPool
    loop_database: AsyncDatabase


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Here = Annotated[Service, Depends(_service)]
"""The service, as a parameter of an endpoint."""


async def _filter(
    state: Annotated[list[State] | None, Query(max_length=4, description="only images in these states")] = None,
    name: Annotated[models.Text | None, Query(description="only file names that contain this")] = None,
    recipe: Annotated[models.Text | None, Query(description="only this recipe, by name or digest")] = None,
    since: Annotated[models.Moment | None, Query(description="only images created since then")] = None,
    until: Annotated[models.Moment | None, Query(description="only images created before then")] = None,
    *,
    favourites: Annotated[bool, Query(description="only favourites")] = False,
    trash: Annotated[bool, Query(description="the images in the trash, instead of the others")] = False,
) -> Filter:
    states = tuple(dict.fromkeys(state)) if state else None
    return Filter(states, name or None, recipe or None, since or ALWAYS[0], until or ALWAYS[1], favourites, trash)


Which = Annotated[Filter, Depends(_filter)]
"""The filter of a list of images, from its query parameters."""

"""Divides a long list of images into pieces, so that any part of it can be shown without the rest."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api_service import models
from api_service.dependencies import Here
from api_service.presentation import utc
from api_service.routes.images import decode, encode
from imagomortis.catalog.images import NEWEST, Cursor, Filter
from imagomortis.catalog.queue import ALWAYS
from imagomortis.lifecycle import State

router = APIRouter(tags=["images"])


@router.get("/images/marks")
def list_marks(
    *,
    service: Here,
    every: Annotated[int, Query(ge=10, le=1000, description="images in a piece")] = 200,
    cursor: Annotated[models.CursorText | None, Query(description="from `next`")] = None,
    state: Annotated[list[State] | None, Query(max_length=4, description="only images in these states")] = None,
    name: Annotated[models.Text | None, Query(description="only file names that contain this")] = None,
    recipe: Annotated[models.Text | None, Query(description="only this recipe, by name or digest")] = None,
    since: Annotated[models.Moment | None, Query(description="only images created since then")] = None,
    favourites: Annotated[bool, Query(description="only favourites")] = False,
    until: Annotated[models.Moment | None, Query(description="only images created before then")] = None,
) -> models.Marks:
    """Divide the list of GET /images into pieces of a size, newest first.

    With the same filters, `cursor` and `limit=count` of a mark GET /images answers that piece. The pieces stay where
    they are when images come and go: those that come lie before the first piece or make a piece longer.
    """
    states = tuple(dict.fromkeys(state)) if state else None
    which = Filter(states, name or None, recipe or None, since or ALWAYS[0], favourites=favourites)
    # a list begins after its cursor: with the smallest of ids, it holds the images created before `until`
    start = decode(cursor) if cursor else Cursor(until, UUID(int=0)) if until else NEWEST
    found = service.catalog.images.marks(every, start, which)
    begins = [encode(start) if cursor or until else None, *map(encode, found.cursors[:-1])]
    marks = [
        models.Mark(cursor=begin, count=count, created_at=utc(end.created_at), id=end.id)
        for begin, count, end in zip(begins, found.counts, found.cursors, strict=False)
    ]
    return models.Marks(marks=marks, next=encode(found.next) if found.next else None)

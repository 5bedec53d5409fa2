"""Renders an original by a recipe: its outputs and a thumbnail, or a quick preview."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from PIL import Image

from imagomortis.errors import TransformFailed
from imagomortis.picture.codec import LONGEST_SIDES, Encoded, View, choose_kind, decode, encode, thumbnail, too_long
from imagomortis.picture.header import Header, Limits, read_header
from imagomortis.recipe.assets import NO_ASSETS, AssetFiles
from imagomortis.recipe.chain import PROCESSED, Chain, Progress, Size, Timed, Tracker
from imagomortis.recipe.recipe import Recipe

Kind = str
"""The purpose of a rendition: `processed` (the first output), the name of another output, `thumbnail` or `preview`."""

PREVIEW_SIDE: Final = 1024
"""Longest side of a preview, in pixels."""

MOST_BYTES: Final = 256 * 1024 * 1024
"""The most bytes of all outputs of a picture together, which a worker holds until they are saved."""

_PREVIEW_PIXELS = 6_000_000
_PREVIEW_QUALITY = 82


@dataclass(frozen=True)
class Shrunk:
    """A smaller copy of an original: its size in proportion to that, and the SHA-256 of that, if it is known."""

    scale: float = 1.0
    seed: bytes = b""


WHOLE: Final = Shrunk()
"""The original itself."""


@dataclass(frozen=True)
class Rendition:
    """A picture made from an original, as a file: its kind, media type, size in pixels and bytes.

    A thumbnail has its hash too, see `picture.thumbhash`.
    """

    kind: Kind
    media_type: str
    width: int
    height: int
    data: bytes
    thumbhash: bytes = b""

    @cached_property
    def sha256(self) -> bytes:
        """The SHA-256 of the bytes. It is always computed here, never taken from a sandbox child."""
        return hashlib.sha256(self.data).digest()


def render(
    original: bytes,
    recipe: Recipe,
    limits: Limits,
    progress: Progress | None = None,
    timed: Timed | None = None,
    *,
    assets: AssetFiles = NO_ASSETS,
) -> tuple[Rendition, ...]:
    """Return the outputs, the first one as `processed`, and its thumbnail.

    ``progress`` and ``timed`` are those of ``Recipe.tracker``, and ``assets`` those of the recipe. Raises what
    ``read_header`` raises, BrokenPicture for the original, and TransformFailed if the recipe fails on it.
    """
    seed = hashlib.sha256(original).digest()
    header = read_header(original, limits)
    size = (header.width, header.height)
    _plan(recipe, (size, *recipe.common.plan(size, limits))[-1], header, limits)
    picture = decode(original, limits, header=header, surplus=recipe.surplus(size))
    exif, view, pixels = picture.exif, picture.view, [picture.image]
    # only the recipe refers to the pixels now, so they are freed once a step has made new ones
    del original, picture
    tracker = recipe.tracker(progress, timed)
    image = recipe.common.apply(pixels.pop(), seed, tracker, view=view, limits=limits, assets=assets)
    view = recipe.common.seen(view)
    # a step can leave fewer pixels than planned
    sizes = _plan(recipe, view.size if view else image.size, header, limits)
    made: dict[Kind, Rendition] = {}
    for kind, result in _results(recipe, image, sizes, seed, tracker, view=view, limits=limits, assets=assets):
        if kind == PROCESSED:
            small = thumbnail(result)
        chain = recipe.branches[kind]
        with chain.named():
            made[kind] = _rendition(kind, encode(result, chain.encoding, header.format, exif))
        if sum(len(each.data) for each in made.values()) > MOST_BYTES:
            raise TransformFailed(
                f"The outputs have over {MOST_BYTES:,} bytes together. Choose fewer or smaller ones, or another format."
            )
    return (*(made[kind] for kind in recipe.branches), _rendition("thumbnail", small))


def preview(
    original: bytes,
    recipe: Recipe,
    limits: Limits,
    longest_side: int = PREVIEW_SIDE,
    shrunk: Shrunk = WHOLE,
    *,
    assets: AssetFiles = NO_ASSETS,
) -> Rendition:
    """Return a smaller picture that looks like the first output, and decode no more pixels than it needs.

    Its longest side has at most ``longest_side`` pixels. ``shrunk`` is given if ``original`` is a smaller copy. Raises
    what ``render`` raises.
    """
    seed = shrunk.seed or hashlib.sha256(original).digest()
    header = read_header(original, limits)
    first = recipe.branches[PROCESSED]
    sizes = [(header.width, header.height), *recipe.common.plan((header.width, header.height), limits, shrunk.scale)]
    sizes += first.plan(sizes[-1], limits, shrunk.scale)
    scale = _preview_scale(sizes, longest_side)
    picture = decode(original, limits, scale, header)
    scale *= shrunk.scale
    tracker = recipe.tracker()
    image = recipe.common.apply(picture.image, seed, tracker, scale, limits=limits, assets=assets)
    image = first.apply(image, seed, tracker, scale, limits=limits, assets=assets)
    image.thumbnail((longest_side, longest_side))
    kind = choose_kind(first.encoding, picture.header.format, image.size, image.mode == "RGBA")
    output = first.encoding.for_preview(kind, _PREVIEW_QUALITY)
    return _rendition("preview", encode(image, output, picture.header.format))


def _plan(recipe: Recipe, common: Size, header: Header, limits: Limits) -> dict[Kind, Size]:
    """Return the size of each output, by the size of the common steps' result.

    Raises TransformFailed if one exceeds the limits or those of its format.
    """
    return {kind: _planned(chain, common, header, limits) for kind, chain in recipe.branches.items()}


def _planned(chain: Chain, common: Size, header: Header, limits: Limits) -> Size:
    size = (common, *chain.plan(common, limits))[-1]
    kind = choose_kind(chain.encoding, header.format, size, transparent=False)
    if max(size) > LONGEST_SIDES[kind]:
        with chain.named():
            raise too_long(kind, size)
    return size


def _results(
    recipe: Recipe,
    image: Image.Image,
    sizes: Mapping[Kind, Size],
    seed: bytes,
    tracker: Tracker,
    *,
    view: View | None,
    limits: Limits,
    assets: AssetFiles,
) -> Iterator[tuple[Kind, Image.Image]]:
    """Yield the pixels of each output, the largest first; ``image`` is the result of the common steps.

    An output that only resizes starts from the smallest result of such an output that has its very size, or is at least
    twice as wide and as high: from there on nobody sees a difference. All others start from ``image``.
    """
    sources = [image]
    kinds = sorted(sizes, key=lambda kind: _pixels(sizes[kind]), reverse=True)
    for kind in kinds:
        chain, size = recipe.branches[kind], sizes[kind]
        if chain.only_resizes:
            source = min((each for each in sources if _is_enough(each.size, size)), key=_area, default=image)
            if source is image:
                result = chain.apply(image, seed, tracker, view=view, limits=limits, assets=assets)
            else:
                result = chain.to_size(size).apply(source, seed, tracker)
            sources = [each for each in (*sources, result) if _area(each) <= _area(source)]
        else:
            is_last = kind == kinds[-1]
            own = image if is_last or not chain.may_change(image.size) else image.copy()
            result = chain.apply(own, seed, tracker, view=view, limits=limits, assets=assets)
        yield kind, result


def _is_enough(source: Size, target: Size) -> bool:
    # a side may be rounded down by a pixel
    return source == target or (source[0] + 1 >= 2 * target[0] and source[1] + 1 >= 2 * target[1])


def _area(image: Image.Image) -> int:
    return _pixels(image.size)


def _pixels(size: Size) -> int:
    return size[0] * size[1]


def _preview_scale(sizes: list[tuple[int, int]], longest_side: int) -> float:
    """Return the scale at which the result is as large as the preview, and no step has too many pixels."""
    largest = max(width * height for width, height in sizes)
    return min(1.0, longest_side / max(sizes[-1]), math.sqrt(_PREVIEW_PIXELS / largest))


def _rendition(kind: Kind, encoded: Encoded) -> Rendition:
    return Rendition(kind, encoded.media_type, encoded.width, encoded.height, encoded.data, encoded.thumbhash)

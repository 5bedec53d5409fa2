"""Converts pixels of every mode to 8-bit RGB or RGBA in sRGB."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from PIL import Image

from imagomortis.picture.bit_depth import eight_bits
from imagomortis.picture.colour_space import ColourSpace

if TYPE_CHECKING:
    from PIL import ImageCms

COLOUR_SPACE: Final = "colour_space"
"""The key in a picture's info for the colour space that its file declares without a profile."""

_SPACES = {"RGB": "RGB ", "RGBA": "RGB ", "CMYK": "CMYK", "L": "GRAY", "LAB": "Lab "}
_SAMPLES = bytes(range(0, 256, 15)) * 3
_INVISIBLE_DIFFERENCE = 2


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, or as RGBA if any pixel is transparent.

    Deep samples are scaled, not clipped. Palettes are resolved. Embedded profiles are applied, CMYK and grey ones
    included. A ColourSpace under ``COLOUR_SPACE`` in the picture's info takes precedence over the profile. The given
    picture can be changed in place.
    """
    profile, space = image.info.get("icc_profile"), image.info.get(COLOUR_SPACE)
    image = _direct(eight_bits(image))
    alpha = _take_alpha(image)
    if alpha or image.mode == "LA":
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if isinstance(space, ColourSpace):
        profile = space.profile(image.mode)
    image = _apply_profile(image, profile) if profile and isinstance(profile, bytes) else image
    if image.mode == "LAB":
        image = _apply_profile(image, _lab_profile())
    image = image if image.mode == "RGB" else image.convert("RGB")
    if alpha:
        image.putalpha(alpha)
    return image


def _direct(image: Image.Image) -> Image.Image:
    """Convert palette indices, bits and rare modes to colour or grey levels."""
    if image.mode in {"L", "LA", "RGB", "RGBA", "CMYK", "LAB"} and "transparency" not in image.info:
        return image
    if image.mode in {"PA", "La", "RGBa", "LA", "RGBA"} or "transparency" in image.info:
        return image.convert("LA" if image.mode == "La" else "RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _take_alpha(image: Image.Image) -> Image.Image | None:
    """Return the alpha channel; None if there is none, or if every pixel is opaque."""
    if image.mode not in {"LA", "RGBA"}:
        return None
    alpha = image.getchannel("A")
    return None if alpha.getextrema() == (255, 255) else alpha


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    from PIL import ImageCms

    try:
        transform = _transform(profile, image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # the profile is damaged, or for another colour mode; browsers ignore such profiles, too
    if transform is None:
        return image
    if image.mode == "RGB":
        transform.apply_in_place(image)
        return image
    return transform.apply(image)


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB; None if it does not fit the mode, or changes nothing visible."""
    from PIL import ImageCms

    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source.profile.xcolor_space != _SPACES[mode]:
        return None
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    before = Image.frombytes("RGB", (len(_SAMPLES) // 3, 1), _SAMPLES)
    mixed = Image.merge("RGB", (before.getchannel(0), before.getchannel(1).rotate(180), before.getchannel(2)))
    return all(
        abs(was - now) <= _INVISIBLE_DIFFERENCE
        for sample in (before, mixed)
        for was, now in zip(sample.tobytes(), transform.apply(sample).tobytes(), strict=True)
    )


@lru_cache(maxsize=1)
def _lab_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

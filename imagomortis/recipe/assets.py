"""Defines what an asset can be: a small picture under a name, which recipes lay over others."""

from __future__ import annotations

from typing import Final

from imagomortis.picture.header import MIB, Limits

NAME: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"

LIMITS: Final = Limits(max_bytes=MIB, max_pixels=16_777_216, max_side=8192)
"""A picture of 4096 x 4096 pixels takes 64 MiB of the memory of a decoder."""

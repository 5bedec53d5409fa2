"""Hooks of Schemathesis: a form's pictures are pictures, of every kind that the document names."""

from __future__ import annotations

import schemathesis
from hypothesis import strategies as st

from imagomortis.image import FORMATS
from tests.pictures import photo, save, scene

for kind, each in FORMATS.items():
    pictures = [photo(seed=0, width=64, height=48)] if kind == "JPEG" else [save(scene(64, 48), kind)]
    schemathesis.openapi.media_type(each.media_type, st.sampled_from(pictures))

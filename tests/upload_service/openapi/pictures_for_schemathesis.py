"""Hooks of Schemathesis: pictures of every kind that the document names, and headers as tus has them."""

from __future__ import annotations

import base64

import schemathesis
from hypothesis import strategies as st

from imagomortis.picture.header import FORMATS
from imagomortis.recipe.recipe import builtin
from tests.support.pictures import photo, save, scene
from upload_service.tus.document import CHECKSUM_FORMAT, METADATA_FORMAT
from upload_service.tus.protocol import MEDIA_TYPE

for kind, each in FORMATS.items():
    pictures = [photo(seed=0, width=64, height=48)] if kind == "JPEG" else [save(scene(64, 48), kind)]
    schemathesis.openapi.media_type(each.media_type, st.sampled_from(pictures))


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


metadata = st.tuples(st.text(max_size=20), st.sampled_from(sorted(builtin()))).map(
    lambda given: f"filename {coded(given[0])},recipe {coded(given[1])}"
)
schemathesis.openapi.format(METADATA_FORMAT, metadata)
schemathesis.openapi.format(
    CHECKSUM_FORMAT,
    st.binary(min_size=32, max_size=32).map(lambda digest: f"sha256 {base64.b64encode(digest).decode()}"),
)
schemathesis.openapi.media_type(MEDIA_TYPE, st.just(b""))


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out headers that nobody documents: HTTP has them ignored."""
    return not any("schemathesis-unknown-property" in name for name in case.headers or {})

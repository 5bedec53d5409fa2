"""Every rule is asked of the plain files and of each overlay."""

from __future__ import annotations

import shutil

import pytest

from tests.deploy import manifests
from tests.deploy.manifests import Installation

needs_kubectl = pytest.mark.skipif(
    not shutil.which("kubectl"), reason="kustomize comes with kubectl, which is not here"
)

EACH = ["k8s", *(pytest.param(name, marks=needs_kubectl) for name in manifests.overlays())]


@pytest.fixture(params=EACH)
def installation(request: pytest.FixtureRequest) -> Installation:
    """The plain files, then each overlay."""
    return manifests.base() if request.param == "k8s" else manifests.overlay(request.param)

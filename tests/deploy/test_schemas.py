"""Every document against Kubernetes' own schemas, which refuse what they do not know."""

from __future__ import annotations

import copy

import kubernetes_validate
import pytest

from tests.deploy.manifests import ROOT, Document, Installation, base

pytestmark = pytest.mark.slow

KUBERNETES = "1.34"


def validate(document: Document) -> None:
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_every_document_is_valid(installation: Installation) -> None:
    for document in installation.documents:
        validate(document)
    assert len(installation.documents) > 50


def test_make_check_asks_the_same_version() -> None:
    assert f"\nKUBERNETES := {KUBERNETES}\n" in (ROOT / "Makefile").read_text()


def test_a_wrong_word_is_found() -> None:
    wrong = copy.deepcopy(dict(base().one("Deployment", "api")))
    wrong["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="redinessProbe"):
        validate(wrong)

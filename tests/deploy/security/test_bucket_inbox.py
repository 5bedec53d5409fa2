"""The overlay `bucket-inbox`: the pusher reaches the buckets, has memory for a checker, and nothing else changes."""

from __future__ import annotations

import yaml

from imagomortis.settings import Settings
from tests.deploy.conftest import needs_kubectl
from tests.deploy.manifests import base, overlay
from tests.deploy.security.test_network_policies import flows
from tests.deploy.security.test_storage import open_ports

pytestmark = needs_kubectl

GIB = 2**30


def test_the_overlay_names_sources_and_adds_one_policy() -> None:
    buckets = overlay("bucket-inbox")
    changed = {name: value for name, value in buckets.settings.items() if base().settings.get(name) != value}
    assert set(changed) == {"IMAGOMORTIS_INBOXES", "IMAGOMORTIS_STORAGE_ENDPOINT"}
    assert len(Settings(inboxes=changed["IMAGOMORTIS_INBOXES"]).inbox_sources) == 1
    before = {yaml.safe_dump(document) for document in base().documents}
    others = [one for one in buckets.documents if yaml.safe_dump(one) not in before and one["kind"] != "Deployment"]
    assert {(one["kind"], one["metadata"]["name"]) for one in others} == {
        ("ConfigMap", "imagomortis"),
        ("NetworkPolicy", "to-inboxes"),
    }


def test_the_pusher_has_memory_for_itself_and_a_checker() -> None:
    limits = [
        installation.pod("pusher").main[0]["resources"]["limits"]["memory"]
        for installation in (base(), overlay("bucket-inbox"))
    ]
    alone, with_checker = (int(limit.removesuffix("Gi")) * GIB for limit in limits)
    assert with_checker >= alone + Settings().sandbox_memory_bytes


def test_only_the_pusher_reaches_the_buckets() -> None:
    buckets = overlay("bucket-inbox")
    for pod in buckets.pods:
        more = open_ports(pod, "bucket-inbox") - open_ports(pod, "k8s")
        assert more == ({8333} if pod.part == "pusher" else set()), pod.part
    assert flows(buckets) == flows(base())

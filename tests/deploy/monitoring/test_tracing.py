"""The overlay `tracing`: those that note spans reach the collector, and nobody else anything more than before."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import yaml

from imagomortis.settings import Settings
from tests.deploy.conftest import needs_kubectl
from tests.deploy.manifests import OVERLAYS, ROOT, Pod, base, overlay
from tests.deploy.security.test_network_policies import flows, opens, rules

pytestmark = needs_kubectl

LABEL = {"imagomortis/collects-traces": "true"}

PACKAGES = ("api_service", "imagomortis_pipeline", "upload_service")

TRACED = {"api", "image-task", "pusher", "uploader"}
"""The parts that note spans."""


def ways_out(pod: Pod, name: str) -> list[tuple[dict[str, str], set[int]]]:
    """The namespaces that a pod may reach in an installation, each by its labels and with the ports."""
    installation = base() if name == "k8s" else overlay(name)
    return [
        (peer["namespaceSelector"]["matchLabels"], {one["port"] for one in rule["ports"]})
        for rule in rules(installation, pod, "egress")
        for peer in rule.get("to", ())
        if "namespaceSelector" in peer
    ]


def test_it_sets_one_setting_and_adds_one_policy() -> None:
    tracing = overlay("tracing")
    added = {name: value for name, value in tracing.settings.items() if base().settings.get(name) != value}
    assert set(added) == {"IMAGOMORTIS_TRACES_URL"}
    assert Settings(traces_url=added["IMAGOMORTIS_TRACES_URL"]).traces_url == added["IMAGOMORTIS_TRACES_URL"]
    before = {yaml.safe_dump(document) for document in base().documents}
    changed = [
        one for one in tracing.documents if yaml.safe_dump(one) not in before and one["kind"] != "Deployment"
    ]  # those are replaced, as test_settings.py has it
    assert {(one["kind"], one["metadata"]["name"]) for one in changed} == {
        ("ConfigMap", "imagomortis"),
        ("NetworkPolicy", "to-collector"),
    }
    assert len(tracing.documents) == len(base().documents) + 1


def test_the_parts_that_note_spans_are_those_of_the_program() -> None:
    texts = {path: path.read_text() for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
    found = {name for text in texts.values() for name in re.findall(r'traces\.configure\("?(\w+)"?,', text)}
    served = {name for text in texts.values() for name in re.findall(r'^    serve\("(\w+)",', text, re.MULTILINE)}
    assert found == {"PART", "pusher"}, "PART is that of a step, image-task"
    assert served | {"pusher", "image-task"} == TRACED


def test_they_reach_the_collector_where_the_setting_says_and_nobody_else_does() -> None:
    tracing = overlay("tracing")
    port = urlsplit(tracing.settings["IMAGOMORTIS_TRACES_URL"]).port
    assert {pod.part for pod in tracing.pods if (LABEL, {port}) in ways_out(pod, "tracing")} == TRACED
    for pod in tracing.pods:
        assert "imagomortis" in pod.references("configMap") or pod.part not in TRACED


def test_they_find_its_name() -> None:
    for part in TRACED:
        names = ways_out(overlay("tracing").pod(part), "tracing")
        assert ({"kubernetes.io/metadata.name": "kube-system"}, {53}) in names, part


def test_no_other_way_is_opened() -> None:
    tracing = overlay("tracing")
    assert flows(tracing) == flows(base())
    for pod in tracing.pods:
        more = [way for way in ways_out(pod, "tracing") if way not in ways_out(pod, "k8s")]
        assert all(labels == LABEL or pod.part == "uploader" for labels, _ in more), pod.part
        assert not any(
            opens(rule, "from", 4318, pod, other) for other in tracing.pods for rule in rules(tracing, pod, "ingress")
        )


def test_the_namespaces_label_is_the_one_that_people_are_told_to_set() -> None:
    for text in ((OVERLAYS / "README.md").read_text(), (OVERLAYS / "tracing" / "kustomization.yaml").read_text()):
        assert "kubectl label namespace observability imagomortis/collects-traces=true" in text
        assert "imagomortis/collects-traces" in (OVERLAYS / "tracing" / "network-policy.yaml").read_text()

"""Who may talk to whom, as the NetworkPolicies say it; most clusters for trying things do not enforce them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.deploy.manifests import NAMESPACE, Document, Installation, Pod, base, namespace_of

DNS, KUBERNETES = 53, {443, 6443, 8443, 16443}

LINK_LOCAL = {"ipBlock": {"cidr": "169.254.0.0/16"}}
"""Where a cache of names on the node listens, and a cloud tells of its machines, at other ports."""

FLOWS = {
    ("webui", "api", 30081),
    ("webui", "uploader", 30082),
    *((part, "postgres", 5432) for part in ("api", "pusher", "scheduler", "dagster-webserver", "run", "image-task")),
    ("migrate", "postgres", 5432),
    ("backup", "postgres", 5432),
    ("scheduler", "pusher", 4000),
    ("dagster-webserver", "pusher", 4000),
    ("exporter", "postgres", 5432),
    ("fluent-bit", "loki", 3100),
    ("grafana", "loki", 3100),
}
"""Every way from one part to another."""

FROM_ANYWHERE = {("webui", 8080), ("api", 30081), ("uploader", 30082)}
"""What people reach; each asks for the token itself."""


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector means something with these labels."""
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    return wanted and all(_holds(rule, labels) for rule in selector.get("matchExpressions", ()))


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if rule["operator"] == "In":
        return labels.get(rule["key"]) in rule["values"]
    if rule["operator"] == "NotIn":
        return labels.get(rule["key"]) not in rule["values"]
    raise AssertionError(f"unknown operator {rule['operator']}")


def rules(installation: Installation, pod: Pod, way: str) -> list[Document]:
    """The rules for a pod's `ingress` or `egress`."""
    return [
        rule
        for policy in installation.of("NetworkPolicy")
        if namespace_of(policy) == pod.namespace
        if selects(policy["spec"]["podSelector"], pod.labels) and way.title() in policy["spec"]["policyTypes"]
        for rule in policy["spec"].get(way, ())
    ]


def opens(rule: Document, side: str, port: int, pod: Pod, other: Pod) -> bool:
    """Whether a rule of a pod opens a port from or to another one."""
    if port not in {one["port"] for one in rule["ports"]}:
        return False
    return side not in rule or any(means(peer, pod, other) for peer in rule[side])


def means(peer: Document, pod: Pod, other: Pod) -> bool:
    """Whether a peer in a rule of a pod is the other one."""
    name = {"kubernetes.io/metadata.name": other.namespace}
    here = selects(peer["namespaceSelector"], name) if "namespaceSelector" in peer else pod.namespace == other.namespace
    return here and "ipBlock" not in peer and selects(peer.get("podSelector", {}), other.labels)


def flows(installation: Installation) -> set[tuple[str, str, int]]:
    """Every way that is open at both of its ends."""
    ports = {
        pod.part: {port["containerPort"] for one in pod.main for port in one.get("ports", ())}
        for pod in installation.pods
    }
    return {
        (source.part, target.part, port)
        for source in installation.pods
        for target in installation.pods
        for port in ports[target.part]
        if any(opens(rule, "to", port, source, target) for rule in rules(installation, source, "egress"))
        and any(opens(rule, "from", port, target, source) for rule in rules(installation, target, "ingress"))
    }


def test_nothing_may_talk_to_anything_unless_it_is_named(installation: Installation) -> None:
    for namespace in installation.of("Namespace"):
        policy = installation.one("NetworkPolicy", "default-deny", namespace["metadata"]["name"])
        assert policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_parts_reach_each_other_exactly_as_they_must(installation: Installation) -> None:
    parts = {pod.part for pod in installation.pods}
    assert flows(installation) == {flow for flow in FLOWS if {flow[0], flow[1]} <= parts}


def test_only_parts_for_people_are_open_to_everybody(installation: Installation) -> None:
    found = {
        (pod.part, port["port"])
        for pod in installation.pods
        for rule in rules(installation, pod, "ingress")
        if not rule.get("from")
        for port in rule["ports"]
    }
    assert found == FROM_ANYWHERE


def test_every_rule_names_its_ports(installation: Installation) -> None:
    for policy in installation.of("NetworkPolicy"):
        for way in ("ingress", "egress"):
            assert all(rule.get("ports") for rule in policy["spec"].get(way, ())), policy["metadata"]["name"]


def test_every_policy_and_every_rule_means_some_pod(installation: Installation) -> None:
    everyone = [pod.labels for pod in installation.pods]
    for policy in installation.of("NetworkPolicy"):
        spec = policy["spec"]
        peers = [peer for rule in spec.get("ingress", ()) for peer in rule.get("from", ())]
        peers += [peer for rule in spec.get("egress", ()) for peer in rule.get("to", ())]
        selectors = [spec["podSelector"], *(peer["podSelector"] for peer in peers if "podSelector" in peer)]
        for selector in selectors:
            assert any(selects(selector, labels) for labels in everyone), (policy["metadata"]["name"], selector)


def reaching(installation: Installation, port: int) -> set[str]:
    """The parts that may reach something outside of the installation at a port."""
    return {
        pod.part
        for pod in installation.pods
        for rule in rules(installation, pod, "egress")
        if port in {one["port"] for one in rule["ports"]}
        and (not rule.get("to") or any("namespaceSelector" in peer for peer in rule["to"]))
    }


@pytest.mark.parametrize("port", KUBERNETES)
def test_the_api_server_is_open_to_those_with_a_token_alone(installation: Installation, port: int) -> None:
    assert reaching(installation, port) == {pod.part for pod in installation.pods if pod.has_token}


def test_names_are_looked_up_by_those_that_call_others_alone() -> None:
    assert reaching(base(), DNS) == {source for source, _, _ in FLOWS}


def test_names_are_asked_of_the_clusters_own_servers_and_of_the_nodes_cache_alone(installation: Installation) -> None:
    servers = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    asking = [rule for rule in every_rule(installation) if DNS in {one["port"] for one in rule["ports"]}]
    assert asking
    for rule in asking:
        assert rule["to"] == [servers, LINK_LOCAL]
        assert {one["port"] for one in rule["ports"]} == {DNS}


def test_no_other_address_is_named(installation: Installation) -> None:
    """A cloud's own service at 169.254.169.254, which gives credentials away, is open at no port of its own."""
    for rule in every_rule(installation):
        blocks = [peer for side in ("from", "to") for peer in rule.get(side, ()) if "ipBlock" in peer]
        assert blocks in ([], [LINK_LOCAL])
        assert not blocks or {one["port"] for one in rule["ports"]} == {DNS}


def every_rule(installation: Installation) -> list[Document]:
    """The rules of every policy, both ways."""
    return [
        rule
        for policy in installation.of("NetworkPolicy")
        for way in ("ingress", "egress")
        for rule in policy["spec"].get(way, ())
    ]


def test_labels_tell_what_each_pod_uses(installation: Installation) -> None:
    """They open ways, so a pod that does not use them must not have them."""
    databases = {"database", "dagster-database"}
    for pod in [pod for pod in installation.pods if pod.namespace == NAMESPACE]:
        words = [word for container in pod.main for word in container.get("command", ())]
        uses = {
            "postgres": bool(pod.references("secret") & databases),
            "kubernetes": pod.has_token,
            "pusher": any(word.endswith("workspace.yaml") for word in words),
        }
        labelled = {name: pod.labels.get(f"imagomortis/uses-{name}") == "true" for name in uses}
        assert labelled == uses, pod.part

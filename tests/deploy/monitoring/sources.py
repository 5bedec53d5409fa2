"""What the files of deploy/ say of logs and metrics, for tests that hold them against the running system."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.deploy.manifests import all_parsed, parsed

DEPLOY = Path(__file__).parents[3] / "deploy"

EXTERNAL = {
    *("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"),
    *("kube_cronjob_created", "kube_cronjob_status_last_successful_time"),
    *("kube_statefulset_status_replicas_ready", "kube_daemonset_status_number_ready"),
    "kube_daemonset_status_desired_number_scheduled",
}
"""Metrics of the cluster, which a system on one machine does not have."""

_FUNCTIONS = {
    *("sum", "min", "max", "avg", "by", "on", "and", "or", "rate", "increase", "delta", "absent", "le"),
    *("histogram_quantile", "ignoring", "unless", "time", "timestamp", "min_over_time"),
}


def manifests(pattern: str = "*.yaml") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every document of deploy/k8s with the name of its file."""
    for path in sorted((DEPLOY / "k8s").glob(pattern)):
        for document in all_parsed(path.read_text()):
            if document:
                yield path.name, document


def config(name: str) -> Any:
    """A file of deploy/logging, parsed."""
    return parsed((DEPLOY / "logging" / name).read_text())


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = parsed((DEPLOY / "alerts" / "imagomortis.rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every query of every dashboard: where it stands, its panel, and its text."""
    for path in sorted((DEPLOY / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{path.stem}: {panel['title']}", panel, target["expr"]


def queries(source: str) -> dict[str, str]:
    """The queries to `loki` or `prometheus`, by where they stand."""
    found = {}
    for place, panel, text in panels():
        if panel["datasource"]["type"] == source:
            found[f"{place} ({text})"] = text
    return found


def metric_names(promql: str) -> set[str]:
    """The names of the metrics in a query."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"|\b(?:by|on)\s*\([^)]*\)", " ", promql)
    return set(re.findall(r"\b[a-z][a-z0-9_]*\b", bare)) - _FUNCTIONS


def selected(promql: str) -> Iterator[tuple[str, str]]:
    """Each metric of a query with a label that is selected or grouped by; histograms and rates too."""
    for name, labels in re.findall(r"\b(imagomortis_\w+)\{([^}]*)\}", promql):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels):
            yield name, label
    for groups, inner in re.findall(r"by \(([^)]*)\) \((.*)\)", promql):
        for name in re.findall(r"\bimagomortis_\w+", inner):
            for label in groups.split(","):
                yield name, label.strip()

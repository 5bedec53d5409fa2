"""The overlays: each builds, is valid and secure, and changes what it says and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from imagomortis import version
from imagomortis.settings import Settings
from tests.deploy import manifests
from tests.deploy.conftest import needs_kubectl
from tests.deploy.manifests import (
    DEPLOY,
    K8S,
    NAMESPACE,
    ROOT,
    Document,
    Installation,
    all_parsed,
    base,
    namespace_of,
    overlay,
    parsed,
)
from tests.deploy.security.test_network_policies import rules

pytestmark = needs_kubectl

README = DEPLOY / "overlays" / "README.md"

CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"


def key(document: Document) -> tuple[str, str, str]:
    return document["kind"], document["metadata"]["name"], namespace_of(document)


def changed(installation: Installation) -> set[tuple[str, str]]:
    """The kinds and names of what differs from the plain files, is gone, or is new."""
    before = {key(document): document for document in base().documents}
    after = {key(document): document for document in installation.documents}
    return {one[:2] for one in before.keys() | after.keys() if before.get(one) != after.get(one)}


def test_overlays_build_on_all_of_the_files() -> None:
    listed = parsed((K8S / "Kustomization").read_text())["resources"]
    assert listed == [path.name for path in manifests.files()]


def test_kubectl_apply_on_the_folder_never_meets_the_kustomization() -> None:
    """It reads files by the ends of their names, and refuses a kind that the cluster does not know."""
    assert not [path.name for path in K8S.iterdir() if path.suffix not in {".yaml", ""} or path.is_dir()]
    assert [path.name for path in K8S.iterdir() if path.suffix == ""] == ["Kustomization"]


def test_the_readmes_command_finds_the_folder() -> None:
    """With the slash; kubectl does not follow a link without it."""
    assert "kubectl apply -f k8s/\n" in (ROOT / "README.md").read_text()
    assert (ROOT / "k8s").readlink() == Path("deploy/k8s")


def test_ipv6_lets_every_part_listen_on_ipv6() -> None:
    ipv6 = overlay("ipv6")
    deployments = {
        ("Deployment", part) for part in (*["uploader", "api", "pusher", "scheduler", "exporter"], "dagster-webserver")
    }
    assert changed(ipv6) == {("ConfigMap", "imagomortis")} | deployments
    assert ipv6.settings["IMAGOMORTIS_BIND"] == "::"
    commands = {part: ipv6.pod(part).main[0]["command"] for part in ("pusher", "dagster-webserver")}
    hosts = {part: command[command.index("-h") + 1] for part, command in commands.items()}
    assert hosts == {"pusher": "[::]", "dagster-webserver": "::"}


@pytest.mark.slow
def test_every_document_fits_the_schemas_of_kubernetes(installation: Installation) -> None:
    (version,) = re.findall(r"^KUBERNETES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for document in installation.documents:
        validate(json.dumps(document, sort_keys=True), version)
    assert len(installation.documents) > 50


@cache
def validate(document: str, version: str) -> None:
    """Validate a document once, however many overlays leave it as it is."""
    kubernetes_validate.validate(json.loads(document), version, strict=True)


@pytest.mark.slow
def test_checkov_finds_nothing_in_them(tmp_path: Path) -> None:
    if not CHECKOV.exists():
        pytest.skip("`make .venv-checkov/stamp` installs checkov")
    for name in manifests.overlays():
        (tmp_path / f"{name}.yaml").write_text(manifests.built(name))
    command = [CHECKOV, "--config-file", str(ROOT / ".checkov.yaml"), "--directory", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=dict(os.environ))
    assert done.returncode == 0, done.stdout
    assert "Failed checks: 0" in done.stdout


def test_no_check_is_skipped_without_its_reason() -> None:
    lines = (ROOT / ".checkov.yaml").read_text().splitlines()
    skipped = [line for line in lines if line.lstrip().startswith("- CKV")]
    assert 0 < len(skipped) <= 5
    assert all(" # " in line for line in skipped)
    assert not [path for path, text in manifests.texts().items() if re.search("checkov(:|.io/)skip", text)]


def test_kind_is_the_plain_installation_behind_its_ingress() -> None:
    kind = overlay("kind")
    assert changed(kind) == {("Ingress", "imagomortis")}
    assert kind.one("Ingress", "imagomortis")["spec"]["ingressClassName"] == "nginx"


def test_kinds_ports_lead_where_the_installation_listens() -> None:
    (node,) = parsed((DEPLOY / "overlays" / "kind" / "cluster.yaml").read_text())["nodes"]
    ports = {mapping["containerPort"]: mapping for mapping in node["extraPortMappings"]}
    services = [port for service in base().of("Service") for port in service["spec"]["ports"]]
    assert set(ports) == {80} | {port["nodePort"] for port in services if "nodePort" in port}
    assert {mapping["listenAddress"] for mapping in ports.values()} == {"127.0.0.1"}


def test_the_lab_has_a_job_for_each_image_and_says_that_it_is_open() -> None:
    lab = overlay("lab")
    says = {("ConfigMap", "imagomortis"), ("Namespace", "imagomortis")}
    readers = ("uploader", "api", "pusher", "scheduler", "dagster-webserver", "exporter")
    assert changed(lab) == says | {("Deployment", part) for part in readers}
    differing = {name: value for name, value in lab.settings.items() if base().settings[name] != value}
    assert differing == {
        "IMAGOMORTIS_ACCESS": "open",
        "IMAGOMORTIS_IMAGES_PER_JOB": "1",
        "IMAGOMORTIS_MAX_WORKERS": "8",
    }
    for one in says:
        assert "open" in lab.one(*one)["metadata"]["annotations"]["imagomortis/warning"]


def test_a_registry_changes_the_images_alone() -> None:
    def with_short_names(value: Any) -> Any:
        text = yaml.safe_dump(value).replace("registry.example/", "").replace("0-1-0-registry", "0-1-0")
        return parsed(re.sub(r"(postgres:18)\.\d+(-bookworm)@sha256:\w+", r"\1\2", text))

    registry = overlay("registry")
    ours = [one["image"] for one in containers(registry) if "imagomortis" in one["image"]]
    assert {image.partition("/")[0] for image in ours} == {"registry.example"}
    assert {key(one): one for one in map(with_short_names, registry.documents)} == {
        key(one): one for one in base().documents
    }


def test_a_registry_has_others_images_by_exact_version_and_digest() -> None:
    others = {one["image"] for one in containers(overlay("registry")) if "imagomortis" not in one["image"]}
    exact = re.compile(r"([\w/-]+):\d+\.\d+(\.\d+|-bookworm)@sha256:[0-9a-f]{64}")
    found = {match[1] for image in others if (match := exact.fullmatch(image))}
    assert found == {"postgres", "fluent/fluent-bit", "grafana/loki", "grafana/grafana"}
    assert len(found) == len(others), others


def containers(installation: Installation) -> list[Document]:
    return [container for pod in installation.pods for container in pod.containers]


def test_several_nodes_share_no_volume() -> None:
    several = overlay("multi-node")
    assert not any("ReadWriteMany" in one["spec"]["accessModes"] for one in several.of("PersistentVolumeClaim"))
    users = {pod.part: pod.claims for pod in several.pods if pod.claims}
    assert users == {"backup": {"backups"}, "backup-claim": {"backups"}, "grafana": {"grafana"}}


def test_several_nodes_have_no_postgres_but_a_way_to_one() -> None:
    several = overlay("multi-node")
    gone = {key(one) for one in base().documents} - {key(one) for one in several.documents if one["kind"] != "Job"}
    gone -= {key(one) for one in base().of("Job")}
    assert gone == {
        (kind, "postgres", NAMESPACE)
        for kind in ("ConfigMap", "NetworkPolicy", "Service", "ServiceAccount", "StatefulSet")
    } | {("PersistentVolumeClaim", "shared", NAMESPACE)}
    (rule,) = several.one("NetworkPolicy", "to-postgres")["spec"]["egress"]
    assert rule == {"ports": [{"port": 5432, "protocol": "TCP"}]}
    (bootstrap,) = several.pod("bootstrap").main
    assert bootstrap["args"] == ["--other-postgres"]


def test_backups_can_be_left_out(tmp_path: Path) -> None:
    """By the patch that the overlays' README has; everything else stays."""
    (patch,) = re.findall(r"```yaml\n(  - target: \{kind: CronJob.*?)```", README.read_text(), re.DOTALL)
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    overlay = tmp_path / "deploy" / "overlays" / "kind"
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text() + patch)
    text = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=True).stdout
    left = {key(document) for document in all_parsed(text)}
    assert {key(document) for document in base().documents} - left == {
        ("CronJob", "backup", NAMESPACE),
        ("Job", f"backup-claim-{version().replace('.', '-')}", NAMESPACE),
        ("PersistentVolumeClaim", "backups", NAMESPACE),
    }


def test_parts_for_people_have_replicas_on_different_nodes_and_one_ends_at_a_time() -> None:
    several = overlay("multi-node")
    many = {one["metadata"]["name"] for one in several.of("Deployment") if one["spec"].get("replicas", 1) > 1}
    many |= {one["spec"]["scaleTargetRef"]["name"] for one in several.of("HorizontalPodAutoscaler")}
    assert many == {"uploader", "api", "webui"}
    assert several.one("HorizontalPodAutoscaler", "uploader")["spec"]["minReplicas"] == 3
    for part in many:
        pod = several.pod(part)
        spread = pod.spec["topologySpreadConstraints"]
        assert {one["topologyKey"] for one in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert all(one["labelSelector"]["matchLabels"].items() <= pod.labels.items() for one in spread)
        assert all("app.kubernetes.io/component" in one["matchLabelKeys"] for one in spread)
        budget = several.one("PodDisruptionBudget", part)["spec"]
        assert budget["maxUnavailable"] == 1
        selected = [pod.part for pod in several.pods if budget["selector"]["matchLabels"].items() <= pod.labels.items()]
        assert selected == [part]
    assert {one["metadata"]["name"] for one in several.of("PodDisruptionBudget")} == many


def test_uploaders_with_a_spool_in_the_store_have_no_volume_and_as_many_replicas_as_are_needed() -> None:
    without = overlay("stateless-uploader")
    settings = Settings(spool=without.settings["IMAGOMORTIS_SPOOL"], storage=without.settings["IMAGOMORTIS_STORAGE"])
    assert settings.spool_url
    assert not without.has("PersistentVolumeClaim", "shared")
    assert (without.pod("uploader").claims, without.pod("pusher").claims) == (set(), set())
    uploader = without.one("Deployment", "uploader")
    assert "replicas" not in uploader["spec"], "else each apply would undo the autoscaler's number"
    scaler = without.one("HorizontalPodAutoscaler", "uploader")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "uploader"}
    assert 1 < scaler["minReplicas"] < scaler["maxReplicas"]
    budget = without.one("PodDisruptionBudget", "uploader")["spec"]
    assert budget["selector"]["matchLabels"].items() <= without.pod("uploader").labels.items()
    spread = without.pod("uploader").spec["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in spread} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def test_the_users_of_a_spool_in_the_store_reach_it_and_can_have_its_credentials() -> None:
    without = overlay("stateless-uploader")
    (port,) = {rule["port"] for rule in without.one("NetworkPolicy", "to-storage")["spec"]["egress"][0]["ports"]}
    for part in ("uploader", "pusher", "backup"):
        assert "storage" in without.pod(part).references("secret")
        opened = [rule for rule in rules(without, without.pod(part), "egress") if "to" not in rule]
        assert port in {each["port"] for rule in opened for each in rule["ports"]}, part


def test_prometheus_may_find_the_pods_and_nothing_else() -> None:
    monitoring = overlay("monitoring")
    assert {namespace_of(one) for one in monitoring.documents} == {NAMESPACE}
    (binding,) = monitoring.of("RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "prometheus-k8s", "namespace": "monitoring"}]
    role = monitoring.one("Role", binding["roleRef"]["name"])
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    (policy,) = monitoring.of("NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]
    assert rule["from"] == [PROMETHEUS]


def test_grafana_may_ask_prometheus_where_both_of_its_ends_are_closed() -> None:
    """The policy at Prometheus' end is no part of the overlay: alone it would close Prometheus to everybody else."""
    text = (DEPLOY / "overlays" / "monitoring" / "grafana-to-prometheus.yaml").read_text()
    policy = parsed(text)
    assert namespace_of(policy) == PROMETHEUS["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert policy["spec"]["podSelector"] == PROMETHEUS["podSelector"]
    (rule,) = policy["spec"]["ingress"]
    (peer,) = rule["from"]
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    assert peer["podSelector"] == base().one("NetworkPolicy", "grafana")["spec"]["podSelector"]
    (outwards,) = [each for each in base().one("NetworkPolicy", "grafana")["spec"]["egress"] if "9090" in str(each)]
    assert rule["ports"] == outwards["ports"]
    assert outwards["to"] == [{"namespaceSelector": PROMETHEUS["namespaceSelector"]}]
    assert "grafana-to-prometheus.yaml" in (DEPLOY / "overlays" / "README.md").read_text()
    assert not overlay("monitoring").has("NetworkPolicy", policy["metadata"]["name"])


PROMETHEUS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}},
}


def test_the_readme_names_every_file_and_every_overlay() -> None:
    text = (DEPLOY / "README.md").read_text()
    unnamed = [path.name for path in sorted(K8S.iterdir()) if f"`k8s/{path.name}`" not in text]
    images = [path.name for path in sorted((DEPLOY / "images").iterdir()) if f"`images/{path.name}`" not in text]
    rest = [
        path.name
        for path in sorted(DEPLOY.iterdir())
        if path.is_file() and f"`{path.name}`" not in text and path.name != "README.md"
    ]
    assert unnamed + images + rest == []
    overlays = (DEPLOY / "overlays" / "README.md").read_text()
    assert [name for name in manifests.overlays() if f"deploy/overlays/{name}" not in overlays] == []

"""The installation as data: what the plain files say, and what kustomize makes of them for each overlay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from imagomortis.settings import Settings
from imagomortis_pipeline.image_task import pod

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
K8S = DEPLOY / "k8s"
OVERLAYS = DEPLOY / "overlays"

NAMESPACE = "imagomortis"

NAME, PART = "app.kubernetes.io/name", "app.kubernetes.io/component"

RUN, STEP_PART = "run", "image-task"
"""The parts whose pods Dagster makes: a run's, and its steps'."""

Document = Mapping[str, Any]


def parsed(text: str) -> Any:
    """Return the only document of a YAML text, parsed in C, which takes a tenth of the time."""
    return yaml.load(text, yaml.CSafeLoader)


def all_parsed(text: str) -> Iterator[Any]:
    """Yield the documents of a YAML text."""
    return yaml.load_all(text, yaml.CSafeLoader)


def texts() -> dict[Path, str]:
    """The files of the deployment, without what Python compiles of them."""
    return {path: path.read_text() for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"}


@dataclass(frozen=True)
class Pod:
    """What a pod of a part will be."""

    part: str
    kind: str
    """Of what makes it."""
    namespace: str
    labels: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def main(self) -> list[Document]:
        """Its containers."""
        return list(self.spec["containers"])

    @property
    def containers(self) -> list[Document]:
        """Its containers, those that come before the others included."""
        return [*self.spec.get("initContainers", ()), *self.main]

    @property
    def has_token(self) -> bool:
        """Whether it is given its account's token."""
        return bool(self.spec["automountServiceAccountToken"])

    @property
    def claims(self) -> set[str]:
        """The names of the claims that it mounts."""
        volumes = self.spec.get("volumes", ())
        return {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}

    def references(self, kind: str) -> set[str]:
        """The names of the ConfigMaps (`configMap`) or Secrets (`secret`) that it takes anything from."""
        found = {volume[kind].get("name") or volume[kind]["secretName"] for volume in self._volumes() if kind in volume}
        for container in self.containers:
            found |= {source[f"{kind}Ref"]["name"] for source in container.get("envFrom", ()) if f"{kind}Ref" in source}
            values = [variable.get("valueFrom", {}) for variable in container.get("env", ())]
            found |= {value[f"{kind}KeyRef"]["name"] for value in values if f"{kind}KeyRef" in value}
        return found

    def _volumes(self) -> Iterator[Document]:
        for volume in self.spec.get("volumes", ()):
            yield volume
            yield from volume.get("projected", {}).get("sources", ())


class Installation:
    """All documents of an installation."""

    def __init__(self, name: str, documents: Iterable[Document]) -> None:
        """Take a name for people, and the documents."""
        self.name = name
        self.documents = list(documents)

    def of(self, kind: str) -> list[Document]:
        """The documents of a kind."""
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind: str, name: str, namespace: str = NAMESPACE) -> Document:
        """The document of a kind and a name."""
        (found,) = [
            document
            for document in self.of(kind)
            if document["metadata"]["name"] == name and namespace_of(document) == namespace
        ]
        return found

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such a document."""
        return any(document["metadata"]["name"] == name for document in self.of(kind))

    @property
    def settings(self) -> Mapping[str, str]:
        """The variables of every part."""
        return dict(self.one("ConfigMap", "imagomortis")["data"])

    @property
    def dagster(self) -> Mapping[str, Any]:
        """Dagster's instance."""
        return dict(parsed(self.dagster_config["data"]["dagster.yaml"]))

    @property
    def dagster_config(self) -> Document:
        """The ConfigMap with Dagster's instance and workspace."""
        (found,) = [document for document in self.of("ConfigMap") if "dagster.yaml" in document["data"]]
        return found

    @property
    def pods(self) -> list[Pod]:
        """A pod of each part, those that Dagster makes included."""
        return [*self._written(), *self._launched()]

    def pod(self, part: str) -> Pod:
        """The pod of a part."""
        (found,) = [pod for pod in self.pods if pod.part == part]
        return found

    def _written(self) -> Iterator[Pod]:
        for document in self.documents:
            spec = document.get("spec", {})
            template = spec.get("jobTemplate", {"spec": spec})["spec"].get("template")
            if template:
                labels = template["metadata"]["labels"]
                yield Pod(labels[PART], document["kind"], namespace_of(document), labels, template["spec"])

    def _launched(self) -> Iterator[Pod]:
        launcher = self.dagster["run_launcher"]["config"]
        given = launcher["run_k8s_config"]["pod_spec_config"]
        (pusher,) = self.pod_of_deployment("pusher")["containers"]
        (image,) = [one["value"] for one in pusher["env"] if one["name"] == "DAGSTER_CURRENT_IMAGE"]
        container = {
            "image": image,
            "imagePullPolicy": launcher["image_pull_policy"],
            "envFrom": [{"configMapRef": {"name": name}} for name in launcher["env_config_maps"]],
            "resources": launcher["resources"],
            "securityContext": launcher["security_context"],
            "volumeMounts": launcher["volume_mounts"],
        }
        spec = {
            **given,
            "securityContext": given["security_context"],
            "serviceAccountName": launcher["service_account_name"],
            "automountServiceAccountToken": True,  # as Dagster has it for runs
            "containers": [container],
            "volumes": launcher["volumes"],
        }
        yield Pod(launcher["labels"][PART], "run", launcher["job_namespace"], launcher["labels"], spec)
        given = self.settings.get("IMAGOMORTIS_SANDBOX_MEMORY_BYTES")
        config = pod.of_step(int(given or Settings.model_fields["sandbox_memory_bytes"].default))
        step = {
            **spec,
            "serviceAccountName": config["service_account_name"],
            "automountServiceAccountToken": config["step_k8s_config"]["pod_spec_config"][
                "automount_service_account_token"
            ],
            "containers": [{**container, "resources": config["resources"]}],
        }
        labels = {**launcher["labels"], **config["labels"]}
        yield Pod(labels[PART], "step", launcher["job_namespace"], labels, step)

    def pod_of_deployment(self, name: str) -> Document:
        """The spec of a Deployment's pods."""
        return dict(self.one("Deployment", name)["spec"]["template"]["spec"])


def namespace_of(document: Document) -> str:
    """The namespace of a document."""
    return str(document["metadata"].get("namespace", NAMESPACE))


def files() -> list[Path]:
    """The plain files, in their order."""
    return sorted(K8S.glob("*.yaml"))


def overlays() -> list[str]:
    """The names of the overlays that are whole installations."""
    found = {path.parent.name: parsed(path.read_text()) for path in OVERLAYS.glob("*/kustomization.yaml")}
    return sorted(name for name, kustomization in found.items() if "../../k8s" in kustomization.get("resources", ()))


@cache
def base() -> Installation:
    """What `kubectl apply -f deploy/k8s/` installs."""
    return Installation("k8s", [document for path in files() for document in all_parsed(path.read_text())])


@cache
def overlay(name: str) -> Installation:
    """What `kubectl apply -k deploy/overlays/<name>` installs."""
    return Installation(name, all_parsed(built(name)))


@cache
def built(name: str) -> str:
    """The text that kustomize makes for an overlay."""
    command = ["kubectl", "kustomize", str(OVERLAYS / name)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

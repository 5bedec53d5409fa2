"""The runbook's commands: what they name is in the manifests, and what they are to reach is where they look for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.deploy.manifests import DEPLOY, NAMESPACE, Document, all_parsed, base, files

DOCUMENTS = [DEPLOY.parent / "docs" / "runbook.md", DEPLOY / "README.md", DEPLOY / "overlays" / "README.md"]

KINDS = {
    "configmap": "ConfigMap",
    "cronjob": "CronJob",
    "deployment": "Deployment",
    "service": "Service",
    "statefulset": "StatefulSet",
    "svc": "Service",
}

NAMED = re.compile(rf"\b({'|'.join(KINDS)})/([a-z0-9-]+)")

OF_BOOTSTRAP = {"access", "database", "dagster-database", "grafana", "postgres"}
"""The Secrets that the Job `bootstrap` writes, which `test_versions.py` and the cluster's tests see to."""


def commands(path: Path) -> list[str]:
    """What stands in blocks of code, and in code within sentences that are of kubectl."""
    text = path.read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`((?:\$K|kubectl)\s[^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [*"\n".join(blocks).replace("\\\n", " ").splitlines(), *(" ".join(each.split()) for each in inline)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_name_things_that_exist(path: Path) -> None:
    installation = base()
    named = {(KINDS[kind], name) for command in commands(path) for kind, name in NAMED.findall(command)}
    assert named or path.parent.name == "overlays"
    assert [one for one in sorted(named) if not installation.has(*one)] == []
    secrets = {
        name for command in commands(path) for name in re.findall(r"\bsecret (?:generic )?([a-z-]+)", command)
    } - {"generic", "docker-registry"}
    assert secrets <= OF_BOOTSTRAP | {"storage"}  # people make the Secret `storage`
    components = {name for command in commands(path) for name in re.findall(r"/component=([a-z-]+)", command)}
    assert components <= {pod.part for pod in installation.pods}


def test_claims_are_those_of_the_manifests() -> None:
    named = {
        name for path in DOCUMENTS for command in commands(path) for name in re.findall(r"\bpvc ([a-z0-9-]+)", command)
    }
    templates = {
        f"{template['metadata']['name']}-{owner['metadata']['name']}-0"
        for owner in base().of("StatefulSet")
        for template in owner["spec"].get("volumeClaimTemplates", ())
    }
    assert named
    assert named <= templates, "a claim with a file of its own is changed there, or the next apply would shrink it"


def test_claims_with_a_file_of_their_own_are_enlarged_there() -> None:
    text = " ".join(DOCUMENTS[0].read_text().split())
    named = {
        claim["metadata"]["name"] for path in files() if f"`deploy/k8s/{path.name}`" in text for claim in claims(path)
    }
    assert named >= {"shared", "backups"}


def claims(path: Path) -> list[Document]:
    """The claims in a file of the installation."""
    return [each for each in all_parsed(path.read_text()) if each["kind"] == "PersistentVolumeClaim"]


def test_forwarded_ports_are_those_of_the_service_or_the_pod() -> None:
    found = [
        match.groups()
        for path in DOCUMENTS
        for command in commands(path)
        for match in re.finditer(r"port-forward (svc|service|deployment)/([a-z-]+) (?:\d+:)?(\d+)", command)
    ]
    assert len(found) >= 3
    for kind, name, port in found:
        if kind == "deployment":
            ports = {each["containerPort"] for one in base().pod(name).main for each in one["ports"]}
        else:
            ports = {each["port"] for each in base().one("Service", name)["spec"]["ports"]}
        assert int(port) in ports, name


def test_a_port_of_this_machine_leads_to_one_service_in_every_document() -> None:
    """Two commands of two documents may run at once."""
    pattern = r"port-forward (?:svc|service|deployment)/([a-z-]+) (\d+)"
    found = {match for path in DOCUMENTS for command in commands(path) for match in re.findall(pattern, command)}
    ports = [port for _, port in found]
    assert len(ports) == len(set(ports)), found


def test_folders_looked_at_in_a_pod_are_mounted_there() -> None:
    found = [
        (part, folder)
        for path in DOCUMENTS
        for command in commands(path)
        for part, rest in re.findall(r"exec deployment/([a-z-]+) -- (.*)", command)
        for folder in re.findall(r"/(?:var/lib|etc)/imagomortis/[a-z]+", rest)
    ]
    assert {part for part, _ in found} == {"dagster-webserver", "pusher", "uploader"}
    for part, folder in found:
        mounts = {mount["mountPath"] for one in base().pod(part).main for mount in one["volumeMounts"]}
        assert folder in mounts, (part, folder)


@pytest.mark.parametrize("part", ["pusher", "api"])
def test_a_part_in_which_the_command_line_is_called_has_what_it_needs(part: str) -> None:
    """The doctor looks at both databases and the spool; the rest asks the API with its token."""
    pod = base().pod(part)
    calls = [command for path in DOCUMENTS for command in commands(path) if f"exec deployment/{part} -- " in command]
    assert any("imagomortis" in call.partition(" -- ")[2] for call in calls)
    assert pod.namespace == NAMESPACE
    if part == "pusher":
        assert {"database", "dagster-database"} <= pod.references("secret")
        assert pod.labels["imagomortis/uses-postgres"] == "true"
    else:
        (container,) = pod.main
        assert "access" in pod.references("secret")
        assert 30081 in {port["containerPort"] for port in container["ports"]}

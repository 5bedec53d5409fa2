"""One version, wherever it stands."""

from __future__ import annotations

import re

from imagomortis import version
from tests.deploy.manifests import DEPLOY, ROOT, Installation, base, texts


def test_the_projects_version_is_the_packages() -> None:
    assert f'\nversion = "{version()}"\n' in (ROOT / "pyproject.toml").read_text()


def test_every_file_names_the_images_of_this_version() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), tag)
        for path, text in texts().items()
        for tag in re.findall(r"\bimagomortis(?:-webui)?:(\d[\w.-]*)", text)
    }
    assert {tag for _, tag in found} == {version()}, found
    assert {"deploy/images/Dockerfile", "deploy/k8s/30-pusher.yaml"} <= {path for path, _ in found}


def test_images_are_labelled_with_it_by_default() -> None:
    for name in ("Dockerfile", "webui.Dockerfile"):
        assert f"\nARG VERSION={version()}\n" in (DEPLOY / "images" / name).read_text()


def test_jobs_of_the_installation_carry_it_in_their_name(installation: Installation) -> None:
    """A Job cannot be changed by `kubectl apply`, so each version has its own."""
    names = [job["metadata"]["name"] for job in installation.of("Job")]
    number = version().replace(".", "-")
    jobs = ("bootstrap", "migrate", "backup-claim")
    assert {name.removesuffix(f"-{installation.name}") for name in names} == {f"{job}-{number}" for job in jobs}


def test_dagsters_configuration_carries_it_in_its_name(installation: Installation) -> None:
    """Runs that the scheduler of the version before starts after `kubectl apply` read the configuration of theirs."""
    name = f"dagster-{version().replace('.', '-')}"
    assert installation.dagster_config["metadata"]["name"] == name
    assert installation.dagster["run_launcher"]["config"]["instance_config_map"] == name
    readers = {
        pod.part: found
        for pod in installation.pods
        if (found := {one for one in pod.references("configMap") if one.startswith("dagster")})
    }
    assert readers == {part: {name} for part in ("migrate", "pusher", "scheduler", "dagster-webserver")}


def test_a_variant_that_changes_a_job_has_one_of_its_own(installation: Installation) -> None:
    """So that it can be applied over another one of the same version."""
    plain = {job["metadata"]["name"]: job for job in base().of("Job")}
    same = {job["metadata"]["name"]: job for job in installation.of("Job") if job["metadata"]["name"] in plain}
    assert same.items() <= plain.items()


def test_the_next_version_removes_no_data() -> None:
    kept = {
        (document["kind"], document["metadata"]["name"])
        for document in base().documents
        if document["metadata"]["labels"].get("imagomortis/data") == "keep"
    }
    claims = {("PersistentVolumeClaim", claim["metadata"]["name"]) for claim in base().of("PersistentVolumeClaim")}
    assert kept == {("Namespace", "imagomortis")} | claims
    templates = base().one("StatefulSet", "postgres")["spec"]["volumeClaimTemplates"]
    assert {template["metadata"]["labels"]["imagomortis/data"] for template in templates} == {"keep"}


def test_everything_is_named_as_part_of_the_installation(installation: Installation) -> None:
    namespaces = {namespace["metadata"]["name"] for namespace in installation.of("Namespace")}
    for document in installation.documents:
        assert document["metadata"]["labels"]["app.kubernetes.io/name"] == "imagomortis", document["metadata"]
        is_of_the_cluster = document["kind"] == "Namespace" or document["kind"].startswith("ValidatingAdmissionPolicy")
        assert is_of_the_cluster or document["metadata"]["namespace"] in namespaces

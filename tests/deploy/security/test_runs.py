"""What a run may choose of its pods: nothing by its tags, whatever Dagster would take."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.deploy.manifests import DEPLOY, Document, Installation, base

if TYPE_CHECKING:
    from dagster_k8s.launcher import K8sRunLauncher

KUBECONFIG = {
    "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "none", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "current-context": "none",
}


@pytest.fixture
def launcher(tmp_path: Path) -> K8sRunLauncher:
    """The launcher of the manifests, which reaches no cluster."""
    from dagster._config import process_config  # 1,600 ms, in each process that collects this file
    from dagster_k8s.launcher import K8sRunLauncher

    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(KUBECONFIG))
    given = base().dagster["run_launcher"]["config"]
    config = {**given, "load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    processed = process_config(K8sRunLauncher.config_type(), config)
    assert processed.success, processed.errors
    return K8sRunLauncher.from_config_value(None, processed.value)


@pytest.mark.parametrize(
    ("part", "given"),
    [
        ("container_config", {"image": "evil.example/image:1"}),
        ("container_config", {"env_from": [{"secret_ref": {"name": "access"}}]}),
        ("container_config", {"env": [{"name": "LD_PRELOAD", "value": "/tmp/x"}]}),
        ("container_config", {"command": ["sh", "-c", "id"]}),
        ("pod_spec_config", {"service_account_name": "bootstrap"}),
        ("pod_spec_config", {"affinity": {"node_affinity": {}}}),
        ("pod_spec_config", {"volumes": [{"name": "s", "secret": {"secret_name": "access"}}]}),
        ("pod_template_spec_metadata", {"labels": {"imagomortis/uses-pusher": "true"}}),
        ("job_spec_config", {"backoff_limit": 100}),
    ],
)
def test_a_tag_chooses_nothing_of_a_runs_pod(launcher: K8sRunLauncher, part: str, given: dict[str, Any]) -> None:
    from dagster import DagsterRun
    from dagster_k8s.container_context import K8sContainerContext

    run = DagsterRun(job_name="process_images", tags={"dagster-k8s/config": json.dumps({part: given})})
    with pytest.raises(Exception, match=rf"violated the allowed list: {part}\.{next(iter(given))}"):
        K8sContainerContext.create_for_run(run, launcher, include_run_tags=True)


def policy() -> Document:
    (found,) = base().of("ValidatingAdmissionPolicy")
    return dict(found["spec"])


def test_the_admission_policy_is_in_force(installation: Installation) -> None:
    (binding,) = installation.of("ValidatingAdmissionPolicyBinding")
    assert binding["spec"] == {"policyName": "imagomortis-jobs", "validationActions": ["Deny"]}
    assert installation.one("ValidatingAdmissionPolicy", "imagomortis-jobs")["spec"]["failurePolicy"] == "Fail"


def test_the_admission_policy_knows_what_the_launcher_gives_to_runs() -> None:
    """Its expressions are evaluated by the tests on a cluster; here they name the same things."""
    text = " ".join(one["expression"] for one in policy()["validations"])
    launcher = base().dagster["run_launcher"]["config"]
    command = launcher["run_k8s_config"]["container_config"]["command"]
    assert str(command) in text
    for name in [*launcher["env_config_maps"], "database", "dagster-database", "storage"]:
        assert f"'{name}'" in text
    (pattern,) = re.findall(r"configMap\.name\.matches\('(.*?)'\)", text)
    for name in (launcher["instance_config_map"], "dagster", "dagster-0-0-9", "database-ca"):
        assert re.match(pattern, name), "an upgrade must not end runs of the version before"
    for name in ("dagster-database", "imagomortis", "my-dagster-0-1-0"):
        assert not re.match(pattern, name)


def test_runs_may_have_the_image_of_the_pusher(installation: Installation) -> None:
    namespace = installation.one("Namespace", "imagomortis")
    assert namespace["metadata"]["annotations"]["imagomortis/image"] == installation.pod("pusher").main[0]["image"]


def test_fluent_bit_sees_the_nodes_log_files_and_writes_to_a_folder_of_its_own(installation: Installation) -> None:
    pod = installation.pod("fluent-bit")
    paths = {one["name"]: one["hostPath"]["path"] for one in pod.spec["volumes"] if "hostPath" in one}
    assert set(paths.values()) == {"/var/log/pods", "/var/log/containers", "/var/lib/docker/containers", "/var/tmp"}
    mounts = {one["name"]: one for one in pod.main[0]["volumeMounts"] if one["name"] in paths}
    assert mounts.pop("state")["subPath"] == "imagomortis-fluent-bit"
    assert all(one["readOnly"] and one["mountPath"] == paths[one["name"]] for one in mounts.values())


def test_pod_security_is_audited_where_it_is_enforced(installation: Installation) -> None:
    for namespace in installation.of("Namespace"):
        labels = namespace["metadata"]["labels"]
        assert {"enforce", "warn", "audit"} <= {name.rpartition("/")[2] for name in labels}, namespace["metadata"]


def test_the_script_closes_each_policy_that_opens_the_api_servers_ports() -> None:
    text = (DEPLOY / "close-api-server").read_text()
    opening = [
        policy["metadata"]
        for policy in base().of("NetworkPolicy")
        for rule in policy["spec"].get("egress", ())
        if {443, 6443} <= {one["port"] for one in rule["ports"]}
    ]
    assert {one["namespace"] for one in opening} == {"imagomortis", "imagomortis-logging"}
    for one in opening:
        assert f"--namespace {one['namespace']} patch networkpolicy {one['name']} " in text

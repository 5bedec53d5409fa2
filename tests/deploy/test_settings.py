"""The ConfigMaps: settings that exist, and the same Dagster as on one machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from tests.deploy.manifests import DEPLOY, ROOT, Installation, Pod, base, files, parsed

NOT_OURS = {"DAGSTER_STEP_DELEGATING_EXECUTOR_SLEEP_SECONDS", "PGSSLROOTCERT"}
"""Variables that Dagster itself and libpq read."""

DIFFERENT_IN_A_CLUSTER = {"run_launcher", "run_monitoring", "compute_logs", "local_artifact_storage"}


MOST_CONNECTIONS = 200
"""Of Postgres in the cluster."""


def instance_on_one_machine() -> dict[str, Any]:
    return dict(parsed((ROOT / "dagster.yaml").read_text()))


def test_every_setting_exists(installation: Installation) -> None:
    names = {f"IMAGOMORTIS_{name.upper()}" for name in Settings.model_fields} | NOT_OURS
    assert set(installation.settings) <= names


def test_the_settings_can_be_read(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in without_files(installation):
        monkeypatch.setenv(name, value)
    settings = Settings.read(token="of-sixteen-letters-and-more")
    assert not settings.is_loopback
    assert settings.executor == "kubernetes"
    assert settings.max_workers == int(installation.settings["IMAGOMORTIS_MAX_WORKERS"])


def without_files(installation: Installation) -> list[tuple[str, str]]:
    """The variables, without the folder that only a pod has."""
    return [(name, value) for name, value in installation.settings.items() if name != "IMAGOMORTIS_SECRETS"]


def test_a_token_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in without_files(base()):
        monkeypatch.setenv(name, value)
    assert Settings.read(token="of-sixteen-letters-and-more").required_token == "of-sixteen-letters-and-more"


def test_those_that_ask_for_the_token_have_it(installation: Installation) -> None:
    for part in ("api", "uploader"):
        assert secrets(installation.pod(part))["access"] == [{"key": "token", "path": "IMAGOMORTIS_TOKEN"}]


def test_secrets_are_files_where_the_parts_look_for_them(installation: Installation) -> None:
    folder = installation.settings["IMAGOMORTIS_SECRETS"]
    for pod in installation.pods:
        for container in pod.containers:
            assert "secretRef" not in str(container.get("envFrom")), pod.part
            assert "secretKeyRef" not in str(container.get("env")), pod.part
            if reads_settings(pod):
                assert {"name": "secrets", "mountPath": folder, "readOnly": True} in container["volumeMounts"], pod.part
        if reads_settings(pod):
            assert secrets(pod).keys() == pod.references("secret"), pod.part


def secrets(pod: Pod) -> dict[str, Any]:
    """The Secrets in the folder of a pod's secrets, and the names of their files, if those are not their keys."""
    (volume,) = [one for one in pod.spec["volumes"] if one["name"] == "secrets"]
    return {one["secret"]["name"]: one["secret"].get("items") for one in volume["projected"]["sources"]}


def test_dagster_is_the_one_of_one_machine_but_for_where_runs_and_their_logs_are_and_how_long_they_start(
    installation: Installation,
) -> None:
    here, there = instance_on_one_machine(), installation.dagster
    differing = {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}
    assert differing == DIFFERENT_IN_A_CLUSTER


def test_dagster_ends_no_run_that_the_pusher_still_waits_for(installation: Installation) -> None:
    with pytest.raises(ConfigurationError, match="IMAGOMORTIS_START_SECONDS"):
        Settings.read(start_seconds=installation.dagster["run_monitoring"]["start_timeout_seconds"] + 1)


def test_the_workspace_is_the_pushers_service(installation: Installation) -> None:
    there = parsed(installation.dagster_config["data"]["workspace.yaml"])
    here = parsed((ROOT / "workspace.yaml").read_text())
    (server,) = [entry["grpc_server"] for entry in there["load_from"]]
    (local,) = [entry["grpc_server"] for entry in here["load_from"]]
    assert server["location_name"] == local["location_name"]
    (port,) = installation.one("Service", server["host"])["spec"]["ports"]
    assert server["port"] == port["port"]


def test_runs_find_the_instance_that_launched_them(installation: Installation) -> None:
    launcher = installation.dagster["run_launcher"]["config"]
    assert installation.has("ConfigMap", launcher["instance_config_map"])
    (pusher,) = installation.pod("pusher").main
    mounted = {mount["name"]: mount["mountPath"] for mount in pusher["volumeMounts"]}
    assert launcher["dagster_home"] == mounted["dagster"]
    assert launcher["job_namespace"] == installation.one("Namespace", "imagomortis")["metadata"]["name"]


def test_postgres_takes_the_connections_that_the_runbook_reckons_with(installation: Installation) -> None:
    most, least = (int(installation.settings[f"IMAGOMORTIS_{name}_WORKERS"]) for name in ("MAX", "MIN"))
    settings = Settings.read(token="of-sixteen-letters-and-more")
    replicas = installation.one("Deployment", "api")["spec"].get("replicas", 1)
    workers, others = (most + least + 2) * 7, settings.database_connections * (replicas + 1) + 75
    assert workers + others <= MOST_CONNECTIONS
    for pod in installation.pods:
        if pod.part == "postgres":  # an overlay may leave it to a server of one's own
            assert f"max_connections={MOST_CONNECTIONS}" in pod.main[0]["args"]


def test_parts_that_use_a_database_can_verify_its_server(installation: Installation) -> None:
    certificates = Path(installation.settings["PGSSLROOTCERT"])
    users = [pod for pod in installation.pods if "database" in pod.references("secret") and pod.part != "bootstrap"]
    assert {"api", "pusher", "image-task", "migrate", "backup"} <= {pod.part for pod in users}
    for pod in users:
        assert {"name": "database-ca", "configMap": {"name": "database-ca", "optional": True}} in pod.spec["volumes"]
        for container in pod.containers:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert mounts[str(certificates.parent)] == "database-ca", pod.part


def test_a_change_of_settings_replaces_the_pods_that_read_them(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "k8s", tmp_path / "k8s")
    shutil.copy(DEPLOY / "checksums", tmp_path)

    def changed() -> set[str]:
        subprocess.run([sys.executable, tmp_path / "checksums"], check=True)
        return {path.stem[3:] for path in files() if path.read_bytes() != (tmp_path / "k8s" / path.name).read_bytes()}

    assert changed() == set(), "deploy/checksums was not run after a change"
    settings = tmp_path / "k8s" / "03-settings.yaml"
    settings.write_text(settings.read_text().replace('IMAGOMORTIS_MAX_WORKERS: "2"', 'IMAGOMORTIS_MAX_WORKERS: "3"'))
    readers = {pod.part for pod in base().pods if pod.kind == "Deployment" and reads_settings(pod)}
    assert changed() == {"settings", *readers}


def reads_settings(pod: Pod) -> bool:
    return "imagomortis" in pod.references("configMap")


def test_other_settings_are_other_pods(installation: Installation) -> None:
    differs = installation.settings != base().settings
    for pod in installation.pods:
        if pod.kind == "Deployment" and reads_settings(pod):
            noted, plain = (noted_settings(one, pod.part) for one in (installation, base()))
            assert (noted != plain) == differs, pod.part


def noted_settings(installation: Installation, part: str) -> str:
    return str(
        installation.one("Deployment", part)["spec"]["template"]["metadata"]["annotations"]["imagomortis/settings"]
    )


def test_links_to_logs_lead_where_the_runbook_lets_grafana_be_reached(installation: Installation) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    port = installation.settings["IMAGOMORTIS_GRAFANA_URL"].removeprefix("http://localhost:")
    assert f"port-forward svc/grafana {port}:80" in runbook

"""Logging, dashboards and alerts: what can be known of them without the programs that they are for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import lupa
import pytest
from pydantic import BaseModel, ValidationError

from imagomortis_cli.machine.postgres import json_log
from tests.deploy.manifests import parsed
from tests.deploy.monitoring import schemas
from tests.deploy.monitoring.logql import parse
from tests.deploy.monitoring.sources import DEPLOY, alerts, config, manifests, panels, queries

DOCUMENTS = list(manifests())
LINE_FIELDS = {"time", "level", "part", "event", "image", "run", "attempt", "seconds", "error", "kind", "filename"}
REQUEST_FIELDS = {"path", "status", "method"}


def settings(text: str) -> dict[str, str]:
    """`a=$b, c=$d` of Fluent Bit's output."""
    return dict(pair.strip().split("=") for pair in text.split(","))


# --- manifests --------------------------------------------------------------------------------------------------------


def pod_specs() -> list[tuple[str, dict[str, Any]]]:
    return [
        (document["metadata"]["name"], document["spec"]["template"]["spec"])
        for _, document in manifests("[67]*.yaml")
        if "template" in document.get("spec", {})
    ]


@pytest.mark.parametrize(("name", "pod"), pod_specs(), ids=[name for name, _ in pod_specs()])
def test_every_pod_of_monitoring_is_confined(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert re.fullmatch(r"imagomortis:[\d.]+|[\w./-]+:\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", container["image"])
        assert {"requests", "limits"} == container["resources"].keys()
        assert {"livenessProbe", "readinessProbe"} <= container.keys()


def test_volumes_name_config_maps_that_are_there() -> None:
    known = {
        (document["metadata"]["namespace"], document["metadata"]["name"])
        for _, document in DOCUMENTS
        if document["kind"] == "ConfigMap"
    }
    for _, document in manifests("[67]*.yaml"):
        for volume in document.get("spec", {}).get("template", {}).get("spec", {}).get("volumes", []):
            if "configMap" in volume and not volume["configMap"].get("optional"):
                assert (document["metadata"]["namespace"], volume["configMap"]["name"]) in known


def test_only_the_log_reader_leaves_the_restricted_namespace() -> None:
    namespaces = {document["metadata"].get("namespace") for _, document in manifests("7[1-3]*.yaml")}
    assert namespaces == {"imagomortis", "imagomortis-logging"}
    outside = [d["kind"] for _, d in manifests("7*.yaml") if d["metadata"].get("namespace") == "imagomortis-logging"]
    assert "Deployment" not in outside
    assert outside.count("DaemonSet") == 1


def test_generated_files_are_current() -> None:
    command = [sys.executable, DEPLOY / "dashboards" / "generate.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        ("fluent-bit.yaml", schemas.FluentBit),
        ("loki.yaml", schemas.LokiConfig),
        ("datasources.yaml", schemas.DataSources),
        ("dashboards.yaml", schemas.Providers),
    ],
)
def test_configuration_follows_its_schema(file: str, schema: type[BaseModel]) -> None:
    schema.model_validate(config(file))


def test_the_schemas_find_a_misspelt_key() -> None:
    broken = config("fluent-bit.yaml")
    broken["pipeline"]["inputs"][0]["mem_buf_limits"] = "5M"
    with pytest.raises(ValidationError, match="mem_buf_limits"):
        schemas.FluentBit.model_validate(broken)


def test_fluent_bit_writes_only_where_its_pod_lets_it() -> None:
    [pod] = [pod for name, pod in pod_specs() if name == "fluent-bit"]
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in pod["containers"][0]["volumeMounts"]}
    found = config("fluent-bit.yaml")
    for path in (found["service"]["storage.path"], found["pipeline"]["inputs"][0]["db"]):
        assert [read_only for mount, read_only in mounts.items() if path.startswith(f"{mount}/")] == [False]
    [lua] = [each for each in found["pipeline"]["filters"] if each["name"] == "lua"]
    assert Path(lua["script"]).parent.as_posix() in mounts


def test_lines_wait_on_the_nodes_disk_which_outlives_the_pod() -> None:
    [pod] = [pod for name, pod in pod_specs() if name == "fluent-bit"]
    [state] = [volume for volume in pod["volumes"] if volume["name"] == "state"]
    [mount] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "state"]
    assert state["hostPath"] == {"path": "/var/tmp", "type": "Directory"}
    assert mount["subPath"] == "imagomortis-fluent-bit"
    assert config("fluent-bit.yaml")["pipeline"]["outputs"][0]["storage.total_limit_size"] == "1G"


def test_lines_in_memory_leave_fluent_bit_room_within_its_limit() -> None:
    """A chunk has 2 MB, which is in memory once more as what is sent."""
    [pod] = [pod for name, pod in pod_specs() if name == "fluent-bit"]
    limit = int(pod["containers"][0]["resources"]["limits"]["memory"].removesuffix("Mi"))
    service = schemas.FluentBit.model_validate(config("fluent-bit.yaml")).service
    backlog = int(service.storage__backlog__mem_limit.removesuffix("M"))
    assert service.storage__max_chunks_up * 2 * 2 + backlog <= limit / 2


def test_lines_reach_loki_soon_after_its_return_however_late_they_are() -> None:
    service = schemas.FluentBit.model_validate(config("fluent-bit.yaml")).service
    limits = schemas.LokiConfig.model_validate(config("loki.yaml")).limits_config
    assert service.scheduler__base < service.scheduler__cap <= 30
    assert limits.shard_streams.time_sharding_enabled
    labels = settings(config("fluent-bit.yaml")["pipeline"]["outputs"][0]["labels"])
    shards = {"__time_shard__", "__stream_shard__"}
    assert len(labels) + len(shards) <= limits.max_label_names_per_series


def test_lines_are_read_as_each_container_runtime_writes_them() -> None:
    """Also those of Docker, whose files the links lead to."""
    [tail] = config("fluent-bit.yaml")["pipeline"]["inputs"]
    assert [each.strip() for each in tail["multiline.parser"].split(",")] == ["docker", "cri"]
    [pod] = [pod for name, pod in pod_specs() if name == "fluent-bit"]
    mounts = {each["mountPath"] for each in pod["containers"][0]["volumeMounts"] if each.get("readOnly")}
    assert mounts >= {"/var/log/containers", "/var/log/pods", "/var/lib/docker/containers"}


def test_every_line_waits_on_the_disk_also_those_that_a_filter_emits_anew() -> None:
    found = schemas.FluentBit.model_validate(config("fluent-bit.yaml")).pipeline
    emitters = [each for each in found.filters if isinstance(each, schemas.Multiline) and each.buffer]
    assert {each.storage__type for each in found.inputs} == {"filesystem"}
    assert [each.emitter_storage__type for each in emitters] == ["filesystem"]


def test_there_are_few_labels_and_none_with_many_values() -> None:
    labels = settings(config("fluent-bit.yaml")["pipeline"]["outputs"][0]["labels"])
    assert labels.keys() == {"job", "namespace", "part", "level", "node"}


def test_every_loki_path_is_on_its_volume() -> None:
    found = config("loki.yaml")
    paths = [found["common"]["path_prefix"], found["compactor"]["working_directory"]]
    paths += found["common"]["storage"]["filesystem"].values()
    [pod] = [pod for name, pod in pod_specs() if name == "loki"]
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert "/var/lib/loki" in mounts
    assert all(path.startswith("/var/lib/loki") for path in paths)


# --- lines, by the filter that Fluent Bit runs ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def normalize() -> Any:
    """The filter in Lua: from a record to a record."""
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    lua.execute((DEPLOY / "logging" / "normalize.lua").read_text())

    def call(record: dict[str, Any], component: str = "api") -> dict[str, Any]:
        pod = {
            "namespace_name": "imagomortis",
            "pod_name": "a-pod",
            "host": "a-node",
            "container_name": "main",
            "labels": {"app.kubernetes.io/component": component},
        }
        given = lua.table_from({**record, "kubernetes": pod}, recursive=True)
        code, _, found = lua.globals().normalize("kube.x", 1_795_557_000.5, given)
        assert code == 2  # it changed the record and left the time
        return dict(found.items())

    return call


COMMON = {"namespace": "imagomortis", "pod": "a-pod", "node": "a-node"}


def test_a_line_of_ours_stays_as_it_is(normalize: Any) -> None:
    line = {"time": "t", "level": "warning", "part": "image-task", "event": "failed", "image": "i", "attempt": 2}
    assert normalize(line, "run") == {**line, **COMMON}


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026/11/24 21:50:46 [error] 42#42: *1 open() failed\n", "error"),
        ("[2026/11/24 21:50:46] [ warn] [output:loki:loki.0] retry", "warning"),
        ("2026/11/24 21:50:46 [emerg] 1#1: no config", "critical"),
        ("Traceback (most recent call last):\n  File x\nValueError: no", "error"),
        ("Segmentation fault", "info"),
    ],
)
def test_text_becomes_an_event_of_the_pods_part(normalize: Any, text: str, level: str) -> None:
    found = normalize({"log": text}, "webui")
    assert (found["part"], found["level"], found["event"]) == ("webui", level, text.rstrip())
    assert found["time"].startswith("2026-11-24T")
    assert "log" not in found


@pytest.mark.parametrize(
    ("line", "component"),
    [
        ({"level": "warn", "ts": "2026-11-24T21:50:46Z", "caller": "x.go:1", "msg": "slow"}, "loki"),
        ({"level": "warn", "t": "2026-11-24T21:50:46Z", "logger": "x", "msg": "slow"}, "grafana"),
    ],
)
def test_lines_of_others_get_our_names(normalize: Any, line: dict[str, Any], component: str) -> None:
    found = normalize(line, component)
    assert (found["part"], found["level"], found["event"]) == (component, "warning", "slow")
    assert found["time"] == "2026-11-24T21:50:46Z"
    assert not {"msg", "ts", "t"} & found.keys()


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-24 21:50:46.123 UTC 42 22012 ERROR:  division by zero",
        "2026-11-24 21:50:46.123 UTC 42 00000 LOG:  checkpoint complete",
        '2026-11-24 21:50:46.123 UTC 42 42703 ERROR:  column "x\\y" does not exist',
        "2026-11-24 21:50:46.123 UTC 42 00000 DEBUG1:  hello",
        "2026-11-24 21:50:46.123 UTC 42 57P01 FATAL:  terminating connection",
        "2026-11-24 21:50:46.123 UTC 42 XX000 PANIC:  no",
    ],
)
def test_postgres_writes_the_same_lines_in_the_cluster_as_on_one_machine(line: str) -> None:
    assert json.loads(through_sed(line)) == json.loads(json_log.as_json(line))


def test_every_line_of_the_postgres_container_is_json() -> None:
    assert json.loads(through_sed('The "files"\tbelong \\ to \x1b[1mme'))["part"] == "postgres"


def through_sed(line: str) -> str:
    [script] = [
        document["data"]["json.sed"]
        for _, document in DOCUMENTS
        if (document["kind"], document["metadata"]["name"]) == ("ConfigMap", "postgres")
    ]
    done = subprocess.run(["sed", "-u", "-E", script], input=line + "\n", capture_output=True, text=True, check=True)
    return done.stdout


def test_postgres_is_told_the_same_of_its_log_in_the_cluster_as_on_one_machine() -> None:
    [args] = [
        document["spec"]["template"]["spec"]["containers"][0]["args"]
        for _, document in DOCUMENTS
        if document["kind"] == "StatefulSet" and document["metadata"]["name"] == "postgres"
    ]
    given = dict(word.split("=", 1) for word in args[1::2])
    for name in ("log_line_prefix", "log_timezone", "log_error_verbosity", "log_min_error_statement"):
        assert given[name] == json_log.SETTINGS[name]
    assert given["log_parameter_max_length"] == "0"


# --- dashboards -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", queries("loki").values(), ids=queries("loki"))
def test_a_query_of_logs_uses_labels_and_fields_that_fluent_bit_sends(query: str) -> None:
    output = config("fluent-bit.yaml")["pipeline"]["outputs"][0]
    labels, metadata = settings(output["labels"]), settings(output["structured_metadata"])
    found = parse(query)
    assert {name for name, _, _ in found.labels} <= labels.keys()
    known = metadata.keys() | labels.keys() | (LINE_FIELDS | REQUEST_FIELDS if found.parses_json else set())
    assert found.fields <= known


def test_every_panel_names_a_data_source_that_is_provisioned() -> None:
    known = {each["uid"] for each in config("datasources.yaml")["datasources"]}
    assert {panel["datasource"]["uid"] for _, panel, _ in panels()} == known


def test_grafana_opens_on_a_board_that_needs_no_prometheus() -> None:
    [pod] = [pod for name, pod in pod_specs() if name == "grafana"]
    [home] = [one["value"] for one in pod["containers"][0]["env"] if one["name"].endswith("HOME_DASHBOARD_PATH")]
    sources = {panel["datasource"]["type"] for place, panel, _ in panels() if place.startswith(f"{Path(home).stem}:")}
    assert sources == {"loki"}


def test_every_part_has_a_table_of_its_logs() -> None:
    parts = {
        document["metadata"]["labels"]["app.kubernetes.io/component"]
        for file, document in DOCUMENTS
        if document["kind"] in {"Deployment", "StatefulSet"} and not file.startswith("7")
    }
    titles = {panel["title"] for place, panel, _ in panels() if place.startswith("logs")}
    assert parts <= titles


# --- alerts -----------------------------------------------------------------------------------------------------------

ALERT_TESTS = sorted((DEPLOY / "alerts").glob("*.test.yaml"))


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program of that name, from Debian's package of Prometheus, which need not be installed."""
    if found := shutil.which("promtool"):
        return found
    folder = tmp_path_factory.mktemp("prometheus")
    download = ["apt-get", "download", "-qq", "prometheus"]
    if subprocess.run(download, cwd=folder, check=False, timeout=100, capture_output=True).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=100, capture_output=True)
        subprocess.run(download, cwd=folder, check=True, timeout=100, capture_output=True)
    [package] = folder.glob("prometheus_*.deb")
    subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True)
    return str(folder / "unpacked" / "usr" / "bin" / "promtool")


@pytest.mark.slow
def test_the_alerts_are_rules_of_prometheus_and_fire_when_they_should(promtool: str) -> None:
    tests = [path.name for path in ALERT_TESTS]
    for words in (["check", "rules", "imagomortis.rules.yaml"], ["test", "rules", *tests]):
        done = subprocess.run([promtool, *words], cwd=DEPLOY / "alerts", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    tests = [test for path in ALERT_TESTS for test in parsed(path.read_text())["tests"]]
    fired = {each["alertname"] for test in tests for each in test["alert_rule_test"] if each["exp_alerts"]}
    assert fired == {rule["alert"] for rule in alerts()}


def test_every_alert_leads_to_its_section_of_the_runbook() -> None:
    text = (DEPLOY.parent / "docs" / "runbook.md").read_text()
    sections = dict(re.findall(r"^## (ImagoMortis\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == {rule["alert"] for rule in alerts()}
    for rule in alerts():
        assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert all(f"**{word}**" in sections[rule["alert"]] for word in ("Means", "Look", "Do"))


def test_the_prometheus_operator_gets_the_same_alerts() -> None:
    overlay = parsed((DEPLOY / "overlays" / "monitoring" / "rules.yaml").read_text())
    assert [rule for group in overlay["spec"]["groups"] for rule in group["rules"]] == alerts()


def test_the_links_of_the_alerts_lead_to_where_the_runbook_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DEPLOY / "dashboards"))
    import generate

    made = parsed(generate.rules("https://wiki.example/runbook"))
    for group in made["spec"]["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["runbook_url"] == f"https://wiki.example/runbook#{rule['alert'].lower()}"


def test_the_overlay_fetches_metrics_from_ports_that_are_there_and_open() -> None:
    folder = DEPLOY / "overlays" / "monitoring"
    policy = parsed((folder / "network-policy.yaml").read_text())["spec"]
    monitor = parsed((folder / "pod-monitor.yaml").read_text())["spec"]
    components = monitor["selector"]["matchExpressions"][0]["values"]
    assert policy["podSelector"]["matchExpressions"][0]["values"] == components
    ports = {
        port["containerPort"]
        for _, document in DOCUMENTS
        if document["kind"] == "Deployment" and document["metadata"]["name"] in components
        for port in document["spec"]["template"]["spec"]["containers"][0]["ports"]
        if port["name"] == monitor["podMetricsEndpoints"][0]["port"]
    }
    assert ports == {rule["port"] for rule in policy["ingress"][0]["ports"]}

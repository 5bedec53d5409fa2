"""What must be refused in the cluster, each by trying it: rights, pods, connections, and requests without the token."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any
from uuid import uuid4

import httpx
import pytest

from imagomortis_http.callers.session import COOKIE
from tests.support.pictures import photo
from tests.whole_system.cluster.install.test_installation import serving
from tests.whole_system.cluster.installation import (
    HOST,
    INGRESS,
    LOGGING,
    MANIFESTS,
    NAMESPACE,
    NODE_PORTS,
    Installation,
    Refused,
    kubectl,
    until,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

LAUNCHER = {
    ("batch/jobs", "create get delete"),
    ("batch/jobs/status", "get"),
    ("pods", "get list delete"),
    ("pods/log", "get"),
    ("events", "list"),
}
RIGHTS: dict[str, set[tuple[str, str]]] = {
    "bootstrap": {("secrets", "create"), ("secrets", "get")},
    "scheduler": LAUNCHER,
    "run": LAUNCHER,
    "dagster-webserver": {("batch/jobs", "get delete"), ("batch/jobs/status", "get"), ("pods", "get list delete")},
    "pusher": {("batch/jobs", "list delete")},
    **{part: set() for part in ("migrate", "postgres", "uploader", "image-task", "api", "webui")},
    **{part: set() for part in ("backup", "backup-claim")},
    **{part: set() for part in ("exporter", "loki", "grafana", "default")},
    f"{LOGGING}:fluent-bit": {("pods", "get")},
    f"{LOGGING}:default": set(),
}
"""Resources and verbs of each account in the installation's namespace, beside what Kubernetes lets everybody know of
itself; accounts of the other namespace are named with it."""


@pytest.fixture(scope="module")
def api_server(installation: Installation) -> Iterator[httpx.Client]:
    """A client of the API server, with the rights that kubectl has here."""
    with serving("proxy", "--port=0") as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


@pytest.mark.parametrize("place", [NAMESPACE, LOGGING, "default"])
@pytest.mark.parametrize("account", sorted(RIGHTS))
def test_an_account_may_do_what_its_part_needs_and_nothing_else(
    api_server: httpx.Client, account: str, place: str
) -> None:
    """As `kubectl auth can-i --list` tells it: in both namespaces that are ours, and in one that is not."""
    namespace, _, name = account.rpartition(":")
    answer = api_server.post(
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        headers={"Impersonate-User": f"system:serviceaccount:{namespace or NAMESPACE}:{name}"},
        json={"spec": {"namespace": place}},
    )
    found = {
        (f"{group}/{resource}".lstrip("/"), verb)
        for rule in answer.raise_for_status().json()["status"]["resourceRules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not resource.startswith("selfsubject")  # what everybody may ask
    }
    is_its_place = place == NAMESPACE or (namespace, place) == (LOGGING, LOGGING)
    rights = {(resource, verb) for resource, verbs in RIGHTS[account] for verb in verbs.split()}
    assert found == (rights if is_its_place else set())


def test_every_account_is_in_the_table(installation: Installation) -> None:
    """No account of both namespaces is left out, and none is named that is not there."""
    found = {one["metadata"]["name"] for one in installation.list("serviceaccounts")}
    words = ["get", "serviceaccounts", "--namespace", LOGGING, "-o", "json"]
    found |= {f"{LOGGING}:{one['metadata']['name']}" for one in json.loads(kubectl(*words))["items"]}
    assert found == set(RIGHTS)


@pytest.mark.parametrize("account", ["api", "uploader", "webui", "image-task", "postgres"])
def test_parts_outside_dagster_cannot_touch_jobs(installation: Installation, account: str) -> None:
    """Neither create nor delete them, nor read a Secret."""
    subject = f"--as=system:serviceaccount:{NAMESPACE}:{account}"
    with pytest.raises(Refused, match="forbidden"):
        installation.kubectl(subject, "create", "job", "mischief", "--image=imagomortis:0.1.0")
    with pytest.raises(Refused, match="forbidden"):
        installation.kubectl(subject, "delete", "jobs", "--all")
    with pytest.raises(Refused, match="forbidden"):
        installation.kubectl(subject, "get", "secret", "access")


@pytest.mark.parametrize(
    "spec",
    [
        {"hostNetwork": True},
        {"containers": [{"name": "one", "image": "imagomortis:0.1.0", "securityContext": {"privileged": True}}]},
        {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]},
        {},
    ],
    ids=["host network", "privileged", "host path", "root"],
)
def test_the_namespace_refuses_pods_that_are_not_restricted(
    installation: Installation, spec: dict[str, object]
) -> None:
    """Pod Security is enforced, not only warned of."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mischief"},
        "spec": {"containers": [{"name": "one", "image": "imagomortis:0.1.0"}], **spec},
    }
    with pytest.raises(Refused, match=r'violates PodSecurity "restricted'):
        installation.create(pod)


CONNECTIONS = {
    ("api", "postgres:5432"): "open",
    ("uploader", "postgres:5432"): "closed",
    ("webui", "postgres:5432"): "closed",
    ("api", "pusher:4000"): "closed",
    ("scheduler", "pusher:4000"): "open",
    ("scheduler", "api:30081"): "closed",
    ("webui", "api:30081"): "open",
    ("uploader", "api:30081"): "closed",
    ("webui", "dagster-webserver:80"): "closed",
}
"""From a part to a service."""


def test_only_named_connections_are_possible(installation: Installation) -> None:
    """Network policies are in force between pods."""
    with ThreadPoolExecutor() as threads:
        found = threads.map(lambda one: connection(installation, *one), CONNECTIONS)
        assert dict(zip(CONNECTIONS, found, strict=True)) == CONNECTIONS


def connection(installation: Installation, part: str, target: str) -> str:
    """Try to connect a part to a service, more than once if need be to one that it may reach; return how that ended."""
    name, port = target.split(":")
    address = installation.kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}")
    tries, seconds = (3, 15) if CONNECTIONS[part, target] == "open" else (1, 3)
    if part == "webui":  # its image has no Python
        words = ["bash", "-c", CONNECT_BY_CURL, "bash", f"http://{address}:{port}", str(seconds)]
    else:
        words = ["python", "-c", CONNECT, address, port, str(seconds)]
    for _ in range(tries):
        told = installation.kubectl("exec", f"deployment/{part}", f"--container={part}", "--", *words).strip()
        if told == "open":
            break
    return told


CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("open")
except OSError:
    print("closed")
"""
CONNECT_BY_CURL = """
count=$(curl --silent --max-time "$2" --output /dev/null --write-out '%{num_connects}' "$1")
[ "$count" = 1 ] && echo open
[ "$count" = 0 ] && echo closed
true
"""


@pytest.mark.parametrize("part", ["uploader", "api", "postgres"])
def test_parts_that_do_not_need_kubernetes_hold_no_token_for_it(installation: Installation, part: str) -> None:
    """Nothing is mounted."""
    what = "statefulset/postgres" if part == "postgres" else f"deployment/{part}"
    with pytest.raises(Refused, match="No such file"):
        installation.kubectl("exec", what, f"--container={part}", "--", "ls", "/var/run/secrets/kubernetes.io")


def test_a_steps_pod_holds_no_token_and_no_right(installation: Installation) -> None:
    """Runs create steps with an account that may do nothing, and without its token."""
    installation.upload(photo(64, 48, seed=11))
    pods = until(lambda: installation.list("pods", "app.kubernetes.io/component=image-task"), 180, "a step's pod")
    assert {pod["spec"]["serviceAccountName"] for pod in pods} == {"image-task"}
    assert not any(pod["spec"].get("automountServiceAccountToken", True) for pod in pods)
    assert not [v for pod in pods for v in pod["spec"]["volumes"] if v["name"].startswith("kube-api-access")]


EVIL = "evil.example/image:1"

LAUNCH = """
import json, sys
from click.testing import CliRunner
from dagster._cli.job import job_launch_command

ends = {}
for run, word in json.loads(sys.argv[1]).items():
    words = ["-w", "/etc/imagomortis/dagster/workspace.yaml", "-j", "process_images", f"--run-id={run}", word]
    ends[run] = str(CliRunner().invoke(job_launch_command, words).exception)
print(json.dumps(ends))
"""
"""`dagster job launch` several times, which imports Dagster once; tells how each ended."""

CONFIGS: list[dict[str, object]] = [
    {"job_image": EVIL},
    {"service_account_name": "bootstrap"},
    {"env_secrets": ["access"]},
    {"volumes": [{"name": "backups", "persistentVolumeClaim": {"claimName": "backups"}}]},
    {"step_k8s_config": {"container_config": {"image": EVIL}}},
]
TAGS: list[dict[str, object]] = [
    {"container_config": {"image": EVIL}},
    {"container_config": {"env_from": [{"secret_ref": {"name": "access"}}]}},
    {"pod_spec_config": {"service_account_name": "bootstrap"}},
    {"pod_spec_config": {"volumes": [{"name": "s", "secret": {"secret_name": "access"}}]}},
]


def by_config(given: dict[str, object]) -> str:
    return f"--config-json={json.dumps({'execution': {'config': given}})}"


def by_tags(given: dict[str, object]) -> str:
    return f"--tags={json.dumps({'dagster/partition': '2026-01-01-00:00', 'dagster-k8s/config': json.dumps(given)})}"


@pytest.fixture(scope="module")
def launched(installation: Installation) -> dict[str, tuple[str, str]]:
    """Each way to choose something of a pod, tried in the webserver's pod: its run, and how the launch ended."""
    words = {str(uuid4()): word for word in [*map(by_config, CONFIGS), *map(by_tags, TAGS)]}
    launch = ("exec", "deployment/dagster-webserver", "--", "python", "-c", LAUNCH, json.dumps(words))
    ends = json.loads(installation.kubectl(*launch, seconds=300))
    return {word: (run, ends[run]) for run, word in words.items()}


@pytest.mark.parametrize("given", CONFIGS)
def test_a_runs_configuration_chooses_nothing_of_its_pods(
    launched: dict[str, tuple[str, str]], given: dict[str, object]
) -> None:
    """Such a run is refused."""
    _, end = launched[by_config(given)]
    (name,) = given
    assert f'Received unexpected config entry "{name}" at path root:execution:config' in end


@pytest.mark.parametrize("given", TAGS)
def test_a_runs_tags_choose_nothing_of_its_pods(
    installation: Installation, launched: dict[str, tuple[str, str]], given: dict[str, object]
) -> None:
    """Such a run fails before there is a pod."""
    run, end = launched[by_tags(given)]
    assert end == "None"
    assert ended_without_a_job(installation, run)


def ended_without_a_job(installation: Installation, run: str) -> bool:
    """Wait for the end of a run; whether it failed without a Job."""
    statement = f"SELECT status FROM runs WHERE run_id = '{run}'"
    until(
        lambda: installation.sql(statement, "imagomortis_dagster") in ([["FAILURE"]], [["CANCELED"]]),
        300,
        lambda: str(installation.sql(statement, "imagomortis_dagster")),
    )
    return installation.list("jobs", f"dagster/run-id={run}") == []


SCHEDULER = "system:serviceaccount:imagomortis:scheduler"


@pytest.fixture(scope="module")
def job_of_a_run(installation: Installation) -> dict[str, Any]:
    """A Job as the scheduler made it, under another name."""
    installation.upload(photo(64, 48, seed=12))
    jobs = until(lambda: installation.list("jobs", "app.kubernetes.io/component=run"), 180, "a run has a Job")
    spec = jobs[-1]["spec"]
    spec.pop("selector")
    labels = spec["template"]["metadata"]["labels"]
    spec["template"]["metadata"]["labels"] = {name: one for name, one in labels.items() if "job-name" not in name}
    for name in ("controller-uid", "batch.kubernetes.io/controller-uid"):
        spec["template"]["metadata"]["labels"].pop(name, None)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "of-a-test"}, "spec": spec}


def try_to_make(installation: Installation, job: dict[str, Any], account: str) -> None:
    """Let the API server decide about a Job of an account, without making it."""
    installation.kubectl("create", f"--as={account}", "--dry-run=server", "-f", "-", stdin=json.dumps(job))


def test_the_scheduler_may_make_the_jobs_of_runs(installation: Installation, job_of_a_run: dict[str, Any]) -> None:
    try_to_make(installation, job_of_a_run, SCHEDULER)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image", EVIL),
        ("command", ["sh", "-c", "id"]),
        ("envFrom", [{"secretRef": {"name": "access"}}]),
        ("env", [{"name": "LD_PRELOAD", "value": "/tmp/x.so"}]),
        ("pod.serviceAccountName", "bootstrap"),
        ("pod.volumes", {"name": "dagster", "secret": {"secretName": "access"}}),
        ("pod.volumes", {"name": "secrets", "projected": {"sources": [{"secret": {"name": "access"}}]}}),
        ("pod.volumes", {"name": "spool", "persistentVolumeClaim": {"claimName": "shared"}}),
    ],
)
def test_the_scheduler_may_make_no_other_jobs(
    installation: Installation, job_of_a_run: dict[str, Any], path: str, value: Any
) -> None:
    """Though its role lets it create Jobs: the second line, if Dagster's own checks were passed by."""
    job = deepcopy(job_of_a_run)
    pod = job["spec"]["template"]["spec"]
    place = pod if path.startswith("pod.") else pod["containers"][0]
    if path == "pod.volumes":
        value = [*(one for one in pod["volumes"] if one["name"] != value["name"]), value]
    place[path.removeprefix("pod.")] = value
    with pytest.raises(Refused, match="ValidatingAdmissionPolicy 'imagomortis-jobs'"):
        try_to_make(installation, job, SCHEDULER)


def test_a_run_may_not_make_runs(installation: Installation, job_of_a_run: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="the scheduler makes runs"):
        try_to_make(installation, job_of_a_run, "system:serviceaccount:imagomortis:run")


def test_pods_can_be_let_reach_the_api_servers_addresses_alone(installation: Installation) -> None:
    """And those that need it still reach it."""
    try:
        subprocess.run([MANIFESTS.parent / "close-api-server"], check=True, capture_output=True)
        for namespace in (NAMESPACE, LOGGING):
            policy = json.loads(kubectl("-n", namespace, "get", "networkpolicy", "kubernetes", "-o", "json"))
            assert policy["spec"]["egress"]
            assert all(peer["ipBlock"] for rule in policy["spec"]["egress"] for peer in rule["to"])
        reach = "import os, socket; socket.create_connection((os.environ['KUBERNETES_SERVICE_HOST'], 443), 30)"
        installation.kubectl("exec", "deployment/pusher", "--container=pusher", "--", "python", "-c", reach)
    finally:
        installation.apply()


def test_the_image_has_no_tools_to_build_with(installation: Installation) -> None:
    look = "for tool in pip pip3 gcc cc make; do command -v $tool; done; python -c 'import pip' 2>&- && echo pip; true"
    assert installation.kubectl("exec", "deployment/api", "--", "sh", "-c", look) == ""


def test_every_pod_is_restricted_and_accounted_for(installation: Installation) -> None:
    """Of runs and steps, too: not root, a root file system that cannot be written, resources asked for."""
    for pod in installation.list("pods"):
        name = pod["metadata"]["name"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"], name
        assert pod["spec"]["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", name
        for container in pod["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], name
            assert container["securityContext"]["capabilities"]["drop"] == ["ALL"], name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name


ATTACKS = """
import ctypes, os, resource, signal, socket
from imagomortis.sandbox.confinement import confine

def read_a_file():
    try:
        open('/proc/1/environ')
    except PermissionError:
        os._exit(0)

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
libc = ctypes.CDLL(None)
ends = []
for attack in (
    read_a_file, socket.socket, os.fork, lambda: os.execv('/bin/true', ['true']), lambda: libc.ptrace(16, 1, 0, 0)
):
    pid = os.fork()
    if pid == 0:
        missing = confine()
        os._exit(1) if missing.keys() - {'landlock'} else attack()
        os._exit(2)
    ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(ends == [0] + [-signal.SIGSYS] * 4)
"""


@pytest.mark.parametrize("part", ["uploader", "api"])
def test_a_confined_process_in_a_pod_opens_and_starts_nothing(installation: Installation, part: str) -> None:
    """As on one machine, although the pod's own filter of system calls comes first."""
    told = installation.kubectl("exec", f"deployment/{part}", f"--container={part}", "--", "python", "-c", ATTACKS)
    assert told.strip() == "True"


@pytest.mark.parametrize("part", ["uploader", "api"])
def test_a_part_hides_its_environment_from_its_own_user(installation: Installation, part: str) -> None:
    with pytest.raises(Refused, match="Permission denied"):
        installation.kubectl("exec", f"deployment/{part}", f"--container={part}", "--", "cat", "/proc/1/environ")


@pytest.mark.parametrize("part", ["uploader", "api", "pusher", "scheduler", "dagster-webserver", "exporter"])
def test_a_part_has_no_secret_in_its_environment(installation: Installation, part: str) -> None:
    told = installation.kubectl("exec", f"deployment/{part}", f"--container={part}", "--", "env")
    assert "IMAGOMORTIS_SECRETS=" in told
    assert "PASSWORD" not in told
    assert "postgresql" not in told
    assert "IMAGOMORTIS_TOKEN=" not in told


def test_nobody_gets_in_without_the_token(installation: Installation) -> None:
    """At the ingress and at each node port, reading and writing, with none or a wrong one."""
    web, api, upload = (f"http://{address}" for address in NODE_PORTS)
    readable = (f"{INGRESS}/api/images", f"{web}/api/images", f"{api}/images", f"{api}/events")
    writable = (f"{INGRESS}/upload", f"{web}/upload", f"{upload}/upload")
    with httpx.Client(headers={"Host": HOST}, timeout=60) as client:
        for place in (*readable, *writable):
            # an address that had the token need not wait for it after the wrong ones
            right = client.options(place, headers={"Authorization": f"Bearer {installation.token}"})
            assert right.status_code == 405, place
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": f"{COOKIE}=wrong"}):
            for place in readable:
                assert client.get(place, headers=headers).status_code in {401, 429}, place
            for place in writable:
                files = {"file": ("one.jpg", photo(64, 48))}
                assert client.post(place, headers=headers, files=files).status_code in {401, 429}, place


def test_no_password_stands_in_a_file_or_a_pod(installation: Installation) -> None:
    """Neither in the manifests, nor in a pod's specification, a ConfigMap, a log, or what Dagster keeps."""
    secrets = {}
    for name in ("postgres", "database", "dagster-database", "access", "grafana"):
        data = json.loads(installation.kubectl("get", "secret", name, "-o", "json"))["data"]
        secrets |= {f"{name}/{key}": value for key, value in data.items()}
    words = {name: base64.b64decode(value).decode() for name, value in secrets.items()}
    words |= {f"{name} (password)": word.split(":")[2].split("@")[0] for name, word in words.items() if "://" in word}
    places = {"manifests": "".join(path.read_text() for path in sorted(MANIFESTS.glob("*.yaml")))}
    for kind in ("pods", "configmaps", "jobs", "deployments", "statefulsets"):
        places[kind] = installation.kubectl("get", kind, "-o", "yaml")
    installation.settle()  # no pod comes or goes
    for pod in installation.list("pods"):
        if pod["status"]["phase"] == "Pending":  # the images of logging may not be there; such a pod wrote nothing
            continue
        name = pod["metadata"]["name"]
        places[f"log of {name}"] = installation.kubectl("logs", name, "--all-containers", "--tail=2000")
    tables = ("runs", "event_logs", "run_tags", "kvs", "instance_info")
    for table in tables:
        places[f"Dagster's {table}"] = "\n".join(
            "\t".join(row) for row in installation.sql(f"TABLE {table}", "imagomortis_dagster")
        )
    found = [f"{name} in {place}" for place, text in places.items() for name, word in words.items() if word in text]
    assert not found


def test_the_readmes_line_reads_the_token(installation: Installation) -> None:
    """And the token opens the page's session."""
    answer = httpx.post(f"http://{NODE_PORTS[0]}/api/session", json={"token": installation.token}, timeout=60)
    assert answer.status_code in {200, 204}, answer.text
    assert COOKIE in answer.cookies
    assert kubectl("get", "secret", "--all-namespaces", "--field-selector", "metadata.name=access", "-o", "name")

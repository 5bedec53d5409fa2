"""What every pod of the installation keeps to."""

from __future__ import annotations

from typing import Any

import pytest

from imagomortis import version
from imagomortis.settings import MIB, Settings
from tests.deploy.manifests import DEPLOY, NAME, NAMESPACE, RUN, STEP_PART, Document, Installation, Pod, base, parsed

SERVING = {"Deployment", "StatefulSet", "DaemonSet"}

USES_SPOOL = "imagomortis/uses-spool"

BESIDE_THE_SPOOLS_USERS = {
    "topologyKey": "kubernetes.io/hostname",
    "labelSelector": {"matchLabels": {NAME: "imagomortis", USES_SPOOL: "true"}},
}


def test_every_part_has_an_account_of_its_own(installation: Installation) -> None:
    accounts = {pod.part: pod.spec["serviceAccountName"] for pod in installation.pods}
    assert accounts == {part: part for part in accounts}
    assert len(accounts) == len(installation.pods)
    assert {account["metadata"]["name"] for account in installation.of("ServiceAccount")} == set(accounts)


def test_no_account_gives_its_token_away_unasked(installation: Installation) -> None:
    assert [account for account in installation.of("ServiceAccount") if account["automountServiceAccountToken"]] == []


def test_a_token_is_mounted_exactly_where_the_account_may_do_something(installation: Installation) -> None:
    bound = {subject["name"] for binding in installation.of("RoleBinding") for subject in binding["subjects"]}
    assert {pod.part for pod in installation.pods if pod.has_token} == bound


@pytest.mark.parametrize("part", ["uploader", "api", "webui"])
def test_requests_under_way_have_time_to_end(installation: Installation, part: str) -> None:
    [settings] = [found for found in installation.of("ConfigMap") if found["metadata"]["name"] == "imagomortis"]
    [pod] = [found for found in installation.pods if found.part == part]
    hook = pod.main[0]["lifecycle"]["preStop"]
    before = hook["sleep"]["seconds"] if "sleep" in hook else int(hook["exec"]["command"][-1].rpartition(" ")[2])
    # a picture of 100 MiB at 10 Mbit/s takes 84 s
    assert 84 < int(settings["data"]["IMAGOMORTIS_STOP_SECONDS"]) < pod.spec["terminationGracePeriodSeconds"] - before


def test_no_pod_is_more_than_restricted_pod_security_allows(installation: Installation) -> None:
    enforced = {
        namespace["metadata"]["name"]: namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for namespace in installation.of("Namespace")
    }
    assert enforced[NAMESPACE] == "restricted"
    loose = [pod for pod in installation.pods if not keeps_to_restricted(pod, enforced[pod.namespace] != "restricted")]
    assert [pod.part for pod in loose] == []


def keeps_to_restricted(pod: Pod, may_read_the_node: bool) -> bool:
    context = pod.spec["securityContext"]
    kinds = {kind for volume in pod.spec.get("volumes", ()) for kind in volume if kind != "name"}
    return (
        context["runAsNonRoot"] is True
        and context["runAsUser"] > 0
        and context["seccompProfile"] == {"type": "RuntimeDefault"}
        and kinds - ({"hostPath"} if may_read_the_node else set())
        <= {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
        and not any(pod.spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
        and all(is_confined(container["securityContext"]) for container in pod.containers)
    )


def is_confined(context: dict[str, Any]) -> bool:
    return (
        context["allowPrivilegeEscalation"] is False
        and context["readOnlyRootFilesystem"] is True
        and context["capabilities"] == {"drop": ["ALL"]}
        and not context.get("privileged")
    )


def test_our_own_images_run_as_their_own_user(installation: Installation) -> None:
    ours = [pod for pod in installation.pods if all(is_ours(container["image"]) for container in pod.containers)]
    assert {pod.spec["securityContext"]["runAsUser"] for pod in ours} == {10001}


def is_ours(image: str) -> bool:
    return image.rpartition(":")[0].rpartition("/")[2] in {"imagomortis", "imagomortis-webui"}


def test_every_container_that_serves_has_probes(installation: Installation) -> None:
    serving = [pod for pod in installation.pods if pod.kind in SERVING]
    for pod in serving:
        wanted = {"livenessProbe", "readinessProbe"} | ({"startupProbe"} if pod.kind != "DaemonSet" else set())
        assert all(wanted <= set(container) for container in pod.main), pod.part
    assert len(serving) >= 6


@pytest.mark.parametrize("part", ["uploader", "api"])
def test_a_part_that_lacks_disk_or_database_is_left_to_say_so_itself(part: str) -> None:
    """One that is not ready is reached by nobody, who would be told of a bad gateway instead."""
    (container,) = base().pod(part).main
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.parametrize(("part", "path"), [("uploader", "/startz"), ("api", "/healthz")])
def test_a_part_starts_although_it_lacks_disk_or_database(part: str, path: str) -> None:
    """One that is started anew for it, again and again, tells nobody."""
    (container,) = base().pod(part).main
    assert container["startupProbe"]["httpGet"]["path"] == path


def test_a_scheduler_has_started_when_it_is_not_its_predecessor_that_is_alive() -> None:
    (container,) = base().pod("scheduler").main
    looks = {name: container[name]["exec"]["command"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert looks["startupProbe"] == [*looks["livenessProbe"], "--since-start"]
    assert looks["readinessProbe"] == looks["livenessProbe"]


def test_every_container_says_what_it_needs_and_may_take(installation: Installation) -> None:
    def says(pod: Pod, container: Any) -> bool:
        asked, most = container["resources"]["requests"], container["resources"]["limits"]
        # half a core as a limit costs the start of a run and of a step 2.4 s, so they have none
        return {"cpu", "memory"} <= set(asked) and "memory" in most and ("cpu" in most or pod.part in {RUN, STEP_PART})

    assert [pod.part for pod in installation.pods for one in pod.containers if not says(pod, one)] == []


def test_a_picture_at_its_limit_of_memory_does_not_end_its_step(installation: Installation) -> None:
    (container,) = installation.pod(STEP_PART).main
    limit = container["resources"]["limits"]["memory"]
    default = Settings.model_fields["sandbox_memory_bytes"].default
    sandbox = int(installation.settings.get("IMAGOMORTIS_SANDBOX_MEMORY_BYTES", default))
    assert limit.endswith("Mi")
    assert int(limit.removesuffix("Mi")) * MIB >= sandbox + 1024 * MIB


def test_images_have_a_version_and_are_taken_from_the_node_if_they_are_there(installation: Installation) -> None:
    for pod in installation.pods:
        for container in pod.containers:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag not in {"", "latest"}, container["image"]
            assert container["imagePullPolicy"] == "IfNotPresent", container["image"]
            if is_ours(container["image"]):
                assert tag == version(), container["image"]


def test_runs_and_steps_have_the_image_of_the_pusher(installation: Installation) -> None:
    images = {container["image"] for part in ("pusher", RUN, STEP_PART) for container in installation.pod(part).main}
    assert len(images) == 1


def test_runs_and_steps_end_and_go_by_themselves(installation: Installation) -> None:
    job = installation.dagster["run_launcher"]["config"]["run_k8s_config"]["job_spec_config"]
    assert job["backoff_limit"] == 0  # the queue retries pictures
    assert 0 < job["active_deadline_seconds"] <= 604_800
    assert 600 <= job["ttl_seconds_after_finished"] <= 3600


def test_users_of_the_spool_stay_together_only_while_one_node_has_it(installation: Installation) -> None:
    """By a label that they all carry. The uploader only prefers it, as it is the first one on a new node."""
    modes = [mode for claim in _claim_of_the_spool(installation) for mode in claim["spec"]["accessModes"]]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [BESIDE_THE_SPOOLS_USERS]}
    preferred = {"weight": 100, "podAffinityTerm": BESIDE_THE_SPOOLS_USERS}
    wanted = {"uploader": {"preferredDuringSchedulingIgnoredDuringExecution": [preferred]}}
    users = [pod for pod in installation.pods if "shared" in pod.claims]
    for pod in users:
        affinity = pod.spec.get("affinity", {}).get("podAffinity", {})
        assert affinity == ({} if modes == ["ReadWriteMany"] else wanted.get(pod.part, required)), pod.part
    assert [pod.part for pod in installation.pods if pod.labels.get(USES_SPOOL)] == [pod.part for pod in users]


def test_parts_without_the_spool_can_run_on_any_node(installation: Installation) -> None:
    users = {"uploader", "pusher", "backup"} if _claim_of_the_spool(installation) else set()
    assert {pod.part for pod in installation.pods if "shared" in pod.claims} == users
    bound = {pod.part for pod in installation.pods if pod.spec.get("affinity")}
    assert bound <= {"uploader", "pusher", "backup", "backup-claim"}


def _claim_of_the_spool(installation: Installation) -> list[Document]:
    """The claim; none if the spool is in an object store."""
    return [claim for claim in installation.of("PersistentVolumeClaim") if claim["metadata"]["name"] == "shared"]


def test_a_claim_of_a_cron_job_has_a_volume_from_the_start(installation: Installation) -> None:
    """From a Job on the same node. Storage classes often make a volume for its first pod, and tools wait for it."""
    jobs = [pod for pod in installation.pods if pod.kind == "Job"]
    claims = [(pod, claim) for pod in installation.pods if pod.kind == "CronJob" for claim in pod.claims - {"shared"}]
    assert claims
    for pod, claim in claims:
        assert [job.spec.get("affinity") for job in jobs if claim in job.claims] == [pod.spec.get("affinity")]


def test_pods_of_a_lost_node_soon_run_on_another(installation: Installation) -> None:
    """A StatefulSet's pod is not: a second one may only begin when it is certain that the first one is gone."""
    for pod in installation.pods:
        if pod.kind == "Deployment":
            assert {one["key"]: one["tolerationSeconds"] for one in pod.spec["tolerations"]} == {
                "node.kubernetes.io/not-ready": 30,
                "node.kubernetes.io/unreachable": 30,
            }, pod.part


def test_a_claim_is_given_to_a_pods_group_once_and_not_at_every_start(installation: Installation) -> None:
    """Where a driver of volumes leaves that to the node, it goes through every file."""
    owners = [pod for pod in installation.pods if pod.claims or pod.kind == "StatefulSet"]
    assert {pod.part for pod in owners} >= {"loki", "backup"}
    contexts = {pod.part: pod.spec["securityContext"] for pod in owners}
    assert all("fsGroup" in context for context in contexts.values())
    assert [part for part, one in contexts.items() if one.get("fsGroupChangePolicy") != "OnRootMismatch"] == []


def test_sources_of_a_pods_variables_and_files_exist(installation: Installation) -> None:
    by_a_person = {"database-ca", "storage"}  # pods start without them
    maps = {document["metadata"]["name"] for document in installation.of("ConfigMap")} | by_a_person
    secrets = set(installation.one("Role", "bootstrap")["rules"][1]["resourceNames"]) | by_a_person
    claims = {document["metadata"]["name"] for document in installation.of("PersistentVolumeClaim")}
    for pod in installation.pods:
        assert pod.references("configMap") <= maps, pod.part
        assert pod.references("secret") <= secrets, pod.part
        assert pod.claims <= claims, pod.part


def test_a_pod_that_waits_waits_for_every_database_that_it_uses(installation: Installation) -> None:
    """It waits for those whose addresses it finds."""
    waiting = {pod.part: pod for pod in installation.pods if pod.spec.get("initContainers")}
    assert waiting.keys() == {"api", "pusher", "scheduler", "dagster-webserver"}
    for part, pod in waiting.items():
        (first,) = pod.spec["initContainers"]
        folders = [
            {mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "secrets"}
            for container in (first, pod.main[0])
        ]
        assert folders[0] == folders[1] != set(), part
        assert {"database"} <= pod.references("secret"), part


def test_the_pod_that_reaches_the_backups_is_like_the_backups_own() -> None:
    pod = parsed((DEPLOY / "backup-pod.yaml").read_text())
    own = base().pod("backup")
    assert pod["metadata"]["labels"] == own.labels
    same = ("serviceAccountName", "automountServiceAccountToken", "securityContext", "volumes")
    assert {name: pod["spec"][name] for name in same} == {name: own.spec[name] for name in same}
    for name in ("image", "imagePullPolicy", "envFrom", "securityContext", "resources"):
        assert pod["spec"]["containers"][0][name] == own.main[0][name]


def test_a_service_leads_to_one_part_at_a_port_that_it_has(installation: Installation) -> None:
    for service in installation.of("Service"):
        spec = service["spec"]
        (pod,) = [pod for pod in installation.pods if spec["selector"].items() <= pod.labels.items()]
        ports = {port["name"] for container in pod.main for port in container["ports"]}
        assert {port["targetPort"] for port in spec["ports"]} <= ports, pod.part


def test_a_workload_selects_its_own_pods_alone(installation: Installation) -> None:
    for kind in SERVING:
        for document in installation.of(kind):
            wanted = document["spec"]["selector"]["matchLabels"].items()
            parts = [pod.part for pod in installation.pods if wanted <= pod.labels.items()]
            assert parts == [document["metadata"]["name"]]


def test_the_node_ports_are_those_of_one_machine(installation: Installation) -> None:
    found = {
        service["metadata"]["name"]: port["nodePort"]
        for service in installation.of("Service")
        for port in service["spec"]["ports"]
        if "nodePort" in port
    }
    assert found == {"webui": 30080, "api": 30081, "uploader": 30082}

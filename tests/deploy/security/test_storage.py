"""The overlay `object-storage`: those that read and write bytes reach the store, and nobody else does."""

from __future__ import annotations

import re

import yaml

from imagomortis.settings import Settings
from tests.deploy.conftest import needs_kubectl
from tests.deploy.manifests import OVERLAYS, ROOT, Pod, base, overlay
from tests.deploy.security.test_network_policies import flows, rules

pytestmark = needs_kubectl

PARTS = {"api", "image-task", "pusher"}
"""The parts that read or write bytes. A `run` in a pod of its own only starts image tasks."""

PORTS = {8333}


def open_ports(pod: Pod, name: str) -> set[int]:
    """The ports at which a pod may reach any address."""
    installation = base() if name == "k8s" else overlay(name)
    return {port["port"] for rule in rules(installation, pod, "egress") if "to" not in rule for port in rule["ports"]}


def test_the_overlay_sets_the_storage_and_adds_one_policy() -> None:
    storage = overlay("object-storage")
    changed = {name: value for name, value in storage.settings.items() if base().settings.get(name) != value}
    assert set(changed) == {"IMAGOMORTIS_STORAGE", "IMAGOMORTIS_STORAGE_ENDPOINT"}
    url, endpoint = changed["IMAGOMORTIS_STORAGE"], changed["IMAGOMORTIS_STORAGE_ENDPOINT"]
    settings = Settings(storage=url, storage_endpoint=endpoint)
    assert settings.storage.startswith("s3://")
    before = {yaml.safe_dump(document) for document in base().documents}
    others = [one for one in storage.documents if yaml.safe_dump(one) not in before and one["kind"] != "Deployment"]
    assert {(one["kind"], one["metadata"]["name"]) for one in others} == {
        ("ConfigMap", "imagomortis"),
        ("NetworkPolicy", "to-storage"),
    }
    assert base().settings["IMAGOMORTIS_STORAGE"] == Settings().storage


def test_only_known_modules_open_the_storage() -> None:
    files = [path for package in ("api_service", "imagomortis_pipeline") for path in (ROOT / package).rglob("*.py")]
    opening = {str(path.relative_to(ROOT)) for path in files if re.search(r"\bopened\(", path.read_text())}
    assert opening == {"api_service/app.py", "imagomortis_pipeline/resources.py"}, "the latter by pusher and image task"


def test_credentials_are_optional_files_of_the_parts_that_need_them() -> None:
    for pod in base().pods:
        sources = [
            one for volume in pod.spec.get("volumes", ()) for one in volume.get("projected", {}).get("sources", ())
        ]
        storage = [one["secret"] for one in sources if one.get("secret", {}).get("name") == "storage"]
        assert storage == ([{"name": "storage", "optional": True}] if pod.part in PARTS | {"run"} else []), pod.part


def test_only_these_parts_reach_the_store() -> None:
    storage = overlay("object-storage")
    for pod in storage.pods:
        more = open_ports(pod, "object-storage") - open_ports(pod, "k8s")
        assert more == (PORTS - open_ports(pod, "k8s") if pod.part in PARTS else set()), pod.part
    assert flows(storage) == flows(base())


def test_the_secret_of_the_guide_is_the_one_that_is_read() -> None:
    text = (OVERLAYS / "README.md").read_text()
    assert "create secret generic storage --from-literal=AWS_ACCESS_KEY_ID" in text
    assert re.search(r"kubectl apply -k deploy/overlays/object-storage\n", text)

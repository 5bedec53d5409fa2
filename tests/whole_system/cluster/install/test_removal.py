"""Taking the system away and bringing it back: the data stays by choice, and no order of arrival is needed."""

from __future__ import annotations

import json
import random

import pytest

from tests.support.pictures import photo
from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.install.test_installation import MOST_RESTARTS, restarts
from tests.whole_system.cluster.install.test_upgrade import NEXT, dashed
from tests.whole_system.cluster.installation import MANIFESTS, Installation, documents, is_at_work, kubectl, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

KINDS = (
    "pods,deployments,statefulsets,daemonsets,cronjobs,services,configmaps,ingresses,networkpolicies,serviceaccounts,"
    "roles,rolebindings,poddisruptionbudgets"
)


def test_data_stays_when_the_rest_goes_and_is_there_when_it_comes_back(installation: Installation, tell: Tell) -> None:
    """Removed by the documented line, and applied again in a random order."""
    pictures = installation.processed()
    token = installation.token

    kubectl("delete", "-f", str(MANIFESTS), "-l", "imagomortis/data!=keep", "--wait=true", seconds=600)
    until(lambda: not ours(), 300, lambda: f"all is gone but {ours()}")
    assert not [job for job in installation.jobs() if is_at_work(job)]
    kept = installation.kubectl("get", "persistentvolumeclaims,secrets", "-o", "name").split()
    assert {"persistentvolumeclaim/data-postgres-0", "persistentvolumeclaim/shared", "secret/access"} <= set(kept)

    seed = random.randrange(1_000_000)
    tell(f"applied in the order of the seed {seed}")
    apply_shuffled(seed)
    installation.wait_until_ready()
    begun = restarts(installation)
    assert max(begun.values()) <= MOST_RESTARTS, begun
    assert installation.token == token
    for image_id, data in pictures.items():
        assert installation.client.get(f"/api/images/{image_id}/original").content == data
        assert installation.client.get(f"/api/images/{image_id}/processed").status_code == 200
    installation.wait_done([installation.upload(photo(128, 96, seed=99))], 240)
    assert restarts(installation).items() >= begun.items(), "all goes on"


def ours() -> list[str]:
    """Return what is there of this version, its finished Jobs apart, which go by themselves within the hour."""
    found = Installation.kubectl("get", KINDS, "-l", "app.kubernetes.io/name=imagomortis,!dagster/run-id", "-o", "name")
    return [name for name in found.split() if name != f"configmap/dagster-{dashed(NEXT)}"]


def apply_shuffled(seed: int) -> None:
    """Apply every object in a random order; only a namespace has to be there before what lies in it."""
    found = documents()
    random.Random(seed).shuffle(found)
    found.sort(key=lambda document: document["kind"] != "Namespace")
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": found}))

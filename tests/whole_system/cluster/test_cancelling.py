"""A run that a person cancels in Dagster's webserver: its pods end, and its pictures are done all the same."""

from __future__ import annotations

import pytest

from tests.whole_system.cluster.conftest import Tell
from tests.whole_system.cluster.install.test_installation import graphql, port_forward
from tests.whole_system.cluster.installation import LINGER_SECONDS, Installation, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ENDED_SECONDS = 150.0

AT_WORK = """
SELECT run_id FROM workers WHERE gone_at IS NULL AND run_id IS NOT NULL AND seen_at IS NOT NULL ORDER BY seen_at DESC
"""

TERMINATE = """mutation ($run: String!) {
  terminateRun(runId: $run, terminatePolicy: SAFE_TERMINATE) { __typename ... on PythonError { message } }
}"""


def test_a_run_that_is_cancelled_leaves_no_pod_and_another_does_its_pictures(
    cold: Installation, small_pictures: list[bytes], tell: Tell
) -> None:
    """The webserver ends the run, which ends its step; what it had leased goes back to the queue."""
    cold.set("IMAGOMORTIS_LINGER_SECONDS", "120")  # the run must not end by itself
    try:
        with port_forward("svc/dagster-webserver", 80) as address:
            acknowledged = cold.upload_all(small_pictures)
            run_id = until(lambda: cold.sql(AT_WORK), 180, "a worker is seen")[0][0]
            pods = f"dagster/run-id={run_id}"
            kinds = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in cold.list("pods", pods)}
            assert kinds == {"run", "image-task"}
            answer = graphql(address, TERMINATE, run=run_id)["terminateRun"]
    finally:
        cold.set("IMAGOMORTIS_LINGER_SECONDS", str(LINGER_SECONDS))
    assert answer["__typename"] == "TerminateRunSuccess", answer

    until(lambda: not cold.list("pods", pods), ENDED_SECONDS, lambda: cold.kubectl("get", "pods", "-l", pods))
    late = cold.upload(small_pictures[0])
    tell(f"a run cancelled: its pictures and one more done {cold.wait_done([*acknowledged, late], 240):.0f} s later")
    ((by,),) = cold.sql(f"SELECT run_id FROM attempts WHERE image_id = '{late}'")
    assert by != run_id

"""In the cluster a run's page links to its lines in Grafana."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from dagster import DagsterInstance, job, op
from dagster._core.test_utils import instance_for_test

from tests.deploy.manifests import DEPLOY, base


@op
def nothing() -> None:
    sys.stdout.write("a line of a step\n")


@job
def one_step() -> None:
    nothing()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """An instance that keeps step logs as the manifests say."""
    overrides = {"compute_logs": base().dagster["compute_logs"]}
    with instance_for_test(overrides=overrides, temp_dir=str(tmp_path)) as found:
        yield found


def link_of_a_run(instance: DagsterInstance) -> tuple[str, str | None]:
    """Run a job; return the run's id and the link that its page has."""
    run_id = one_step.execute_in_process(instance=instance).run_id
    (captured,) = [one.dagster_event.logs_captured_data for one in instance.all_logs(run_id) if is_capture(one)]
    return run_id, captured.external_url


def is_capture(entry: object) -> bool:
    event = getattr(entry, "dagster_event", None)
    return bool(event and event.event_type_value == "LOGS_CAPTURED")


def test_a_run_links_to_its_lines_in_grafana(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGOMORTIS_GRAFANA_URL", "https://grafana.example.org")
    began = time.time()
    run_id, link = link_of_a_run(instance)
    address = urlsplit(str(link))
    query = {name: value for name, (value,) in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}" == "https://grafana.example.org"
    board = json.loads((DEPLOY / "dashboards" / "logs.json").read_text())
    assert address.path == f"/d/{board['uid']}"
    assert {name.removeprefix("var-") for name in query if name.startswith("var-")} <= variables_of(board)
    assert query["var-search"] == run_id
    assert int(query["from"]) / 1000 < began
    assert query["to"] == "now"


def variables_of(board: dict[str, dict[str, list[dict[str, str]]]]) -> set[str]:
    return {variable["name"] for variable in board["templating"]["list"]}


def test_without_grafanas_address_there_is_no_link(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGOMORTIS_GRAFANA_URL", raising=False)
    assert link_of_a_run(instance)[1] is None


def test_a_steps_output_stays_where_the_container_runtime_reads_it(
    instance: DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    link_of_a_run(instance)
    assert "a line of a step" in capfd.readouterr().out

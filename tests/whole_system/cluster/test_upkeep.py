"""`imagomortis doctor` and `imagomortis verify` of an installation: from a pod, and from outside."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from tests.whole_system.cluster.install.test_installation import port_forward
from tests.whole_system.cluster.installation import NODE_PORTS, Installation

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

OUTSIDE = ("services", "jobs")

IN_A_POD = ("exec", "deployment/pusher", "-c", "pusher", "--", "imagomortis")


def test_the_doctor_in_a_pod_finds_nothing_wrong(picture: UUID, installation: Installation) -> None:
    document = json.loads(installation.kubectl(*IN_A_POD, "doctor", "--json"))
    assert document["exit_code"] == 0
    levels = {each["check"]: each["level"] for each in document["findings"]}
    assert {check for check, level in levels.items() if level == "skipped"} == {"inboxes", "services", "storage"}
    assert levels["jobs"] == "fine"


def test_the_doctor_outside_reaches_the_services_and_the_jobs(
    picture: UUID, installation: Installation, tmp_path: Path
) -> None:
    only = [word for name in OUTSIDE for word in ("--only", name)]
    with port_forward("svc/postgres", 5432) as address:
        _, _, port = address.rpartition(":")
        catalog = conninfo_to_dict(secret(installation, "database", "DATABASE_URL"))
        url = make_url(secret(installation, "dagster-database", "IMAGOMORTIS_DAGSTER_DATABASE_URL"))
        done = subprocess.run(
            [str(Path(sys.executable).with_name("imagomortis")), "doctor", "--namespace", "imagomortis", *only],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "KUBECONFIG": os.environ["KUBECONFIG"],
                "IMAGOMORTIS_URL": f"http://{NODE_PORTS[0]}",
                "IMAGOMORTIS_TOKEN": installation.token,
                "DATABASE_URL": f"postgresql://{catalog['user']}:{catalog['password']}@127.0.0.1:{port}/{catalog['dbname']}",
                "IMAGOMORTIS_DAGSTER_DATABASE_URL": url.set(host="127.0.0.1", port=int(port)).render_as_string(
                    hide_password=False
                ),
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_flipped_byte_is_found_by_name_and_mended_as_told(picture: UUID, installation: Installation) -> None:
    assert "none damaged" in installation.kubectl(*IN_A_POD, "verify", "--restart")
    installation.sql(
        "UPDATE renditions SET bytes = set_byte(bytes, 100, get_byte(bytes, 100) # 1) "
        f"WHERE image_id = '{picture}' AND kind = 'processed'"
    )
    said = installation.kubectl(*IN_A_POD[:-1], "sh", "-c", "imagomortis verify --restart; echo code $?")
    assert said.splitlines()[-1] == "code 1"
    subprocess.run(shlex.split(said.partition("again: ")[2].splitlines()[0]), timeout=180, check=True)
    installation.wait_done([picture], 180)
    assert "none damaged" in installation.kubectl(*IN_A_POD, "verify", "--restart")


def secret(installation: Installation, name: str, key: str) -> str:
    """Return a value of a Secret."""
    template = f"go-template={{{{index .data {json.dumps(key)} | base64decode}}}}"
    return installation.kubectl("get", "secret", name, "-o", template)

"""The OpenAPI document, and whether the service does what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from imagomortis.recipe.recipe import builtin
from tests.upload_service.conftest import Service
from tests.upload_service.openapi import pictures_for_schemathesis
from tests.upload_service.uploader import running

STATUSES = {"201", "401", "403", "408", "413", "415", "422", "429", "503", "507"}


@pytest.mark.slow
@pytest.mark.parametrize("examples", [15, pytest.param(200, marks=pytest.mark.soak)])
def test_the_service_does_what_its_document_says(tmp_path: Path, examples: int) -> None:
    with running(tmp_path / "spool") as uploader:
        ended = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                f"--config-file={Path(__file__).with_name('schemathesis.toml')}",
                "run",
                f"{uploader.url}/openapi.json",
                "--checks=all",
                f"--max-examples={examples}",
                "--seed=20261124",
                "--generation-database=none",
                "--continue-on-failure",
                "--no-color",
            ],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path.cwd()), "SCHEMATHESIS_HOOKS": pictures_for_schemathesis.__name__},
            capture_output=True,
            text=True,
            check=False,
        )

        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "No issues found" in ended.stdout
        assert len(uploader.lines("stored")) > 10
        assert len(uploader.lines("refused")) > 10
        assert uploader.lines("crashed") == []


@pytest.mark.anyio
async def test_the_document_tells_every_answer_with_an_example(service: Service) -> None:
    document = (await service.client.get("/openapi.json")).json()
    responses: dict[str, Any] = document["paths"]["/upload"]["post"]["responses"]

    assert responses.keys() == STATUSES
    for status, response in responses.items():
        kind = "application/json" if status == "201" else "application/problem+json"
        examples = response["content"][kind]["examples"]
        schema = response["content"][kind]["schema"] | {"components": document["components"]}
        validator = jsonschema_rs.validator_for(schema)
        assert examples
        for example in examples.values():
            validator.validate(example["value"])
            assert status == "201" or example["value"]["status"] == int(status)


@pytest.mark.anyio
async def test_the_document_tells_every_refusal_of_a_resumable_upload_with_an_example(service: Service) -> None:
    document = (await service.client.get("/openapi.json")).json()
    verbs = document["paths"]["/upload/tus/"] | document["paths"]["/upload/tus/{upload}"]

    assert verbs.keys() == {"options", "post", "head", "patch", "delete"}
    assert verbs["patch"]["responses"].keys() >= {"204", "400", "404", "409", "410", "412", "413", "415", "423", "460"}
    for verb in verbs.values():
        for status, response in verb["responses"].items():
            if int(status) < 400:
                assert "content" not in response
                continue
            content = response["content"]["application/problem+json"]
            validator = jsonschema_rs.validator_for(content["schema"] | {"components": document["components"]})
            assert content["examples"]
            for example in content["examples"].values():
                validator.validate(example["value"])
                assert example["value"]["status"] == int(status)


@pytest.mark.anyio
async def test_the_built_in_recipes_are_as_the_document_has_recipes(service: Service) -> None:
    document = (await service.client.get("/openapi.json")).json()
    form = document["paths"]["/upload"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    validator = jsonschema_rs.validator_for(form["properties"]["recipe"] | {"components": document["components"]})

    for name, named in builtin().items():
        validator.validate(name)
        validator.validate(named.recipe.as_json())
    for wrong in ("no such recipe", {"steps": [{"transform": "crop"}]}, {"steps": [{"amount": 1}]}):
        assert not validator.is_valid(wrong)


@pytest.mark.anyio
async def test_there_are_no_pages_that_load_programs_from_elsewhere(service: Service) -> None:
    for path in ("/docs", "/redoc"):
        assert (await service.client.get(path)).status_code == 404

"""The OpenAPI document, and the API held to it by Schemathesis."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from api_service import models
from imagomortis.catalog import Catalog
from imagomortis.recipe.recipe import builtin
from imagomortis.settings import Settings
from imagomortis_http.callers.cors import METHODS
from tests.api_service.conftest import add, process, serving
from tests.support.pictures import photo
from tests.support.uploads import upload

# what JSON Schema cannot say of a recipe, such as which fields exclude each other, is answered with 422,
# and bytes that are no picture with 415
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "404", "409", "415", "422"]
"""

# each takes the recipe that validating takes, for which there are thousands of cases of the coverage phase
TAKE_RECIPES_TOO = """
[[operations]]
include-name-regex = "^PUT /recipes|^PATCH /images|^POST .*/preview$"
phases.coverage.enabled = false
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("examples", "further"),
    [(1, TAKE_RECIPES_TOO), pytest.param(50, "", marks=[pytest.mark.soak, pytest.mark.timeout(1200)])],
)
def test_every_answer_is_as_documented(
    database: str, catalog: Catalog, tmp_path: Path, examples: int, further: str
) -> None:
    """All checks and phases with so many examples an operation and phase; the coverage phase has thousands of its own.

    The endless stream of events has its own tests.
    """
    fill(catalog)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION + further)
    with serving(Settings(), database) as address, refilling(catalog):
        run = subprocess.run(
            [
                Path(sys.executable).with_name("st"),
                *("run", f"{address}/openapi.json", "--exclude-path", "/events", "--checks", "all"),
                *("--max-examples", str(examples), "--generation-deterministic", "--continue-on-failure", "--no-color"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Stateful" in run.stdout


def test_each_route_is_in_it_once(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert client.get("/api/openapi.json").json() == document
    assert not any(path.startswith("/api") for path in document["paths"])
    operations = [
        (method, path, each) for path, methods in document["paths"].items() for method, each in methods.items()
    ]
    assert len({each["operationId"] for _, _, each in operations}) == len(operations)
    assert all(each["description"].endswith(".") for _, _, each in operations)


def test_pages_of_allowed_origins_may_use_every_method(client: TestClient) -> None:
    used = {method.upper() for methods in client.get("/openapi.json").json()["paths"].values() for method in methods}
    assert used <= set(METHODS.split(", "))


def test_examples_are_valid(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    requests = [
        model for model in vars(models).values() if isinstance(model, type) and issubclass(model, models.Request)
    ]
    assert len(requests) > 5
    for model in requests:
        for example in schemas.get(model.__name__, {}).get("examples", []):
            model.model_validate(example)
    for example in schemas["Image"]["examples"]:
        models.Image.model_validate(example)


def fill(catalog: Catalog) -> None:
    """Add images that are done, failed and queued; one gets the id that the document has as an example."""
    data = photo(64, 48)
    recipe = builtin()["web"].recipe.as_json()
    catalog.queue.add([(upload(data, id=UUID(models.EXAMPLE_ID), recipe=recipe, width=64, height=48), data)])
    add(catalog, data, recipe=recipe, width=64, height=48)
    process(catalog, data)
    add(catalog, data[:100], recipe=recipe)
    if lease := catalog.queue.lease("run-2", 1, 15):
        catalog.queue.fail(lease.token, lease.images[0].id, "It does not decode.", "decoder-crashed", 0.1)
    add(catalog, data, recipe=recipe, width=64, height=48)


@contextmanager
def refilling(catalog: Catalog) -> Iterator[None]:
    """Add images whenever all are deleted, so that there is always something to ask for."""
    over = threading.Event()

    def refill() -> None:
        while not over.wait(0.1):
            if not catalog.images.page(1).images:
                fill(catalog)

    thread = threading.Thread(target=refill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
